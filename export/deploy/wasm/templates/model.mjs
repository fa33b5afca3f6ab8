// Made by `python -m export --format wasm` from @FILE@; do not edit.
//
//     import { load, classes } from "./model.mjs";
//     const model = await load();
//     const scores = model.run(pixels);
//
// Runs in browsers, Node and Deno that know WebAssembly's SIMD. A stored value is
// round(real / scale) + zeroPoint; a raw value r becomes the real one r * factor + offset.

export const inputs = @INPUTS@;
export const outputs = @OUTPUTS@;
export const classes = @CLASSES@;

const TYPES = { int8: Int8Array, uint8: Uint8Array, bool: Uint8Array, int32: Int32Array };
const f = Math.fround;
const size = (spec) => spec.shape.reduce((product, each) => product * each, 1);

/**
 * Loads the module from beside this file, from another URL, or from its bytes. Each one that is
 * loaded has a memory of its own.
 */
export async function load(source = new URL("model.wasm", import.meta.url)) {
  const isPlace = typeof source === "string" || source instanceof URL;
  const bytes = isPlace ? await read(new URL(source, import.meta.url)) : source;
  const { instance } = await WebAssembly.instantiate(bytes);
  const { memory, unpack, at, run } = instance.exports;
  unpack();
  const views = [...inputs, ...outputs].map(
    (spec, i) => new TYPES[spec.dtype](memory.buffer, at(i), size(spec)),
  );
  const given = inputs.map((spec, i) => {
    const stored = encoder(spec);
    return { spec, view: views[i], stored, bytes: ofBytes(spec, stored) };
  });
  const made = outputs.map((spec, i) => ({ spec, view: views[inputs.length + i] }));

  function call(values, put, take) {
    for (const each of given) {
      const { name } = each.spec;
      const some = inputs.length === 1 && values.length !== undefined ? values : values[name];
      if (some?.length !== each.view.length) {
        throw new RangeError(`${name}: got ${some?.length} values, expected ${each.view.length}`);
      }
      put(each, some);
    }
    run();
    if (outputs.length === 1) return take(made[0]);
    return Object.fromEntries(made.map((each) => [each.spec.name, take(each)]));
  }

  return {
    /** Raw values → real ones, a Float32Array; several inputs and outputs are objects by name. */
    run: (values) => call(values, encode, decode),
    /** The same as the module stores them, without any conversion. */
    runStored: (values) =>
      call(values, ({ view }, some) => view.set(some), ({ view }) => view.slice()),
  };
}

async function read(url) {
  if (url.protocol === "file:" && typeof document === "undefined") {
    return (await import("node:fs/promises")).readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

// Real numbers are of 32 bits, and halves go to the even neighbour, as where the model was proven.
function encoder({ dtype, scale, zeroPoint, factor, offset }) {
  const [factors, offsets, [step]] = [factor, offset, [scale]].map((each) => Float32Array.from(each));
  const [low, high] = dtype === "int8" ? [-128, 127] : [0, 255];
  return (raw, i) => {
    const real = f(f(f(raw) * factors[i % factors.length]) + offsets[i % offsets.length]);
    if (scale === null) return real;
    const steps = f(real / step);
    let whole = Math.round(steps);
    if (whole - steps === 0.5 && whole % 2 !== 0) whole -= 1;
    return Math.min(Math.max(whole + zeroPoint, low), high);
  };
}

// What each byte becomes, of inputs whose channels are treated alike.
function ofBytes({ dtype, factor, offset }, stored) {
  if (factor.length > 1 || offset.length > 1) return null;
  return TYPES[dtype].from({ length: 256 }, (_, raw) => stored(raw, 0));
}

function encode({ view, stored, bytes }, some) {
  const known = some instanceof Uint8Array || some instanceof Uint8ClampedArray ? bytes : null;
  if (known) for (let i = 0; i < view.length; i++) view[i] = known[some[i]];
  else for (let i = 0; i < view.length; i++) view[i] = stored(some[i], i);
}

function decode({ spec: { scale, zeroPoint }, view }) {
  if (scale === null) return Float32Array.from(view);
  return Float32Array.from(view, (value) => f(value - zeroPoint) * f(scale));
}

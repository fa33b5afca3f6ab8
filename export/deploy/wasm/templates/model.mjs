// Made by `python -m export --format wasm` from @FILE@; do not edit. How to call it: model.d.ts.

export const inputs = @INPUTS@;
export const outputs = @OUTPUTS@;
export const classes = @CLASSES@;

const TYPES = { int8: Int8Array, uint8: Uint8Array, bool: Uint8Array, int32: Int32Array };
const f = Math.fround;
const size = (spec) => spec.shape.reduce((product, each) => product * each, 1);

export async function load(source = new URL("model.wasm", import.meta.url)) {
  const isPlace = typeof source === "string" || source instanceof URL;
  const bytes = isPlace ? await read(new URL(source, import.meta.url)) : source;
  const { instance } = await WebAssembly.instantiate(bytes);
  const { memory, unpack, at, run } = instance.exports;
  unpack();
  const ends = [...inputs, ...outputs].map((spec, i) => {
    const view = new TYPES[spec.dtype](memory.buffer, at(i), size(spec));
    return { ...spec, view, ...(i < inputs.length && encoder(spec)) };
  });
  const given = ends.slice(0, inputs.length);
  const made = ends.slice(inputs.length);

  function call(values, put, take) {
    for (const each of given) {
      const some = given.length === 1 && values.length !== undefined ? values : values[each.name];
      if (some?.length !== each.view.length) {
        const got = `${each.name}: got ${some?.length} values`;
        throw new RangeError(`${got}, expected ${each.view.length}`);
      }
      put(each, some);
    }
    run();
    if (made.length === 1) return take(made[0]);
    return Object.fromEntries(made.map((each) => [each.name, take(each)]));
  }

  return {
    run: (values) => call(values, encode, decode),
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
// `bytes` is what each byte becomes, where all channels are treated alike.
function encoder({ dtype, scale, zeroPoint, factor, offset }) {
  const [factors, offsets, [step]] = [factor, offset, [scale]].map((each) => each.map(f));
  const [low, high] = dtype === "int8" ? [-128, 127] : [0, 255];
  const stored = (raw, i) => {
    const real = f(f(f(raw) * factors[i % factors.length]) + offsets[i % offsets.length]);
    if (scale === null) return real;
    const steps = f(real / step);
    let whole = Math.round(steps);
    if (whole - steps === 0.5 && whole % 2 !== 0) whole -= 1;
    return Math.min(Math.max(whole + zeroPoint, low), high);
  };
  const alike = factor.length === 1 && offset.length === 1;
  return { stored, bytes: alike && Array.from({ length: 256 }, (_, raw) => stored(raw, 0)) };
}

function encode({ view, stored, bytes }, some) {
  const known = some instanceof Uint8Array || some instanceof Uint8ClampedArray ? bytes : null;
  for (let i = 0; i < view.length; i++) view[i] = known ? known[some[i]] : stored(some[i], i);
}

function decode({ scale, zeroPoint, view }) {
  if (scale === null) return Float32Array.from(view);
  return Float32Array.from(view, (value) => f(value - zeroPoint) * f(scale));
}

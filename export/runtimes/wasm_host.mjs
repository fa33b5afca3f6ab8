// Calls a module for `WasmRunner`: `node wasm_host.mjs FILE SIZES`, requests on standard input.
//
// SIZES are the bytes of each input and output, as JSON. A line of JSON says what loading took. A
// request is 32 bytes (kind, number of calls, samples, nanoseconds at most; float64 each), then the
// inputs of so many calls; the answer of kind 0 are their outputs, of kind 1 a line of JSON, then
// the nanoseconds of each sample, float64. The module gets no imports: it can only compute.
import { readFileSync, readSync, writeSync } from "node:fs";

const [file, sizes] = [process.argv[2], JSON.parse(process.argv[3])];
const now = process.hrtime.bigint;

function read(count) {
  const buffer = Buffer.alloc(count);
  for (let at = 0, got; at < count; at += got) {
    got = readSync(0, buffer, at, count - at, null);
    if (got === 0) process.exit(0); // whoever asked has ended
  }
  return buffer;
}

function write(bytes) {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

// Where Linux says it: `maxRSS` keeps the peak of the process that this one was forked from.
function peakBytes() {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

const say = (content) => write(Buffer.from(JSON.stringify(content) + "\n"));

function load() {
  const code = readFileSync(file);
  const emptyBytes = peakBytes();
  const started = now();
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), {});
  exports.unpack();
  const loadMs = Number(now() - started) / 1e6;
  const view = (size, i) => new Uint8Array(exports.memory.buffer, exports.at(i), size);
  const views = [...sizes.inputs, ...sizes.outputs].map(view);
  const ends = [views.slice(0, sizes.inputs.length), views.slice(sizes.inputs.length)];
  return { run: exports.run, ends, loadMs, emptyBytes };
}

function serve({ run, ends: [inputs, outputs] }) {
  const total = sizes.inputs.reduce((sum, size) => sum + size, 0);
  // Bytes in → bytes out, as others are timed: arrays are copied into the module and out of it.
  const call = (given) => {
    let at = 0;
    for (const input of inputs) input.set(given.subarray(at, (at += input.length)));
    run();
    return outputs.map((output) => output.slice());
  };
  let before = process.resourceUsage();
  for (;;) {
    const head = read(32);
    const [kind, count, samples, limit] = [0, 8, 16, 24].map((at) => head.readDoubleLE(at));
    const all = read(count * total);
    const calls = Array.from({ length: count }, (_, i) => all.subarray(i * total, (i + 1) * total));
    if (kind === 0) {
      write(Buffer.concat(calls.flatMap(call)));
      continue;
    }
    const took = new Float64Array(samples);
    let done = 0;
    for (const started = now(); done < samples && (!done || now() - started < limit); done++) {
      const given = calls[done % count];
      const from = now();
      call(given);
      took[done] = Number(now() - from);
    }
    const after = process.resourceUsage();
    const spent = (key) => after[key] - before[key];
    say({
      samples: done,
      cpu_s: (spent("userCPUTime") + spent("systemCPUTime")) / 1e6,
      preemptions: spent("involuntaryContextSwitches"),
      peak_bytes: peakBytes(),
    });
    before = after;
    write(Buffer.from(took.buffer, 0, done * 8));
  }
}

let loaded;
try {
  loaded = load();
} catch (error) {
  say({ error: String(error) });
  process.exit(0);
}
say({ load_ms: loaded.loadMs, empty_bytes: loaded.emptyBytes });
serve(loaded);

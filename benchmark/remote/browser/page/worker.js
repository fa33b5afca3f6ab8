/**
 * A model in a worker of its own, so that one that dies or hangs takes no other with it.
 *
 * A classic worker, because LiteRT.js loads its WebAssembly by `importScripts`.
 *
 * @typedef {import("./types.js").Ask} Ask
 * @typedef {import("./types.js").Loaded} Loaded
 * @typedef {import("./types.js").Model} Model
 * @typedef {import("./types.js").Tensor} Tensor
 * @typedef {import("./types.js").Values} Values
 */

const timing = import("./timing.mjs");
const tensors = import("./tensors.mjs");

/** @type {Model} */
let model;
/** @type {{ inputs: Tensor[], outputs: Tensor[] }} */
let declared;
/** @type {Values[][]} */
let examples;
let step = 0;

/** @type {Record<Ask["do"], (request: any) => Promise<unknown>>} */
const answers = {
  /** @param {Extract<Ask, { do: "open" }>} request @returns {Promise<Loaded>} */
  async open({ runtime, setting, loading, first }) {
    const { unpacked } = await tensors;
    const { clockCost, clockStep } = await timing;
    /** @type {import("./types.js").Runtime} */
    const { start } = await import(`./runtimes/${runtime}.mjs`);
    const open = await start(setting);
    const started = performance.now();
    model = await open(loading);
    declared = loading;
    const loaded = performance.now();
    examples = unpacked(first, loading.inputs, 1);
    await model.run(/** @type {Values[]} */ (examples[0]));
    const done = performance.now();
    step = clockStep();
    return {
      load_ms: loaded - started,
      first_inference_us: (done - loaded) * 1e3,
      clock_step_us: step * 1e3,
      timer_ns: clockCost(),
    };
  },

  /** @param {Extract<Ask, { do: "outputs" }>} request @returns {Promise<ArrayBuffer>} */
  async outputs({ inputs, calls }) {
    const { packed, unpacked } = await tensors;
    const given = unpacked(inputs, declared.inputs, calls);
    const results = [];
    for (const values of given) {
      const found = await model.run(values);
      results.push(found.map((output) => output?.slice()));
    }
    return packed(results, declared.outputs);
  },

  /** @param {Extract<Ask, { do: "time" }>} request */
  async time({ timing: how, first }) {
    const { timeSlice } = await timing;
    let next = 0;
    const call = () => {
      next = (next + 1) % examples.length;
      return model.run(/** @type {Values[]} */ (examples[next]));
    };
    return timeSlice(call, how, step, first);
  },

  /** @param {Extract<Ask, { do: "examples" }>} request */
  async examples({ inputs, calls }) {
    const { unpacked } = await tensors;
    examples = unpacked(inputs, declared.inputs, calls);
  },
};

self.onmessage = async (event) => {
  try {
    const answer = await answers[/** @type {Ask["do"]} */ (event.data.do)](event.data);
    self.postMessage({ answer });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};

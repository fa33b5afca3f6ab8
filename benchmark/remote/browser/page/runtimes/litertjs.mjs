/**
 * LiteRT.js, one thread: `.tflite` files whose inputs and outputs are no 8- or 16-bit integers.
 *
 * @import { Loading, Model, Setting, Tensor as Wanted, Values } from "../types.js"
 * @typedef {typeof import("@litertjs/core")} LiteRt
 */

/** @param {Setting} setting */
export async function start({ accelerator, packages }) {
  /** @type {LiteRt} */
  const litert = await import(`${packages}@litertjs/core/dist/index.js`);
  const folder = `${packages}@litertjs/core/wasm/`;
  // in a worker, its WebAssembly would be looked for beside the worker's script
  Object.assign(self, { Module: { locateFile: (/** @type {string} */ name) => folder + name } });
  await litert.loadLiteRt(folder);
  return (/** @type {Loading} */ loading) => open(litert, accelerator, loading);
}

/**
 * @param {LiteRt} litert
 * @param {Setting["accelerator"]} accelerator
 * @param {Loading} loading
 * @returns {Promise<Model>}
 */
async function open(litert, accelerator, { file, inputs, outputs }) {
  const model = await litert.loadAndCompile(file, { accelerator });
  const taken = places(model.getInputDetails(), inputs);
  const given = places(model.getOutputDetails(), outputs);
  const inMemory = accelerator === "wasm";

  return {
    async run(values) {
      const tensors = taken.map((place) => {
        const input = /** @type {Wanted} */ (inputs[place]);
        return new litert.Tensor(/** @type {any} */ (values[place]), input.shape);
      });
      const results = await model.run(tensors);
      for (const tensor of tensors) tensor.delete();
      /** @type {Values[]} */
      const found = [];
      for (const [index, result] of results.entries()) {
        const read = inMemory ? result.toTypedArray() : await result.data();
        found[given[index] ?? index] = /** @type {Values} */ (read);
        result.delete();
      }
      return found;
    },
  };
}

/**
 * Returns the place in the job of each tensor of the model: by its name, or as they come.
 *
 * @param {readonly { name: string }[]} details
 * @param {Wanted[]} wanted
 */
function places(details, wanted) {
  if (details.length !== wanted.length) {
    throw new Error(`got ${details.length} tensors, expected ${wanted.length}`);
  }
  const names = wanted.map((tensor) => tensor.name);
  const found = details.map((detail) => names.indexOf(detail.name));
  return found.includes(-1) ? names.map((_, index) => index) : found;
}

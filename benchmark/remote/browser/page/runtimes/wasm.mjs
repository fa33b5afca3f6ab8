/**
 * The module that `--format wasm` makes, which needs no runtime.
 *
 * @import { Loading, Model, Tensor, Values } from "../types.js"
 */

import { arrayOf, sizeOf } from "../tensors.mjs";

export async function start() {
  return open;
}

/**
 * @param {Loading} loading
 * @returns {Promise<Model>}
 */
async function open({ file, inputs, outputs }) {
  const { instance } = await WebAssembly.instantiate(file, {});
  const { memory, unpack, at, run } = /** @type {any} */ (instance.exports);
  unpack();
  /** @param {Tensor} tensor @param {number} number */
  const view = (tensor, number) =>
    /** @type {any} */ (new (arrayOf(tensor))(memory.buffer, at(number), sizeOf(tensor)));
  const taken = inputs.map(view);
  const given = outputs.map((tensor, index) => view(tensor, inputs.length + index));
  return {
    /** @param {Values[]} values */
    run(values) {
      for (const [index, input] of taken.entries()) input.set(values[index]);
      run();
      return given.map((output) => output.slice());
    },
  };
}

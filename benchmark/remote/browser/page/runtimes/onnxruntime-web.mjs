/**
 * ONNX Runtime Web, one thread.
 *
 * @import { Loading, Setting, Values } from "../types.js"
 */

const BUNDLES = { wasm: "ort.wasm.min.mjs", webgpu: "ort.webgpu.min.mjs" };

/** @param {Setting} setting */
export async function start({ accelerator, packages }) {
  const folder = `${packages}onnxruntime-web/dist/`;
  /** @type {typeof import("onnxruntime-web")} */
  const ort = await import(`${folder}${BUNDLES[accelerator]}`);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = folder;
  ort.env.logLevel = "error";

  return async (/** @type {Loading} */ { file, inputs, outputs }) => {
    const session = await ort.InferenceSession.create(file, { executionProviders: [accelerator] });
    return {
      /** @param {Values[]} values */
      async run(values) {
        /** @type {Record<string, import("onnxruntime-web").Tensor>} */
        const feeds = {};
        inputs.forEach((input, index) => {
          const data = /** @type {any} */ (values[index]);
          feeds[input.name] = new ort.Tensor(/** @type {any} */ (input.dtype), data, input.shape);
        });
        const results = await session.run(feeds);
        return outputs.map((output) => /** @type {Values} */ (results[output.name]?.data));
      },
    };
  };
}

/**
 * Bytes → typed arrays of one call each, and back.
 *
 * @import { Tensor, Values } from "./types.js"
 */

const ARRAYS = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
};

/**
 * @param {Tensor} tensor
 * @returns {typeof ARRAYS[keyof typeof ARRAYS]} the kind of typed array that holds its values
 */
export function arrayOf(tensor) {
  if (!Object.hasOwn(ARRAYS, tensor.dtype)) throw new Error(`no array holds ${tensor.dtype}`);
  return ARRAYS[/** @type {keyof typeof ARRAYS} */ (tensor.dtype)];
}

/** @param {Tensor} tensor @returns {number} how many values it has */
export const sizeOf = (tensor) => tensor.shape.reduce((product, size) => product * size, 1);

/**
 * Returns the values of each call, whose inputs' bytes lie one input after the other.
 *
 * @param {ArrayBuffer} bytes
 * @param {Tensor[]} tensors
 * @param {number} calls
 * @returns {Values[][]} by call, then by input
 */
export function unpacked(bytes, tensors, calls) {
  let offset = 0;
  const columns = tensors.map((tensor) => {
    const [kind, size] = [arrayOf(tensor), sizeOf(tensor)];
    const length = size * kind.BYTES_PER_ELEMENT;
    const start = offset;
    offset += length * calls;
    // copies, because an offset must be a multiple of the size of a value
    return Array.from({ length: calls }, (_, call) => {
      const from = start + call * length;
      return /** @type {Values} */ (new kind(bytes.slice(from, from + length)));
    });
  });
  if (offset !== bytes.byteLength) {
    throw new Error(`got ${bytes.byteLength} bytes of inputs, expected ${offset}`);
  }
  return Array.from({ length: calls }, (_, call) =>
    columns.map((column) => /** @type {Values} */ (column[call])),
  );
}

/**
 * Returns the bytes of outputs, all calls of the first output first.
 *
 * @param {Values[][]} results by call, then by output
 * @param {Tensor[]} tensors
 * @returns {ArrayBuffer}
 */
export function packed(results, tensors) {
  const lengths = tensors.map((tensor) => sizeOf(tensor) * arrayOf(tensor).BYTES_PER_ELEMENT);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0) * results.length);
  let offset = 0;
  tensors.forEach((tensor, number) => {
    for (const outputs of results) {
      const values = outputs[number];
      if (!(values instanceof arrayOf(tensor)) || values.length !== sizeOf(tensor)) {
        const got = values ? `${values.length} values as ${values.constructor.name}` : "nothing";
        throw new Error(
          `got output ${tensor.name} of ${got}, expected ${sizeOf(tensor)} of ${tensor.dtype}`,
        );
      }
      bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
      offset += values.byteLength;
    }
  });
  return bytes.buffer;
}

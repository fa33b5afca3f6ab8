// Made by `python -m export --format wasm` from @FILE@; do not edit.
//
//     import { load, classes } from "./model.mjs";
//     const model = await load();
//     const scores = model.run(pixels);
//
// Runs in browsers, Node and Deno that know WebAssembly's SIMD.

/** An input or an output: a stored value is round(real / scale) + zeroPoint. */
export interface Tensor {
  name: string;
  /** Sizes, without the batch. */
  shape: number[];
  dtype: "int8" | "uint8" | "bool" | "int32";
  scale: number | null;
  zeroPoint: number | null;
}

/** A raw value r becomes the real value r * factor + offset, by channel where there are several. */
export interface Input extends Tensor {
  factor: number[];
  offset: number[];
}

export type Values = ArrayLike<number>;
export type Stored = Int8Array | Uint8Array | Int32Array;

export interface Model {
  /** Raw values of one example → real ones. */
  run(values: @VALUES@): @MADE@;
  /** The same as the module stores them, without any conversion. */
  runStored(values: @VALUES@): @STORED@;
}

export const inputs: Input[];
export const outputs: Tensor[];
/** The classes' names, in the order of the outputs; empty where there are none. */
export const classes: string[];

/**
 * Loads `model.wasm` from beside the module, from another URL, or from its bytes. Each one that is
 * loaded has a memory of its own.
 */
export function load(source?: string | URL | BufferSource): Promise<Model>;

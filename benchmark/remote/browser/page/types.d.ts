/** What the harness and the page, and the page and its workers, say to each other. */

export type Values =
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array;

/** A tensor as a call gives or takes it, its batch included. */
export interface Tensor {
  name: string;
  dtype: string;
  shape: number[];
  bytes: number;
}

/** A loaded model: one inference, typed arrays in, typed arrays out, in the order of the job. */
export interface Model {
  run(inputs: Values[]): Values[] | Promise<Values[]>;
}

/** Where and how a runtime works. */
export interface Setting {
  accelerator: "wasm" | "webgpu";
  /** The address of the installed packages' folder. */
  packages: string;
}

/** What a runtime is given to load a model. */
export interface Loading {
  file: Uint8Array<ArrayBuffer>;
  inputs: Tensor[];
  outputs: Tensor[];
}

/** What every file in runtimes/ exports: it loads the runtime, and returns what loads a model. */
export interface Runtime {
  start(setting: Setting): Promise<(loading: Loading) => Promise<Model>>;
}

/** A row of the table. */
export interface Row {
  name: string;
  runtime: string;
  sha256: string;
  inputs: Tensor[];
  outputs: Tensor[];
  /** Rows with the same one take the same inputs. */
  inputs_set: number;
  /** How many calls all examples take, and how many of them a chunk of inputs is for. */
  calls: number;
  chunk: number;
  /** Whether its outputs are still wanted. */
  score: boolean;
}

/** The rounds of one launch: the order in which the rows are timed in each. */
export interface Launch {
  first: boolean;
  rounds: { number: number; order: number[] }[];
}

export interface Job {
  rows: Row[];
  /** Rows that are loaded at the same time, each group's one after the other. */
  groups: { rows: number[]; launches: Launch[] }[];
  accelerator: "wasm" | "webgpu";
  timing: Timing;
  load_ms: number;
  call_ms: number;
}

/** How a slice of calls is timed; times in milliseconds. */
export interface Timing {
  readings: number;
  first_warm_up_ms: number;
  warm_up_ms: number;
  limit_ms: number;
  /** A reading spans at least so many steps of the clock. */
  steps: number;
}

/** What loading a model took. */
export interface Loaded {
  load_ms: number;
  first_inference_us: number;
  clock_step_us: number;
  timer_ns: number;
}

/** What timing a slice of calls gave. */
export interface Slice {
  durations_ns: number[];
  calls: number;
  warm_up_calls: number;
  stable: boolean;
  probe_ns: number;
}

export type Ask =
  | { do: "open"; runtime: string; setting: Setting; loading: Loading; first: ArrayBuffer }
  | { do: "outputs"; inputs: ArrayBuffer; calls: number }
  | { do: "examples"; inputs: ArrayBuffer; calls: number }
  | { do: "time"; timing: Timing; first: boolean };

/** What of WebGPU says which device computes. */
export interface Gpu {
  requestAdapter(): Promise<{ info: { vendor: string; architecture: string } } | null>;
}

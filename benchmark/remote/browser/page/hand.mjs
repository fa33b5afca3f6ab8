/**
 * A worker as the page sees it: requests in, answers out, ended where none comes in time.
 *
 * @import { Ask, Job, Loaded, Row, Slice, Timing } from "./types.js"
 */

import { address } from "./harness.mjs";

const FIRST_CALLS = 20; // a later call may take so many times the first one

export class Hand {
  #worker = new Worker("page/worker.js");
  #started = performance.now();
  #first = true;
  #call_ms = 0;
  #first_ms = 0;

  /**
   * @param {Job} job
   * @param {Row} row
   * @param {Uint8Array<ArrayBuffer>} file
   * @param {ArrayBuffer} chunk the first inputs, which calls are timed with
   * @returns {Promise<Loaded & { start_to_first_result_ms: number }>}
   */
  async open(job, row, file, chunk) {
    const { runtime, inputs, outputs } = row;
    const setting = { accelerator: job.accelerator, packages: address("packages/") };
    const calls = Math.min(row.chunk, row.calls);
    const first = firstCall(chunk, row, calls);
    const loading = { file, inputs, outputs };
    const found = await this.#ask({ do: "open", runtime, setting, loading, first }, job.load_ms);
    const start_to_first_result_ms = performance.now() - this.#started;
    this.#first_ms = found.first_inference_us / 1e3;
    this.#call_ms = Math.max(job.call_ms, FIRST_CALLS * this.#first_ms);
    await this.#ask({ do: "examples", inputs: chunk, calls }, this.#call_ms);
    return { ...found, start_to_first_result_ms };
  }

  /** @param {ArrayBuffer} inputs @param {number} calls @returns {Promise<ArrayBuffer>} */
  outputs(inputs, calls) {
    return this.#ask({ do: "outputs", inputs, calls }, this.outputsLimit(calls));
  }

  /** @param {Timing} timing @returns {Promise<Slice>} */
  async time(timing) {
    const limit = this.timeLimit(timing);
    const found = await this.#ask({ do: "time", timing, first: this.#first }, limit);
    this.#first = false;
    return found;
  }

  /** @param {number} calls @returns {number} how long outputs may take, in milliseconds */
  outputsLimit(calls) {
    return this.#call_ms + 2 * calls * this.#first_ms;
  }

  /** @param {Timing} timing @returns {number} how long timing may take, in milliseconds */
  timeLimit(timing) {
    return this.#call_ms + 2 * (timing.first_warm_up_ms + timing.limit_ms);
  }

  end() {
    this.#worker.terminate();
  }

  /** @param {Ask} request @param {number} limit in milliseconds @returns {Promise<any>} */
  #ask(request, limit) {
    return new Promise((resolve, reject) => {
      const seconds = (limit / 1e3).toFixed(0);
      const hanging = setTimeout(() => {
        this.end();
        reject(new Error(`got no answer for ${seconds} s, so it was ended; --timeout sets how long`));
      }, limit);
      this.#worker.onmessage = ({ data }) => {
        clearTimeout(hanging);
        if (data.error === undefined) resolve(data.answer);
        else reject(new Error(data.error));
      };
      this.#worker.onerror = (event) => {
        clearTimeout(hanging);
        reject(new Error(event.message || "its worker ended"));
      };
      this.#worker.postMessage(request);
    });
  }
}

/**
 * Returns the bytes of the first of some calls, one input after the other.
 *
 * @param {ArrayBuffer} chunk
 * @param {Row} row
 * @param {number} calls
 */
function firstCall(chunk, row, calls) {
  const found = new Uint8Array(chunk.byteLength / calls);
  let from = 0;
  let to = 0;
  for (const input of row.inputs) {
    const length = input.bytes;
    found.set(new Uint8Array(chunk, from, length), to);
    from += length * calls;
    to += length;
  }
  return found.buffer;
}

/**
 * Times calls by a clock that moves in steps, so many calls per reading that the step stays small.
 *
 * @import { Slice, Timing } from "./types.js"
 * @typedef {() => unknown} Call one inference; a promise is awaited
 */

const STEPS_SEEN = 21;
const CLOCK_READINGS = 20_000;
const PROBE_TURNS = 400_000; // half a millisecond
const PROBE_STEP_MS = 0.02; // of a clock for which that is enough
// Calls have settled when the means of this many batches in a row are this close.
const STABLE_BATCHES = 3;
const STABLE_SPREAD = 0.02;
const BATCH_MS = 0.5;
// A call may get faster after it was seen how many are needed.
const MARGIN = 1.25;

/** @returns {number} the step of the clock in milliseconds: the median of some that were seen */
export function clockStep() {
  const steps = [];
  let before = performance.now();
  while (steps.length < STEPS_SEEN) {
    const now = performance.now();
    if (now > before) {
      steps.push(now - before);
      before = now;
    }
  }
  return steps.sort((a, b) => a - b)[STEPS_SEEN >> 1] ?? 0;
}

/** @returns {number} what reading the clock takes, in nanoseconds */
export function clockCost() {
  const started = performance.now();
  for (let i = 0; i < CLOCK_READINGS; i += 1) performance.now();
  return ((performance.now() - started) * 1e6) / CLOCK_READINGS;
}

/**
 * @param {number} step of the clock, in milliseconds; the work is more where it is a coarse one
 * @returns {number} what a fixed piece of work takes, in nanoseconds
 */
function probe(step) {
  const turns = PROBE_TURNS * Math.max(1, Math.round(step / PROBE_STEP_MS));
  const started = performance.now();
  let state = 1;
  for (let i = 0; i < turns; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  // the state is never 0, but no compiler knows, so that none leaves the work out
  return state === 0 ? Infinity : (performance.now() - started) * 1e6;
}

/**
 * Returns the readings of one slice of calls, warmed up, and how fast a fixed piece of work ran
 * before or after, the slower of the two.
 *
 * @param {Call} call
 * @param {Timing} timing
 * @param {number} step of the clock, in milliseconds
 * @param {boolean} first whether the model was just loaded
 * @returns {Promise<Slice>}
 */
export async function timeSlice(call, timing, step, first) {
  const least = timing.steps * step;
  const warmed = await warmUp(call, first ? timing.first_warm_up_ms : timing.warm_up_ms, least);
  const calls = warmed.call_ms >= least ? 1 : Math.ceil((MARGIN * least) / warmed.call_ms);
  const before = probe(step);
  /** @type {number[]} */
  const durations = [];
  const deadline = performance.now() + timing.limit_ms;
  for (let index = 0; index < timing.readings; index += 1) {
    const ended = await reading(call, calls, durations);
    if (ended > deadline) break;
  }
  return {
    durations_ns: durations,
    calls,
    warm_up_calls: warmed.calls,
    stable: warmed.stable,
    probe_ns: Math.max(1, Math.round(Math.max(before, probe(step)))),
  };
}

/**
 * Adds how long a call takes in the mean over some, in nanoseconds, and returns when it was done.
 *
 * @param {Call} call
 * @param {number} calls
 * @param {number[]} durations
 */
async function reading(call, calls, durations) {
  const started = performance.now();
  for (let i = 0; i < calls; i += 1) {
    const made = call();
    if (made instanceof Promise) await made;
  }
  const ended = performance.now();
  durations.push(Math.max(1, Math.round(((ended - started) * 1e6) / calls)));
  return ended;
}

/**
 * Calls until the means of three batches in a row differ by at most 2 %, or the limit.
 *
 * @param {Call} call
 * @param {number} limit in milliseconds
 * @param {number} least how long a batch takes at least, in milliseconds
 */
async function warmUp(call, limit, least) {
  /** @type {number[]} */
  const means = [];
  const started = performance.now();
  let calls = 0;
  let now = started;
  let stable = false;
  while (!stable && (now - started < limit || means.length === 0)) {
    const batch = now;
    let made = 0;
    while (made === 0 || now - batch < Math.max(BATCH_MS, least)) {
      const result = call();
      if (result instanceof Promise) await result;
      made += 1;
      now = performance.now();
    }
    calls += made;
    means.push((now - batch) / made);
    const last = means.slice(-STABLE_BATCHES);
    stable =
      last.length === STABLE_BATCHES && Math.max(...last) <= Math.min(...last) * (1 + STABLE_SPREAD);
  }
  return { calls, stable, call_ms: means.at(-1) ?? 0 };
}

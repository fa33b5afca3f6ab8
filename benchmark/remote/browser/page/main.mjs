/**
 * Runs the job that the harness gives: loads every row in a worker, runs all examples, times calls
 * in turns, and sends back what comes of it as it comes.
 *
 * @import { Gpu, Job, Launch, Loaded, Row, Slice } from "./types.js"
 */

import { clockStep } from "./timing.mjs";
import { Hand } from "./hand.mjs";
import { fetched, fetchedModel, say, show } from "./harness.mjs";

const ALIVE_MS = 2_000;

/** The rows that cannot be run. @type {Set<number>} */
const failed = new Set();

setInterval(() => void say("alive").catch(() => {}), ALIVE_MS);
addEventListener("pagehide", () => navigator.sendBeacon("say/closed"));

// where the browser has it: not on every phone, nor at an address without https
await navigator.wakeLock?.request("screen").catch(() => {});

try {
  const job = /** @type {Job} */ (await say("hello", await description()));
  for (const group of job.groups) {
    for (const launch of group.launches) await run(job, group.rows, launch);
  }
  await say("finished");
  show("Done. You can close this page; the results are where the command was run.", 1);
} catch (error) {
  show(`${error instanceof Error ? error.message : error}`);
  await say("broken", { text: `${error}` }).catch(() => {});
}

/** What the harness asks of a browser. */
async function description() {
  const { gpu } = /** @type {{ gpu?: Gpu }} */ (navigator);
  const adapter = await gpu?.requestAdapter();
  return {
    user_agent: navigator.userAgent,
    isolated: crossOriginIsolated,
    clock_step_us: clockStep() * 1e3,
    cores: navigator.hardwareConcurrency,
    gpu: adapter ? `${adapter.info.vendor} ${adapter.info.architecture}`.trim() : null,
  };
}

/**
 * Loads some rows, runs their examples if that is still wanted, and times some rounds.
 *
 * @param {Job} job
 * @param {number[]} rows
 * @param {Launch} launch
 */
async function run(job, rows, launch) {
  /** @type {Map<number, Hand>} */
  const hands = new Map();
  /** @type {Map<number, Loaded & { start_to_first_result_ms: number }>} */
  const loaded = new Map();
  try {
    for (const index of rows) {
      const row = at(job, index);
      await attempt(index, `${row.name}: loading`, job.load_ms, hands, async () => {
        const file = await fetchedModel(index, row.sha256);
        const hand = new Hand();
        hands.set(index, hand);
        loaded.set(index, await hand.open(job, row, file, await fetched(row, 0)));
      });
    }
    if (launch.first) await score(job, hands, loaded);
    for (const { number, order } of launch.rounds) {
      /** @type {Record<number, Slice>} */
      const answers = {};
      for (const index of order) {
        const hand = hands.get(index);
        if (!hand) continue;
        const text = `${at(job, index).name}: timing, round ${number + 1}`;
        await attempt(index, text, hand.timeLimit(job.timing), hands, async () => {
          answers[index] = { ...(await hand.time(job.timing)), ...loaded.get(index) };
          loaded.delete(index); // what loading took goes with the first round after it
        });
      }
      await say("round", { number, answers });
    }
  } finally {
    for (const hand of hands.values()) hand.end();
  }
}

/**
 * Runs all examples through the rows whose outputs are wanted, a chunk of inputs after the other.
 *
 * @param {Job} job
 * @param {Map<number, Hand>} hands
 * @param {Map<number, Loaded>} loaded
 */
async function score(job, hands, loaded) {
  const wanted = [...hands.keys()].filter((index) => at(job, index).score);
  for (const set of new Set(wanted.map((index) => at(job, index).inputs_set))) {
    const rows = wanted.filter((index) => at(job, index).inputs_set === set);
    const { calls, chunk } = at(job, rows[0] ?? 0);
    for (let start = 0; start < calls; start += chunk) {
      for (const index of rows) {
        const [row, hand] = [at(job, index), hands.get(index)];
        if (!hand) continue;
        const text = `${row.name}: ${start} of ${calls} examples`;
        const count = Math.min(chunk, calls - start);
        await attempt(index, text, hand.outputsLimit(count), hands, async () => {
          const outputs = await hand.outputs(await fetched(row, start / chunk), count);
          await say(`outputs/${index}/${start / chunk}/${row.sha256}`, outputs);
        });
      }
    }
  }
  for (const index of wanted.filter((index) => hands.has(index))) {
    await say("scored", { row: index, timer_ns: loaded.get(index)?.timer_ns });
  }
}

/**
 * Does something with a row after saying so; if that fails, the row is given up.
 *
 * @param {number} index
 * @param {string} text
 * @param {number} limit in milliseconds: how long it may take
 * @param {Map<number, Hand>} hands
 * @param {() => Promise<void>} work
 */
async function attempt(index, text, limit, hands, work) {
  if (failed.has(index)) return;
  show(text);
  await say("began", { row: index, text, limit_ms: limit });
  try {
    await work();
  } catch (error) {
    if (error instanceof Error && error.name === "Refused") throw error; // by the harness
    failed.add(index);
    hands.get(index)?.end();
    hands.delete(index);
    await say("problem", { row: index, text: `${error instanceof Error ? error.message : error}` });
  }
}

/** @param {Job} job @param {number} index @returns {Row} */
function at(job, index) {
  const row = job.rows[index];
  if (!row) throw new Error(`the job has no row ${index}`);
  return row;
}

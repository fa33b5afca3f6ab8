/**
 * What the page says to the harness, and takes from it.
 *
 * @import { Row } from "./types.js"
 */

const TRIES = 3;
/** The last chunk of inputs, which rows with the same inputs share. */
let kept = { key: "", bytes: new ArrayBuffer(0) };

/** @param {string} path @returns {string} the address of something beside the page */
export const address = (path) => new URL(path, document.baseURI).href;

/**
 * Sends bytes, or an object as JSON, and returns the object that is answered.
 *
 * @param {string} kind
 * @param {ArrayBuffer | object} [content]
 * @returns {Promise<unknown>}
 */
export async function say(kind, content = {}) {
  const body = content instanceof ArrayBuffer ? content : JSON.stringify(content);
  for (let left = TRIES; ; left -= 1) {
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(`say/${kind}`, { method: "POST", body });
    } catch (error) {
      if (left > 1) continue; // the network may have been gone for a moment
      throw error;
    }
    if (answer.ok) return answer.json();
    throw Object.assign(new Error(await answer.text()), { name: "Refused" });
  }
}

/**
 * Returns a row's file, which the browser compares with its hash.
 *
 * @param {number} index
 * @param {string} sha256 in hexadecimal
 */
export async function fetchedModel(index, sha256) {
  const bytes = (sha256.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
  const integrity = `sha256-${btoa(String.fromCharCode(...bytes))}`;
  const answer = await fetch(`models/${index}`, { integrity });
  if (!answer.ok) throw new Error(await answer.text());
  return new Uint8Array(await answer.arrayBuffer());
}

/**
 * Returns a chunk of a row's inputs.
 *
 * @param {Row} row
 * @param {number} number
 * @returns {Promise<ArrayBuffer>}
 */
export async function fetched(row, number) {
  const key = `inputs/${row.inputs_set}/${number}`;
  if (kept.key !== key) {
    const answer = await fetch(key);
    if (!answer.ok) throw new Error(await answer.text());
    kept = { key, bytes: await answer.arrayBuffer() };
  }
  return kept.bytes;
}

/** @param {string} text @param {number} [share] */
export function show(text, share) {
  const [line, bar] = [document.querySelector("#doing"), document.querySelector("progress")];
  if (line) line.textContent = text;
  if (bar && share !== undefined) bar.value = share;
}

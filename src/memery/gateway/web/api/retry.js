// Retries requests that a busy server rejects with 429 or 503, after the time that Retry-After names.

import { Problem } from "./problem.js";

const MAX_ATTEMPTS = 8;
const FIRST_DELAY = 1000; // ms; doubled with each attempt
const MAX_DELAY = 30_000; // ms, unless Retry-After is longer

/**
 * Calls `request` until it succeeds, fails for good, or has failed eight times.
 * @template T
 * @param {() => Promise<T>} request
 * @param {{signal?: AbortSignal, onWait?: (problem: Problem, delay: number) => void}} options
 *   `onWait` is called before each wait with its reason and milliseconds
 * @returns {Promise<T>}
 */
export async function retry(request, { signal, onWait } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request(); // eslint-disable-line no-await-in-loop -- one attempt after the other
    } catch (error) {
      if (!(error instanceof Problem) || !error.isTemporary || attempt === MAX_ATTEMPTS) throw error;
      const delay = retryDelay(attempt, error.retryAfter);
      onWait?.(error, delay);
      await pause(delay, signal); // eslint-disable-line no-await-in-loop -- as above
    }
  }
}

/**
 * Milliseconds until the next attempt: as the server says, and at least 1, 2, 4 … 30 seconds.
 * @param {number} attempt how many have failed
 * @param {number} retryAfter seconds
 */
export function retryDelay(attempt, retryAfter) {
  return Math.max(1000 * retryAfter, Math.min(MAX_DELAY, FIRST_DELAY * 2 ** (attempt - 1)));
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 */
function pause(milliseconds, signal) {
  return /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
    let timer = 0;
    const cancel = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    timer = setTimeout(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", cancel);
    if (signal?.aborted) cancel();
  }));
}

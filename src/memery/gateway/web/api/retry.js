// A server that has too much to do says so, and when to come again: 429, 503, Retry-After.

const TRIES = 8; // then it is for the person to say whether to go on
const FIRST = 1000; // ms; doubled with each try
const LONGEST = 30_000; // ms, unless the server says more

/**
 * Asks until there is an answer, as patiently as the server wishes.
 * @param {function(): Promise} ask
 * @param {{signal: AbortSignal, onWait: function(Problem, number): void}} options what gives it up, and
 *   what hears before each wait why, and for how many milliseconds
 */
export async function patiently(ask, { signal, onWait } = {}) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (problem) {
      if (!problem.passes || tried === TRIES) throw problem;
      const wait = Math.max(1000 * problem.retryAfter, Math.min(LONGEST, FIRST * 2 ** (tried - 1)));
      onWait?.(problem, wait);
      await pause(wait, signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
  });
}

// Requests to a busy server are retried.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isAbort, Problem } from "../../../src/memery/gateway/web/api/problem.js";
import { retry, retryDelay } from "../../../src/memery/gateway/web/api/retry.js";

test("waits at least as long as the server says, and longer each time", () => {
  assert.deepEqual([1, 2, 3, 5, 6, 20].map((attempt) => retryDelay(attempt, 0)), [1000, 2000, 4000, 16_000, 30_000, 30_000]);
  assert.equal(retryDelay(1, 7), 7000);
  assert.equal(retryDelay(3, 0.5), 4000);
  assert.equal(retryDelay(6, 90), 90_000);
});

test("does not retry a request that fails for good", async () => {
  let attempts = 0;
  const request = () => {
    attempts += 1;
    throw new Problem(404, "gone");
  };
  await assert.rejects(retry(request), { message: "gone" });
  assert.equal(attempts, 1);
});

test("retries a busy server until it answers", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const answers = [new Problem(503, "busy"), new Problem(429, "busy", [], 5), "done"];
  const delays = [];
  const request = async () => {
    const answer = answers.shift();
    if (answer instanceof Problem) throw answer;
    return answer;
  };
  const result = retry(request, { onWait: (_, delay) => { delays.push(delay); setImmediate(() => context.mock.timers.tick(delay)); } });
  assert.equal(await result, "done");
  assert.deepEqual(delays, [1000, 5000]);
});

test("gives up after eight attempts", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let attempts = 0;
  const request = async () => {
    attempts += 1;
    throw new Problem(503, "busy");
  };
  const onWait = (_, delay) => setImmediate(() => context.mock.timers.tick(delay));
  await assert.rejects(retry(request, { onWait }), { message: "busy" });
  assert.equal(attempts, 8);
});

test("an abort ends the wait", async () => {
  const controller = new AbortController();
  const request = async () => {
    throw new Problem(503, "busy");
  };
  await assert.rejects(retry(request, { signal: controller.signal, onWait: () => controller.abort() }), isAbort);
});

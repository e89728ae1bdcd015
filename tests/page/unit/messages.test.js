// What the page says about results, the server and failures.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Problem } from "../../../src/memery/gateway/web/api/problem.js";
import { failureMessage, messageFor, OFFLINE, retryMessage, summary } from "../../../src/memery/gateway/web/search/messages.js";

const ANSWER = { total: 3, isSearch: true, anythingStrong: true, warnings: [], strong: 2 };
const EMPTY = { ...ANSWER, total: 0 };
const FACTS = { excluded: [], index_allowed: true };
const SERVER = { facts: FACTS, isIndexing: false, progress: { done: 1, total: 4, eta: 0, isReading: false }, searchable: 3, skipped: 0 };
const CONTEXT = { server: SERVER, isNarrowed: true, terms: [{ kind: "text", value: "beach", boost: 1 }] };

test("says nothing about good results", () => {
  assert.deepEqual(messageFor(ANSWER, CONTEXT), {});
});

test("names the term that nothing matches", () => {
  assert.match(messageFor({ ...ANSWER, anythingStrong: false }, CONTEXT).text, /‘beach’/);
  const image = { ...CONTEXT, terms: [{ kind: "image", value: "id", boost: 1 }] };
  assert.doesNotMatch(messageFor({ ...ANSWER, anythingStrong: false }, image).text, /id/);
});

test("passes warnings on", () => {
  assert.equal(messageFor({ ...ANSWER, warnings: ["One.", "Two."] }, CONTEXT).text, "One. Two.");
  assert.deepEqual(messageFor({ ...EMPTY, warnings: ["One."] }, CONTEXT), { text: "One.", offer: "clear" });
});

test("offers what helps an empty list", () => {
  const offer = (server, isNarrowed = false) => messageFor({ ...EMPTY, isSearch: false }, { server: { ...SERVER, searchable: 0, ...server }, isNarrowed, terms: [] }).offer;
  assert.equal(offer({ searchable: 3 }, true), "clear");
  assert.equal(offer({ skipped: 2 }), "skipped");
  assert.equal(offer({}), "index");
  assert.equal(offer({ facts: { ...FACTS, index_allowed: false } }), undefined);
  assert.equal(offer({ facts: null }), undefined);
});

test("shows the progress of indexing", () => {
  const server = { ...SERVER, isIndexing: true };
  assert.match(messageFor({ ...EMPTY, isSearch: false }, { server, isNarrowed: false, terms: [] }).text, /1 .* 4/);
  const unknown = { ...server, progress: { ...server.progress, total: 0 } };
  assert.doesNotMatch(messageFor({ ...EMPTY, isSearch: false }, { server: unknown, isNarrowed: false, terms: [] }).text, /\d/);
});

test("shows no progress above images, which would move them", () => {
  const server = { ...SERVER, isIndexing: true };
  assert.deepEqual(messageFor({ ...ANSWER, isSearch: false }, { server, isNarrowed: false, terms: [] }), {});
});

test("counts good matches, unless there are too few images to judge", () => {
  assert.equal(summary(ANSWER), "2 good matches in 3 images");
  assert.equal(summary({ ...ANSWER, strong: 1, total: 1 }), "1 good match in 1 image");
  assert.equal(summary({ ...ANSWER, strong: 0 }), "no good matches in 3 images");
  assert.equal(summary({ ...ANSWER, strong: null }), "3 images");
  assert.equal(summary({ ...ANSWER, isSearch: false }), "3 images");
  assert.equal(summary(EMPTY), "0 images");
});

test("explains failed requests", () => {
  assert.equal(failureMessage(new Problem(0, "lost")), OFFLINE);
  assert.equal(failureMessage(new Problem(422, "Invalid.", [{ field: "since", message: "Invalid." }, { field: "top_k", message: "Too many." }])), "Invalid. Too many.");
  assert.match(failureMessage(new Problem(503, "Busy.")), /^Busy\. /);
  assert.equal(failureMessage(new TypeError("a bug")), "a bug");
});

test("says when a request is retried", () => {
  assert.match(retryMessage(new Problem(503, "The model is loading: try again shortly."), 1500), /^The model is loading\. .* 2 seconds\.$/);
  assert.match(retryMessage(new Problem(429, "Too many"), 1000), / 1 second\.$/);
});

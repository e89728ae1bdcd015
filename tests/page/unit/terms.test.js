// What is typed becomes terms, and terms become text and URLs again.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { addToParameters, exceedsLimit, formatTerm, fromParameters, less, MAX_TERMS, more, parseText, stronger, weaker, withTerm } from "../../../src/memery/gateway/web/state/terms.js";

const CASES = JSON.parse(readFileSync(new URL("../../query/texts.json", import.meta.url), "utf8"));
const text = (value, boost = 1) => ({ kind: "text", value, boost });
const pairs = (terms) => terms.map(({ value, boost }) => [value, boost]);

function throughUrl(terms) {
  const parameters = new URLSearchParams();
  addToParameters(terms, parameters);
  return fromParameters(new URLSearchParams(parameters.toString()));
}

for (const [typed, expected] of CASES) {
  test(`parses ${JSON.stringify(typed)} as the server does`, () => {
    const terms = parseText(typed);
    assert.deepEqual(pairs(terms), expected);
    assert.deepEqual(pairs(throughUrl(terms)), expected);
    assert.deepEqual(pairs(terms.flatMap((term) => parseText(formatTerm(term)))), expected);
  });
}

for (const typed of ["", " ", "\t\n", "^2", "-", "− ", '""', "beach^0"]) {
  test(`parses ${JSON.stringify(typed)} without an error, and its terms survive the URL`, () => {
    assert.deepEqual(throughUrl(parseText(typed)), parseText(typed));
  });
}

test("parses empty text as no terms", () => {
  assert.deepEqual(parseText(""), []);
  assert.deepEqual(parseText("  \n "), []);
});

for (const value of ["Ελλάδα", "砂浜 犬", "пляж", "שמש", "🏖️ & 100 %", "a+b=c?d#e", "100%25", "\u0301"]) {
  test(`keeps ${value} in the URL, as more and as less`, () => {
    for (const term of [text(value), text(value, -1), text(value, 2.5)]) assert.deepEqual(throughUrl([term]), [term]);
  });
}

test("keeps the kind of images and uploads in the URL", () => {
  const terms = [
    { kind: "image", value: "a/b=", boost: 1 },
    { kind: "image", value: "c", boost: -2 },
    { kind: "upload", value: "d", boost: 0.5 },
    { kind: "upload", value: "e", boost: -1 },
  ];
  assert.deepEqual(throughUrl(terms), terms);
});

test("ignores parameters without a value, and other parameters", () => {
  assert.deepEqual(fromParameters(new URLSearchParams("text=&not=%20&similar_to=&q=beach&top_k=3&unlike=^2")), [
    { kind: "image", value: "^2", boost: -1 },
  ]);
});

test("steps the boost up and down, and keeps its sign", () => {
  assert.equal(stronger(text("a")).boost, 2);
  assert.equal(stronger(text("a", -1)).boost, -2);
  assert.equal(weaker(text("a")).boost, 0.5);
  assert.equal(stronger(text("a", 4)).boost, 4);
  assert.equal(weaker(text("a", 0.25)).boost, 0.25);
  assert.equal(stronger(text("a", 1.5)).boost, 2);
});

test("turns more into less and back", () => {
  assert.equal(less(text("a", 2)).boost, -2);
  assert.equal(less(text("a", -2)).boost, -2);
  assert.equal(more(text("a", -2)).boost, 2);
});

test("replaces a term with the same value, and leaves the list unchanged", () => {
  const terms = [text("a"), { kind: "image", value: "a", boost: 1 }];
  assert.deepEqual(withTerm(terms, text("a", -1)), [text("a", -1), terms[1]]);
  assert.deepEqual(withTerm(terms, text("b")), [...terms, text("b")]);
  assert.deepEqual(withTerm([], text("b")), [text("b")]);
  assert.equal(terms.length, 2);
});

test("counts the draft's terms against the limit", () => {
  const terms = Array.from({ length: MAX_TERMS }, (_, i) => text(`t${i}`));
  const state = { terms, draft: "", filters: {}, imageId: null };
  assert.equal(exceedsLimit(state), false);
  assert.equal(exceedsLimit({ ...state, draft: "one more" }), true);
  assert.equal(exceedsLimit({ ...state, terms: terms.slice(1), draft: "cup -coffee" }), true);
});

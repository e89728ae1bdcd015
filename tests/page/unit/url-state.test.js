// The page's URL is its state.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_TERMS } from "../../../src/memery/gateway/web/state/terms.js";
import { activeTerms, filterParameters, formatUrl, nextState, parseUrl, requestParameters } from "../../../src/memery/gateway/web/state/url-state.js";

const EMPTY = { terms: [], draft: "", filters: {}, imageId: null };
const text = (value, boost = 1) => ({ kind: "text", value, boost });

test("an empty state has an empty URL", () => {
  assert.deepEqual(parseUrl(""), EMPTY);
  assert.deepEqual(parseUrl("?"), EMPTY);
  assert.equal(formatUrl(EMPTY), "");
});

const FULL = {
  terms: [text("beach", 2), text("people", -1), { kind: "image", value: "abc", boost: 1 }],
  draft: "red car",
  filters: { collection: "photos", under: "trip/Ελλάδα 100 %", since: "2023", until: "2023-05", orientation: "square", has_text: "true", mode: "visual", sort: "name", ext: ["jpg", "png"] },
  imageId: "x=&y",
};

test("a state survives its URL", () => {
  assert.deepEqual(parseUrl(formatUrl(FULL)), FULL);
});

test("percent-encodes what would break a URL", () => {
  const url = formatUrl({ ...EMPTY, draft: "a&b=c #d +e 100%" });
  assert.equal(url, "?q=a%26b%3Dc+%23d+%2Be+100%25");
  assert.equal(parseUrl(url).draft, "a&b=c #d +e 100%");
});

for (const search of ["?%", "?q=%E0%A4%A", "?text=%00", "?&&&", "?=x", "?text", "?picture=&under=&ext=", "?".padEnd(5000, "text=a&")]) {
  test(`reads the invalid URL ${search.slice(0, 20)} without an error`, () => {
    const state = parseUrl(search);
    assert.deepEqual(parseUrl(formatUrl(state)).terms, state.terms);
  });
}

test("leaves a blank draft and empty filters out of the URL", () => {
  assert.equal(formatUrl({ ...EMPTY, draft: "  ", filters: { under: "", ext: [] } }), "");
  assert.equal(filterParameters({ ext: ["", "png"] }).toString(), "ext=png");
});

test("drops the sort order that the list has anyway", () => {
  assert.deepEqual(parseUrl("?sort=date").filters, {});
  assert.deepEqual(parseUrl("?sort=score&text=a").filters, {});
  assert.deepEqual(parseUrl("?sort=date&text=a").filters, { sort: "date" });
  assert.deepEqual(parseUrl("?sort=name").filters, { sort: "name" });
});

test("drops the sort order when a search begins or ends", () => {
  const browsing = { ...EMPTY, filters: { sort: "name", under: "trip" } };
  const searching = { ...browsing, terms: [text("a")] };
  assert.deepEqual(nextState(browsing, { draft: "beach" }).filters, { under: "trip" });
  assert.deepEqual(nextState(searching, { terms: [] }).filters, { under: "trip" });
  assert.deepEqual(nextState(searching, { terms: [text("b")] }).filters, { sort: "name", under: "trip" });
  assert.deepEqual(nextState(browsing, { terms: [text("a")], filters: { sort: "date" } }).filters, { sort: "date" });
  assert.deepEqual(browsing.filters, { sort: "name", under: "trip" });
});

test("requests the draft as terms, and not the open image", () => {
  const parameters = requestParameters({ ...FULL, filters: { under: "trip" }, draft: "cup -coffee" });
  assert.deepEqual([...parameters], [["under", "trip"], ["text", "beach^2"], ["not", "people"], ["similar_to", "abc"], ["text", "cup"], ["not", "coffee"]]);
});

test("requests no more terms than a query may have", () => {
  const terms = Array.from({ length: MAX_TERMS + 5 }, (_, i) => text(`t${i}`));
  assert.equal(activeTerms({ terms, draft: "more" }).length, MAX_TERMS);
  assert.equal(activeTerms({ terms: terms.slice(0, MAX_TERMS - 1), draft: "cup -coffee" }).at(-1).value, "cup");
});

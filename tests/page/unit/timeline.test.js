// Which labels of the timeline are shown, and numbers of images by year.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.localStorage = { getItem: () => null }; // preferences are read when the module is loaded
const { withoutOverlap } = await import("../../../src/memery/gateway/web/grid/timeline.js");
const { countByYear } = await import("../../../src/memery/gateway/web/search/filters.js");

const label = (name, y, isYear = false) => ({ name, first: 0, isYear, y });

test("labels do not overlap, and years come first", () => {
  const labels = [label("2023-12", 0), label("2023-06", 10, true), label("2023-05", 40), label("2023-04", 50)];
  assert.deepEqual(withoutOverlap(labels, 24).map(({ name }) => name), ["2023-06", "2023-05"]);
  assert.deepEqual(withoutOverlap([], 24), []);
});

test("counts images by year, in the order of the months", () => {
  const months = [{ name: "2024-01", count: 2 }, { name: "2023-12", count: 3 }, { name: "2023-02", count: 4 }];
  assert.deepEqual(countByYear(months), [{ name: "2024", count: 2 }, { name: "2023", count: 7 }]);
  assert.deepEqual(countByYear([]), []);
});

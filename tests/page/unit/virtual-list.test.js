// Where each image of a long list is, loaded or not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { VirtualList } from "../../../src/memery/gateway/web/grid/virtual-list.js";

const PAGE = 100;
const SIZE = { width: 1000, height: 200, gap: 4 };

/** Results with some loaded pages of square images; images from `weakFrom` on are weak matches. */
function results(total, loaded, { isSearch = false, anythingStrong = true, weakFrom = Infinity, image = { width: 1, height: 1 } } = {}) {
  const length = (number) => Math.min(PAGE, total - number * PAGE);
  return {
    total,
    pages: Math.ceil(total / PAGE),
    isSearch,
    anythingStrong,
    page: (number) => (loaded.has(number) ? Array.from({ length: length(number) }, () => image) : undefined),
    weakFrom: (number) => Math.max(0, Math.min(length(number), weakFrom - number * PAGE)),
  };
}

test("an empty list has no height, blocks or images", () => {
  const list = new VirtualList(results(0, new Set()), SIZE);
  assert.equal(list.height, 0);
  assert.deepEqual(list.between(0, 1000), []);
  assert.equal(list.box(0), null);
  assert.equal(list.yOf(0), 0);
  assert.equal(list.indexAt(500), 0);
  assert.equal(list.neighbour(0, 1), 0);
  assert.equal(list.divider, null);
});

test("one image has one box and no neighbours", () => {
  const list = new VirtualList(results(1, new Set([0])), SIZE);
  assert.deepEqual(list.box(0), { x: 0, y: 0, width: 200, height: 200, row: 0 });
  assert.equal(list.height, 204);
  assert.equal(list.neighbour(0, 1), 0);
  assert.equal(list.neighbour(0, -1), 0);
});

test("blocks that are not loaded have an estimated height", () => {
  const list = new VirtualList(results(250, new Set([0])), SIZE);
  assert.equal(list.isLoaded(0), true);
  assert.equal(list.isLoaded(1), false);
  assert.equal(list.isLoaded(7), false);
  assert.equal(list.box(150), null);
  const { top, height } = list.extent(1);
  assert.equal(list.yOf(150), top + height / 2);
  assert.equal(list.height, list.extent(2).top + list.extent(2).height);
});

test("loading a block moves the blocks below it, and no others", () => {
  const loaded = new Set([0]);
  const list = new VirtualList(results(300, loaded, { image: { width: 3, height: 1 } }), SIZE);
  const before = [0, 1].map((number) => list.extent(number));
  loaded.add(1);
  list.arrange();
  assert.deepEqual(list.extent(0), before[0]);
  assert.equal(list.extent(1).top, before[1].top);
  assert.equal(list.extent(2).top, list.extent(1).top + list.extent(1).height);
  assert.equal(list.isLoaded(1), true);
});

test("another size lays out loaded blocks again", () => {
  const list = new VirtualList(results(100, new Set([0])), SIZE);
  const { height } = list;
  list.arrange({ ...SIZE, width: 500 });
  assert.ok(list.height > 1.3 * height);
  assert.equal(list.box(99).x + list.box(99).width <= 500, true);
});

test("index and height agree in loaded and estimated blocks", () => {
  const list = new VirtualList(results(500, new Set([0, 3])), SIZE);
  for (let index = 0; index < 500; index += 7) {
    const found = list.indexAt(list.yOf(index) + 1);
    assert.ok(list.yOf(found) <= list.yOf(index) + 1);
    assert.ok(Math.abs(found - index) < 12, `${index}: ${found}`);
  }
  assert.equal(list.indexAt(-50), 0);
});

test("the last image is at every height below the list, loaded or not", () => {
  for (const loaded of [new Set(), new Set([0, 1])]) assert.equal(new VirtualList(results(130, loaded), SIZE).indexAt(1e9), 129);
});

test("lists the blocks and boxes between two heights", () => {
  const list = new VirtualList(results(1000, new Set([0, 1, 2])), SIZE);
  const { top, height } = list.extent(1);
  assert.deepEqual(list.between(top + 1, top + height - 1), [1]);
  assert.deepEqual(list.between(top - 1, top + height + 1), [0, 1, 2]);
  const boxes = [...list.boxes(1, top, top + 10)];
  assert.ok(boxes.length > 0 && boxes.length < 12);
  assert.equal(boxes[0][0], 100);
  assert.deepEqual([...list.boxes(9, -Infinity, Infinity)], []);
});

test("goes up and down within and between blocks", () => {
  const list = new VirtualList(results(300, new Set([0, 1])), SIZE);
  const { x, row } = list.box(50);
  const below = list.neighbour(50, 1);
  assert.equal(list.box(below).row, row + 1);
  assert.ok(Math.abs(list.box(below).x - x) < 150);
  assert.equal(list.neighbour(below, -1), 50);
  const last = list.neighbour(99, 1);
  assert.equal(list.box(last).row, 0);
  assert.ok(last >= 100 && last < 112);
  const above = list.neighbour(100, -1);
  assert.ok(above < 100);
  assert.equal(list.box(above).row, list.box(99).row);
  assert.equal(list.neighbour(199, 1), 200); // the first of a block that is not loaded
  assert.equal(list.neighbour(0, -1), 0);
});

test("a divider separates the first weak matches", () => {
  const list = new VirtualList(results(250, new Set([0, 1]), { isSearch: true, weakFrom: 130 }), SIZE);
  assert.ok(list.divider > list.yOf(129) && list.divider < list.yOf(130));
  assert.equal(list.box(130).y - list.divider, 56);
  assert.ok(list.box(130).row > list.box(129).row);
});

test("a list has one divider, also if later pages have weak matches only", () => {
  const list = new VirtualList(results(300, new Set([0, 1, 2]), { isSearch: true, weakFrom: 130 }), SIZE);
  assert.equal(list.box(200).y, list.extent(2).top);
});

test("a list without strong or without weak matches has no divider", () => {
  assert.equal(new VirtualList(results(50, new Set([0]), { isSearch: true }), SIZE).divider, null);
  assert.equal(new VirtualList(results(50, new Set([0]), { isSearch: true, anythingStrong: false, weakFrom: 0 }), SIZE).divider, null);
  assert.equal(new VirtualList(results(50, new Set([0]), { weakFrom: 0 }), SIZE).divider, null);
});

test("a list of extreme images stays consistent", () => {
  for (const image of [{ width: 1, height: 9999 }, { width: 9999, height: 1 }, { width: 0, height: 0 }]) {
    const list = new VirtualList(results(150, new Set([0, 1]), { image }), SIZE);
    assert.ok(Number.isFinite(list.height) && list.height > 0);
    assert.equal(list.indexAt(list.yOf(149)), list.indexAt(list.yOf(149) + 1));
    assert.equal(new Set([...list.boxes(0, -Infinity, Infinity)].map(([, box]) => `${box.x} ${box.y}`)).size, 100);
  }
});

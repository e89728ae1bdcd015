// Justified rows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { aspectRatio, estimateHeight, justify } from "../../../src/memery/gateway/web/grid/layout.js";

const SIZE = { width: 1000, height: 200, gap: 4 };

function rowsOf({ boxes }) {
  const rows = [];
  for (const box of boxes) (rows[box.row] ??= []).push(box);
  return rows;
}

const right = (row) => row.at(-1).x + row.at(-1).width;

test("limits the ratio of extreme images", () => {
  assert.equal(aspectRatio({ width: 300, height: 200 }), 1.5);
  assert.equal(aspectRatio({ width: 1, height: 10_000 }), 0.4);
  assert.equal(aspectRatio({ width: 10_000, height: 1 }), 3.2);
  for (const [width, height] of [[0, 10], [10, 0], [0, 0], [-1, 5]]) assert.equal(aspectRatio({ width, height }), 1);
});

test("an empty list has no rows and no height", () => {
  for (const loose of [true, false]) assert.deepEqual(justify([], { ...SIZE, loose }), { boxes: [], height: 0 });
});

test("one image keeps the height of a loose row", () => {
  const { boxes, height } = justify([1.5], { ...SIZE, loose: true });
  assert.deepEqual(boxes, [{ x: 0, y: 0, width: 300, height: 200, row: 0 }]);
  assert.equal(height, 204);
});

test("one image is at most twice as high as a row", () => {
  const [box] = justify([1.5], { ...SIZE, loose: false }).boxes;
  assert.equal(box.height, 400);
  assert.equal(box.width, 600);
});

test("an image wider than the page fills one row", () => {
  for (const loose of [true, false]) {
    const [box] = justify([3.2], { width: 320, height: 200, gap: 4, loose }).boxes;
    assert.deepEqual([box.width, box.height], [320, 100]);
  }
});

test("rows are as wide as the page, without gaps or overlap", () => {
  for (let count = 11; count <= 100; count += 1) {
    const ratios = Array.from({ length: count }, (_, i) => 0.4 + ((i * 79) % 280) / 100);
    const laidOut = justify(ratios, { ...SIZE, loose: false });
    const rows = rowsOf(laidOut);
    assert.equal(laidOut.boxes.length, count);
    for (const [number, row] of rows.entries()) {
      assert.equal(right(row), SIZE.width);
      assert.ok(row[0].height > 120 && row[0].height < 340, `${count} images: ${row[0].height} px`);
      for (const [place, box] of row.slice(1).entries()) assert.equal(box.x, row[place].x + row[place].width + SIZE.gap);
      if (number) assert.equal(row[0].y, rows[number - 1][0].y + rows[number - 1][0].height + SIZE.gap);
    }
    assert.equal(laidOut.height, rows.at(-1)[0].y + rows.at(-1)[0].height + SIZE.gap);
  }
});

test("a loose last row does not leave one image alone", () => {
  let full = 0;
  let several = 0;
  for (let number = 0; number < 1180; number += 1) {
    const [count, shift] = [2 + (number % 59), 31 * Math.floor(number / 59)];
    const ratios = Array.from({ length: count }, (_, i) => 0.6 + ((i * 79 + shift) % 140) / 100);
    const rows = rowsOf(justify(ratios, { ...SIZE, loose: true }));
    if (rows.length < 2) continue;
    several += 1;
    assert.ok(right(rows.at(-1)) > 500, `${count} images end at ${right(rows.at(-1))} px`);
    if (right(rows.at(-1)) === SIZE.width) full += 1;
    for (const [{ height }] of rows) assert.ok(height > 110 && height < 350);
  }
  assert.ok(full > 0.8 * several, `${full} of ${several} last rows are full`);
});

test("a short last row is better than one low row", () => {
  const rows = rowsOf(justify(Array(11).fill(0.7), { ...SIZE, loose: true }));
  assert.deepEqual(rows.map((row) => row.length), [6, 5]);
});

test("extreme ratios in one list keep every box inside the page", () => {
  const ratios = Array.from({ length: 60 }, (_, i) => (i % 2 ? 0.4 : 3.2));
  for (const width of [160, 390, 1000, 4000]) {
    for (const { x, width: own, height } of justify(ratios, { width, height: 200, gap: 4, loose: true }).boxes) {
      assert.ok(own > 0 && height > 0 && x >= 0 && x + own <= width + 1, `${x} + ${own} in ${width}`);
    }
  }
});

test("estimates the height of images that are not loaded", () => {
  assert.equal(estimateHeight(0, 1.4, SIZE), 0);
  assert.equal(estimateHeight(1, 1.4, SIZE), 204);
  assert.equal(estimateHeight(100, 1, { width: 1016, height: 200, gap: 4 }), 20 * 204);
  assert.equal(estimateHeight(3, 3.2, { width: 100, height: 200, gap: 4 }), 3 * 204); // one in a row at least
});

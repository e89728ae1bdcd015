// Justified rows: images of one height side by side, each row as wide as the page.
//
// The break points are chosen together, as Knuth and Plass (1981) break a paragraph into lines: the
// cost of a row is the square of its height's relative deviation from the target, and the smallest
// sum wins. So the last row is as full as the others, and blocks of images join without a gap.

/** @import { Box, GridSize } from "../types.d.ts" */

const MIN_RATIO = 0.4; // narrower images are cropped in the grid
const MAX_RATIO = 3.2;
const MAX_STRETCH = 1.3; // times the target height that a loose last row grows to at most to become full

/** @typedef {GridSize & {loose: boolean}} RowOptions `loose`: whether the last row may stay short */

/**
 * Width divided by height, as the grid shows an image.
 * @param {{width: number, height: number}} image
 */
export function aspectRatio({ width, height }) {
  return width > 0 && height > 0 ? Math.min(MAX_RATIO, Math.max(MIN_RATIO, width / height)) : 1;
}

/**
 * Lays out images in rows.
 * @param {number[]} ratios aspect ratio of each image
 * @param {RowOptions} options
 * @returns {{boxes: Box[], height: number}} height in px, with the gap below the last row
 */
export function justify(ratios, options) {
  const starts = rowStarts(ratios, options);
  /** @type {Box[]} */
  const boxes = [];
  let y = 0;
  for (const [row, start] of starts.entries()) {
    const end = starts[row + 1] ?? ratios.length;
    const full = rowHeight(ratios, start, end, options);
    const isShort = end === ratios.length && options.loose && full > MAX_STRETCH * options.height;
    const height = isShort ? options.height : Math.min(full, 2 * options.height);
    let x = 0;
    for (let i = start; i < end; i += 1) {
      const isRightmost = i === end - 1 && height === full;
      const width = isRightmost ? options.width - x : Math.round(ratios[i] * height);
      boxes.push({ x, y, width, height: Math.round(height), row });
      x += width + options.gap;
    }
    y += Math.round(height) + options.gap;
  }
  return { boxes, height: y };
}

/**
 * The estimated height in px of images that are not loaded yet.
 * @param {number} count
 * @param {number} meanRatio
 * @param {GridSize} size
 */
export function estimateHeight(count, meanRatio, { width, height, gap }) {
  const perRow = Math.max(1, (width + gap) / (meanRatio * height + gap));
  return Math.ceil(count / perRow) * (height + gap);
}

/**
 * The height at which the images from `start` to before `end` fill a row.
 * @param {number[]} ratios
 * @param {number} start
 * @param {number} end
 * @param {GridSize} size
 */
function rowHeight(ratios, start, end, { width, gap }) {
  let sum = 0;
  for (let i = start; i < end; i += 1) sum += ratios[i];
  return (width - gap * (end - start - 1)) / sum;
}

/**
 * Index of the first image of each row, by dynamic programming.
 * @param {number[]} ratios
 * @param {RowOptions} options
 */
function rowStarts(ratios, options) {
  const best = [{ cost: 0, start: 0 }]; // best[end]: the cheapest rows of the images before `end`
  for (let end = 1; end <= ratios.length; end += 1) {
    best[end] = { cost: Infinity, start: end - 1 };
    for (let start = end - 1; start >= 0; start -= 1) {
      const height = rowHeight(ratios, start, end, options);
      const isShort = end === ratios.length && options.loose && height > MAX_STRETCH * options.height;
      // A short row costs what it leaves blank, so that an image is not left alone if others can join it.
      const cost = best[start].cost + (isShort ? 1 - options.height / height : height / options.height - 1) ** 2;
      if (cost < best[end].cost) best[end] = { cost, start };
      if (height < options.height / 3) break; // longer rows are even lower
    }
  }
  const starts = [];
  for (let end = ratios.length; end > 0; end = best[end].start) starts.unshift(best[end].start);
  return starts;
}

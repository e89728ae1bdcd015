// Virtual list: the layout of all images, in blocks of justified rows, one per page of results. A
// block that is not loaded yet has an estimated height, so that the scrollbar is right from the start.

/** @import { Box, GridSize, ListedImage } from "../types.d.ts" */

import { PAGE_SIZE } from "../state/results.js";
import { aspectRatio, estimateHeight, justify } from "./layout.js";

const DIVIDER = 56; // px: height of the heading "Weaker matches"
const TYPICAL_RATIO = 1.4; // until images are loaded

/**
 * @typedef {object} Block
 * @property {number} number
 * @property {number} count images in it
 * @property {Box[] | null} boxes null while it is not loaded
 * @property {number} height px
 * @property {number | null} divider top of the heading "Weaker matches" in this block, px
 * @property {number} top px in the whole list
 */

/**
 * The results as far as their layout depends on them.
 * @typedef {object} ListSource
 * @property {number} total
 * @property {number} pages
 * @property {boolean} isSearch
 * @property {boolean} anythingStrong
 * @property {(number: number) => Pick<ListedImage, "width" | "height">[] | undefined} page
 * @property {(number: number) => number} weakFrom
 */

export class VirtualList {
  #results;
  #size;
  /** @type {Block[]} */
  #blocks = [];
  #meanRatio = TYPICAL_RATIO;

  /**
   * @param {ListSource} results
   * @param {GridSize} size
   */
  constructor(results, size) {
    this.#results = results;
    this.#size = size;
    this.arrange();
  }

  /** Height of the whole list in px. */
  get height() {
    const last = this.#blocks.at(-1);
    return last ? last.top + last.height : 0;
  }

  /**
   * Lays out all blocks again with what is loaded by now.
   * @param {GridSize} size
   */
  arrange(size = this.#size) {
    const isSameSize = size === this.#size;
    this.#size = size;
    let top = 0;
    let isDivided = false;
    for (let number = 0; number < this.#results.pages; number += 1) {
      const before = this.#blocks.at(number);
      /** @type {Block} */
      const block = isSameSize && before?.boxes ? before : this.#layout(number, isDivided);
      block.top = top;
      top += block.height;
      isDivided ||= block.divider !== null;
      this.#blocks[number] = block;
    }
    this.#blocks.length = this.#results.pages;
  }

  /**
   * Numbers of the blocks between two heights.
   * @param {number} top
   * @param {number} bottom
   */
  between(top, bottom) {
    const numbers = [];
    for (let number = this.#numberAt(top); number < this.#blocks.length; number += 1) {
      if (this.#blocks[number].top > bottom) break;
      numbers.push(number);
    }
    return numbers;
  }

  /** @param {number} number */
  isLoaded(number) {
    return Boolean(this.#blocks[number]?.boxes);
  }

  /**
   * Top and height of a block, loaded or not.
   * @param {number} number
   */
  extent(number) {
    const { top, height } = this.#blocks[number];
    return { top, height };
  }

  /**
   * Boxes of a block between two heights: index of the image, and its box with `y` in the whole list.
   * @param {number} number
   * @param {number} top
   * @param {number} bottom
   * @returns {Generator<[number, Box]>}
   */
  *boxes(number, top, bottom) {
    const block = this.#blocks[number];
    for (const [place, box] of (block.boxes ?? []).entries()) {
      const y = block.top + box.y;
      if (y + box.height >= top && y <= bottom) yield [number * PAGE_SIZE + place, { ...box, y }];
    }
  }

  /**
   * The box of an image, or null if it is not loaded.
   * @param {number} index
   * @returns {Box | null}
   */
  box(index) {
    const block = this.#blocks[Math.floor(index / PAGE_SIZE)];
    const box = block?.boxes?.[index % PAGE_SIZE];
    return box ? { ...box, y: block.top + box.y } : null;
  }

  /** Top of the heading "Weaker matches" in px, or null. */
  get divider() {
    const block = this.#blocks.find((one) => one.divider !== null);
    return block ? block.top + (block.divider ?? 0) : null;
  }

  /**
   * Top of an image in px; estimated while it is not loaded.
   * @param {number} index
   */
  yOf(index) {
    const box = this.box(index);
    if (box) return box.y;
    const block = this.#blocks[Math.min(Math.floor(index / PAGE_SIZE), this.#blocks.length - 1)];
    return block ? block.top + (block.height * (index - block.number * PAGE_SIZE)) / block.count : 0;
  }

  /**
   * Index of the first image that reaches below a height.
   * @param {number} y
   */
  indexAt(y) {
    const number = this.#numberAt(y);
    const block = this.#blocks[number];
    if (!block) return 0;
    if (!block.boxes) {
      const fraction = Math.max(0, (y - block.top) / block.height);
      return number * PAGE_SIZE + Math.min(block.count - 1, Math.floor(fraction * block.count));
    }
    const place = block.boxes.findIndex((box) => block.top + box.y + box.height > y);
    return number * PAGE_SIZE + (place < 0 ? block.boxes.length - 1 : place);
  }

  /**
   * Index of the image above or below another, at about the same place across the page.
   * @param {number} index
   * @param {-1 | 1} direction
   */
  neighbour(index, direction) {
    const from = this.box(index);
    if (!from) return index;
    const number = Math.floor(index / PAGE_SIZE);
    const row = this.#adjacentRow(number, from.row + direction, direction);
    const middle = from.x + from.width / 2;
    const distance = (/** @type {Box} */ box) => Math.abs(box.x + box.width / 2 - middle);
    if (row.length) return row.reduce((best, one) => (distance(one[1]) < distance(best[1]) ? one : best))[0];
    if (!this.#blocks[number + direction]) return index;
    return direction > 0 ? (number + 1) * PAGE_SIZE : number * PAGE_SIZE - 1;
  }

  /**
   * @param {number} number
   * @param {number} row in this block, or past its ends
   * @param {-1 | 1} direction
   */
  #adjacentRow(number, row, direction) {
    const inBlock = this.#row(number, row);
    const other = this.#blocks[number + direction]?.boxes;
    if (inBlock.length || !other) return inBlock;
    return this.#row(number + direction, direction > 0 ? 0 : (other.at(-1)?.row ?? 0));
  }

  /**
   * @param {number} number
   * @param {number} row
   */
  #row(number, row) {
    return [...this.boxes(number, -Infinity, Infinity)].filter(([, box]) => box.row === row);
  }

  /**
   * @param {number} number
   * @param {boolean} isDivided whether a block above has the heading "Weaker matches"
   * @returns {Block} its `top` is set by the caller
   */
  #layout(number, isDivided) {
    const count = Math.min(PAGE_SIZE, this.#results.total - number * PAGE_SIZE);
    const images = this.#results.page(number);
    if (!images) {
      const height = estimateHeight(count, this.#meanRatio, this.#size);
      return { number, count, boxes: null, divider: null, height, top: 0 };
    }
    const ratios = images.map(aspectRatio);
    if (ratios.length) this.#meanRatio = ratios.reduce((sum, one) => sum + one) / ratios.length;
    const isLast = number === this.#results.pages - 1;
    return { number, count, top: 0, ...this.#rows(ratios, this.#dividerPlace(number, ratios.length, isDivided), isLast) };
  }

  /**
   * How many images of a block are above the divider; null if it is not in this block.
   * @param {number} number
   * @param {number} length
   * @param {boolean} isDivided
   */
  #dividerPlace(number, length, isDivided) {
    const { isSearch, anythingStrong } = this.#results;
    if (!isSearch || !anythingStrong || isDivided) return null;
    const strong = this.#results.weakFrom(number);
    return strong < length ? strong : null;
  }

  /**
   * @param {number[]} ratios
   * @param {number | null} dividerPlace
   * @param {boolean} isLast
   */
  #rows(ratios, dividerPlace, isLast) {
    if (dividerPlace === null) return { ...justify(ratios, { ...this.#size, loose: isLast }), divider: null };
    const strong = justify(ratios.slice(0, dividerPlace), { ...this.#size, loose: true });
    const weak = justify(ratios.slice(dividerPlace), { ...this.#size, loose: isLast });
    const top = strong.height + DIVIDER;
    const rows = (strong.boxes.at(-1)?.row ?? -1) + 1;
    const moved = weak.boxes.map((box) => ({ ...box, y: box.y + top, row: box.row + rows }));
    return { boxes: [...strong.boxes, ...moved], height: top + weak.height, divider: strong.height };
  }

  /**
   * Number of the block at a height.
   * @param {number} y
   */
  #numberAt(y) {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }
}

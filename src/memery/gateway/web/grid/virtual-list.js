// The whole list as blocks of justified rows, one per page of results. A block that is not here yet
// has a guessed height, so that the scrollbar tells the truth from the beginning.

import { guessed, justified, ratio } from "./layout.js";
import { PAGE } from "../state/results.js";

const DIVIDER = 56;

export class Blocks {
  #results;
  #wish;
  #blocks = [];
  #meanRatio = 1.4;

  constructor(results, wish) {
    this.#results = results;
    this.#wish = wish;
    this.arrange();
  }

  get height() {
    const last = this.#blocks.at(-1);
    return last ? last.top + last.height : 0;
  }

  /** Puts the blocks one below the other, with what is known by now. */
  arrange(wish = this.#wish) {
    const isSame = wish === this.#wish;
    this.#wish = wish;
    let top = 0;
    let divided = false;
    for (let number = 0; number < this.#results.pages; number += 1) {
      const before = this.#blocks[number];
      const block = isSame && before?.boxes ? before : this.#block(number, divided);
      block.top = top;
      top += block.height;
      divided ||= block.divider !== null;
      this.#blocks[number] = block;
    }
    this.#blocks.length = this.#results.pages;
  }

  /** Numbers of the blocks between two heights. */
  between(top, bottom) {
    const numbers = [];
    for (let number = this.#numberAt(top); number < this.#blocks.length; number += 1) {
      if (this.#blocks[number].top > bottom) break;
      numbers.push(number);
    }
    return numbers;
  }

  isHere(number) {
    return Boolean(this.#blocks[number]?.boxes);
  }

  /** Where a block stands, here or not. */
  extent(number) {
    const { top, height } = this.#blocks[number];
    return { top, height };
  }

  /** Boxes of a block that lie between two heights: [index, box] with `y` in the whole list. */
  *boxes(number, top, bottom) {
    const block = this.#blocks[number];
    for (const [place, box] of (block.boxes ?? []).entries()) {
      const y = block.top + box.y;
      if (y + box.height >= top && y <= bottom) yield [number * PAGE + place, { ...box, y }];
    }
  }

  box(index) {
    const block = this.#blocks[Math.floor(index / PAGE)];
    const box = block?.boxes?.[index % PAGE];
    return box ? { ...box, y: block.top + box.y } : null;
  }

  /** Where the line "weaker matches" stands, or null. */
  get divider() {
    const block = this.#blocks.find((one) => one.divider !== null);
    return block ? block.top + block.divider : null;
  }

  /** The height at which a picture stands, or may be expected to. */
  yOf(index) {
    const known = this.box(index);
    if (known) return known.y;
    const block = this.#blocks[Math.min(Math.floor(index / PAGE), this.#blocks.length - 1)];
    return block ? block.top + (block.height * (index - block.number * PAGE)) / block.count : 0;
  }

  /** The first picture that reaches below a height. */
  indexAt(y) {
    const number = this.#numberAt(y);
    const block = this.#blocks[number];
    if (!block) return 0;
    if (!block.boxes) return number * PAGE + Math.floor(Math.max(0, (y - block.top) / block.height) * block.count);
    const place = block.boxes.findIndex((box) => block.top + box.y + box.height > y);
    return number * PAGE + (place < 0 ? block.boxes.length - 1 : place);
  }

  /** The picture above (-1) or below (1) one, at about the same place across the page. */
  beside(index, direction) {
    const from = this.box(index);
    if (!from) return index;
    const number = Math.floor(index / PAGE);
    const inBlock = this.#row(number, from.row + direction);
    const other = this.#blocks[number + direction];
    const row = inBlock.length || !other?.boxes ? inBlock : this.#row(number + direction, direction > 0 ? 0 : other.boxes.at(-1)?.row);
    const middle = from.x + from.width / 2;
    const away = ([, box]) => Math.abs(box.x + box.width / 2 - middle);
    if (row.length) return row.reduce((best, one) => (away(one) < away(best) ? one : best))[0];
    return other ? (direction > 0 ? (number + 1) * PAGE : number * PAGE - 1) : index;
  }

  #row(number, row) {
    return [...this.boxes(number, -Infinity, Infinity)].filter(([, box]) => box.row === row);
  }

  #block(number, divided) {
    const count = Math.min(PAGE, this.#results.total - number * PAGE);
    const pictures = this.#results.page(number);
    if (!pictures) return { number, count, boxes: null, divider: null, height: guessed(count, this.#meanRatio, this.#wish) };
    const ratios = pictures.map(ratio);
    if (ratios.length) this.#meanRatio = ratios.reduce((sum, one) => sum + one) / ratios.length;
    return { number, count, ...this.#rows(ratios, this.#cut(number, ratios.length, divided), this.#isLast(number)) };
  }

  /** How many of a page's pictures stand above the divider; null if it is not in this page. */
  #cut(number, length, divided) {
    const { isSearch, anythingStrong } = this.#results;
    if (!isSearch || !anythingStrong || divided) return null;
    const strong = this.#results.weakFrom(number);
    return strong < length ? strong : null;
  }

  #rows(ratios, cut, isLast) {
    const wish = (loose) => ({ ...this.#wish, loose });
    if (cut === null) return { ...justified(ratios, wish(isLast)), divider: null };
    const strong = justified(ratios.slice(0, cut), wish(true));
    const weak = justified(ratios.slice(cut), wish(isLast));
    const top = strong.height + DIVIDER;
    const rows = strong.boxes.length ? strong.boxes.at(-1).row + 1 : 0;
    const moved = weak.boxes.map((box) => ({ ...box, y: box.y + top, row: box.row + rows }));
    return { boxes: [...strong.boxes, ...moved], height: top + weak.height, divider: strong.height };
  }

  #isLast(number) {
    return number === this.#results.pages - 1;
  }

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

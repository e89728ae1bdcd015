// The tiles in the page: those near the window. A tile whose image stays is moved, not made again, so
// that nothing flickers when the search changes.

/** @import { Box, ListedImage } from "../types.d.ts" */
/** @import { Results } from "../state/results.js" */
/** @import { GridOptions } from "./grid.js" */

import { preference } from "../state/preferences.js";
import { closest, make } from "../widgets/dom.js";
import { Tile } from "./tile.js";

export class Tiles {
  #element;
  #options;
  /** @type {Map<number, Tile>} */
  #tiles = new Map(); // by index
  /** @type {Map<string, Tile>} */
  #previous = new Map(); // of the list before, by id
  /** @type {HTMLElement[]} */
  #placeholders = [];

  /**
   * @param {HTMLElement} element
   * @param {GridOptions} options
   */
  constructor(element, options) {
    this.#element = element;
    this.#options = options;
  }

  /** The index of the focused image, or null. */
  get focused() {
    const index = closest(document.activeElement, ".tile")?.dataset.index;
    return index === undefined ? null : Number(index);
  }

  /** @param {number} index */
  focus(index) {
    this.#tiles.get(index)?.focus();
  }

  /**
   * Sets whether Tab leads to a tile.
   * @param {number} index
   * @param {boolean} isCurrent
   */
  mark(index, isCurrent) {
    this.#tiles.get(index)?.mark(isCurrent);
  }

  /** Prepares for another list, in which the same images may have other indexes. */
  startList() {
    for (const tile of this.#tiles.values()) this.#previous.set(tile.id, tile);
    this.#tiles = new Map();
  }

  /** Requests the thumbnails that failed again. */
  retry() {
    for (const tile of this.#tiles.values()) tile.retry();
  }

  /**
   * Shows tiles in these boxes, and no others.
   * @param {Map<number, Box>} boxes by index
   * @param {Results} results
   * @param {number} current index of the tile that Tab leads to
   */
  show(boxes, results, current) {
    const captions = { names: preference("names"), scores: preference("scores") };
    /** @type {Map<number, Tile>} */
    const shown = new Map();
    for (const [index, box] of boxes) {
      const listed = results.at(index);
      if (!listed) continue;
      const tile = this.#take(index, listed);
      tile.update(listed, {
        index,
        total: results.total,
        box,
        href: this.#options.href(listed),
        isSelected: this.#options.selection.has(listed.id),
        isCurrent: index === current,
        captions,
      });
      shown.set(index, tile);
    }
    for (const tile of [...this.#tiles.values(), ...this.#previous.values()]) tile.remove();
    this.#previous.clear();
    this.#tiles = shown;
    this.#sort();
  }

  /**
   * Shows empty rows where images are being loaded.
   * @param {{top: number, height: number}[]} extents px
   * @param {number} rowHeight px
   */
  showPlaceholders(extents, rowHeight) {
    while (this.#placeholders.length < extents.length) {
      const rows = make("div", { className: "coming" });
      this.#placeholders.push(rows);
      this.#element.before(rows);
    }
    for (const [number, rows] of this.#placeholders.entries()) {
      const extent = extents.at(number);
      rows.hidden = !extent;
      if (!extent) continue;
      rows.style.transform = `translateY(${extent.top}px)`;
      rows.style.height = `${extent.height}px`;
      rows.style.backgroundSize = `100% ${rowHeight}px`;
    }
  }

  /**
   * The tile that shows an image already, or a new one.
   * @param {number} index
   * @param {ListedImage} listed
   */
  #take(index, listed) {
    const same = this.#tiles.get(index);
    if (same?.id === listed.id) {
      this.#tiles.delete(index);
      return same;
    }
    const moved = this.#previous.get(listed.id);
    this.#previous.delete(listed.id);
    return moved ?? new Tile(listed);
  }

  /** Sorts the tiles in the document, for Tab and for screen readers. */
  #sort() {
    /** @type {ChildNode | null} */
    let before = null;
    for (const [, { element }] of [...this.#tiles].toSorted(([one], [other]) => one - other)) {
      /** @type {ChildNode | null} */
      const expected = before ? before.nextSibling : this.#element.firstChild;
      if (element !== expected) this.#element.insertBefore(element, expected);
      before = element;
    }
  }
}

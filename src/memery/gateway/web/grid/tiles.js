// The tiles that are in the page: those near the window. A tile whose picture stays is moved, not made
// anew, so that nothing blinks when a search is changed.

import { make } from "../widgets/dom.js";
import { preference } from "../state/preferences.js";
import { drop, mark, place, retry, tile } from "./tile.js";

export class Tiles {
  #element;
  #options;
  #tiles = new Map(); // by index; by id while the list is another
  #empty = [];

  /**
   * @param {HTMLElement} element what holds them
   * @param {{href, isSelected}} options as for the grid
   */
  constructor(element, options) {
    this.#element = element;
    this.#options = options;
  }

  /** The index of the picture that has the focus, or null. */
  get focused() {
    const index = document.activeElement?.closest?.(".tile")?.dataset.index;
    return index === undefined ? null : Number(index);
  }

  focus(index) {
    this.#tiles.get(index)?.firstElementChild.focus({ preventScroll: true });
  }

  /** Whether Tab leads to a tile. */
  mark(index, isCurrent) {
    const element = this.#tiles.get(index);
    if (element) mark(element, { isSelected: element.classList.contains("selected"), isCurrent });
  }

  /** The list is another from now on: tiles are known by their pictures only. */
  loosen() {
    this.#tiles = new Map([...this.#tiles.values()].map((one) => [`old ${one.dataset.id}`, one]));
  }

  /** Asks again for the thumbnails that did not come. */
  retry() {
    for (const element of this.#tiles.values()) retry(element);
  }

  /** Shows tiles for these boxes, by index, and no others. */
  fill(wanted, results, current) {
    const shown = new Map();
    const captions = { names: preference("names"), scores: preference("scores") };
    for (const [index, box] of wanted) {
      const picture = results.at(index);
      const key = this.#tiles.get(index)?.dataset.id === picture.id ? index : `old ${picture.id}`;
      const element = this.#tiles.get(key) ?? tile(picture);
      this.#tiles.delete(key);
      place(element, picture, {
        index,
        total: results.total,
        box,
        href: this.#options.href(picture),
        isSelected: this.#options.isSelected(picture.id),
        isCurrent: index === current,
        captions: captions.names || captions.scores ? captions : null,
      });
      shown.set(index, element);
    }
    for (const element of this.#tiles.values()) drop(element);
    this.#tiles = shown;
    this.#order(shown);
  }

  /** Tiles stand in the page in the list's order, for Tab and for those who hear it. */
  #order(shown) {
    let before = null;
    for (const index of [...shown.keys()].sort((one, other) => one - other)) {
      const element = shown.get(index);
      const expected = before ? before.nextSibling : this.#element.firstChild;
      if (element !== expected) this.#element.insertBefore(element, expected);
      before = element;
    }
  }

  /** Empty rows where pictures are on their way. */
  veil(extents, rowHeight) {
    while (this.#empty.length < extents.length) {
      const rows = make("div", { className: "coming" });
      this.#empty.push(rows);
      this.#element.before(rows);
    }
    this.#empty.forEach((rows, place) => {
      const extent = extents[place];
      rows.hidden = !extent;
      if (!extent) return;
      rows.style.transform = `translateY(${extent.top}px)`;
      rows.style.height = `${extent.height}px`;
      rows.style.backgroundSize = `100% ${rowHeight}px`;
    });
  }
}

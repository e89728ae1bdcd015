// The grid of images: only those near the window are in the page, however long the list is.
//
// The scroll position is kept as an image and a distance from it. When the layout above it changes
// (pages arrive, the window or the size of images changes), that image stays where it is. At the very
// top no image is kept, so that what appears above the list stays visible.

/** @import { Box, GridSize, ListedImage, Place } from "../types.d.ts" */
/** @import { Results } from "../state/results.js" */
/** @import { Selection } from "./selection.js" */

import { isAbort } from "../api/problem.js";
import { Emitter } from "../state/emitter.js";
import { onPreference, preference } from "../state/preferences.js";
import { PAGE_SIZE } from "../state/results.js";
import { make } from "../widgets/dom.js";
import { Tiles } from "./tiles.js";
import { VirtualList } from "./virtual-list.js";

const GAP = 4; // px
const SETTLE_TIME = 70; // ms: pages are loaded if the list is scrolled less than two windows in it
const FULL_WIDTH = 1280; // px: in narrower windows images are smaller

/**
 * @typedef {object} GridOptions
 * @property {(image: ListedImage) => string} href the URL that opens an image
 * @property {Selection} selection
 */

export class Grid {
  /** @type {Results | null} */
  results = null;
  current = 0; // index of the tile that Tab leads to
  /** @type {Emitter<[]>} */
  moved = new Emitter(); // scrolled, or laid out again
  /** @type {Emitter<[unknown]>} */
  failed = new Emitter(); // with the error of a page that could not be loaded

  #header;
  /** @type {VirtualList | null} */
  #list = null;
  #tiles;
  /** @type {Place | null} */
  #anchor = null; // the image at the top of the window; null at the top of the page
  #anchorScroll = 0; // the window's scroll position that belongs to the anchor
  #timer = 0;
  #frame = 0;
  #divider = make("h2", { className: "divider", hidden: true }, make("span", {}, "Weaker matches"));

  /**
   * @param {HTMLElement} element contains the tiles
   * @param {HTMLElement} header covers the top of the window
   * @param {GridOptions} options
   */
  constructor(element, header, options) {
    this.element = element;
    this.#header = header;
    this.#tiles = new Tiles(element, options);
    element.after(this.#divider);
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.arrange()).observe(element);
    options.selection.changed.on(() => this.#draw());
    onPreference((name) => {
      if (name === "height") this.arrange();
      else if (name !== "theme") this.#draw();
    });
  }

  /** The scroll position; null at the top. */
  get place() {
    return this.#anchor;
  }

  /** Index of the first image in the window. */
  get first() {
    return this.#list?.indexAt(this.#viewTop()) ?? 0;
  }

  /**
   * Shows a list whose first page is loaded. Tiles of images in both lists stay.
   * @param {Results} results
   * @param {Place | null} place the scroll position
   */
  show(results, place = null) {
    this.results = results;
    this.#list = new VirtualList(results, this.#size());
    this.#anchor = place;
    this.current = place?.index ?? 0;
    this.#tiles.startList();
    this.#apply();
  }

  /** Lays out the list again: the width, the size of images or a page has changed. */
  arrange() {
    if (!this.#list || this.element.clientWidth === 0) return;
    this.#list.arrange(this.#size());
    this.#apply();
  }

  /** Requests the pages and thumbnails that failed again. */
  retry() {
    this.#tiles.retry();
    this.arrange();
  }

  /**
   * Scrolls to an image.
   * @param {number} index
   * @param {{focus?: boolean, align?: "nearest" | "start"}} options `focus`: whether to focus it
   */
  async go(index, { focus = false, align = "nearest" } = {}) {
    const list = this.#list;
    if (!this.results?.total || !list) return;
    const target = Math.max(0, Math.min(index, this.results.total - 1));
    this.current = target;
    const wasLoaded = list.box(target) !== null;
    if (!wasLoaded) {
      this.#anchor = { index: target, dy: 0 };
      this.#apply();
      if (!(await this.#load(Math.floor(target / PAGE_SIZE))) || this.current !== target) return;
    }
    const box = this.#list?.box(target);
    if (box) this.#scrollTo(box, wasLoaded ? align : "start");
    this.#draw();
    if (focus) this.#tiles.focus(target);
  }

  /**
   * Index of the image above or below another.
   * @param {number} index
   * @param {-1 | 1} direction
   */
  neighbour(index, direction) {
    return this.#list?.neighbour(index, direction) ?? index;
  }

  /**
   * How far down the list an image is, from 0 to 1.
   * @param {number} index
   */
  fraction(index) {
    return this.#list?.height ? this.#list.yOf(index) / this.#list.height : 0;
  }

  /**
   * Makes Tab lead to an image.
   * @param {number} index
   */
  setCurrent(index) {
    if (index === this.current) return;
    this.#tiles.mark(this.current, false);
    this.#tiles.mark(index, true);
    this.current = index;
  }

  /** @returns {GridSize} */
  #size() {
    const width = this.element.clientWidth;
    const scale = Math.min(1, Math.max(0.6, width / FULL_WIDTH));
    return { width, height: Math.round(preference("height") * scale), gap: GAP };
  }

  /** Top of the list in px from the top of the page. */
  #listTop() {
    return this.element.getBoundingClientRect().top + scrollY;
  }

  /** Height in the list that is just below the header. */
  #viewTop() {
    return scrollY + this.#header.offsetHeight - this.#listTop();
  }

  /**
   * The window's scroll position at which a height in the list is just below the header.
   * @param {number} y
   */
  #scrollFor(y) {
    return y + this.#listTop() - this.#header.offsetHeight;
  }

  #scrolled() {
    if (!this.results) return;
    if (Math.abs(scrollY - this.#anchorScroll) > 1) this.#keepAnchor();
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
      this.moved.emit();
    });
  }

  /** Makes the image at the top of the window the anchor. */
  #keepAnchor() {
    if (!this.#list) return;
    const y = this.#viewTop();
    const index = this.#list.indexAt(y);
    this.#anchor = scrollY > 0 ? { index, dy: y - this.#list.yOf(index) } : null;
    this.#anchorScroll = scrollY;
  }

  /** Sets the height of the list, and scrolls so that the anchor stays where it was. */
  #apply() {
    if (!this.#list) return;
    this.element.style.height = `${this.#list.height}px`;
    const wanted = this.#anchor ? this.#scrollFor(this.#list.yOf(this.#anchor.index) + this.#anchor.dy) : 0;
    if (Math.abs(wanted - scrollY) > 0.5) {
      scrollTo(0, wanted);
      this.#anchorScroll = scrollY;
    }
    this.#draw();
    this.moved.emit();
  }

  /**
   * @param {Box} box
   * @param {"nearest" | "start"} align
   */
  #scrollTo(box, align) {
    const top = this.#viewTop();
    const view = innerHeight - this.#header.offsetHeight;
    const isVisible = box.y >= top && box.y + box.height <= top + view;
    if (align === "nearest" && isVisible) return;
    const y = align === "nearest" && box.y > top ? box.y + box.height - view + GAP * 2 : box.y;
    scrollTo(0, box.y === 0 ? 0 : this.#scrollFor(y)); // with the first row, what is above the list
    this.#keepAnchor();
  }

  /** Shows the tiles near the window. */
  #draw() {
    const { results } = this;
    const list = this.#list;
    if (!results || !list) return;
    const top = this.#viewTop() - innerHeight * 0.75;
    const bottom = top + innerHeight * 2.5;
    /** @type {Map<number, Box>} */
    const boxes = new Map();
    const missing = [];
    for (const number of list.between(top, bottom)) {
      if (!list.isLoaded(number)) missing.push(list.extent(number));
      else for (const [index, box] of list.boxes(number, top, bottom)) boxes.set(index, box);
    }
    this.#tiles.showPlaceholders(missing, this.#size().height + GAP);
    const { focused } = this.#tiles;
    const focusedBox = focused === null ? null : list.box(focused);
    if (focused !== null && focusedBox) boxes.set(focused, focusedBox);
    // A current image that is not loaded yet is being scrolled to.
    const isLoaded = list.isLoaded(Math.floor(this.current / PAGE_SIZE));
    if (isLoaded && !boxes.has(this.current) && focused === null) this.current = this.#firstVisible(boxes);
    this.#tiles.show(boxes, results, this.current);
    this.#divider.hidden = list.divider === null;
    if (list.divider !== null) this.#divider.style.transform = `translateY(${list.divider}px)`;
    this.#loadSoon();
  }

  /** @param {Map<number, Box>} boxes by index */
  #firstVisible(boxes) {
    const top = this.#viewTop();
    for (const [index, box] of boxes) if (box.y >= top) return index;
    return boxes.keys().next().value ?? 0;
  }

  /** Loads the pages in the window, but not those that are only scrolled past. */
  #loadSoon() {
    if (this.#timer) return;
    const before = scrollY;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (Math.abs(scrollY - before) > 2 * innerHeight) this.#loadSoon();
      else this.#loadVisible();
    }, SETTLE_TIME);
  }

  #loadVisible() {
    const list = this.#list;
    if (!list) return;
    const top = this.#viewTop();
    const near = list.between(top - 1.5 * innerHeight, top + 2.5 * innerHeight);
    this.results?.abort((number) => near.includes(number));
    for (const number of near) if (!list.isLoaded(number)) this.#load(number);
  }

  /**
   * Loads a page and lays it out.
   * @param {number} number
   * @returns {Promise<boolean>} whether it is loaded, and the list is still the same
   */
  async #load(number) {
    const { results } = this;
    try {
      await results?.load(number);
    } catch (error) {
      if (!isAbort(error) && results === this.results) this.failed.emit(error);
      return false;
    }
    if (results !== this.results || !this.#list) return false;
    if (!this.#list.isLoaded(number)) {
      this.#list.arrange();
      this.#apply();
    }
    return true;
  }
}

// The grid: only what is near the window is in the page, however long the list is.
//
// The scroll position is kept as an image and a distance from it. Whatever changes above it, pages
// arriving, the window's width, the size of images: that image stays where it is. At the very top no
// image is kept, so that what appears above the list stays visible.

import { Blocks } from "./virtual-list.js";
import { make } from "../widgets/dom.js";
import { preference } from "../state/preferences.js";
import { PAGE } from "../state/results.js";
import { Tiles } from "./tiles.js";

const GAP = 4;
const SETTLED = 70; // ms in which one must not scroll far before pages are asked for

export class Grid {
  #element;
  #header;
  #options;
  #results = null;
  #blocks = null;
  #tiles;
  #anchor = null; // { index, dy }: the image at the top of the window; null at the top of the page
  #settled = 0;
  #frame = 0;
  #top = 0; // the window's scroll position that belongs to the anchor
  #divider = make("h2", { className: "divider" }, make("span", {}, "Weaker matches"));

  /**
   * @param {HTMLElement} element what holds the tiles
   * @param {HTMLElement} header what covers the top of the window
   * @param {{href, isSelected, onMove, onError}} options the address that opens a picture, whether
   *   an id is selected, what hears of scrolling, and of pages that do not come
   */
  constructor(element, header, options) {
    this.#element = element;
    this.#header = header;
    this.#options = options;
    this.current = 0;
    this.#tiles = new Tiles(element, options);
    element.after(this.#divider);
    this.#divider.hidden = true;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.arrange()).observe(element);
  }

  get element() {
    return this.#element;
  }

  get results() {
    return this.#results;
  }

  /** The scroll position: an image's index and the distance of the window's top from its own; null at the top. */
  get place() {
    return this.#anchor;
  }

  get height() {
    return this.#blocks?.height ?? 0;
  }

  /** Shows a list whose first page is here, from a place on. Tiles of pictures in both lists stay. */
  show(results, from = null) {
    this.#results = results;
    this.#blocks = new Blocks(results, this.#wish());
    this.#anchor = from;
    this.current = from?.index ?? 0;
    this.#tiles.loosen();
    this.#apply();
  }

  /** Lays everything out anew: the width, the wished height or a page has changed. */
  arrange() {
    if (!this.#results || this.#element.clientWidth === 0) return;
    this.#blocks.arrange(this.#wish());
    this.#apply();
  }

  /** Asks again for pages and thumbnails that did not come. */
  retry() {
    this.#tiles.retry();
    this.arrange();
  }

  /** Marks and captions anew; nothing moves. */
  refresh() {
    if (this.#results) this.#draw();
  }

  /** Scrolls to a picture and, if asked to, focuses it. */
  async go(index, { focus = false, align = "nearest" } = {}) {
    if (!this.#results?.total) return;
    const wanted = Math.max(0, Math.min(index, this.#results.total - 1));
    this.current = wanted;
    if (!this.#blocks.box(wanted)) {
      if (align === "nearest") align = "start";
      this.#anchor = { index: wanted, dy: 0 };
      this.#apply();
      if (!(await this.#load(Math.floor(wanted / PAGE))) || this.current !== wanted) return;
    }
    this.#bring(this.#blocks.box(wanted), align);
    this.#draw();
    if (focus) this.#tiles.focus(wanted);
  }

  /** The picture above (-1) or below (1) another. */
  beside(index, direction) {
    return this.#blocks.beside(index, direction);
  }

  /** How far down the list a picture stands, 0 to 1. */
  share(index) {
    return this.height ? this.#blocks.yOf(index) / this.height : 0;
  }

  /** The first picture in the window. */
  get first() {
    return this.#blocks?.indexAt(this.#viewTop()) ?? 0;
  }

  /** Where the list begins, from the top of the page. */
  get #base() {
    return this.#element.getBoundingClientRect().top + scrollY;
  }

  #wish() {
    const width = this.#element.clientWidth;
    const scale = Math.min(1, Math.max(0.6, width / 1280));
    return { width, height: Math.round(preference("height") * scale), gap: GAP };
  }

  #viewTop() {
    return scrollY + this.#header.offsetHeight - this.#base;
  }

  #scrolled() {
    if (!this.#results) return;
    if (Math.abs(scrollY - this.#top) > 1) this.#keep();
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw();
        this.#options.onMove();
      });
    }
  }

  /** Takes what is at the top of the window for the anchor. */
  #keep() {
    const y = this.#viewTop();
    const index = this.#blocks.indexAt(y);
    this.#anchor = scrollY > 0 ? { index, dy: y - this.#blocks.yOf(index) } : null;
    this.#top = scrollY;
  }

  /** Sets the height of the list and puts the anchor where it was. */
  #apply() {
    this.#element.style.height = `${this.height}px`;
    const wanted = this.#anchor ? this.#scrollFor(this.#blocks.yOf(this.#anchor.index) + this.#anchor.dy) : 0;
    if (Math.abs(wanted - scrollY) > 0.5) {
      scrollTo(0, wanted);
      this.#top = scrollY;
    }
    this.#draw();
    this.#options.onMove();
  }

  /** The window's scroll position that has a height of the list just below the header. */
  #scrollFor(y) {
    return y + this.#base - this.#header.offsetHeight;
  }

  #bring(box, align) {
    const top = this.#viewTop();
    const view = innerHeight - this.#header.offsetHeight;
    const isSeen = box.y >= top && box.y + box.height <= top + view;
    if (align === "nearest" && isSeen) return;
    const down = align === "nearest" && box.y > top ? box.y + box.height - view + GAP * 2 : box.y;
    scrollTo(0, box.y === 0 ? 0 : this.#scrollFor(down)); // with the first row, what is above the list
    this.#keep();
  }

  #draw() {
    const view = innerHeight;
    const top = this.#viewTop() - view * 0.75;
    const bottom = top + view * 2.5;
    const wanted = new Map();
    const coming = [];
    for (const number of this.#blocks.between(top, bottom)) {
      if (!this.#blocks.isHere(number)) coming.push(this.#blocks.extent(number));
      else for (const [index, box] of this.#blocks.boxes(number, top, bottom)) wanted.set(index, box);
    }
    this.#tiles.veil(coming, this.#wish().height + GAP);
    const { focused } = this.#tiles;
    if (focused !== null && this.#blocks.box(focused)) wanted.set(focused, this.#blocks.box(focused));
    // One that is not here yet is on its way: it was gone to.
    const isHere = this.#blocks.isHere(Math.floor(this.current / PAGE));
    if (isHere && !wanted.has(this.current) && focused === null) this.current = this.#firstSeen(wanted);
    this.#tiles.fill(wanted, this.#results, this.current);
    const divider = this.#blocks.divider;
    this.#divider.hidden = divider === null;
    if (divider !== null) this.#divider.style.transform = `translateY(${divider}px)`;
    this.#soon();
  }

  #firstSeen(wanted) {
    const top = this.#viewTop();
    for (const [index, box] of wanted) if (box.y >= top) return index;
    return wanted.keys().next().value ?? 0;
  }

  /** Tab leads to this picture from now on. */
  setCurrent(index) {
    if (index === this.current) return;
    this.#tiles.mark(this.current, false);
    this.#tiles.mark(index, true);
    this.current = index;
  }

  /** Pages in sight are asked for while one scrolls, but not those that only fly past. */
  #soon() {
    if (this.#settled) return;
    const from = scrollY;
    this.#settled = setTimeout(() => {
      this.#settled = 0;
      if (Math.abs(scrollY - from) > 2 * innerHeight) this.#soon();
      else this.#fetch();
    }, SETTLED);
  }

  #fetch() {
    const top = this.#viewTop();
    const near = this.#blocks.between(top - 1.5 * innerHeight, top + 2.5 * innerHeight);
    this.#results.abandon((number) => near.includes(number));
    for (const number of near) if (!this.#blocks.isHere(number)) this.#load(number);
  }

  async #load(number) {
    const results = this.#results;
    try {
      await results.load(number);
    } catch (error) {
      if (error.name !== "AbortError" && results === this.#results) this.#options.onError(error);
      return false;
    }
    if (results !== this.#results) return false;
    if (!this.#blocks.isHere(number)) {
      this.#blocks.arrange();
      this.#apply();
    }
    return true;
  }
}

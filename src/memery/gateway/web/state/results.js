// The images of a search or of the whole collection: a list of known length, fetched in pages.

/** @import { ListedImage } from "../types.d.ts" */
/** @import { Problem } from "../api/problem.js" */

import { browse, search } from "../api/client.js";

/** Images per page. */
export const PAGE_SIZE = 100;

const CHUNK = 10; // pages per request when an image is looked for: the server's limit
const MAX_CHUNKS = 20; // requests that look for one image

/**
 * @typedef {(problem: Problem, delay: number, page: number) => void} PageWaitListener called before
 *   the request for a page is retried after `delay` ms
 */

export class Results {
  #parameters;
  /** @type {Map<number, ListedImage[]>} */
  #pages = new Map();
  /** @type {Map<string, {first: number, pages: number, controller: AbortController, promise: Promise<void>}>} */
  #pending = new Map();
  /** @type {PageWaitListener | null} */
  #onWait = null;
  /** @type {Parameters<PageWaitListener> | null} */
  #missedWait = null; // a wait before there was a listener

  total = 0;
  anythingStrong = true;
  /** @type {string[]} */
  warnings = [];
  /** @type {number | null} */
  strong = 0; // number of good matches; null if there are too few images to judge
  /** @type {number | null} */
  indexedCount = null; // images in the index when the list was requested, if known

  /**
   * @param {URLSearchParams} parameters
   * @param {boolean} isSearch whether there is a term in them; else all images are listed
   */
  constructor(parameters, isSearch) {
    this.#parameters = parameters;
    this.isSearch = isSearch;
  }

  get parameters() {
    return this.#parameters.toString();
  }

  /** @param {PageWaitListener} listener */
  set onWait(listener) {
    this.#onWait = listener;
    if (this.#missedWait) listener(...this.#missedWait);
  }

  /** Number of files in a list of one page, exact copies included; null for a longer list. */
  get files() {
    return this.pages > 1 ? null : (this.page(0) ?? []).reduce((sum, { copies }) => sum + copies, 0);
  }

  get pages() {
    return Math.ceil(this.total / PAGE_SIZE);
  }

  /**
   * The images of a page, or undefined while it is not loaded.
   * @param {number} number
   */
  page(number) {
    return this.#pages.get(number);
  }

  /**
   * The image at an index, if it is loaded.
   * @param {number} index
   */
  at(index) {
    return this.#pages.get(Math.floor(index / PAGE_SIZE))?.[index % PAGE_SIZE];
  }

  /**
   * The index of an image among the loaded ones, or -1.
   * @param {string} id
   */
  indexOf(id) {
    for (const [number, images] of this.#pages) {
      const place = images.findIndex((image) => image.id === id);
      if (place >= 0) return number * PAGE_SIZE + place;
    }
    return -1;
  }

  /**
   * Loads a page, unless it is loaded. The first one tells the list's length.
   * @param {number} number
   */
  async load(number) {
    if (!this.#pages.has(number)) await this.#loadOnce(number, 1);
    return this.#pages.get(number);
  }

  /**
   * Finds the index of an image, loading pages around the index where it may be.
   * @param {string} id
   * @param {number} from
   * @param {() => boolean} isWanted checked before each request
   * @returns {Promise<number>} -1 if it is not found within 20,000 images
   */
  async seek(id, from, isWanted) {
    const chunks = Math.ceil(this.pages / CHUNK);
    const middle = Math.min(chunks - 1, Math.floor(from / (PAGE_SIZE * CHUNK)));
    const nearest = [...Array(chunks).keys()].toSorted((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
    for (const chunk of nearest.slice(0, MAX_CHUNKS)) {
      if (!isWanted()) return -1;
      if (this.indexOf(id) < 0) await this.#loadOnce(chunk * CHUNK, CHUNK); // eslint-disable-line no-await-in-loop -- mostly the first one has it
      if (this.indexOf(id) >= 0) return this.indexOf(id);
    }
    return -1;
  }

  /**
   * The images from one index to another, both included.
   * @param {number} first
   * @param {number} last
   */
  async between(first, last) {
    const pages = [];
    for (let page = Math.floor(first / PAGE_SIZE); page <= Math.floor(last / PAGE_SIZE); page += 1) pages.push(this.load(page));
    await Promise.all(pages);
    const found = [];
    for (let index = first; index <= last; index += 1) {
      const image = this.at(index);
      if (image) found.push(image);
    }
    return found;
  }

  /**
   * Aborts all requests, or those for single pages that `keep` rejects.
   * @param {((page: number) => boolean) | null} keep
   */
  abort(keep = null) {
    for (const { first, pages, controller } of this.#pending.values()) {
      if (!keep || (pages === 1 && !keep(first))) controller.abort();
    }
  }

  /**
   * The place on a page from which all images are weak matches.
   * @param {number} number
   */
  weakFrom(number) {
    const images = this.#pages.get(number) ?? [];
    return images.findLastIndex((image) => !image.weak) + 1;
  }

  /**
   * @param {number} first
   * @param {number} pages
   */
  #loadOnce(first, pages) {
    const key = `${first} ${pages}`;
    let pending = this.#pending.get(key);
    if (!pending) {
      const controller = new AbortController();
      const promise = this.#fetch(first, pages, controller.signal).finally(() => this.#pending.delete(key));
      pending = { first, pages, controller, promise };
      this.#pending.set(key, pending);
    }
    return pending.promise;
  }

  /**
   * @param {number} first
   * @param {number} pages
   * @param {AbortSignal} signal
   */
  async #fetch(first, pages, signal) {
    const parameters = new URLSearchParams(this.#parameters);
    parameters.set("top_k", String(PAGE_SIZE * pages));
    parameters.set("offset", String(PAGE_SIZE * first));
    const images = await this.#request(first, parameters, {
      signal,
      onWait: (problem, delay) => {
        if (this.#onWait) this.#onWait(problem, delay, first);
        else this.#missedWait = [problem, delay, first];
      },
    });
    for (let page = 0; page < pages && (page === 0 || page * PAGE_SIZE < images.length); page += 1) {
      this.#pages.set(first + page, images.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE));
    }
  }

  /**
   * @param {number} first
   * @param {URLSearchParams} parameters
   * @param {import("../api/client.js").RequestOptions} options
   * @returns {Promise<ListedImage[]>}
   */
  async #request(first, parameters, options) {
    if (!this.isSearch) {
      const { images, total, warnings } = await browse(parameters, options);
      if (first === 0) Object.assign(this, { total, warnings, strong: null });
      return images;
    }
    const { hits, total, warnings, strong, anything_strong: anythingStrong } = await search(parameters, options);
    if (first === 0) Object.assign(this, { total, warnings, strong, anythingStrong });
    return hits;
  }
}

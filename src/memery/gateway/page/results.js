// What a search or the whole collection answers: a list of known length, fetched in pages.

import { browse, search } from "./api.js";

export const PAGE = 100;

export class Results {
  #parameters;
  #ask;
  #pages = new Map();
  #coming = new Map();
  #onWait;

  /**
   * @param {URLSearchParams} parameters what is asked for
   * @param {boolean} isSearch whether there is a term in it; else everything is listed
   * @param {function(Problem, number, number): void} onWait hears that the server has too much to do,
   *   for how many milliseconds it is left alone, and which page waits
   */
  constructor(parameters, isSearch, onWait) {
    this.#parameters = parameters;
    this.#onWait = onWait;
    this.#ask = isSearch ? search : browse;
    this.isSearch = isSearch;
    this.total = 0;
    this.anythingStrong = true;
    this.milliseconds = null;
  }

  get pages() {
    return Math.ceil(this.total / PAGE);
  }

  /** The pictures of a page, or undefined while they are not here. */
  page(number) {
    return this.#pages.get(number);
  }

  /** The picture at a place of the list, if it is here. */
  at(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Where a picture stands among those that are here; -1 if nowhere. */
  indexOf(id) {
    for (const [number, pictures] of this.#pages) {
      const place = pictures.findIndex((picture) => picture.id === id);
      if (place >= 0) return number * PAGE + place;
    }
    return -1;
  }

  /** Fetches a page once. The first one tells how many there are. */
  load(number) {
    if (this.#pages.has(number)) return Promise.resolve(this.#pages.get(number));
    if (!this.#coming.has(number)) this.#coming.set(number, this.#fetch(number));
    return this.#coming.get(number).promise;
  }

  /** Everything between two places, both included. */
  async between(first, last) {
    const pages = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) pages.push(this.load(page));
    await Promise.all(pages);
    const found = [];
    for (let index = first; index <= last; index += 1) if (this.at(index)) found.push(this.at(index));
    return found;
  }

  /** Gives up what is under way, but not the pages that `keeps` wants. */
  abandon(keeps = () => false) {
    for (const [number, { controller }] of this.#coming) if (!keeps(number)) controller.abort();
  }

  /** From where on a page's pictures are all weak: its length if its last one is strong. */
  weakFrom(number) {
    const pictures = this.#pages.get(number) ?? [];
    return pictures.findLastIndex((picture) => !picture.weak) + 1;
  }

  #fetch(number) {
    const controller = new AbortController();
    const promise = this.#page(number, controller.signal).finally(() => this.#coming.delete(number));
    return { controller, promise };
  }

  async #page(number, signal) {
    const parameters = new URLSearchParams(this.#parameters);
    parameters.set("top_k", PAGE);
    parameters.set("offset", number * PAGE);
    const answer = await this.#ask(parameters, signal, (problem, wait) => this.#onWait(problem, wait, number));
    const pictures = answer.hits ?? answer.images ?? [];
    if (number === 0) {
      this.total = answer.total;
      this.anythingStrong = answer.anything_strong ?? true;
      this.milliseconds = answer.took_ms?.total ?? null;
    }
    this.#pages.set(number, pictures);
    return pictures;
  }
}

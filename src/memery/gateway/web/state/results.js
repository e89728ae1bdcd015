// What a search or the whole collection answers: a list of known length, fetched in pages.

import { browse, search } from "../api/client.js";

export const PAGE = 100;
const MANY = 10; // pages that are asked for at once where many are needed: the server's limit
const SOUGHT = 20; // times so many pictures are looked through for one of them

export class Results {
  #parameters;
  #ask;
  #pages = new Map();
  #coming = new Map();
  #onWait = null;
  #waited = null; // what could not be told to anyone

  /**
   * @param {URLSearchParams} parameters what is asked for
   * @param {boolean} isSearch whether there is a term in it; else everything is listed
   */
  constructor(parameters, isSearch) {
    this.#parameters = parameters;
    this.#ask = isSearch ? search : browse;
    this.isSearch = isSearch;
    this.total = 0;
    this.anythingStrong = true;
    this.warnings = []; // what the search could not do, in sentences
    this.strong = 0; // how many of them are good matches
  }

  /** What is asked for. */
  get parameters() {
    return this.#parameters.toString();
  }

  /**
   * Hears that the server has too much to do, for how many milliseconds it is left alone, and which
   * page waits.
   * @param {function(Problem, number, number): void} act
   */
  set onWait(act) {
    this.#onWait = act;
    if (this.#waited) act(...this.#waited);
  }

  /** How many files a list of one page stands for, exact copies included; null for a longer one. */
  get files() {
    return this.pages > 1 ? null : (this.page(0) ?? []).reduce((sum, { copies }) => sum + copies, 0);
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
  async load(number) {
    if (!this.#pages.has(number)) await this.#once(number, 1);
    return this.#pages.get(number);
  }

  /**
   * The place of a picture that need not be here, or -1. It is looked for around a place where it may
   * be, within bounds, as long as that is wanted.
   */
  async seek(id, from, isWanted) {
    const chunks = Math.ceil(this.pages / MANY);
    const middle = Math.min(chunks - 1, Math.floor(from / (PAGE * MANY)));
    const near = [...Array(chunks).keys()].sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
    for (const chunk of near.slice(0, SOUGHT)) {
      if (!isWanted()) return -1;
      if (this.indexOf(id) < 0) await this.#once(chunk * MANY, MANY);
      if (this.indexOf(id) >= 0) return this.indexOf(id);
    }
    return -1;
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

  /** Gives up what is under way: all of it, or single pages but those that `keeps` wants. */
  abandon(keeps = null) {
    for (const { first, pages, controller } of this.#coming.values()) {
      if (!keeps || (pages === 1 && !keeps(first))) controller.abort();
    }
  }

  /** From where on a page's pictures are all weak: its length if its last one is strong. */
  weakFrom(number) {
    const pictures = this.#pages.get(number) ?? [];
    return pictures.findLastIndex((picture) => !picture.weak) + 1;
  }

  /** Asks for pages from one on, unless that is under way. */
  #once(first, pages) {
    const key = `${first} ${pages}`;
    if (!this.#coming.has(key)) {
      const controller = new AbortController();
      const promise = this.#fetch(first, pages, controller.signal).finally(() => this.#coming.delete(key));
      this.#coming.set(key, { first, pages, controller, promise });
    }
    return this.#coming.get(key).promise;
  }

  async #fetch(first, pages, signal) {
    const parameters = new URLSearchParams(this.#parameters);
    parameters.set("top_k", PAGE * pages);
    parameters.set("offset", PAGE * first);
    const answer = await this.#ask(parameters, signal, (problem, wait) => {
      if (this.#onWait) this.#onWait(problem, wait, first);
      else this.#waited = [problem, wait, first];
    });
    const found = answer.hits ?? answer.images ?? [];
    if (first === 0) {
      this.total = answer.total;
      this.anythingStrong = answer.anything_strong ?? true;
      this.warnings = answer.warnings ?? [];
      this.strong = answer.strong;
    }
    for (let page = 0; page < pages && (page === 0 || page * PAGE < found.length); page += 1) {
      this.#pages.set(first + page, found.slice(page * PAGE, (page + 1) * PAGE));
    }
  }
}

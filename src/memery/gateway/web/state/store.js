// The page's state and the browser's history. The URL is the state; a history entry has in
// addition only the scroll position.

/** @import { PageState, Place, Term } from "../types.d.ts" */

import { Emitter } from "./emitter.js";
import { exceedsLimit, MAX_TERMS, withTerm } from "./terms.js";
import { formatUrl, nextState, parseUrl } from "./url-state.js";

export class Store {
  #state = parseUrl(location.search);
  /** @type {Emitter<[]>} */
  leaving = new Emitter(); // before the state changes
  /** @type {Emitter<[Place | null]>} */
  changed = new Emitter(); // with the scroll position to restore
  /** @type {Emitter<[]>} */
  full = new Emitter(); // when there are more terms than a query may have

  constructor() {
    history.scrollRestoration = "manual";
    addEventListener("popstate", () => this.load());
  }

  get state() {
    return this.#state;
  }

  /** Takes the state from the URL. */
  load() {
    this.#state = this.#limited(parseUrl(location.search));
    this.changed.emit(this.rememberedPlace);
  }

  /**
   * Changes the state.
   * @param {Partial<PageState>} changes
   * @param {"push" | "replace"} how whether it becomes a step in the browser's history
   */
  change(changes, how = "push") {
    this.leaving.emit();
    this.#state = this.#limited(nextState(this.#state, changes));
    const url = this.href();
    const isNew = url !== (location.search || location.pathname);
    if (how === "push" && isNew) history.pushState({ inside: true }, "", url);
    else this.#replace();
    this.changed.emit(null);
  }

  /**
   * Notes a change that is shown already.
   * @param {Partial<PageState>} changes
   */
  note(changes) {
    this.#state = { ...this.#state, ...changes };
    this.#replace();
  }

  /** @param {Term} term */
  addTerm(term) {
    this.change({ terms: withTerm(this.#state.terms, term) });
  }

  /**
   * The URL of the state after some changes, relative to the page.
   * @param {Partial<PageState>} changes
   */
  href(changes = {}) {
    return formatUrl({ ...this.#state, ...changes }) || location.pathname;
  }

  /**
   * Remembers the scroll position for this history entry, so that Back restores it.
   * @param {Place | null} place
   */
  rememberPlace(place) {
    history.replaceState({ ...history.state, place }, "");
  }

  /** @returns {Place | null} */
  get rememberedPlace() {
    return history.state?.place ?? null;
  }

  /** Whether the entry before this one in the history is the page's own. */
  get hasPrevious() {
    return Boolean(history.state?.inside);
  }

  #replace() {
    history.replaceState({ ...history.state }, "", this.href());
  }

  /** @param {PageState} state */
  #limited(state) {
    if (exceedsLimit(state)) this.full.emit();
    return { ...state, terms: state.terms.slice(0, MAX_TERMS) };
  }
}

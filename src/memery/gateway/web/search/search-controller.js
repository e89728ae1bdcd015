// Search controller: loads the results for the page's state, shows them, and says what there is to say.

/** @import { Offer, Place } from "../types.d.ts" */
/** @import { Problem } from "../api/problem.js" */
/** @import { Grid } from "../grid/grid.js" */
/** @import { Timeline } from "../grid/timeline.js" */
/** @import { ServerStatus } from "../state/server-status.js" */
/** @import { Store } from "../state/store.js" */
/** @import { StatusBar } from "../widgets/status-bar.js" */
/** @import { OfferName } from "./messages.js" */

import { facets } from "../api/client.js";
import { isAbort, statusOf } from "../api/problem.js";
import { Emitter } from "../state/emitter.js";
import { Results } from "../state/results.js";
import { activeTerms, filterParameters, requestParameters } from "../state/url-state.js";
import { counted } from "../widgets/format.js";
import { showTokenForm } from "../widgets/token-form.js";
import { firstResults } from "./first-request.js";
import { failureMessage, messageFor, retryMessage, showMessage, summary } from "./messages.js";

const SLOW = 1000; // ms until a search says that it is still running
const MAX_REFRESHED = 60; // images: a shorter list is refreshed while indexing, since little can jump
const MIN_TIMELINE = 24; // images: a shorter list needs no months beside it
const SCROLL_PAUSE = 400; // ms without scrolling before the scroll position is remembered

/**
 * @typedef {object} SearchParts
 * @property {Store} store
 * @property {ServerStatus} server
 * @property {Grid} grid
 * @property {Timeline} timeline
 * @property {StatusBar} statusBar
 * @property {{message: HTMLElement, announcement: HTMLElement, refresh: HTMLButtonElement}} elements
 *   where messages are shown, what screen readers announce, and the button that shows new images
 * @property {Record<OfferName, Offer>} offers
 * @property {(text: string) => void} toast
 */

export class SearchController {
  /** @type {Emitter<[]>} */
  answered = new Emitter(); // when results are shown

  #parts;
  /** @type {string | null} */
  #requested = null; // the parameters of the last request that has not failed
  /** @type {Results | null} */
  #first = firstResults;
  /** @type {Results | null} */
  #results = null; // being loaded, or shown
  #months = new AbortController();
  #scrollTimer = 0;

  /** @param {SearchParts} parts */
  constructor(parts) {
    this.#parts = parts;
    const { store, server, grid, elements } = parts;
    store.leaving.on(() => this.#rememberPlace());
    addEventListener("pagehide", () => this.#rememberPlace());
    grid.moved.on(() => {
      clearTimeout(this.#scrollTimer);
      this.#scrollTimer = setTimeout(() => this.#rememberPlace(), SCROLL_PAUSE);
    });
    grid.failed.on((error) => {
      showMessage(elements.message, failureMessage(error), { offer: { label: "Try again", act: () => grid.arrange() }, isError: true });
    });
    server.started.on(() => this.#statusChanged());
    server.grown.on(() => this.#indexGrown());
    elements.refresh.addEventListener("click", () => {
      scrollTo(0, 0);
      this.#search(null, true);
    });
  }

  /**
   * Shows the results for the page's state, unless they are shown already.
   * @param {Place | null} place the scroll position
   */
  async show(place = null) {
    await this.#search(place, false);
  }

  /** The server answers again: what failed is requested again. */
  resume() {
    const { grid, elements, store } = this.#parts;
    showMessage(elements.message, "");
    if (this.#requested === null || !grid.results) {
      this.#search(store.rememberedPlace, true);
      return;
    }
    this.#showMessage(grid.results);
    this.#showMonths(grid.results);
    grid.retry();
  }

  /**
   * @param {Place | null} place
   * @param {boolean} isForced whether the same results are requested again
   */
  async #search(place, isForced) {
    const { server, statusBar, store } = this.#parts;
    const parameters = requestParameters(store.state);
    if (parameters.toString() === this.#requested && !isForced) return;
    this.#requested = parameters.toString();
    this.#results?.abort();
    const results = this.#newResults(parameters);
    results.indexedCount = server.facts ? server.searchable : null;
    this.#results = results;
    results.onWait = (problem, delay, page) => this.#waiting(results, problem, delay, page);
    this.#setBusy(true);
    const timer = setTimeout(() => statusBar.setNote("Still searching …"), SLOW);
    try {
      await results.load(0);
      if (this.#results === results) this.#show(results, place, isForced);
    } catch (error) {
      if (this.#results === results && !isAbort(error)) this.#failed(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * New results; the first time, those of the early request.
   * @param {URLSearchParams} parameters
   */
  #newResults(parameters) {
    const first = this.#first;
    this.#first = null;
    if (first?.parameters === parameters.toString()) return first;
    return new Results(parameters, activeTerms(this.#parts.store.state).length > 0);
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#parts.grid.element.setAttribute("aria-busy", String(isBusy));
  }

  /**
   * @param {Results} results
   * @param {Place | null} place
   * @param {boolean} isForced
   */
  #show(results, place, isForced) {
    const { grid, timeline, elements } = this.#parts;
    this.#setBusy(false);
    elements.refresh.hidden = true;
    this.#showMonths(results);
    grid.show(results, place ?? (isForced ? grid.place : null));
    timeline.draw();
    this.#setIndexedCount(results);
    this.#showMessage(results);
    this.answered.emit();
    this.#indexGrown(); // the index may have grown meanwhile
  }

  /** @param {unknown} error */
  #failed(error) {
    const { statusBar, store, elements } = this.#parts;
    const status = statusOf(error);
    this.#requested = null;
    this.#setBusy(false);
    statusBar.setNote("");
    if (status === 401 || status === 403) {
      showTokenForm(elements.message);
      return;
    }
    const isTermGone = status === 404 && store.state.terms.some((term) => term.kind !== "text");
    const text = isTermGone
      ? "An image of this search is no longer available: memery was restarted, or the file was moved. Remove it from the search box, or add it again."
      : failureMessage(error);
    showMessage(elements.message, text, { offer: { label: "Try again", act: () => this.#search(null, true) }, isError: true });
  }

  /**
   * The server is busy: the request is retried, unless the state changes.
   * @param {Results} results
   * @param {Problem} problem
   * @param {number} delay ms
   * @param {number} page
   */
  #waiting(results, problem, delay, page) {
    if (results !== this.#results) return;
    const text = retryMessage(problem, delay);
    if (page !== 0) this.#parts.toast(text);
    else showMessage(this.#parts.elements.message, text, { offer: { label: "Try now", act: () => this.#search(null, true) } });
  }

  /**
   * Shows what there is to say about the results.
   * @param {Results} results
   */
  #showMessage(results) {
    const { server, statusBar, offers, store, elements } = this.#parts;
    const isNarrowed = results.isSearch || this.#hasFilters();
    const found = summary(results);
    statusBar.setNote(isNarrowed ? found : "");
    elements.announcement.textContent = found;
    if (server.isOffline) return;
    const { text, offer } = messageFor(results, { server, isNarrowed, terms: activeTerms(store.state) });
    showMessage(elements.message, text ?? "", { offer: offer && offers[offer] });
  }

  #statusChanged() {
    const { results } = this.#parts.grid;
    if (results) this.#showMessage(results);
    this.#indexGrown();
  }

  /** The index has grown: a short list is refreshed, for a longer one a button is shown. */
  #indexGrown() {
    const { grid, server, elements } = this.#parts;
    const { results } = grid;
    if (!results || results !== this.#results || !server.facts) return;
    this.#setIndexedCount(results);
    this.#showMessage(results);
    if (results.indexedCount === server.searchable) return;
    const isInUse = grid.element.contains(document.activeElement);
    if (!results.isSearch && results.total < MAX_REFRESHED && !isInUse) {
      this.#search(null, true);
      return;
    }
    const added = server.searchable - (results.indexedCount ?? 0);
    elements.refresh.textContent = added > 0 ? `Show ${counted(added, "new image")}` : "Show what changed";
    elements.refresh.hidden = this.#hasFilters();
  }

  /**
   * Notes how many images the index had, for results that came before the status.
   * @param {Results} results
   */
  #setIndexedCount(results) {
    const { server } = this.#parts;
    const listed = !results.isSearch && !this.#hasFilters() ? results.files : null;
    results.indexedCount ??= listed ?? (server.facts ? server.searchable : null);
  }

  #hasFilters() {
    return filterParameters(this.#parts.store.state.filters).size > 0;
  }

  /** Remembers the scroll position, if the results for the state are shown. */
  #rememberPlace() {
    const { store, grid } = this.#parts;
    clearTimeout(this.#scrollTimer);
    if (this.#results && this.#results === grid.results) store.rememberPlace(grid.place);
  }

  /**
   * Shows the months of a list. Their room is reserved before the images are laid out.
   * @param {Results} results
   */
  async #showMonths(results) {
    const { timeline, store } = this.#parts;
    const { filters } = store.state;
    const isWanted = !results.isSearch && !filters.sort && results.total >= MIN_TIMELINE;
    this.#months.abort();
    this.#months = new AbortController();
    document.body.classList.toggle("with-months", isWanted);
    if (!isWanted) {
      timeline.show([]);
      return;
    }
    try {
      const { months } = await facets(filterParameters(filters), { signal: this.#months.signal });
      if (results === this.#results) timeline.show(months);
    } catch {
      if (results === this.#results) timeline.show([]); // without months the list is still complete
    }
  }
}

// From a state to the pictures that answer it: asks, shows, and says what there is to say.

import * as address from "../state/url-state.js";
import * as api from "../api/client.js";
import { first } from "./first-request.js";
import { failure, patience, say, sentenceFor, summary } from "../widgets/messages.js";
import { Results } from "../state/results.js";
import { counted } from "../widgets/format.js";
import { askForToken } from "../widgets/token-form.js";

const SLOW = 1000; // ms until a search says that it is still at it
const FEW = 60; // pictures: so many may be shown anew while indexing without anything jumping
const LONG = 24; // pictures: fewer are seen at a glance, without months beside them
const $ = (id) => document.getElementById(id);

export class Asking {
  #asked = null; // what the pictures shown answer, as parameters
  #early = first;
  #coming = null; // results that are under way, or shown
  #months = new AbortController();
  #parts;

  /**
   * @param {{state, grid, timeline, status, offers, pass, onAnswer}} parts the state of the page, what
   *   shows answers, what is offered with a sentence, by name, what shows a passing word, and what
   *   hears of an answer
   */
  constructor(parts) {
    this.#parts = parts;
  }

  /** Whether the pictures shown are those that were asked for last. */
  get isSettled() {
    return this.#coming !== null && this.#coming === this.#parts.grid.results;
  }

  /** Asks for what the state says, unless that is shown already. */
  async find(place = null, isForced = false) {
    const state = this.#parts.state();
    const parameters = address.request(state);
    if (parameters.toString() === this.#asked && !isForced) return;
    this.#asked = parameters.toString();
    this.#coming?.abandon();
    const { status } = this.#parts;
    const results = this.#results(parameters, address.asked(state).length > 0);
    results.asOf = status.facts ? status.searchable : null; // files there were when it was asked
    this.#coming = results;
    results.onWait = (...waiting) => this.#waiting(results, ...waiting);
    $("grid").setAttribute("aria-busy", "true");
    const slow = setTimeout(() => status.say("Still looking …"), SLOW);
    try {
      await results.load(0);
      if (this.#coming === results) this.#answered(results, place, isForced);
    } catch (problem) {
      if (this.#coming === results && problem.name !== "AbortError") this.#failed(problem);
    } finally {
      clearTimeout(slow);
    }
  }

  /** The first time, the request that is under way already; later, a new one. */
  #results(parameters, isSearch) {
    const early = this.#early;
    this.#early = null;
    return early?.parameters === parameters.toString() ? early : new Results(parameters, isSearch);
  }

  /** The line of state and the sentence above the pictures, for the answer that is shown. */
  tell(results = this.#parts.grid.results) {
    if (!results) return;
    const { status, offers } = this.#parts;
    const state = this.#parts.state();
    const isNarrowed = results.isSearch || address.filterParameters(state.filters).size > 0;
    const found = summary(results);
    status.say(isNarrowed ? found : "");
    $("heard").textContent = found;
    if (status.isOffline) return;
    const { sentence, offer } = sentenceFor(results, { status, isNarrowed, terms: address.asked(state) });
    say($("notice"), sentence, offers[offer]);
  }

  /** The status of the server is known. */
  informed() {
    this.tell();
    this.grown();
  }

  /** An answer that came before the status is as new as what it lists; a long one, as the status. */
  #date(results) {
    const { status } = this.#parts;
    const isEverything = !results.isSearch && !address.filterParameters(this.#parts.state().filters).size;
    results.asOf ??= (isEverything ? results.files : null) ?? (status.facts ? status.searchable : null);
  }

  /** Indexing went on: few pictures are shown anew at once, many only when asked for. */
  grown() {
    const { grid, status } = this.#parts;
    const { results } = grid;
    if (!results || !this.isSettled || !status.facts) return;
    this.#date(results);
    this.tell(results);
    if (results.asOf === status.searchable) return;
    if (!results.isSearch && results.total < FEW && !grid.element.contains(document.activeElement)) return void this.find(null, true);
    const more = status.searchable - results.asOf;
    $("fresh").textContent = more > 0 ? `Show ${counted(more, "new image")}` : "Show what changed";
    $("fresh").hidden = address.filterParameters(this.#parts.state().filters).size > 0;
  }

  /** The server answers again. */
  resume() {
    const { grid } = this.#parts;
    say($("notice"));
    if (this.#asked === null || !grid.results) return void this.find(address.rememberedPlace(), true);
    this.tell();
    this.#showMonths(grid.results);
    grid.retry();
  }

  #answered(results, place, isForced) {
    const { grid, timeline, onAnswer } = this.#parts;
    $("grid").setAttribute("aria-busy", "false");
    $("fresh").hidden = true;
    this.#showMonths(results);
    grid.show(results, place ?? (isForced ? grid.place : null));
    timeline.draw();
    this.#date(results);
    this.tell(results);
    onAnswer();
    this.grown(); // there may be more by now
  }

  /** The server has too much to do: the page asks again by itself, unless something else is asked for. */
  #waiting(results, problem, wait, page) {
    if (results !== this.#coming) return;
    const sentence = patience(problem, wait);
    if (page === 0) say($("notice"), sentence, { label: "Try now", act: () => this.find(null, true) });
    else this.#parts.pass(sentence);
  }

  #failed(problem) {
    this.#asked = null;
    $("grid").setAttribute("aria-busy", "false");
    this.#parts.status.say("");
    if (problem.status === 401 || problem.status === 403) return askForToken($("notice"));
    const gone = problem.status === 404 && this.#parts.state().terms.some((term) => term.kind !== "text");
    const sentence = gone ? "A picture of this search is gone: memery was started anew, or the file was moved. Remove it from the field, or add it again." : failure(problem);
    say($("notice"), sentence, { label: "Try again", act: () => this.find(null, true), isError: true });
  }

  /** Room for the months is made before the pictures are laid out: nothing moves when they come. */
  async #showMonths(results) {
    const { timeline } = this.#parts;
    const { filters } = this.#parts.state();
    const isWanted = !results.isSearch && !filters.sort && results.total >= LONG;
    this.#months.abort();
    this.#months = new AbortController();
    document.body.classList.toggle("with-months", isWanted);
    if (!isWanted) return timeline.show([]);
    try {
      const { months } = await api.facets(address.filterParameters(filters), this.#months.signal);
      if (results === this.#coming) timeline.show(months);
    } catch {
      if (results === this.#coming) timeline.show([]); // an aid: without them the list is whole
    }
  }
}

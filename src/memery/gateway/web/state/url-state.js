// The page's state as a URL: everything that makes up a search, and the open image.

/** @import { FilterValues, PageState, Term } from "../types.d.ts" */

import { addToParameters, fromParameters, MAX_TERMS, parseText } from "./terms.js";

const SINGLE = /** @type {const} */ (["collection", "under", "since", "until", "orientation", "has_text", "mode", "sort"]);

/**
 * Parses the query string of the page's URL.
 * @param {string} search
 * @returns {PageState}
 */
export function parseUrl(search) {
  const parameters = new URLSearchParams(search);
  /** @type {FilterValues} */
  const filters = {};
  for (const name of SINGLE) {
    const value = parameters.get(name);
    if (value) filters[name] = value;
  }
  if (parameters.has("ext")) filters.ext = parameters.getAll("ext");
  const state = { terms: fromParameters(parameters), draft: parameters.get("q") ?? "", filters, imageId: parameters.get("picture") };
  if (filters.sort === defaultSort(state)) delete filters.sort;
  return state;
}

/**
 * The query string of a state: the reverse of `parseUrl`; empty if the state is.
 * @param {PageState} state
 */
export function formatUrl(state) {
  const parameters = filterParameters(state.filters);
  addToParameters(state.terms, parameters);
  if (state.draft.trim()) parameters.set("q", state.draft);
  if (state.imageId) parameters.set("picture", state.imageId);
  const search = parameters.toString();
  return search && `?${search}`;
}

/**
 * A state after a change. A sort order is dropped when a search begins or ends: it was chosen for
 * the other list.
 * @param {PageState} before
 * @param {Partial<PageState>} changes
 * @returns {PageState}
 */
export function nextState(before, changes) {
  const state = { ...before, ...changes };
  if (changes.filters || defaultSort(state) === defaultSort(before)) return state;
  const { sort: _, ...filters } = state.filters;
  return { ...state, filters };
}

/**
 * Parameters of the request for a state's images: without the open image, the draft as terms.
 * @param {PageState} state
 */
export function requestParameters(state) {
  const parameters = filterParameters(state.filters);
  addToParameters(activeTerms(state), parameters);
  return parameters;
}

/**
 * The chips and the terms of the draft, as many as a query may have.
 * @param {Pick<PageState, "terms" | "draft">} state
 * @returns {Term[]}
 */
export function activeTerms({ terms, draft }) {
  return [...terms, ...parseText(draft)].slice(0, MAX_TERMS);
}

/** @param {FilterValues} filters */
export function filterParameters(filters) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    for (const one of [value].flat()) if (one) parameters.append(name, one);
  }
  return parameters;
}

/**
 * The order of a list that names none: the best first, or without a search the newest.
 * @param {PageState} state
 */
function defaultSort(state) {
  return activeTerms(state).length ? "score" : "date";
}

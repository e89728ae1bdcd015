// The address is the state: everything that makes up a search, and the picture that is open.
// What the browser remembers beside it (history.state) is only where the page was scrolled to.

import { fromParameters, MOST_TERMS, toParameters, typed } from "./terms.js";

const LISTED = ["ext"];
const SINGLE = ["collection", "under", "since", "until", "orientation", "has_text", "mode", "sort"];

/** What an address asks for. `draft` is what stands in the field without being a chip yet. */
export function read(search = location.search) {
  const parameters = new URLSearchParams(search);
  const filters = {};
  for (const name of SINGLE) if (parameters.get(name)) filters[name] = parameters.get(name);
  for (const name of LISTED) if (parameters.has(name)) filters[name] = parameters.getAll(name);
  const state = { terms: fromParameters(parameters), draft: parameters.get("q") ?? "", filters, picture: parameters.get("picture") };
  if (filters.sort === ownOrder(state)) delete filters.sort;
  return state;
}

/** The order of a list that nothing is said of: the best first, or without a search the newest. */
const ownOrder = (state) => (asked(state).length ? "score" : "date");

/** A state that follows another: an order is for the list that it was chosen for. */
export function following(before, changes) {
  const state = { ...before, ...changes };
  if (changes.filters || ownOrder(state) === ownOrder(before)) return state;
  const { sort, ...filters } = state.filters;
  return { ...state, filters };
}

/** The address of a state, relative to the page. */
export function write(state) {
  const parameters = filterParameters(state.filters);
  toParameters(state.terms, parameters);
  if (state.draft.trim()) parameters.set("q", state.draft);
  if (state.picture) parameters.set("picture", state.picture);
  const search = parameters.toString();
  return search ? `?${search}` : location.pathname;
}

/** What the server is asked: the state without the picture, the draft as a term. */
export function request(state) {
  const parameters = filterParameters(state.filters);
  toParameters(asked(state), parameters);
  return parameters;
}

/** The terms, and those being typed as far as there is room for them. */
export function asked({ terms, draft }) {
  return [...terms, ...typed(draft)].slice(0, MOST_TERMS);
}

export function filterParameters(filters) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    for (const one of [value].flat()) if (one) parameters.append(name, one);
  }
  return parameters;
}

export function push(state) {
  history.pushState({ inside: true }, "", write(state));
}

export function replace(state) {
  history.replaceState({ ...history.state }, "", write(state));
}

/** Remembers the place in the list for this entry, so that Back finds it again. */
export function rememberPlace(place) {
  history.replaceState({ ...history.state, place }, "");
}

export const rememberedPlace = () => history.state?.place ?? null;

/** Whether Back leads to where the page was before. */
export const cameFromHere = () => Boolean(history.state?.inside);

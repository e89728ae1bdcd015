// What is said where pictures would stand, or above them: a sentence, and the one thing to do.

import { button, make } from "./dom.js";
import { MOST_TERMS } from "../state/terms.js";
import { count, counted } from "./format.js";

/** Puts a sentence above the pictures, or takes it away. Whoever cannot see hears it. */
export function say(element, sentence = "", { label, act, isError = false } = {}) {
  element.classList.toggle("error", isError);
  element.replaceChildren(...(sentence ? [make("p", {}, sentence)] : []), ...(label ? [button(label, act)] : []));
  element.hidden = !sentence;
}

/** A word that goes away by itself; said again, it stays longer. */
export function toast(element, sentence) {
  const one = make("p", {}, sentence);
  [...element.children].find((other) => other.textContent === sentence)?.remove();
  element.append(one);
  if (element.matches(":popover-open")) element.hidePopover();
  element.showPopover(); // anew, so that it lies over a dialog that was opened since
  setTimeout(() => {
    one.remove();
    if (!element.children.length && element.matches(":popover-open")) element.hidePopover();
  }, 5000);
}

/**
 * What there is to say about an answer: a sentence, or none, and what is offered with it.
 * @param {Results} results
 * @param {{status: Status, isNarrowed: boolean, terms: object[]}} context the state of the server,
 *   whether less than everything was asked for, and the terms
 */
export function sentenceFor(results, { status, isNarrowed, terms }) {
  if (results.total === 0) return empty(status, isNarrowed, results.warnings);
  const { progress } = status;
  if (!results.isSearch && status.isIndexing && !progress.isReading) return { sentence: looking(progress) };
  if (results.warnings.length) return { sentence: results.warnings.join(" ") };
  if (results.isSearch && !results.anythingStrong) return { sentence: nothingStrong(terms) };
  return {};
}

/** How much there is to see. */
export function summary({ isSearch, total, strong }) {
  const all = counted(total, "image");
  if (!isSearch || !total || strong === null) return all; // null: too few images to judge by
  return `${strong ? counted(strong, "good match", "good matches") : "no good matches"} in ${all}`;
}

function empty(status, isNarrowed, warnings) {
  if (!status.facts) return {}; // not known yet whether there is nothing or nothing so far
  if (status.isIndexing) return { sentence: looking(status.progress) };
  if (isNarrowed && status.searchable) return { sentence: warnings.join(" ") || "No picture passes these filters.", offer: "clear" };
  if (status.skipped) return { sentence: `None of the ${counted(status.skipped, "file")} here could be read.`, offer: "skipped" };
  if (status.facts.excluded?.length) return { sentence: status.facts.excluded.join(" ") };
  return {
    sentence: "There are no pictures in this folder yet. Put some in, then look again.",
    offer: status.facts.index_allowed ? "index" : undefined,
  };
}

function nothingStrong(terms) {
  const [{ kind, value }] = terms;
  const what = terms.length === 1 && kind === "text" ? `‘${value}’` : "this search";
  return `Nothing here really matches ${what}. The nearest:`;
}

function looking({ done, total }) {
  return total ? `Looking at your pictures: ${count(done)} of ${count(total)}. You can search already.` : "Looking at your pictures …";
}

export const FULL = `A search takes ${MOST_TERMS} terms at most: what goes beyond is left out. Remove one to add another.`;
export const OFFLINE = "memery does not answer. Start it again with “memery serve”; this page reconnects automatically.";

/** What to say while a server that has too much to do is left alone for some milliseconds. */
export function patience(problem, wait) {
  const why = problem.status === 429 ? "Too much was asked for at once." : problem.message.replace(/: try again shortly\.$/, ".");
  return `${why} The page tries again in ${counted(Math.ceil(wait / 1000), "second")}.`;
}

/** What to say about a request that failed. */
export function failure(problem) {
  if (problem.status === 0) return OFFLINE;
  if (problem.passes) return `${problem.message} Wait a moment and try again.`;
  return [...new Set([problem.message, ...problem.errors.map((one) => one.message)])].join(" ");
}

// Messages: about results, the state of the server and failed requests; above the images until they
// are replaced, or as a toast for a few seconds.

/** @import { Offer, Progress, StatusDocument, Term } from "../types.d.ts" */

import { messageOf, Problem } from "../api/problem.js";
import { MAX_TERMS } from "../state/terms.js";
import { button, make } from "../widgets/dom.js";
import { count, counted } from "../widgets/format.js";

const TOAST_TIME = 5000; // ms

/**
 * @typedef {{total: number, isSearch: boolean, anythingStrong: boolean, warnings: string[], strong: number | null}} Answer
 * @typedef {{facts: StatusDocument | null, isIndexing: boolean, progress: Progress, searchable: number, skipped: number}} Server
 * @typedef {"clear" | "skipped" | "index"} OfferName
 */

export const TOO_MANY_TERMS = `A search takes ${MAX_TERMS} terms at most; the rest is left out. Remove one to add another.`;
export const OFFLINE = "memery does not answer. Start it again with “memery serve”; this page reconnects automatically.";

/**
 * Shows a message above the images, with at most one button; "" hides it. It is a live region.
 * @param {HTMLElement} element
 * @param {string} text
 * @param {{offer?: Offer, isError?: boolean}} options
 */
export function showMessage(element, text, { offer, isError = false } = {}) {
  element.classList.toggle("error", isError);
  element.replaceChildren(...(text ? [make("p", {}, text)] : []), ...(offer ? [button(offer.label, offer.act)] : []));
  element.hidden = !text;
}

/**
 * Shows a message for a few seconds. Repeated, it stays longer.
 * @param {HTMLElement} element a popover
 * @param {string} text
 */
export function toast(element, text) {
  const one = make("p", {}, text);
  [...element.children].find((other) => other.textContent === text)?.remove();
  element.append(one);
  if (element.matches(":popover-open")) element.hidePopover();
  element.showPopover(); // again, so that it is above a dialog that was opened since
  setTimeout(() => {
    one.remove();
    if (!element.children.length && element.matches(":popover-open")) element.hidePopover();
  }, TOAST_TIME);
}

/**
 * The message about an answer, if there is one, and the name of what it offers.
 * @param {Answer} answer
 * @param {{server: Server, isNarrowed: boolean, terms: Term[]}} context
 *   `isNarrowed`: whether there are terms or filters
 * @returns {{text?: string, offer?: OfferName}}
 */
export function messageFor(answer, { server, isNarrowed, terms }) {
  // The status bar shows the progress of indexing: a message that comes and goes would move the images.
  if (answer.total === 0) return emptyMessage(server, isNarrowed, answer.warnings);
  if (answer.warnings.length) return { text: answer.warnings.join(" ") };
  if (answer.isSearch && !answer.anythingStrong) return { text: nothingStrong(terms) };
  return {};
}

/**
 * Number of images and of good matches.
 * @param {Pick<Answer, "isSearch" | "total" | "strong">} answer
 */
export function summary({ isSearch, total, strong }) {
  const all = counted(total, "image");
  if (!isSearch || !total || strong === null) return all; // null: too few images to judge
  return `${strong ? counted(strong, "good match", "good matches") : "no good matches"} in ${all}`;
}

/**
 * What to say while a busy server is left alone.
 * @param {Problem} problem
 * @param {number} delay ms
 */
export function retryMessage(problem, delay) {
  const why = problem.status === 429 ? "Too many requests." : problem.message.replace(/: try again shortly\.$/, ".");
  return `${why} The page tries again in ${counted(Math.ceil(delay / 1000), "second")}.`;
}

/**
 * What to say about a failed request.
 * @param {unknown} error
 */
export function failureMessage(error) {
  if (!(error instanceof Problem)) return messageOf(error);
  if (error.status === 0) return OFFLINE;
  if (error.isTemporary) return `${error.message} Wait a moment and try again.`;
  return [...new Set([error.message, ...error.errors.map((one) => one.message)])].join(" ");
}

/**
 * @param {Server} server
 * @param {boolean} isNarrowed
 * @param {string[]} warnings
 * @returns {{text?: string, offer?: OfferName}}
 */
function emptyMessage(server, isNarrowed, warnings) {
  const { facts, skipped } = server;
  if (!facts) return {}; // it is not known yet whether the folder is empty or not indexed yet
  if (server.isIndexing) return { text: indexing(server.progress) };
  if (isNarrowed && server.searchable) return { text: warnings.join(" ") || "No image matches these filters.", offer: "clear" };
  if (skipped === 1) return { text: "The only image file here could not be read.", offer: "skipped" };
  if (skipped) return { text: `None of the ${skipped} files here could be read.`, offer: "skipped" };
  if (facts.excluded?.length) return { text: facts.excluded.join(" ") };
  return {
    text: "This folder has no images yet. Add some, then look again.",
    offer: facts.index_allowed ? "index" : undefined,
  };
}

/** @param {Term[]} terms */
function nothingStrong(terms) {
  const [{ kind, value }] = terms;
  const what = terms.length === 1 && kind === "text" ? `‘${value}’` : "this search";
  return `Nothing here really matches ${what}. The nearest:`;
}

/** @param {Progress} progress */
function indexing({ done, total }) {
  return total ? `Indexing images: ${count(done)} of ${count(total)}. You can already search.` : "Indexing images …";
}

// What is said where pictures would stand, or above them: a sentence, and the one thing to do.

import { button, make } from "./elements.js";
import { count } from "./texts.js";

/** Puts a sentence above the pictures, or takes it away. Whoever cannot see hears it. */
export function say(element, sentence = "", { label, act, isError = false } = {}) {
  element.classList.toggle("error", isError);
  element.replaceChildren(...(sentence ? [make("p", {}, sentence)] : []), ...(label ? [button(label, act)] : []));
  element.hidden = !sentence;
}

/** A word that goes away by itself. */
export function toast(element, sentence) {
  const one = make("p", {}, sentence);
  element.append(one);
  if (element.matches(":popover-open")) element.hidePopover();
  element.showPopover(); // anew, so that it lies over a dialog that was opened since
  setTimeout(() => {
    one.remove();
    if (!element.children.length && element.matches(":popover-open")) element.hidePopover();
  }, 5000);
}

/** What a search without anything strong says. */
export function nothingStrong(terms) {
  const [{ kind, value }] = terms;
  const what = terms.length === 1 && kind === "text" ? `‘${value}’` : "this";
  return `Nothing here really matches ${what}. The nearest:`;
}

export const looking = ({ done, total }) =>
  total ? `Looking at your pictures: ${count(done)} of ${count(total)}. You can search already.` : "Looking at your pictures …";

export const OFFLINE = "memery does not answer. Start it again with “memery serve”; this page goes on by itself.";

/** What to say about a request that failed. */
export function failure(problem) {
  if (problem.status === 0) return OFFLINE;
  if (problem.status === 429 || problem.status === 503) return `${problem.message} Wait a moment and try again.`;
  if (problem.errors.length) return `${problem.message} ${problem.errors.map((one) => one.message).join(" ")}`;
  return problem.message;
}

// Messages: above the images until they are replaced, or as a toast for a few seconds.

/** @import { Offer } from "../types.d.ts" */

import { button, make } from "./dom.js";

const TOAST_TIME = 5000; // ms

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

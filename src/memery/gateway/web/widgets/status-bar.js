// The status bar: number of images, model, progress of indexing, skipped files.

/** @import { ServerStatus } from "../state/server-status.js" */

import { button, make } from "./dom.js";
import { count, counted, duration, percent } from "./format.js";

/**
 * @typedef {object} StatusActions
 * @property {() => void} index
 * @property {() => void} stop
 * @property {() => void} showSkipped
 * @property {(name: string) => void} showModel
 */

export class StatusBar {
  #element;
  #server;
  #actions;
  #note = "";

  /**
   * @param {HTMLElement} element
   * @param {ServerStatus} server
   * @param {StatusActions} actions
   */
  constructor(element, server, actions) {
    this.#element = element;
    this.#server = server;
    this.#actions = actions;
    server.changed.on(() => this.draw());
  }

  /**
   * Shows a note about the search in place of the number of images.
   * @param {string} note
   */
  setNote(note) {
    this.#note = note;
    this.draw();
  }

  draw() {
    const { facts, searchable, isIndexing, failure, skipped } = this.#server;
    if (!facts) return;
    const parts = [make("span", { className: "note" }, this.#note || counted(searchable, "image"))];
    parts.push(make("span", { className: "model" }, facts.model_id ?? "no model", this.#betterModel(facts.better_model)));
    if (isIndexing) parts.push(make("span", {}, ...this.#progress(facts.index_allowed)));
    else if (failure) parts.push(make("span", { className: "failed" }, failure));
    if (facts.unavailable?.length) parts.push(make("span", { className: "failed" }, `${facts.unavailable.join(", ")} cannot be reached: is the disk connected?`));
    if (skipped) parts.push(part(`${count(skipped)} skipped`, this.#actions.showSkipped));
    if (facts.index_allowed && !isIndexing) parts.push(part("Update", this.#actions.index, "Look for new and changed images"));
    this.#replace(parts);
  }

  /**
   * Replaces what is shown; a focused button stays focused.
   * @param {HTMLElement[]} parts
   */
  #replace(parts) {
    const focused = this.#element.contains(document.activeElement) ? document.activeElement?.textContent : null;
    this.#element.replaceChildren(...parts);
    [...this.#element.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  /** @param {string | null} name */
  #betterModel(name) {
    return name ? button("get a better model", () => this.#actions.showModel(name), { className: "plain" }) : null;
  }

  /** @param {boolean} isStoppable */
  #progress(isStoppable) {
    const stop = isStoppable ? [button("Stop", this.#actions.stop, { className: "plain" })] : [];
    const { waitReason, progress } = this.#server;
    if (waitReason) return [make("span", {}, waitReason), ...stop];
    const { done, total, eta, isReading } = progress;
    const what = isReading ? "reading text" : "indexing";
    const bar = make("progress", { max: Math.max(1, total), value: done, "aria-label": what });
    /** @type {HTMLElement[]} */
    const parts = [make("span", {}, total ? `${what} ${percent(done, total)} %` : `${what} …`), bar];
    if (eta) parts.push(make("span", {}, duration(eta)));
    return [...parts, ...stop];
  }
}

/**
 * @param {string} label
 * @param {() => void} act
 * @param {string} [title]
 */
function part(label, act, title) {
  return make("span", {}, button(label, act, { className: "plain", title }));
}

// Months beside the scrollbar, while all images are listed, newest first.

/** @import { CountDocument, Place } from "../types.d.ts" */
/** @import { Grid } from "./grid.js" */

import { onPreference } from "../state/preferences.js";
import { closest, make } from "../widgets/dom.js";
import { period, shortMonth, yearOf } from "../widgets/format.js";

const LABEL_HEIGHT = 24; // px
const BUBBLE_TIME = 900; // ms

/**
 * @typedef {{name: string, first: number}} Month `first`: index of its first image
 * @typedef {Month & {isYear: boolean, y: number}} Label `isYear`: whether it begins a year
 */

export class Timeline {
  #element;
  #grid;
  #bubble = make("div", { className: "bubble", "aria-hidden": "true", hidden: true });
  /** @type {Month[]} */
  #months = [];
  #timer = 0;
  /** @type {{month: Month, place: Place | null} | null} */
  #chosen = null; // the month that was clicked, and the scroll position that it led to

  /**
   * @param {HTMLElement} element
   * @param {Grid} grid
   */
  constructor(element, grid) {
    this.#element = element;
    this.#grid = grid;
    element.addEventListener("click", (event) => this.#jump(event));
    addEventListener("resize", () => this.draw());
    grid.moved.on(() => this.#moved());
    onPreference(() => this.draw());
  }

  /**
   * Shows the months of a list, newest first; fewer than two hide the timeline.
   * @param {CountDocument[]} months
   */
  show(months) {
    let index = 0;
    this.#chosen = null;
    this.#months = months.map(({ name, count }) => {
      const first = index;
      index += count;
      return { name, first };
    });
    this.#element.hidden = this.#months.length < 2;
    this.draw();
  }

  /** Puts each label where its month begins. */
  draw() {
    const height = this.#element.clientHeight;
    if (this.#element.hidden || !height) return;
    let year = "";
    const labels = this.#months.map(({ name, first }) => {
      const isYear = name.slice(0, 4) !== year;
      year = name.slice(0, 4);
      return { name, first, isYear, y: this.#grid.fraction(first) * (height - LABEL_HEIGHT) };
    });
    this.#element.replaceChildren(...withoutOverlap(labels, LABEL_HEIGHT).map(labelButton), this.#bubble);
    this.#moved(false);
  }

  /** Marks the month at the top of the window, and shows it in a bubble for a moment. */
  #moved(isBubbleShown = true) {
    if (this.#element.hidden) return;
    const { first } = this.#grid;
    const month = this.#monthAt(first);
    for (const one of this.#element.querySelectorAll("button")) {
      if (one.dataset.month === month?.name) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
    if (!isBubbleShown || !month || scrollY === 0) return;
    this.#bubble.textContent = period(month.name);
    this.#bubble.style.top = `${this.#grid.fraction(first) * (this.#element.clientHeight - LABEL_HEIGHT)}px`;
    this.#bubble.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#bubble.hidden = true;
    }, BUBBLE_TIME);
  }

  /**
   * The month of the first image in the window; the chosen month until the list is scrolled.
   * @param {number} first
   */
  #monthAt(first) {
    // A chosen month may begin within a row, or too near the end to be scrolled to the top.
    if (this.#chosen && this.#chosen.place === this.#grid.place) return this.#chosen.month;
    return this.#months.findLast((one) => one.first <= first);
  }

  /** @param {MouseEvent} event */
  async #jump(event) {
    const name = closest(event.target, "button")?.dataset.month;
    const month = this.#months.find((one) => one.name === name);
    if (!month) return;
    await this.#grid.go(month.first, { align: "start", focus: event.detail === 0 });
    if (this.#grid.current !== month.first) return; // another month was chosen meanwhile
    this.#chosen = { month, place: this.#grid.place };
    this.#moved();
  }
}

/**
 * The labels that fit beside each other; those that begin a year come first.
 * @param {Label[]} labels
 * @param {number} height of a label
 */
export function withoutOverlap(labels, height) {
  /** @type {Set<Label>} */
  const kept = new Set();
  for (const isYear of [true, false]) {
    for (const label of labels) {
      if (label.isYear === isYear && [...kept].every((other) => Math.abs(other.y - label.y) >= height)) kept.add(label);
    }
  }
  return labels.filter((label) => kept.has(label));
}

/** @param {Label} label */
function labelButton({ name, isYear, y }) {
  const label = isYear ? yearOf(name) : shortMonth(name);
  // The accessible name begins with the visible label, so that voice control finds the button.
  const accessible = isYear ? period(name) : `${label} ${yearOf(name)}`;
  const one = make("button", { type: "button", className: isYear ? "year" : "", "aria-label": accessible }, label);
  one.dataset.month = name;
  one.style.top = `${y}px`;
  return one;
}

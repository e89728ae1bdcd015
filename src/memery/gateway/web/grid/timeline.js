// Months beside the scrollbar, where the list is everything, newest first.

import { make } from "../widgets/dom.js";
import { shortMonth, span, yearOf } from "../widgets/format.js";

const ROOM = 24; // px between two labels, which are as high

export class Timeline {
  #element;
  #bubble = make("div", { className: "bubble", "aria-hidden": "true", hidden: true });
  #months = [];
  #grid;
  #hiding = 0;
  #chosen = null; // the month that was clicked, and the place that the list was brought to

  constructor(element, grid) {
    this.#element = element;
    this.#grid = grid;
    element.addEventListener("click", (event) => this.#jump(event));
    addEventListener("resize", () => this.draw());
  }

  /** Months of the list, newest first, as { name, count }; none hides the strip. */
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

  /** Puts the labels where their months begin; a year goes before a month where there is no room. */
  draw() {
    const height = this.#element.clientHeight;
    if (this.#element.hidden || !height) return;
    let year = "";
    const labels = this.#months.map(({ name, first }) => {
      const isYear = name.slice(0, 4) !== year;
      year = name.slice(0, 4);
      return { name, first, isYear, y: this.#grid.share(first) * (height - ROOM) };
    });
    const taken = [];
    const isFree = ({ y }) => taken.every((other) => Math.abs(other - y) >= ROOM);
    const kept = new Set();
    for (const wantsYears of [true, false]) {
      for (const label of labels) {
        if (label.isYear !== wantsYears || !isFree(label)) continue;
        taken.push(label.y);
        kept.add(label);
      }
    }
    this.#element.replaceChildren(...labels.filter((label) => kept.has(label)).map(written), this.#bubble);
    this.moved(false);
  }

  /** Says for a moment which month is at the top of the window. */
  moved(isShown = true) {
    if (this.#element.hidden) return;
    const first = this.#grid.first;
    const here = this.#here(first);
    for (const one of this.#element.querySelectorAll("button")) {
      if (one.dataset.month === here?.name) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
    if (!isShown || !here || scrollY === 0) return;
    this.#bubble.textContent = span(here.name);
    this.#bubble.style.top = `${this.#grid.share(first) * (this.#element.clientHeight - ROOM)}px`;
    this.#bubble.hidden = false;
    clearTimeout(this.#hiding);
    this.#hiding = setTimeout(() => (this.#bubble.hidden = true), 900);
  }

  /** The month of the first image in the window; as long as one stays there, the month that was chosen. */
  #here(first) {
    // It may begin in the middle of a row, or too near the end to be brought to the top.
    if (this.#chosen && this.#chosen.place === this.#grid.place) return this.#chosen.month;
    return this.#months.findLast((one) => one.first <= first);
  }

  async #jump(event) {
    const name = event.target.closest("button")?.dataset.month;
    const found = this.#months.find((one) => one.name === name);
    if (!found) return;
    await this.#grid.go(found.first, { align: "start", focus: event.detail === 0 });
    if (this.#grid.current !== found.first) return; // something else was chosen meanwhile
    this.#chosen = { month: found, place: this.#grid.place };
    this.moved();
  }
}

function written({ name, isYear, y }) {
  const label = isYear ? yearOf(name) : shortMonth(name);
  // What is heard begins with what is seen: so it can be said to a voice that clicks.
  const heard = isYear ? span(name) : `${label} ${yearOf(name)}`;
  const one = make("button", { type: "button", className: isYear ? "year" : "", "aria-label": heard }, label);
  one.dataset.month = name;
  one.style.top = `${y}px`;
  return one;
}

// Pictures that are selected, and the bar that says what can be done with them.

import { button, iconButton, make } from "../widgets/dom.js";
import { counted } from "../widgets/format.js";

export class Selection {
  #bar;
  #picked = new Map();
  #words = make("strong", { "aria-live": "polite" });
  #onChange;

  /**
   * @param {HTMLElement} bar
   * @param {Object<string, function(object[]): void>} actions label → what it does with the pictures
   * @param {function(): void} onChange
   */
  constructor(bar, actions, onChange) {
    this.#bar = bar;
    this.#onChange = onChange;
    this.last = null;
    bar.append(
      this.#words,
      ...Object.entries(actions).map(([label, act]) => button(label, () => act(this.pictures))),
      iconButton("close", "Clear the selection (Esc)", () => this.clear()),
    );
  }

  get pictures() {
    return [...this.#picked.values()];
  }

  get isEmpty() {
    return this.#picked.size === 0;
  }

  has(id) {
    return this.#picked.has(id);
  }

  toggle(picture, index) {
    if (this.#picked.has(picture.id)) this.#picked.delete(picture.id);
    else this.#picked.set(picture.id, picture);
    this.last = index;
    this.#changed();
  }

  add(pictures, index) {
    for (const picture of pictures) this.#picked.set(picture.id, picture);
    this.last = index;
    this.#changed();
  }

  clear() {
    this.#picked.clear();
    this.last = null;
    this.#changed();
  }

  #changed() {
    this.#bar.hidden = this.isEmpty;
    document.body.classList.toggle("selecting", !this.isEmpty);
    this.#words.textContent = counted(this.#picked.size, "picture") + " selected";
    this.#onChange();
  }
}

// The selected images, and the bar that counts them and has the actions for them.

/** @import { ListedImage } from "../types.d.ts" */

import { Emitter } from "../state/emitter.js";
import { button, iconButton, make } from "../widgets/dom.js";
import { counted } from "../widgets/format.js";

export class Selection {
  /** @type {Map<string, ListedImage>} */
  #images = new Map();
  /** @type {number | null} */
  last = null; // index of the image that was selected last
  /** @type {Emitter<[]>} */
  changed = new Emitter();

  get images() {
    return [...this.#images.values()];
  }

  get isEmpty() {
    return this.#images.size === 0;
  }

  /** @param {string} id */
  has(id) {
    return this.#images.has(id);
  }

  /**
   * @param {ListedImage} image
   * @param {number} index
   */
  toggle(image, index) {
    if (!this.#images.delete(image.id)) this.#images.set(image.id, image);
    this.last = index;
    this.changed.emit();
  }

  /**
   * @param {ListedImage[]} images
   * @param {number} index of the last one
   */
  add(images, index) {
    for (const image of images) this.#images.set(image.id, image);
    this.last = index;
    this.changed.emit();
  }

  clear() {
    this.#images.clear();
    this.last = null;
    this.changed.emit();
  }
}

export class SelectionBar {
  #element;
  #selection;
  #count = make("strong", { "aria-live": "polite" });

  /**
   * @param {HTMLElement} element
   * @param {Selection} selection
   * @param {Record<string, (images: ListedImage[]) => void>} actions by label
   */
  constructor(element, selection, actions) {
    this.#element = element;
    this.#selection = selection;
    element.append(
      this.#count,
      ...Object.entries(actions).map(([label, act]) => button(label, () => act(selection.images))),
      iconButton("close", "Clear the selection (Esc)", () => selection.clear()),
    );
    selection.changed.on(() => this.#draw());
  }

  #draw() {
    const { isEmpty, images } = this.#selection;
    this.#element.hidden = isEmpty;
    document.body.classList.toggle("selecting", !isEmpty);
    this.#count.textContent = `${counted(images.length, "image")} selected`;
  }
}

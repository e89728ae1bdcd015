// The selected images.

/** @import { ListedImage } from "../types.d.ts" */

import { Emitter } from "./emitter.js";

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

// The bar that counts the selected images and has the actions for them.

/** @import { ListedImage } from "../types.d.ts" */
/** @import { Selection } from "../state/selection.js" */

import { button, iconButton, make } from "../widgets/dom.js";
import { counted } from "../widgets/format.js";

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

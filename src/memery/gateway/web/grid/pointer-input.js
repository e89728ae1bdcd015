// Mouse, touch and keyboard in the grid.

/** @import { Actions } from "../actions.js" */
/** @import { ListedImage } from "../types.d.ts" */
/** @import { Selection } from "./selection.js" */
/** @import { Shortcut } from "../widgets/keyboard.js" */
/** @import { Grid } from "./grid.js" */

import { messageOf } from "../api/problem.js";
import { closest } from "../widgets/dom.js";
import { onKeys } from "../widgets/keyboard.js";

/** Type of the data of a dragged image: its id. */
export const DRAG_TYPE = "application/x-memery-image";

const LONG_PRESS = 500; // ms
const MAX_RANGE = 2000; // images that one Shift-click selects

/**
 * @typedef {object} PointerOptions
 * @property {Actions} actions
 * @property {(image: ListedImage) => void} open
 * @property {() => void} leave leaves the grid upward
 * @property {(text: string) => void} toast
 */

export class PointerInput {
  #element;
  #grid;
  #selection;
  #options;
  #timer = 0;
  #wasLongPress = false;

  /**
   * @param {HTMLElement} element the grid's
   * @param {Grid} grid
   * @param {Selection} selection
   * @param {PointerOptions} options
   */
  constructor(element, grid, selection, options) {
    this.#element = element;
    this.#grid = grid;
    this.#selection = selection;
    this.#options = options;
    element.addEventListener("click", (event) => this.#click(event));
    element.addEventListener("focusin", (event) => {
      const index = indexOf(event.target);
      if (index !== null) grid.setCurrent(index);
    });
    element.addEventListener("dragstart", (event) => this.#drag(event));
    this.#listenForLongPress();
    this.#listenForKeys();
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const index = indexOf(event.target);
    const image = this.#imageAt(index);
    if (index === null || !image || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const act = closest(event.target, "[data-act]")?.dataset.act;
    const isKey = event.detail === 0;
    const isSelecting = act === "select" || (!act && !isKey && (event.shiftKey || !this.#selection.isEmpty));
    if (this.#wasLongPress) this.#wasLongPress = false;
    else if (isSelecting) this.#select(index, event.shiftKey);
    else if (act) this.#options.actions.run(act, image, event);
    else this.#options.open(image);
  }

  /**
   * Selects an image, or all from the last selected one to it.
   * @param {number} index
   * @param {boolean} isRange
   */
  async #select(index, isRange) {
    const { last } = this.#selection;
    const image = this.#imageAt(index);
    if (!isRange || last === null) {
      if (image) this.#selection.toggle(image, index);
      return;
    }
    const [first, end] = [Math.min(index, last), Math.max(index, last)];
    if (end - first >= MAX_RANGE) {
      this.#options.toast(`At most ${MAX_RANGE} images can be selected at once.`);
      return;
    }
    try {
      this.#selection.add((await this.#grid.results?.between(first, end)) ?? [], index);
    } catch (error) {
      this.#options.toast(messageOf(error));
    }
  }

  /** @param {DragEvent} event */
  #drag(event) {
    const image = this.#imageAt(indexOf(event.target));
    if (!image || !event.dataTransfer) return;
    event.dataTransfer.setData(DRAG_TYPE, image.id);
    event.dataTransfer.effectAllowed = "copy";
  }

  #listenForLongPress() {
    this.#element.addEventListener("pointerdown", (event) => {
      this.#wasLongPress = false;
      const index = indexOf(event.target);
      if (event.pointerType !== "touch" || index === null) return;
      this.#timer = setTimeout(() => {
        this.#wasLongPress = true;
        this.#select(index, false);
      }, LONG_PRESS);
    });
    for (const name of ["pointerup", "pointercancel", "pointermove"]) {
      this.#element.addEventListener(name, () => clearTimeout(this.#timer));
    }
    this.#element.addEventListener("contextmenu", (event) => {
      const isTouch = event instanceof PointerEvent && event.pointerType === "touch";
      if (isTouch || this.#wasLongPress) event.preventDefault();
    });
  }

  #listenForKeys() {
    const { actions } = this.#options;
    const grid = this.#grid;
    onKeys(this.#element, {
      ArrowLeft: this.#goTo((index) => index - 1),
      ArrowRight: this.#goTo((index) => index + 1),
      ArrowUp: (event) => this.#up(event),
      ArrowDown: this.#goTo((index) => grid.neighbour(index, 1)),
      Home: this.#goTo(() => 0),
      End: this.#goTo(() => (grid.results?.total ?? 1) - 1),
      s: this.#withImage((image, _, event) => actions.run("similar", image, event)),
      "-": this.#withImage((image) => actions.run("less", image)),
      c: this.#withImage((image) => actions.run("path", image)),
      d: this.#withImage((image) => actions.run("download", image)),
      x: this.#withImage((_, index, event) => this.#select(index, event.shiftKey)),
    });
  }

  /**
   * Moves up; from the first row, out of the grid.
   * @param {KeyboardEvent} event
   */
  #up(event) {
    const index = indexOf(event.target);
    if (index === null) return false;
    const above = this.#grid.neighbour(index, -1);
    if (above === index) this.#options.leave();
    else this.#grid.go(above, { focus: true });
    return true;
  }

  /**
   * A shortcut that moves the focus to another image.
   * @param {(index: number) => number} target
   * @returns {Shortcut}
   */
  #goTo(target) {
    return (event) => {
      const index = indexOf(event.target);
      if (index === null) return false;
      this.#grid.go(target(index), { focus: true });
      return true;
    };
  }

  /**
   * A shortcut that does something with the focused image.
   * @param {(image: ListedImage, index: number, event: KeyboardEvent) => void} act
   * @returns {Shortcut}
   */
  #withImage(act) {
    return (event) => {
      const index = indexOf(event.target);
      const image = this.#imageAt(index);
      if (index === null || !image) return false;
      act(image, index, event);
      return true;
    };
  }

  /** @param {number | null} index */
  #imageAt(index) {
    return index === null ? undefined : this.#grid.results?.at(index);
  }
}

/**
 * The index of the tile around an event's target, or null.
 * @param {EventTarget | null} target
 */
function indexOf(target) {
  const index = closest(target, ".tile")?.dataset.index;
  return index === undefined ? null : Number(index);
}

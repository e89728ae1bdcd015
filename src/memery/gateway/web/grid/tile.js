// One image in the grid: a link that opens it, three actions, and an optional caption.

/** @import { Box, ListedImage } from "../types.d.ts" */

import { thumbnail } from "../api/client.js";
import { iconButton, make } from "../widgets/dom.js";
import { count, counted, decimal, fileName } from "../widgets/format.js";

const RETRY_DELAYS = [1000, 4000]; // ms until a thumbnail that failed is requested again
const MIN_SIDE = 320; // px: thumbnails of this size are made while indexing, smaller ones on request
const MAX_SIDE = 640; // px: larger thumbnails would only make the grid slow
const MAX_ENLARGEMENT = 1.25; // of a thumbnail
const COLOUR = /^#[0-9a-f]{6}$/i;

/**
 * @typedef {object} TileState
 * @property {number} index
 * @property {number} total length of the list
 * @property {Box} box
 * @property {string} href opens the image
 * @property {boolean} isSelected
 * @property {boolean} isCurrent whether Tab leads to it
 * @property {{names: boolean, scores: boolean}} captions
 */

export class Tile {
  #image = make("img", { alt: "", decoding: "async", draggable: false });
  #link = make("a", { className: "open", tabIndex: -1 }, this.#image);
  #actions = make(
    "div",
    { className: "actions" },
    action("similar", "Similar (s)", "similar"),
    action("less", "Less like this (-)", "less"),
    action("check", "Select (x)", "select"),
  );
  #caption = make("div", { className: "caption", "aria-hidden": "true" });
  #listed;
  #failures = 0;
  #side = 0; // px: longer side of the thumbnail

  /** @param {ListedImage} listed */
  constructor(listed) {
    this.#listed = listed;
    this.#image.addEventListener("load", () => this.#image.classList.add("shown"));
    this.#image.addEventListener("error", () => this.#retryLater());
    this.element = make("div", { className: "tile", role: "listitem" }, this.#link, this.#actions, this.#caption);
    if (listed.copies > 1) this.element.append(make("div", { className: "copies", "aria-hidden": "true" }, `×${count(listed.copies)}`));
    if (listed.colour && COLOUR.test(listed.colour)) this.element.style.backgroundColor = listed.colour;
    this.element.dataset.id = listed.id;
  }

  get id() {
    return this.#listed.id;
  }

  focus() {
    this.#link.focus({ preventScroll: true });
  }

  /**
   * Puts the tile into its box and updates what it shows.
   * @param {ListedImage} listed the image, as the current list has it
   * @param {TileState} state
   */
  update(listed, { index, total, box, href, isSelected, isCurrent, captions }) {
    this.#listed = listed;
    const { style, dataset } = this.element;
    style.transform = `translate(${box.x}px, ${box.y}px)`;
    style.width = `${box.width}px`;
    style.height = `${box.height}px`;
    dataset.index = String(index);
    this.element.setAttribute("aria-posinset", String(index + 1));
    this.element.setAttribute("aria-setsize", String(total));
    this.#link.href = href;
    this.#link.setAttribute("aria-label", accessibleName(listed));
    this.mark(isCurrent, isSelected);
    this.#caption.textContent = captionText(listed, captions);
    this.#load((Math.max(box.width, box.height) * Math.min(2, devicePixelRatio)) / MAX_ENLARGEMENT);
  }

  /**
   * Shows whether the image is selected; sets whether Tab leads to it.
   * @param {boolean} isCurrent
   * @param {boolean} isSelected
   */
  mark(isCurrent, isSelected = this.element.classList.contains("selected")) {
    this.element.classList.toggle("selected", isSelected);
    const tabIndex = isCurrent ? 0 : -1;
    this.#link.tabIndex = tabIndex;
    for (const one of this.#actions.querySelectorAll("button")) {
      one.tabIndex = tabIndex;
      if (one.dataset.act === "select") one.setAttribute("aria-pressed", String(isSelected));
    }
  }

  /** Requests a thumbnail that failed again. */
  retry() {
    if (!this.element.classList.contains("broken")) return;
    this.element.classList.remove("broken");
    this.#reload();
  }

  /** Removes the tile and cancels its request. */
  remove() {
    if (!this.#image.complete) this.#image.removeAttribute("src");
    this.element.remove();
  }

  /**
   * Requests a thumbnail, unless one of that size or larger is shown already.
   * @param {number} wanted px
   */
  #load(wanted) {
    const source = thumbnail(this.#listed, Math.min(MAX_SIDE, Math.max(MIN_SIDE, wanted)));
    const side = Number(new URL(source, document.baseURI).searchParams.get("size"));
    if (this.#side >= side) return;
    this.#side = side;
    this.#image.src = source;
  }

  #retryLater() {
    const delay = RETRY_DELAYS[this.#failures];
    this.#failures += 1;
    if (delay) setTimeout(() => this.element.isConnected && this.#reload(), delay);
    else this.element.classList.add("broken");
  }

  #reload() {
    const { src } = this.#image;
    this.#image.src = src;
  }
}

/**
 * @param {import("../widgets/dom.js").IconName} name
 * @param {string} label
 * @param {string} act
 */
function action(name, label, act) {
  const one = iconButton(name, label, null, { tabIndex: -1 });
  one.dataset.act = act;
  return one;
}

/** @param {ListedImage} listed */
function accessibleName({ path, rank, weak, words, copies }) {
  const parts = [fileName(path)];
  if (rank) parts.push(`number ${rank}`);
  if (weak) parts.push("weaker match");
  if (copies > 1) parts.push(counted(copies, "copy", "copies"));
  if (words) parts.push(`text: ${words}`);
  return parts.join(", ");
}

/**
 * @param {ListedImage} listed
 * @param {{names: boolean, scores: boolean}} shown
 */
function captionText({ path, rank, score = 0, strength = 0 }, { names, scores }) {
  const parts = [];
  if (scores && rank) parts.push(`${count(rank)} · ${decimal(score, 3)} · ${decimal(strength, 1)}σ`);
  if (names) parts.push(fileName(path));
  return parts.join("\n");
}

// Zoom and swipe in the viewer: wheel, pinch, double click, drag.

const MAX_SCALE = 12; // times the size that fits
const MAX_FIT = 2; // times its own size that a small image is enlarged to fit
const SWIPE = 60; // px
const WHEEL_LINE = 16; // px of a wheel event in lines
const WHEEL_SPEED = 0.002; // of the logarithm of the scale, per px

/** @typedef {{x: number, y: number}} Point */

export class Zoom {
  #stage;
  #onSwipe;
  /** @type {HTMLImageElement | null} */
  #image = null;
  #scale = 1;
  #x = 0;
  #y = 0;
  /** @type {Map<number, Point>} */
  #pointers = new Map();
  /** @type {Point & {fingers: number} | null} */
  #start = null;

  /**
   * @param {HTMLElement} stage contains the image
   * @param {(direction: "next" | "previous" | "close") => void} onSwipe
   */
  constructor(stage, onSwipe) {
    this.#stage = stage;
    this.#onSwipe = onSwipe;
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.toggle(event.clientX, event.clientY));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#up(event));
    new ResizeObserver(() => {
      if (this.#image) this.attach(this.#image);
    }).observe(stage);
  }

  get isZoomed() {
    return this.#scale > 1.01;
  }

  /**
   * Shows an image in the size that fits; its dimensions are in its data attributes, before it is loaded.
   * @param {HTMLImageElement} image
   */
  attach(image) {
    this.#image = image;
    this.#pointers.clear();
    const [width, height] = [Number(image.dataset.width), Number(image.dataset.height)];
    const fit = Math.min(MAX_FIT, this.#stage.clientWidth / width, this.#stage.clientHeight / height);
    image.style.width = `${Math.round(width * fit)}px`;
    image.style.height = `${Math.round(height * fit)}px`;
    this.#set(1, 0, 0);
  }

  /**
   * Switches between the size that fits and the image's own.
   * @param {number} x of the point that stays where it is
   * @param {number} y
   */
  toggle(x = innerWidth / 2, y = innerHeight / 2) {
    if (this.isZoomed) this.#set(1, 0, 0);
    else if (this.#image) this.#zoomAt(x, y, Math.max(2, Number(this.#image.dataset.width) / this.#image.clientWidth));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE : 1);
    this.#zoomAt(event.clientX, event.clientY, this.#scale * Math.exp(-pixels * WHEEL_SPEED));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.#stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#start = { x: event.clientX, y: event.clientY, fingers: this.#pointers.size };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    if (other) {
      const growth = distance(now, other) / Math.max(1, distance(before, other));
      this.#zoomAt((now.x + other.x) / 2, (now.y + other.y) / 2, this.#scale * growth);
    } else if (this.isZoomed) {
      this.#set(this.#scale, this.#x + now.x - before.x, this.#y + now.y - before.y);
    }
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size || !this.#start) return;
    const { x, y, fingers } = this.#start;
    const [right, down] = [event.clientX - x, event.clientY - y];
    this.#start = null;
    if (event.type === "pointercancel" || fingers > 1 || this.isZoomed) return;
    if (Math.abs(right) > SWIPE && Math.abs(right) > 2 * Math.abs(down)) this.#onSwipe(right < 0 ? "next" : "previous");
    else if (down > 2 * SWIPE && down > 2 * Math.abs(right)) this.#onSwipe("close");
  }

  /**
   * Zooms so that the point under the pointer stays there.
   * @param {number} x
   * @param {number} y
   * @param {number} wanted scale
   */
  #zoomAt(x, y, wanted) {
    const scale = Math.min(MAX_SCALE, Math.max(1, wanted));
    const stage = this.#stage.getBoundingClientRect();
    const [dx, dy] = [x - stage.left - stage.width / 2, y - stage.top - stage.height / 2];
    const growth = scale / this.#scale;
    this.#set(scale, dx - (dx - this.#x) * growth, dy - (dy - this.#y) * growth);
  }

  /**
   * @param {number} scale
   * @param {number} x px that the image is moved by, within its bounds
   * @param {number} y
   */
  #set(scale, x, y) {
    const image = this.#image;
    if (!image) return;
    const maxX = Math.max(0, (image.clientWidth * scale - this.#stage.clientWidth) / 2);
    const maxY = Math.max(0, (image.clientHeight * scale - this.#stage.clientHeight) / 2);
    this.#scale = scale;
    this.#x = scale === 1 ? 0 : Math.min(maxX, Math.max(-maxX, x));
    this.#y = scale === 1 ? 0 : Math.min(maxY, Math.max(-maxY, y));
    image.style.transform = scale === 1 ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${scale})`;
    this.#stage.classList.toggle("zoomed", this.isZoomed);
  }
}

/**
 * @param {Point} one
 * @param {Point} other
 */
function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

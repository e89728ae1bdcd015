// Zoom and swipe on the open picture: wheel, pinch, double click, drag.

const MOST = 12; // times the size that fits
const GROWN = 2; // times its own size that a small picture is shown in at most
const SWIPE = 60; // px

export class Zoom {
  #stage;
  #target = null;
  #scale = 1;
  #x = 0;
  #y = 0;
  #fingers = new Map();
  #start = null;
  #onSwipe;

  /**
   * @param {HTMLElement} stage what the picture is shown in
   * @param {function("next" | "previous" | "close"): void} onSwipe
   */
  constructor(stage, onSwipe) {
    this.#stage = stage;
    this.#onSwipe = onSwipe;
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.toggle(event.clientX, event.clientY));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    new ResizeObserver(() => this.#target && this.on(this.#target)).observe(stage);
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#up(event));
  }

  get isZoomed() {
    return this.#scale > 1.01;
  }

  /** Takes a picture, in the size that fits: its width and height are known before it has come. */
  on(target) {
    this.#target = target;
    this.#fingers.clear();
    const [width, height] = [Number(target.dataset.width), Number(target.dataset.height)];
    const fit = Math.min(GROWN, this.#stage.clientWidth / width, this.#stage.clientHeight / height);
    target.style.width = `${Math.round(width * fit)}px`;
    target.style.height = `${Math.round(height * fit)}px`;
    this.#set(1, 0, 0);
  }

  /** Between the size that fits and the picture's own. */
  toggle(x = innerWidth / 2, y = innerHeight / 2) {
    if (this.isZoomed) this.#set(1, 0, 0);
    else this.#about(x, y, Math.max(2, Number(this.#target.dataset.width) / this.#target.clientWidth));
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.#about(event.clientX, event.clientY, this.#scale * Math.exp(-event.deltaY * lines * 0.002));
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#stage.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#start = { x: event.clientX, y: event.clientY, type: event.pointerType, fingers: this.#fingers.size };
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.#fingers.set(event.pointerId, now);
    if (other) {
      const grown = distance(now, other) / Math.max(1, distance(before, other));
      this.#about((now.x + other.x) / 2, (now.y + other.y) / 2, this.#scale * grown);
    } else if (this.isZoomed) {
      this.#set(this.#scale, this.#x + now.x - before.x, this.#y + now.y - before.y);
    }
  }

  #up(event) {
    if (!this.#fingers.delete(event.pointerId) || this.#fingers.size || !this.#start) return;
    const { x, y, fingers } = this.#start;
    const [right, down] = [event.clientX - x, event.clientY - y];
    this.#start = null;
    if (event.type === "pointercancel" || fingers > 1 || this.isZoomed) return;
    if (Math.abs(right) > SWIPE && Math.abs(right) > 2 * Math.abs(down)) this.#onSwipe(right < 0 ? "next" : "previous");
    else if (down > 2 * SWIPE && down > 2 * Math.abs(right)) this.#onSwipe("close");
  }

  /** Zooms so that the point under the pointer stays under it. */
  #about(x, y, wished) {
    const scale = Math.min(MOST, Math.max(1, wished));
    const stage = this.#stage.getBoundingClientRect();
    const [dx, dy] = [x - stage.left - stage.width / 2, y - stage.top - stage.height / 2];
    const grown = scale / this.#scale;
    this.#set(scale, dx - (dx - this.#x) * grown, dy - (dy - this.#y) * grown);
  }

  #set(scale, x, y) {
    const spareX = Math.max(0, (this.#target.clientWidth * scale - this.#stage.clientWidth) / 2);
    const spareY = Math.max(0, (this.#target.clientHeight * scale - this.#stage.clientHeight) / 2);
    this.#scale = scale;
    this.#x = scale === 1 ? 0 : Math.min(spareX, Math.max(-spareX, x));
    this.#y = scale === 1 ? 0 : Math.min(spareY, Math.max(-spareY, y));
    this.#target.style.transform = scale === 1 ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${scale})`;
    this.#stage.classList.toggle("zoomed", this.isZoomed);
  }
}

const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);

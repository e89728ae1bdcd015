// The viewer: one image, large, in a dialog over the page. The list behind it stays where it is.

/** @import { Actions } from "../actions.js" */
/** @import { HitDocument, ListedImage } from "../types.d.ts" */
/** @import { Results } from "../state/results.js" */
/** @import { Selection } from "../grid/selection.js" */

import { image as requestImage, similar, thumbnail } from "../api/client.js";
import { isAbort, messageOf, statusOf } from "../api/problem.js";
import { Emitter } from "../state/emitter.js";
import { closest, find, make } from "../widgets/dom.js";
import { fileName } from "../widgets/format.js";
import { onKeys } from "../widgets/keyboard.js";
import { fillDetails } from "./details.js";
import { copyReason, largestCopy, loadLargest } from "./image-source.js";
import { Zoom } from "./zoom.js";

const STRIP_LENGTH = 24; // similar images
const STRIP_HEIGHT = 72; // px
const PREVIEW = 640; // px: the thumbnail that is shown until the image is loaded
const KEYS = { ArrowLeft: "previous", ArrowRight: "next", Home: "first", End: "last", s: "similar", "-": "less", x: "select", c: "path", d: "download", i: "facts", z: "zoom" };

/**
 * @typedef {object} ViewerOptions
 * @property {Actions} actions
 * @property {Selection} selection
 * @property {(image: ListedImage) => string} href the URL that opens an image
 */

export class Viewer {
  /** @type {ListedImage | null} */
  image = null;
  /** @type {Emitter<[ListedImage]>} */
  shown = new Emitter(); // with the image that is shown now
  /** @type {Emitter<[]>} */
  closeRequested = new Emitter();

  #dialog;
  #options;
  #stage;
  #parts;
  #zoom;
  /** @type {Results | null} */
  #results = null; // the list that Next and Previous go through
  #requests = new AbortController();
  /** @type {HitDocument[]} */
  #similar = [];
  /** @type {ListedImage | null} */
  #details = null; // of the image, as far as they are known
  #copyReason = "";

  /**
   * @param {HTMLDialogElement} dialog
   * @param {ViewerOptions} options
   */
  constructor(dialog, options) {
    this.#dialog = dialog;
    this.#options = options;
    this.#stage = find(dialog, ".stage", HTMLElement);
    this.#parts = {
      image: find(dialog, ".picture", HTMLElement),
      details: find(dialog, ".facts:not(button)", HTMLElement),
      strip: find(dialog, ".strip", HTMLElement),
      name: find(dialog, ".name", HTMLElement),
      note: find(dialog, ".note", HTMLElement),
    };
    this.#zoom = new Zoom(this.#stage, (direction) => this.#act(direction));
    this.#listen();
    options.selection.changed.on(() => this.#mark());
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /**
   * Shows an image.
   * @param {ListedImage} image
   * @param {Results | null} results the list that Next and Previous go through
   */
  show(image, results) {
    this.#results = results;
    if (!this.isOpen) {
      // The dialog covers the scrollbar's width, which the page behind keeps.
      const { style, clientWidth } = document.documentElement;
      style.setProperty("--gutter", `${innerWidth - clientWidth}px`);
      this.#dialog.showModal();
      this.#stage.focus();
    }
    if (this.image?.id === image.id) return;
    this.image = image;
    this.#load(image);
    this.#mark();
    this.shown.emit(image);
  }

  close() {
    if (!this.isOpen) return;
    this.#requests.abort();
    this.image = null;
    this.#dialog.close();
    this.#parts.image.replaceChildren();
  }

  /** Loads the open image again if something failed. */
  retry() {
    if (this.image && this.#parts.note.textContent) this.#load(this.image);
  }

  /**
   * Replaces the list that Next and Previous go through.
   * @param {Results} results
   */
  setResults(results) {
    this.#results = results;
    this.#updateNeighbours();
  }

  /**
   * Calls `act` once when the dialog is closed.
   * @param {() => void} act
   */
  whenClosed(act) {
    this.#dialog.addEventListener("close", act, { once: true });
  }

  #listen() {
    const dialog = this.#dialog;
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#act("close");
    });
    // A browser may close it without "cancel": the URL has to follow.
    dialog.addEventListener("close", () => {
      if (this.image) this.#act("close");
    });
    dialog.addEventListener("click", (event) => {
      const act = closest(event.target, "[data-act]")?.dataset.act;
      if (act) this.#act(act, event);
    });
    this.#parts.strip.addEventListener("click", (event) => this.#openSimilar(event));
    const shortcut = (/** @type {string} */ name) => (/** @type {KeyboardEvent} */ event) => {
      this.#act(name, event);
      return true;
    };
    onKeys(dialog, Object.fromEntries(Object.entries(KEYS).map(([key, name]) => [key, shortcut(name)])));
  }

  /** Shows whether the image is selected. */
  #mark() {
    if (this.image) this.#button("select").setAttribute("aria-pressed", String(this.#options.selection.has(this.image.id)));
  }

  /** @param {string} act */
  #button(act) {
    return find(this.#dialog, `[data-act=${act}]`, HTMLButtonElement);
  }

  /**
   * Shows an image and requests all that is shown with it.
   * @param {ListedImage} image
   */
  #load(image) {
    const { name, note, strip } = this.#parts;
    name.textContent = fileName(image.path);
    note.textContent = "";
    strip.replaceChildren();
    this.#showImage(image);
    this.#copyReason = "";
    this.#showDetails(image);
    this.#request(image);
    this.#updateNeighbours();
  }

  /**
   * Shows the best copy that is loaded, and better ones when they are.
   * @param {ListedImage} image
   */
  #showImage(image) {
    const { note, image: holder } = this.#parts;
    const loaded = loadedThumbnail(image.id);
    const alt = image.words ? `${fileName(image.path)}: ${image.words}` : fileName(image.path);
    const shown = make("img", { alt, draggable: false, decoding: "async" });
    shown.dataset.width = String(image.width);
    shown.dataset.height = String(image.height);
    const preview = make("img", { decoding: "async", src: thumbnail(image, PREVIEW) });
    const large = loadLargest(image);
    preview.addEventListener("load", () => {
      if (!large.naturalWidth) shown.src = preview.src;
    });
    large.addEventListener("load", () => {
      if (shown.isConnected) this.#showLarge(shown, large, image);
    });
    large.addEventListener("error", () => {
      if (!shown.isConnected) return;
      if (large.src.endsWith(image.image_url)) large.src = largestCopy(image);
      note.textContent ||= shown.naturalWidth ? "This browser cannot show the file; this is a copy." : "The image cannot be shown now.";
    });
    shown.addEventListener("error", () => shown.classList.add("broken"));
    shown.addEventListener("load", () => shown.classList.remove("broken"));
    shown.src = loaded ?? preview.src;
    holder.replaceChildren(shown);
    this.#zoom.attach(shown);
  }

  /**
   * @param {HTMLImageElement} shown
   * @param {HTMLImageElement} large loaded
   * @param {ListedImage} image
   */
  #showLarge(shown, large, image) {
    const reason = copyReason(large, image);
    shown.src = large.currentSrc;
    shown.classList.toggle("file", !reason);
    this.#copyReason = reason;
    if (reason && this.#details) this.#showDetails(this.#details);
  }

  /** @param {ListedImage} image */
  #showDetails(image) {
    const { actions } = this.#options;
    this.#details = image;
    fillDetails(this.#parts.details, image, this.#copyReason, {
      copyPath: (one) => actions.copyPaths([one]),
      showFolder: (collection, folder) => actions.showFolder(collection, folder),
    });
  }

  /** @param {ListedImage} image */
  #request(image) {
    this.#requests.abort();
    this.#requests = new AbortController();
    const options = { signal: this.#requests.signal };
    const report = (/** @type {unknown} */ error) => {
      if (isAbort(error)) return;
      const hasCopy = this.#parts.image.querySelector("img")?.naturalWidth;
      this.#parts.note.textContent = statusOf(error) === 0 && hasCopy ? "memery does not answer: this is a small copy." : messageOf(error);
    };
    requestImage(image.id, options)
      .then((facts) => this.#showDetails({ ...image, ...facts }))
      .catch(report);
    similar(image.id, STRIP_LENGTH, options)
      .then(({ hits }) => this.#showSimilar(hits.filter((hit) => hit.id !== image.id)))
      .catch(report);
  }

  /** @param {HitDocument[]} hits */
  #showSimilar(hits) {
    this.#similar = hits;
    const links = hits.map((hit) => {
      const image = make("img", { alt: fileName(hit.path), src: thumbnail(hit, 160), height: STRIP_HEIGHT, loading: "lazy" });
      image.width = Math.round(STRIP_HEIGHT * Math.min(2, Math.max(0.5, hit.width / hit.height || 1)));
      const link = make("a", { href: this.#options.href(hit) }, image);
      link.dataset.id = hit.id;
      return link;
    });
    this.#parts.strip.replaceChildren(...links);
  }

  /** @param {MouseEvent} event */
  #openSimilar(event) {
    const id = closest(event.target, "a")?.dataset.id;
    const hit = this.#similar.find((one) => one.id === id);
    if (!hit || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.show(hit, this.#results);
    this.#stage.focus();
  }

  /** The index of the image in the list, or -1. */
  #index() {
    return this.image && this.#results ? this.#results.indexOf(this.image.id) : -1;
  }

  /**
   * Shows another image of the list, if there is one at that index.
   * @param {number} index
   */
  async #go(index) {
    const results = this.#results;
    if (!results || this.#index() < 0 || index < 0 || index >= results.total) return;
    const [found] = await results.between(index, index).catch(() => []);
    if (found && this.isOpen) this.show(found, this.#results);
  }

  /** Shows the buttons Previous and Next, and loads the images that they lead to. */
  #updateNeighbours() {
    const index = this.#index();
    for (const [act, other] of /** @type {const} */ ([["previous", index - 1], ["next", index + 1]])) {
      const exists = this.#results !== null && index >= 0 && other >= 0 && other < this.#results.total;
      this.#button(act).hidden = !exists;
      const image = exists ? this.#results?.at(other) : undefined;
      if (!image) continue;
      make("img", { src: thumbnail(image, PREVIEW) });
      loadLargest(image);
    }
  }

  /**
   * Does what a button, key or gesture names.
   * @param {string} name
   * @param {MouseEvent | KeyboardEvent} [event]
   */
  #act(name, event) {
    const { actions, selection } = this.#options;
    const { image } = this;
    if (!image) return;
    /** @type {Record<string, () => void>} */
    const own = {
      next: () => this.#go(this.#index() + 1),
      previous: () => this.#go(this.#index() - 1),
      first: () => this.#go(0),
      last: () => this.#go((this.#results?.total ?? 0) - 1),
      select: () => selection.toggle(image, this.#index()),
      close: () => this.closeRequested.emit(),
      facts: () => this.#toggleDetails(),
      zoom: () => this.#zoom.toggle(),
    };
    if (Object.hasOwn(own, name)) own[name]();
    else actions.run(name, image, event);
  }

  #toggleDetails() {
    const isShown = this.#dialog.classList.toggle("with-facts");
    this.#button("facts").setAttribute("aria-pressed", String(isShown));
  }
}

/**
 * The URL of a thumbnail that the grid or the strip shows already.
 * @param {string} id
 * @returns {string | undefined}
 */
function loadedThumbnail(id) {
  const images = document.querySelectorAll(`[data-id="${CSS.escape(id)}"] img`);
  for (const one of images) if (one instanceof HTMLImageElement && one.naturalWidth) return one.src;
  return undefined;
}

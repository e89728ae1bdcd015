// One picture, large, over the page. The list behind it stays where it is.

import { image, similar, thumbnail } from "../api/client.js";
import { icon, make } from "../widgets/dom.js";
import { fillFacts } from "./details.js";
import { listen } from "../widgets/keyboard.js";
import { copy, largest, shownAs } from "./image-source.js";
import { fileName } from "../widgets/format.js";
import { Zoom } from "./zoom.js";

const IN_STRIP = 24;

export class Viewer {
  #dialog;
  #stage;
  #options;
  #zoom;
  #results = null;
  #asking = null;
  #parts;
  #facts = null; // of the picture, as far as they are known
  #shownAs = ""; // why it is not the file that is shown
  picture = null;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {{onShow, onClose, onFolder, acts, onSay, href}} options what hears of the picture shown
   *   (by the viewer itself) and of closing; `acts` by name: similar, less, select, path, copy, download
   */
  constructor(dialog, options) {
    this.#dialog = dialog;
    this.#options = options;
    this.#stage = dialog.querySelector(".stage");
    this.#parts = Object.fromEntries(
      ["picture", "facts", "strip", "name", "note"].map((name) => [name, dialog.querySelector(`.${name}`)]),
    );
    this.#zoom = new Zoom(this.#stage, (way) => this.#act(way));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#act("close");
    });
    // A browser may close it without asking: what the address says has to follow.
    dialog.addEventListener("close", () => this.picture && this.#act("close"));
    dialog.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (act) this.#act(act, event);
    });
    this.#parts.strip.addEventListener("click", (event) => this.#fromStrip(event));
    this.#keys();
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Shows a picture; `results` is the list that next and previous go through. */
  show(picture, results) {
    this.#results = results;
    if (!this.isOpen) {
      // The dialog covers the scrollbar's room, which the page behind keeps.
      const { style, clientWidth } = document.documentElement;
      style.setProperty("--gutter", `${innerWidth - clientWidth}px`);
      this.#dialog.showModal();
      this.#stage.focus();
    }
    if (this.picture?.id === picture.id) return;
    this.picture = picture;
    this.#paint(picture);
    this.#ask(picture);
    this.#neighbours();
  }

  close() {
    if (!this.isOpen) return;
    this.#asking?.abort();
    this.picture = null;
    this.#dialog.close();
    this.#parts.picture.replaceChildren();
  }

  /** Asks again for what did not come of the open picture. */
  retry() {
    if (!this.picture || !this.#parts.note.textContent) return;
    this.#paint(this.picture);
    this.#ask(this.picture);
    this.#neighbours();
  }

  /** Goes on through another list, if the picture stands in it. */
  relist(results) {
    this.#results = results;
    if (this.picture) this.#neighbours();
  }

  whenClosed(act) {
    this.#dialog.addEventListener("close", act, { once: true });
  }

  /** Shows whether the picture is selected. */
  mark(isSelected) {
    this.#dialog.querySelector("[data-act=select]").setAttribute("aria-pressed", isSelected);
  }

  #paint(picture) {
    const { name, note, facts, strip, picture: holder } = this.#parts;
    const here = held(picture.id);
    name.textContent = fileName(picture.path);
    note.textContent = "";
    strip.replaceChildren();
    const alt = picture.words ? `${fileName(picture.path)}: ${picture.words}` : fileName(picture.path);
    const whole = make("img", { alt, draggable: false, decoding: "async" });
    whole.dataset.width = picture.width;
    whole.dataset.height = picture.height;
    // The grid's copy is here at once; larger ones take its place when they have come.
    const small = make("img", { decoding: "async", src: thumbnail(picture, 640) });
    const large = largest(picture).lastChild;
    small.addEventListener("load", () => large.naturalWidth || (whole.src = small.src));
    large.addEventListener("load", () => whole.isConnected && this.#enlarge(whole, large, picture));
    large.addEventListener("error", () => {
      if (!whole.isConnected) return;
      if (large.src.endsWith(picture.image_url)) large.src = copy(picture);
      note.textContent ||= whole.naturalWidth ? "The file cannot be shown: this is a copy." : "The image cannot be shown now.";
    });
    whole.addEventListener("error", () => whole.classList.add("broken"));
    whole.addEventListener("load", () => whole.classList.remove("broken"));
    whole.src = here ?? small.src;
    holder.replaceChildren(whole);
    this.#zoom.on(whole);
    this.#shownAs = "";
    this.#fillFacts(facts, picture);
    this.#options.onShow(picture);
  }

  #enlarge(whole, large, picture) {
    whole.src = large.currentSrc;
    whole.classList.toggle("file", !shownAs(large, picture));
    this.#shownAs = shownAs(large, picture);
    if (this.#shownAs) this.#fillFacts(this.#parts.facts, this.#facts);
  }

  #fillFacts(panel, picture) {
    this.#facts = picture;
    fillFacts(panel, { ...picture, shownAs: this.#shownAs }, {
      onCopyPath: (one) => this.#options.acts.path(one),
      onFolder: (one, folder) => this.#options.onFolder(one, folder),
    });
  }

  async #ask(picture) {
    this.#asking?.abort();
    const { signal } = (this.#asking = new AbortController());
    const ignore = (error) => {
      if (error.name === "AbortError") return;
      const isCopy = error.status === 0 && this.#parts.picture.firstElementChild?.naturalWidth;
      this.#parts.note.textContent = isCopy ? "memery does not answer: this is a small copy." : error.message;
    };
    image(picture.id, signal)
      .then((facts) => this.#fillFacts(this.#parts.facts, { ...picture, ...facts }))
      .catch(ignore);
    similar(picture.id, IN_STRIP, signal)
      .then(({ hits }) => this.#fillStrip(hits.filter((hit) => hit.id !== picture.id)))
      .catch(ignore);
  }

  #fillStrip(hits) {
    const links = hits.map((hit) => {
      const small = make("img", { alt: fileName(hit.path), src: thumbnail(hit, 160), height: 72, loading: "lazy" });
      small.width = Math.round(72 * Math.min(2, Math.max(0.5, hit.width / hit.height || 1)));
      const link = make("a", { href: this.#options.href(hit) }, small);
      link.dataset.id = hit.id;
      return link;
    });
    this.#parts.strip.replaceChildren(...links);
    this.#parts.strip.hits = hits;
  }

  #fromStrip(event) {
    const id = event.target.closest("a")?.dataset.id;
    if (!id || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.show(this.#parts.strip.hits.find((hit) => hit.id === id), this.#results);
    this.#stage.focus();
  }

  #index() {
    return this.#results ? this.#results.indexOf(this.picture.id) : -1;
  }

  /** Shows another picture of the list; `place` says from its own place and the list's length which one. */
  async #go(place) {
    const index = this.#index();
    if (index < 0) return;
    const next = place(index, this.#results.total);
    if (next < 0 || next >= this.#results.total) return;
    const [found] = await this.#results.between(next, next).catch(() => []);
    if (found && this.isOpen) this.show(found, this.#results);
  }

  #neighbours() {
    const index = this.#index();
    for (const [act, by] of [["previous", -1], ["next", 1]]) {
      const other = index + by;
      const isThere = index >= 0 && other >= 0 && other < this.#results.total;
      this.#dialog.querySelector(`[data-act=${act}]`).hidden = !isThere;
      const picture = isThere && this.#results.at(other);
      if (!picture) continue;
      new Image().src = thumbnail(picture, 640);
      largest(picture);
    }
  }

  #act(name, event) {
    const own = {
      next: () => this.#go((index) => index + 1),
      previous: () => this.#go((index) => index - 1),
      first: () => this.#go(() => 0),
      last: () => this.#go((_, total) => total - 1),
      close: () => this.#options.onClose(),
      facts: () => this.#toggleFacts(),
      zoom: () => this.#zoom.toggle(),
    };
    (own[name] ?? this.#options.acts[name])?.(this.picture, event);
  }

  #toggleFacts() {
    const isShown = this.#dialog.classList.toggle("with-facts");
    this.#dialog.querySelector("[data-act=facts]").setAttribute("aria-pressed", isShown);
  }

  #keys() {
    const act = (name) => (event) => (this.#act(name, event), true);
    const keys = { ArrowLeft: "previous", ArrowRight: "next", Home: "first", End: "last", s: "similar", "-": "less", x: "select", c: "path", d: "download", i: "facts", z: "zoom" };
    listen(this.#dialog, Object.fromEntries(Object.entries(keys).map(([key, name]) => [key, act(name)])));
  }
}

/** The address of a copy that the grid or the strip shows. */
function held(id) {
  const images = document.querySelectorAll(`[data-id="${CSS.escape(id)}"] img`);
  return [...images].find((one) => one.naturalWidth)?.src;
}

/** Buttons that the viewer's bar has signs for. */
export function drawSigns(root) {
  for (const one of root.querySelectorAll("[data-sign]")) one.prepend(icon(one.dataset.sign));
}

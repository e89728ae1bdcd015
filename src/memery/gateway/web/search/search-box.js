// The one field: chips, and the words that are no chip yet.

import { thumbnail, uploadThumbnail } from "../api/client.js";
import { icon, make } from "../widgets/dom.js";
import { menu } from "../widgets/menu.js";
import { less, more, MOST_TERMS, stronger, typed, weaker, words } from "../state/terms.js";
import { count } from "../widgets/format.js";

const PAUSE = 150; // ms without a key before what was typed is searched for

export class Field {
  #input;
  #chips;
  #clear;
  #options;
  #terms = [];
  #waiting = 0;

  /**
   * @param {HTMLFormElement} form
   * @param {{onTerms, onDraft, onDown, nameOf}} options what hears of new terms (and the draft), of
   *   words being typed, of Arrow down, and what a term is called
   */
  constructor(form, options) {
    this.#input = form.querySelector("input[type=text]");
    this.#chips = form.querySelector(".chips");
    this.#clear = form.querySelector("#clear");
    this.#options = options;
    this.#clear.addEventListener("click", () => {
      this.#options.onTerms([], "");
      this.focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#commit();
    });
    form.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button, input, [popover]")) return;
      event.preventDefault();
      this.focus();
    });
    this.#input.addEventListener("input", () => this.#typing());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
  }

  focus() {
    this.#input.focus();
  }

  /** Shows the terms and the draft of a state. */
  show({ terms, draft }) {
    clearTimeout(this.#waiting);
    if (this.#input.value !== draft) this.#input.value = draft;
    this.#clear.hidden = !terms.length && !draft;
    if (JSON.stringify(terms) === JSON.stringify(this.#terms) && this.#chips.children.length === terms.length) return;
    const at = [...this.#chips.children].findIndex((one) => one.contains(document.activeElement));
    this.#terms = terms;
    this.#chips.replaceChildren(...terms.map((term, place) => this.#chip(term, place)));
    this.#input.scrollIntoView({ block: "nearest" });
    if (at >= 0) (this.#chips.children[Math.min(at, terms.length - 1)]?.firstElementChild ?? this.#input).focus();
  }

  #typing() {
    clearTimeout(this.#waiting);
    if (/^\s/.test(this.#input.value)) this.#input.value = this.#input.value.trimStart();
    this.#waiting = setTimeout(() => this.#options.onDraft(this.#input.value), PAUSE);
  }

  #commit() {
    clearTimeout(this.#waiting);
    const text = this.#input.value;
    if (!text.trim()) return;
    const terms = [...this.#terms, ...typed(text)];
    if (terms.length <= MOST_TERMS) this.#options.onTerms(terms, "");
    else this.#options.onTerms(this.#terms, text);
  }

  #key(event) {
    if (event.isComposing) return;
    const isEmpty = this.#input.value === "";
    const isStart = this.#input.selectionStart === 0 && this.#input.selectionEnd === 0;
    if (event.key === "Backspace" && isEmpty && this.#terms.length) {
      event.preventDefault();
      const last = this.#terms.at(-1);
      this.#options.onTerms(this.#terms.slice(0, -1), last.kind === "text" ? words(last) : "");
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (isEmpty) this.#input.blur();
      else this.#options.onTerms(this.#terms, "");
    } else if (event.key === "ArrowLeft" && isStart) {
      this.#chips.lastElementChild?.firstElementChild.focus();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.#options.onDown();
    }
  }

  #chip(term, place) {
    const name = this.#options.nameOf(term);
    const size = Math.abs(term.boost);
    const isLess = term.boost < 0;
    const owner = make(
      "button",
      { type: "button", className: isLess ? "chip less" : "chip", title: name },
      isLess ? make("span", { className: "sign", "aria-label": "less of" }, "−") : null,
      this.#picture(term),
      make("span", { className: "name" }, name),
      size === 1 ? null : make("span", { className: "boost" }, `×${count(size)}`),
    );
    owner.addEventListener("keydown", (event) => this.#chipKey(event, place));
    const panel = menu(owner, name, () => [
      { label: "More of this", checked: !isLess, act: () => this.#change(place, more(term)) },
      { label: "Less of this", checked: isLess, act: () => this.#change(place, less(term)) },
      { label: "Stronger", act: () => this.#change(place, stronger(term)) },
      { label: "Weaker", act: () => this.#change(place, weaker(term)) },
      { label: "Remove", act: () => this.#change(place, null) },
    ]);
    return make("li", {}, owner, panel);
  }

  #picture(term) {
    if (term.kind === "text") return null;
    const src = term.kind === "upload" ? uploadThumbnail(term.value) : thumbnail({ thumbnail_url: `v1/thumbnails/${encodeURIComponent(term.value)}` }, 160);
    const picture = make("img", { alt: "", src, width: 24, height: 24 });
    picture.addEventListener("error", () => picture.replaceWith(icon("picture")));
    return picture;
  }

  #change(place, term) {
    const terms = this.#terms.flatMap((one, at) => (at === place ? (term ? [term] : []) : [one]));
    this.#options.onTerms(terms, this.#input.value);
  }

  #chipKey(event, place) {
    const chips = [...this.#chips.children].map((one) => one.firstElementChild);
    if (event.key === "ArrowLeft") chips[Math.max(0, place - 1)].focus();
    else if (event.key === "ArrowRight") (chips[place + 1] ?? this.#input).focus();
    else if (event.key === "Backspace" || event.key === "Delete") this.#change(place, null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

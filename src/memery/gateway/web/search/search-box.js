// The search box: chips, and the text that is not a chip yet.

/** @import { PageState, Term } from "../types.d.ts" */
/** @import { TermNames } from "../state/term-names.js" */

import { thumbnail, thumbnailOf, uploadThumbnail } from "../api/client.js";
import { formatTerm, less, MAX_TERMS, more, parseText, stronger, weaker } from "../state/terms.js";
import { closest, find, icon, make } from "../widgets/dom.js";
import { count } from "../widgets/format.js";
import { menu } from "../widgets/menu.js";

const TYPING_PAUSE = 150; // ms without a key before the text is searched for

/**
 * @typedef {object} SearchBoxListeners
 * @property {(terms: Term[], draft: string) => void} onTerms
 * @property {(draft: string) => void} onDraft the user has typed
 * @property {() => void} onDown leaves the search box downward
 */

export class SearchBox {
  #input;
  #chips;
  #clear;
  #names;
  #listeners;
  /** @type {Term[]} */
  #terms = [];
  #timer = 0;

  /**
   * @param {HTMLFormElement} form
   * @param {TermNames} names
   * @param {SearchBoxListeners} listeners
   */
  constructor(form, names, listeners) {
    this.#input = find(form, "input[type=text]", HTMLInputElement);
    this.#chips = find(form, ".chips", HTMLElement);
    this.#clear = find(form, "#clear", HTMLButtonElement);
    this.#names = names;
    this.#listeners = listeners;
    this.#clear.addEventListener("click", () => {
      this.#listeners.onTerms([], "");
      this.focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    form.addEventListener("pointerdown", (event) => {
      if (closest(event.target, "button, input, [popover]")) return;
      event.preventDefault();
      this.focus();
    });
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
  }

  focus() {
    this.#input.focus();
  }

  /**
   * Shows the terms and the draft of a state.
   * @param {PageState} state
   */
  show({ terms, draft }) {
    clearTimeout(this.#timer);
    if (this.#input.value !== draft) this.#input.value = draft;
    this.#clear.hidden = !terms.length && !draft;
    if (JSON.stringify(terms) === JSON.stringify(this.#terms) && this.#chips.children.length === terms.length) return;
    const focused = [...this.#chips.children].findIndex((one) => one.contains(document.activeElement));
    this.#terms = terms;
    this.#chips.replaceChildren(...terms.map((term, place) => this.#chip(term, place)));
    this.#input.scrollIntoView({ block: "nearest" });
    if (focused >= 0) (this.#chipButtons().at(Math.min(focused, terms.length - 1)) ?? this.#input).focus();
  }

  #chipButtons() {
    return [...this.#chips.querySelectorAll("button")].filter((one) => one.matches(".chip"));
  }

  #typed() {
    clearTimeout(this.#timer);
    if (/^\s/.test(this.#input.value)) this.#input.value = this.#input.value.trimStart();
    this.#timer = setTimeout(() => this.#listeners.onDraft(this.#input.value), TYPING_PAUSE);
  }

  #submit() {
    clearTimeout(this.#timer);
    const text = this.#input.value;
    if (!text.trim()) return;
    const terms = [...this.#terms, ...parseText(text)];
    if (terms.length <= MAX_TERMS) this.#listeners.onTerms(terms, "");
    else this.#listeners.onTerms(this.#terms, text);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    const isEmpty = this.#input.value === "";
    const isAtStart = this.#input.selectionStart === 0 && this.#input.selectionEnd === 0;
    const last = this.#terms.at(-1);
    if (event.key === "Backspace" && isEmpty && last) {
      event.preventDefault();
      this.#listeners.onTerms(this.#terms.slice(0, -1), last.kind === "text" ? formatTerm(last) : "");
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (isEmpty) this.#input.blur();
      else this.#listeners.onTerms(this.#terms, "");
    } else if (event.key === "ArrowLeft" && isAtStart) {
      this.#chipButtons().at(-1)?.focus();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.#listeners.onDown();
    }
  }

  /**
   * @param {Term} term
   * @param {number} place
   */
  #chip(term, place) {
    const name = this.#names.of(term);
    const size = Math.abs(term.boost);
    const isLess = term.boost < 0;
    const owner = make(
      "button",
      { type: "button", className: isLess ? "chip less" : "chip", title: name },
      isLess ? make("span", { className: "sign", "aria-label": "less of" }, "−") : null,
      chipImage(term),
      make("span", { className: "name" }, name),
      size === 1 ? null : make("span", { className: "boost" }, `×${count(size)}`),
    );
    owner.addEventListener("keydown", (event) => this.#chipKey(event, place));
    const panel = menu(owner, name, () => [
      { label: "More of this", checked: !isLess, act: () => this.#replace(place, more(term)) },
      { label: "Less of this", checked: isLess, act: () => this.#replace(place, less(term)) },
      { label: "Stronger", act: () => this.#replace(place, stronger(term)) },
      { label: "Weaker", act: () => this.#replace(place, weaker(term)) },
      { label: "Remove", act: () => this.#replace(place, null) },
    ]);
    return make("li", {}, owner, panel);
  }

  /**
   * Replaces the term of a chip; null removes it.
   * @param {number} place
   * @param {Term | null} term
   */
  #replace(place, term) {
    const terms = [...this.#terms.slice(0, place), ...(term ? [term] : []), ...this.#terms.slice(place + 1)];
    this.#listeners.onTerms(terms, this.#input.value);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} place
   */
  #chipKey(event, place) {
    const chips = this.#chipButtons();
    if (event.key === "ArrowLeft") chips[Math.max(0, place - 1)].focus();
    else if (event.key === "ArrowRight") (chips.at(place + 1) ?? this.#input).focus();
    else if (event.key === "Backspace" || event.key === "Delete") this.#replace(place, null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {Term} term */
function chipImage(term) {
  if (term.kind === "text") return null;
  const src = term.kind === "upload" ? uploadThumbnail(term.value) : thumbnail({ thumbnail_url: thumbnailOf(term.value) }, 160);
  const image = make("img", { alt: "", src, width: 24, height: 24 });
  image.addEventListener("error", () => image.replaceWith(icon("picture")));
  return image;
}

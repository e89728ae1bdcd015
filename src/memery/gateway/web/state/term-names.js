// Names of terms for users: an image's file name instead of its id.

/** @import { PageState, Term } from "../types.d.ts" */

import { activeTerms } from "./url-state.js";

export class TermNames {
  /** @type {Map<string, string>} */
  #names = new Map(); // of images, by id

  /**
   * @param {string} id
   * @param {string} name
   */
  set(id, name) {
    this.#names.set(id, name);
  }

  /** @param {Term} term */
  of(term) {
    return term.kind === "text" ? term.value : (this.#names.get(term.value) ?? "image");
  }

  /**
   * The tab's title for a state: the terms, else the folder.
   * @param {PageState} state
   */
  title(state) {
    const parts = activeTerms(state).map((term) => (term.boost < 0 ? "−" : "") + this.of(term));
    const view = parts.join(", ") || state.filters.under;
    return view ? `${view} · memery` : "memery";
  }
}

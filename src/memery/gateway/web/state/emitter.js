// Events of the page's parts: a part emits them and does not know who listens.

/** @template {unknown[]} T what listeners are called with */
export class Emitter {
  /** @type {((...values: T) => void)[]} */
  #listeners = [];

  /** @param {(...values: T) => void} listener */
  on(listener) {
    this.#listeners.push(listener);
  }

  /** @param {T} values */
  emit(...values) {
    for (const listener of this.#listeners) listener(...values);
  }
}

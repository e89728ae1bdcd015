// Viewer controller: shows the image that the URL names, and finds its place in the list.

/** @import { FilterValues, ListedImage } from "../types.d.ts" */
/** @import { Grid } from "../grid/grid.js" */
/** @import { Store } from "../state/store.js" */
/** @import { Viewer } from "./viewer.js" */

import { browse, image as requestImage } from "../api/client.js";
import { statusOf } from "../api/problem.js";
import { failureMessage } from "../search/messages.js";
import { filterParameters } from "../state/url-state.js";
import { fileName } from "../widgets/format.js";

export class ViewerController {
  #store;
  #grid;
  #viewer;
  #toast;

  /**
   * @param {Store} store
   * @param {Grid} grid
   * @param {Viewer} viewer
   * @param {(text: string) => void} toast
   */
  constructor(store, grid, viewer, toast) {
    this.#store = store;
    this.#grid = grid;
    this.#viewer = viewer;
    this.#toast = toast;
    viewer.shown.on((image) => this.#shown(image));
    viewer.closeRequested.on(() => this.#close());
  }

  /** Makes the viewer show the image that the state names. */
  async show() {
    const id = this.#store.state.imageId;
    const { results } = this.#grid;
    if (!id) {
      this.#viewer.close();
      return;
    }
    if (this.#viewer.image?.id === id) return;
    const listed = results?.at(results.indexOf(id));
    if (listed) {
      this.#viewer.show(listed, results);
      return;
    }
    try {
      const image = await requestImage(id);
      if (this.#store.state.imageId !== id) return;
      this.#viewer.show(image, this.#grid.results);
      await this.findPlace();
    } catch (error) {
      if (statusOf(error) === 0) return; // it is shown when the server answers again
      this.#toast(statusOf(error) === 404 ? "This image no longer exists." : failureMessage(error));
      this.#store.change({ imageId: null }, "replace");
    }
  }

  /** Finds the open image in the list, however far down, so that it has a next and a previous one. */
  async findPlace() {
    const { results } = this.#grid;
    const { image } = this.#viewer;
    if (!results || !image) return;
    this.#viewer.setResults(results);
    if (results.indexOf(image.id) >= 0) return;
    const isWanted = () => this.#grid.results === results && this.#viewer.image?.id === image.id;
    try {
      const from = results.isSearch ? 0 : await countNewer(image, this.#store.state.filters);
      if ((await results.seek(image.id, from, isWanted)) >= 0 && isWanted()) this.#viewer.setResults(results);
    } catch {
      // Another list was requested, or the request failed: the image is shown without neighbours.
    }
  }

  /** @param {ListedImage} image */
  #shown(image) {
    document.title = `${fileName(image.path)} · memery`;
    if (this.#store.state.imageId !== image.id) this.#store.note({ imageId: image.id });
  }

  #close() {
    const { results } = this.#grid;
    const index = this.#viewer.image && results ? results.indexOf(this.#viewer.image.id) : -1;
    if (this.#store.hasPrevious) history.back();
    else this.#store.change({ imageId: null }, "replace");
    if (index >= 0) this.#viewer.whenClosed(() => this.#grid.go(index, { focus: true }));
  }
}

/**
 * The number of images that are newer than one: its approximate index in a list by date. For a list
 * by name it is only a guess.
 * @param {ListedImage} image
 * @param {FilterValues} filters
 */
async function countNewer({ taken_at: taken, modified_at: modified }, filters) {
  const day = new Date(`${(taken ?? modified).slice(0, 10)}T12:00Z`);
  day.setUTCDate(day.getUTCDate() + 1);
  const parameters = filterParameters({ ...filters, since: day.toISOString().slice(0, 10) });
  parameters.set("top_k", "1");
  return (await browse(parameters)).total;
}

// The picture that the address names: opened, gone through, closed; and its place in the list.

import * as address from "../state/url-state.js";
import * as api from "../api/client.js";
import { failure } from "../widgets/messages.js";

export class Opening {
  #page;

  /**
   * @param {{state, change, note, tell, grid, viewer}} page the state; how it changes, as a step in the
   *   browser's history or only noted; what shows a passing word; the parts
   */
  constructor(page) {
    this.#page = page;
  }

  /** Makes the viewer show what the state says. */
  async show() {
    const { state, change, tell, grid, viewer } = this.#page;
    const id = state().picture;
    if (!id) return viewer.close();
    if (viewer.picture?.id === id) return;
    const index = grid.results?.indexOf(id) ?? -1;
    if (index >= 0) return viewer.show(grid.results.at(index), grid.results);
    try {
      const picture = await api.image(id);
      if (state().picture !== id) return;
      viewer.show(picture, grid.results);
      await this.place();
    } catch (problem) {
      if (problem.status === 0) return; // it is opened when the server answers again
      tell(problem.status === 404 ? "That picture is no longer here." : failure(problem));
      change({ picture: null }, "replace");
    }
  }

  /** Finds the open picture in the list, however far down: then there is a next one, and a previous. */
  async place() {
    const { state, grid, viewer } = this.#page;
    const { results } = grid;
    const { picture } = viewer;
    if (!results || !picture) return;
    viewer.relist(results);
    if (results.indexOf(picture.id) >= 0) return;
    const isWanted = () => grid.results === results && viewer.picture?.id === picture.id;
    try {
      const from = results.isSearch ? 0 : await newer(picture, state().filters);
      if ((await results.seek(picture.id, from, isWanted)) >= 0 && isWanted()) viewer.relist(results);
    } catch {
      // Another list is asked for, or none comes: the picture is shown without its neighbours.
    }
  }

  /** The viewer went to a picture by itself. */
  shown(picture) {
    if (this.#page.state().picture !== picture.id) this.#page.note({ picture: picture.id });
  }

  close() {
    const { change, grid, viewer } = this.#page;
    const index = viewer.picture ? (grid.results?.indexOf(viewer.picture.id) ?? -1) : -1;
    if (address.cameFromHere()) history.back();
    else change({ picture: null }, "replace");
    if (index >= 0) viewer.whenClosed(() => grid.go(index, { focus: true }));
  }
}

/** How many pictures of a list by date are newer than one; by name that is no more than a guess. */
async function newer({ taken_at: taken, modified_at: modified }, filters) {
  const next = new Date(`${(taken ?? modified).slice(0, 10)}T12:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  const parameters = address.filterParameters({ ...filters, since: next.toISOString().slice(0, 10) });
  parameters.set("top_k", 1);
  return (await api.browse(parameters)).total;
}

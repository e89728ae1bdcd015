// What mouse, finger and keyboard do in the grid.

import { listen } from "../widgets/keyboard.js";
import { DRAGGED } from "../search/uploads.js";

const HELD = 500; // ms that a finger rests on a picture to select it
const RANGE = 2000; // pictures that one Shift-click selects at most

/** Listens in the grid. `acts` are what can be done with a picture, by name; `onUp` leaves it upward. */
export function gridActions(element, grid, selection, { acts, open, onUp, tell }) {
  const indexOf = (target) => Number(target.closest?.(".tile")?.dataset.index ?? NaN);
  let held = 0;
  let wasHeld = false;

  async function select(index, isRange) {
    const picture = grid.results.at(index);
    if (!isRange || selection.last === null) return selection.toggle(picture, index);
    const [first, last] = [Math.min(index, selection.last), Math.max(index, selection.last)];
    if (last - first >= RANGE) return tell(`At most ${RANGE} pictures can be selected at once.`);
    try {
      selection.add(await grid.results.between(first, last), index);
    } catch (problem) {
      tell(problem.message);
    }
  }

  element.addEventListener("click", (event) => {
    const index = indexOf(event.target);
    if (Number.isNaN(index) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const act = event.target.closest("[data-act]")?.dataset.act;
    const isKey = event.detail === 0;
    if (wasHeld) wasHeld = false;
    else if (act === "select" || (!act && !isKey && (event.shiftKey || !selection.isEmpty))) select(index, event.shiftKey);
    else if (act) acts[act](grid.results.at(index), event);
    else open(grid.results.at(index));
  });
  element.addEventListener("focusin", (event) => {
    const index = indexOf(event.target);
    if (!Number.isNaN(index)) grid.setCurrent(index);
  });
  element.addEventListener("dragstart", (event) => {
    const picture = grid.results.at(indexOf(event.target));
    if (!picture) return;
    event.dataTransfer.setData(DRAGGED, picture.id);
    event.dataTransfer.effectAllowed = "copy";
  });
  element.addEventListener("pointerdown", (event) => {
    wasHeld = false;
    const index = indexOf(event.target);
    if (event.pointerType !== "touch" || Number.isNaN(index)) return;
    held = setTimeout(() => {
      wasHeld = true;
      select(index, false);
    }, HELD);
  });
  for (const name of ["pointerup", "pointercancel", "pointermove"]) {
    element.addEventListener(name, () => clearTimeout(held));
  }
  element.addEventListener("contextmenu", (event) => {
    if (event.pointerType === "touch" || wasHeld) event.preventDefault();
  });

  const go = (to) => (event) => {
    const index = indexOf(event.target);
    if (Number.isNaN(index)) return undefined;
    grid.go(to(index), { focus: true });
    return true;
  };
  const on = (act) => (event) => {
    const index = indexOf(event.target);
    const picture = Number.isNaN(index) ? null : grid.results.at(index);
    if (!picture) return undefined;
    act(picture, index, event);
    return true;
  };
  listen(element, {
    ArrowLeft: go((index) => index - 1),
    ArrowRight: go((index) => index + 1),
    ArrowUp: (event) => {
      const index = indexOf(event.target);
      return grid.beside(index, -1) === index ? (onUp(), true) : go(() => grid.beside(index, -1))(event);
    },
    ArrowDown: go((index) => grid.beside(index, 1)),
    Home: go(() => 0),
    End: go(() => grid.results.total - 1),
    s: on((picture, _, event) => acts.similar(picture, event)),
    "-": on(acts.less),
    c: on(acts.path),
    d: on(acts.download),
    x: on((_, index, event) => select(index, event.shiftKey)),
  });
}

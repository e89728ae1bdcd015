// Keys, and the list of them that `?` shows.

import { make } from "./dom.js";

const LIST = [
  ["/", "go to the field"],
  ["← → ↑ ↓", "move between pictures"],
  ["Home End", "the first and the last one"],
  ["Enter", "open the picture; in the field: make a chip"],
  ["Esc", "back: close, clear, leave"],
  ["s", "similar to this; with Shift: added to the search"],
  ["-", "less like this"],
  ["x", "select; with Shift: up to here"],
  ["c", "copy the path"],
  ["d", "download"],
  ["i", "facts, in the open picture"],
  ["z", "full size, in the open picture"],
  ["Backspace", "in the empty field: take the last chip back"],
  ["?", "this list"],
];

/** Calls the action of a key, unless someone is writing or holds another key down. */
export function listen(target, actions) {
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (isWriting(event.target) || event.target.closest?.("[popover]")) return;
    const act = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act?.(event) !== undefined) event.preventDefault();
  });
}

export function fillHelp(list) {
  for (const [keys, words] of LIST) {
    const signs = keys.split(" ").map((key) => make("kbd", {}, key));
    list.append(make("dt", {}, ...signs), make("dd", {}, words));
  }
}

function isWriting(element) {
  return element.matches?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
}

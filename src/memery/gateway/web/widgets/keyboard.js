// Keyboard shortcuts, and the list of them that `?` shows.

import { make } from "./dom.js";

const SHORTCUTS = [
  ["/", "go to the search box"],
  ["← → ↑ ↓", "move between images"],
  ["Home End", "first and last image"],
  ["Enter", "open the image; in the search box: make a chip"],
  ["Esc", "close, clear or leave"],
  ["s", "find similar images; with Shift: add to the search"],
  ["-", "less like this"],
  ["x", "select; with Shift: select all up to here"],
  ["c", "copy the path"],
  ["d", "download"],
  ["i", "details of the open image"],
  ["z", "full size of the open image"],
  ["Backspace", "in the empty search box: edit the last chip"],
  ["?", "this list"],
];

/** @typedef {(event: KeyboardEvent) => boolean | void} Shortcut returns whether it has handled the key */

/**
 * Calls the shortcut of a key, unless the user is typing or holds a modifier key.
 * @param {HTMLElement | Document} target
 * @param {Record<string, Shortcut>} shortcuts
 */
export function onKeys(target, shortcuts) {
  /** @param {Event} event */
  const listener = (event) => {
    if (!(event instanceof KeyboardEvent)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.target instanceof Element && (isTyping(event.target) || event.target.closest("[popover]"))) return;
    const shortcut = shortcuts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (shortcut?.(event)) event.preventDefault();
  };
  target.addEventListener("keydown", listener);
}

/**
 * Fills the list of shortcuts.
 * @param {HTMLElement} list a `dl`
 */
export function fillShortcuts(list) {
  for (const [keys, description] of SHORTCUTS) {
    const names = keys.split(" ").map((key) => make("kbd", {}, key));
    list.append(make("dt", {}, ...names), make("dd", {}, description));
  }
}

/** @param {Element} element */
function isTyping(element) {
  return element.matches("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
}

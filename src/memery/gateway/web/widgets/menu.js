// Menus and panels below a button. They are popovers: the browser closes them on Escape and on a
// click elsewhere.

import { make } from "./dom.js";

const MARGIN = 8; // px to the window's edge
const GAP = 4; // px to the button
const MIN_HEIGHT = 120; // px

/** @typedef {{label: string, act: () => void, checked?: boolean}} MenuItem `checked`: for a choice */

/**
 * Attaches a panel to a button.
 * @template {HTMLElement} T
 * @param {HTMLButtonElement} owner
 * @param {T} panel
 * @param {(panel: T) => void} [fill] called each time it opens
 */
export function attach(owner, panel, fill) {
  panel.popover = "auto";
  panel.classList.add("panel");
  owner.popoverTargetElement = panel;
  owner.setAttribute("aria-expanded", "false");
  panel.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    fill?.(panel);
    place(owner, panel);
  });
  panel.addEventListener("toggle", (event) => {
    const isOpen = event.newState === "open";
    owner.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) place(owner, panel);
  });
  return panel;
}

/**
 * A menu below a button.
 * @param {HTMLButtonElement} owner
 * @param {string} label
 * @param {() => MenuItem[]} items called each time it opens
 */
export function menu(owner, label, items) {
  const panel = make("div", { className: "menu", role: "menu", "aria-label": label });
  owner.setAttribute("aria-haspopup", "menu");
  attach(owner, panel, () => panel.replaceChildren(...items().map((item) => entry(panel, item))));
  panel.addEventListener("toggle", (event) => {
    if (event.newState === "open") entriesOf(panel)[0]?.focus();
  });
  panel.addEventListener("keydown", (event) => moveFocus(panel, event));
  return panel;
}

/**
 * Puts an open panel below its button, inside the window.
 * @param {HTMLElement} owner
 * @param {HTMLElement} panel
 */
function place(owner, panel) {
  const { left, bottom, top } = owner.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const x = Math.max(MARGIN, Math.min(left, document.documentElement.clientWidth - width - MARGIN));
  const below = bottom + GAP;
  const y = below + height + MARGIN <= innerHeight || top < innerHeight / 2 ? below : top - height - GAP;
  panel.style.left = `${x}px`;
  panel.style.top = `${y}px`;
  panel.style.maxHeight = `${Math.max(MIN_HEIGHT, innerHeight - Math.max(MARGIN, y) - MARGIN)}px`;
}

/**
 * @param {HTMLElement} panel
 * @param {MenuItem} item
 */
function entry(panel, { label, act, checked }) {
  const isChoice = checked !== undefined;
  const click = () => {
    panel.hidePopover();
    act();
  };
  return make(
    "button",
    {
      type: "button",
      role: isChoice ? "menuitemradio" : "menuitem",
      "aria-checked": isChoice ? String(checked) : null,
      tabIndex: -1,
      on: { click },
    },
    label,
  );
}

/** @param {HTMLElement} panel */
function entriesOf(panel) {
  return [...panel.querySelectorAll("button")];
}

/**
 * @param {HTMLElement} panel
 * @param {KeyboardEvent} event
 */
function moveFocus(panel, event) {
  const entries = entriesOf(panel);
  const at = entries.findIndex((one) => one === document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") panel.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  entries.at(next % entries.length)?.focus();
}

// Menus and panels that hang under a button, by the browser's own popover: it closes them on Escape
// and on a click elsewhere.

import { make } from "./dom.js";

const MARGIN = 8;

/** Hangs a panel under a button; `fill` is called each time it opens. */
export function hang(owner, panel, fill) {
  panel.popover = "auto";
  panel.classList.add("panel");
  owner.popoverTargetElement = panel;
  owner.setAttribute("aria-expanded", "false");
  panel.addEventListener("beforetoggle", (event) => {
    if (event.newState === "open") {
      fill?.(panel);
      put(owner, panel);
    }
  });
  panel.addEventListener("toggle", (event) => {
    const isOpen = event.newState === "open";
    owner.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) put(owner, panel);
  });
  return panel;
}

/** A menu of actions under a button. `items()` gives { label, act, checked } each time it opens. */
export function menu(owner, label, items) {
  const panel = make("div", { className: "menu", role: "menu", "aria-label": label });
  owner.setAttribute("aria-haspopup", "menu");
  hang(owner, panel, () => panel.replaceChildren(...items().map((item) => entry(panel, item))));
  panel.addEventListener("toggle", (event) => event.newState === "open" && panel.firstElementChild?.focus());
  panel.addEventListener("keydown", (event) => move(panel, event));
  return panel;
}

/** Puts an open panel below its button, inside the window. */
export function put(owner, panel) {
  const { left, bottom, top } = owner.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const x = Math.max(MARGIN, Math.min(left, document.documentElement.clientWidth - width - MARGIN));
  const below = bottom + 4;
  const y = below + height + MARGIN <= innerHeight || top < innerHeight / 2 ? below : top - height - 4;
  panel.style.left = `${x}px`;
  panel.style.top = `${y}px`;
  panel.style.maxHeight = `${Math.max(120, innerHeight - Math.max(MARGIN, y) - MARGIN)}px`;
}

function entry(panel, { label, act, checked }) {
  const isChoice = checked !== undefined;
  return make(
    "button",
    {
      type: "button",
      role: isChoice ? "menuitemradio" : "menuitem",
      "aria-checked": isChoice ? String(checked) : null,
      tabIndex: -1,
      on: {
        click: () => {
          panel.hidePopover();
          act();
        },
      },
    },
    label,
  );
}

function move(panel, event) {
  const entries = [...panel.children];
  const at = entries.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") panel.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  entries.at(next % entries.length)?.focus();
}

// DOM elements: finding and making them. Text is inserted as text: no file name becomes markup.

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type the class that the element must have
 * @returns {T}
 */
export const byId = (id, type) => find(document, `#${id}`, type);

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type the class that the element must have
 * @returns {T}
 * @throws {Error} if there is no such element
 */
export function find(root, selector, type) {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} “${selector}”.`);
  return found;
}

/**
 * The nearest element around an event's target that matches a selector.
 * @param {EventTarget | null} target
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const closest = (target, selector) => (target instanceof Element ? target.closest(selector) : null);

/**
 * @typedef {Record<string, unknown> & {on?: Record<string, ((event: any) => void) | null>}} Properties
 *   properties of an element; names with a dash and `role` are attributes; `on` has listeners by event
 * @typedef {Node | string | null} Child a string becomes text, null is left out
 */

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Properties} properties
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { on = {}, ...others } = properties;
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined || value === null) continue;
    if (name === "role" || name.includes("-")) element.setAttribute(name, String(value));
    else Reflect.set(element, name, value);
  }
  for (const [event, listener] of Object.entries(on)) if (listener) element.addEventListener(event, listener);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * A button with a label.
 * @param {string} label
 * @param {((event: MouseEvent) => void) | null} act
 * @param {Properties} properties
 */
export const button = (label, act, properties = {}) =>
  make("button", { type: "button", on: { click: act }, ...properties }, label);

/**
 * A button with an icon, whose label is its tooltip and accessible name.
 * @param {IconName} name
 * @param {string} label
 * @param {((event: MouseEvent) => void) | null} act
 * @param {Properties} properties
 */
export const iconButton = (name, label, act, properties = {}) =>
  make("button", { type: "button", title: label, "aria-label": label, on: { click: act }, ...properties }, icon(name));

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  download: "M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 20h14",
  down: "M6 9.5l6 6 6-6",
  facts: "M12 11v6m0-9.5v.5M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0",
  filter: "M4 7h16M7 12h10M10 17h4",
  folder: "M3.5 6.5h6l2 2.5h9v9.5h-17z",
  left: "M14.5 5.5L8 12l6.5 6.5",
  less: "M6 12h12",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15.5 9.5v.5",
  right: "M9.5 5.5L16 12l-6.5 6.5",
  settings: "M4 8h9m4 0h3M4 16h3m4 0h9M15 6v4M9 14v4",
  similar: "M4 4h7v7H4zM13 13h7v7h-7zM16.5 4.5v5M14 7h5",
};

/** @typedef {keyof typeof ICONS} IconName */

/** @param {IconName} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Puts the icons into the elements of index.html that name one.
 * @param {ParentNode} root
 */
export function drawIcons(root) {
  for (const element of root.querySelectorAll("[data-sign]")) {
    if (element instanceof HTMLElement) element.prepend(icon(/** @type {IconName} */ (element.dataset.sign)));
  }
}

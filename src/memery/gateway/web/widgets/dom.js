// Making elements. Text goes in as text: nothing a file is named or contains becomes markup.

/**
 * An element with properties, attributes (names with a dash or `role`) and children.
 * `on` holds listeners by event; strings among the children become text.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button with words. */
export const button = (label, act, properties = {}) =>
  make("button", { type: "button", on: { click: act }, ...properties }, label);

/** A button with a sign, whose words are heard and shown as a hint. */
export const iconButton = (sign, label, act, properties = {}) =>
  make("button", { type: "button", title: label, "aria-label": label, on: { click: act }, ...properties }, icon(sign));

const SVG = "http://www.w3.org/2000/svg";
const SIGNS = {
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

export function icon(sign) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SIGNS[sign]);
  svg.append(path);
  return svg;
}

// One picture in the grid: a link that opens it, three actions, a caption on demand.

import { thumbnail } from "../api/client.js";
import { iconButton, make } from "../widgets/dom.js";
import { count, counted, decimal, fileName } from "../widgets/format.js";

const AGAIN = [1000, 4000]; // ms until a small copy that did not come is asked for once more
const LEAST = 320; // px: copies of this size were made while indexing, smaller ones would have to be made now
const MOST = 640; // px: larger copies would only make the grid slow
const ENLARGED = 1.25; // times its size that a copy is shown at most
const COLOUR = /^#[0-9a-f]{6}$/i;

/** A tile for a picture; `place` fills in where it stands. */
export function tile(picture) {
  const image = make("img", { alt: "", decoding: "async", draggable: false });
  image.addEventListener("load", () => image.classList.add("shown"));
  let failures = 0;
  image.addEventListener("error", () => {
    const wait = AGAIN[failures];
    failures += 1;
    if (wait) setTimeout(() => element.isConnected && (image.src = image.src), wait);
    else element.classList.add("broken");
  });
  const link = make("a", { className: "open", tabIndex: -1 }, image);
  const action = (sign, label, act) => {
    const one = iconButton(sign, label, null, { tabIndex: -1 });
    one.dataset.act = act;
    return one;
  };
  const element = make(
    "div",
    { className: "tile", role: "listitem" },
    link,
    make(
      "div",
      { className: "actions" },
      action("similar", "Similar (s)", "similar"),
      action("less", "Less like this (-)", "less"),
      action("check", "Select (x)", "select"),
    ),
    make("div", { className: "caption", "aria-hidden": "true" }),
  );
  if (picture.copies > 1) element.append(make("div", { className: "copies", "aria-hidden": "true" }, `×${count(picture.copies)}`));
  if (COLOUR.test(picture.colour ?? "")) element.style.backgroundColor = picture.colour;
  element.dataset.id = picture.id;
  return element;
}

/** Puts a tile where its box is, and says what it shows. */
export function place(element, picture, { index, total, box, href, isSelected, isCurrent, captions }) {
  const { style } = element;
  style.transform = `translate(${box.x}px, ${box.y}px)`;
  style.width = `${box.width}px`;
  style.height = `${box.height}px`;
  element.dataset.index = index;
  element.setAttribute("aria-posinset", index + 1);
  element.setAttribute("aria-setsize", total);
  const [link] = element.children;
  link.href = href;
  link.setAttribute("aria-label", spoken(picture));
  mark(element, { isSelected, isCurrent });
  const caption = element.children[2];
  caption.textContent = captions ? written(picture, captions) : "";
  const image = link.firstElementChild;
  const wished = (Math.max(box.width, box.height) * Math.min(2, devicePixelRatio)) / ENLARGED;
  const source = thumbnail(picture, Math.min(MOST, Math.max(LEAST, wished)));
  const side = Number(new URL(source, document.baseURI).searchParams.get("size"));
  // A sharper copy replaces a small one; a smaller one is not worth the wait.
  if (!image.src || Number(image.dataset.side) < side) {
    image.dataset.side = side;
    image.src = source;
  }
}

/** Shows whether a tile is selected, and whether Tab leads to it. */
export function mark(element, { isSelected, isCurrent }) {
  element.classList.toggle("selected", isSelected);
  const tabIndex = isCurrent ? 0 : -1;
  element.firstElementChild.tabIndex = tabIndex;
  for (const one of element.children[1].children) {
    one.tabIndex = tabIndex;
    if (one.dataset.act === "select") one.setAttribute("aria-pressed", isSelected);
  }
}

/** Asks again for a thumbnail that did not come. */
export function retry(element) {
  if (!element.classList.contains("broken")) return;
  element.classList.remove("broken");
  const image = element.firstElementChild.firstElementChild;
  image.src = image.src;
}

/** Stops what a tile was still fetching. */
export function drop(element) {
  const image = element.firstElementChild.firstElementChild;
  if (!image.complete) image.removeAttribute("src");
  element.remove();
}

function spoken(picture) {
  const rank = picture.rank ? `, number ${picture.rank}` : "";
  const weak = picture.weak ? ", weaker match" : "";
  const text = picture.words ? `, says: ${picture.words}` : "";
  const copies = picture.copies > 1 ? `, ${counted(picture.copies, "copy", "copies")}` : "";
  return `${fileName(picture.path)}${rank}${weak}${copies}${text}`;
}

function written(picture, { names, scores }) {
  const parts = [];
  if (scores && picture.rank) parts.push(`${count(picture.rank)} · ${decimal(picture.score, 3)} · ${decimal(picture.strength, 1)}σ`);
  if (names) parts.push(fileName(picture.path));
  return parts.join("\n");
}

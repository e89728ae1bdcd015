// The details of the open image.

/** @import { ListedImage } from "../types.d.ts" */

import { button, make } from "../widgets/dom.js";
import { bytes, count, decimal, fileName, folderOf, moment } from "../widgets/format.js";

/**
 * Where a date is from, unless from EXIF.
 * @type {Record<string, string>}
 */
const DATE_SOURCES = { xmp: " (from XMP)", gps: " (from GPS)", name: " (from the file name)" };

/**
 * @typedef {object} DetailsActions
 * @property {(image: ListedImage) => void} copyPath
 * @property {(collection: string, folder: string) => void} showFolder
 */

/**
 * Fills a panel with an image's details.
 * @param {HTMLElement} panel
 * @param {ListedImage} image
 * @param {string} copyReason why not the file itself is shown, or ""
 * @param {DetailsActions} actions
 */
export function fillDetails(panel, image, copyReason, actions) {
  const folder = folderOf(image.path);
  const list = make("dl");
  for (const [name, value] of details(image, copyReason)) list.append(make("dt", {}, name), make("dd", {}, value));
  panel.replaceChildren(
    make("h2", {}, fileName(image.path)),
    button(image.path, () => actions.copyPath(image), { className: "path", title: "Copy the path (c)" }),
    list,
    ...copies(image, actions),
    ...textLines(image),
    button(folder ? `All images in ${folder}` : "All images in this folder", () => actions.showFolder(image.collection, folder), { className: "plain" }),
  );
}

/**
 * @param {ListedImage} image
 * @param {string} copyReason
 */
function details(image, copyReason) {
  const found = [["Size", `${count(image.width)} × ${count(image.height)}, ${bytes(image.size)}`]];
  if (image.format) found.push(["Format", image.format]);
  if (copyReason) found.push(["Shown as", copyReason]);
  if (image.taken_at) found.push(["Taken", `${moment(image.taken_at)}${DATE_SOURCES[image.date_source] ?? ""}`]);
  else if (image.modified_at) found.push(["Modified", moment(image.modified_at)]);
  if (image.damage) found.push(["Damaged", image.damage]);
  if (image.collection) found.push(["Collection", image.collection]);
  if (image.rank) found.push(["Rank", count(image.rank)]);
  if (image.score !== undefined) found.push(["Score", `${decimal(image.score, 3)} (${strength(image)})`]);
  return found;
}

/** @param {ListedImage} image */
function strength({ weak, strength: deviations = 0 }) {
  return `${weak ? "weak" : "strong"}: ${decimal(deviations, 1)} standard deviations above the mean`;
}

/**
 * Paths of exact copies.
 * @param {ListedImage} image
 * @param {DetailsActions} actions
 */
function copies(image, { copyPath }) {
  const paths = image.copy_paths ?? [];
  if (!paths.length) return [];
  const entry = (/** @type {string} */ path) =>
    make("li", {}, button(path, () => copyPath({ ...image, path }), { className: "path", title: "Copy the path" }));
  return [make("h3", {}, "Exact copies"), make("ul", { className: "copies" }, ...paths.map(entry))];
}

/** @param {ListedImage} image */
function textLines({ text }) {
  if (!text?.length) return [];
  const lines = text.map((line) => make("li", {}, line.text));
  return [make("h3", {}, "Text in the image"), make("ul", { className: "words" }, ...lines)];
}

// What is known about the open picture.

import { button, make } from "../widgets/dom.js";
import { bytes, count, decimal, fileName, folderOf, moment } from "../widgets/format.js";

/** Where a date was found, unless it is EXIF. */
const FROM = { xmp: " (from XMP)", gps: " (from GPS)", name: " (from the file name)" };

/**
 * Fills a panel with a picture's facts.
 * @param {HTMLElement} panel
 * @param {object} picture a hit, or the facts by id, which hold the text found in it
 * @param {{onCopyPath, onFolder}} acts
 */
export function fillFacts(panel, picture, acts) {
  const folder = folderOf(picture.path);
  const list = make("dl");
  for (const [name, value] of known(picture)) list.append(make("dt", {}, name), make("dd", {}, value));
  panel.replaceChildren(
    make("h2", {}, fileName(picture.path)),
    button(picture.path, acts.onCopyPath, { className: "path", title: "Copy the path (c)" }),
    list,
    ...copies(picture, acts),
    ...words(picture),
    button(folder ? `Everything in ${folder}` : "Everything in this folder", () => acts.onFolder(picture, folder), { className: "plain" }),
  );
}

function known(picture) {
  const facts = [["Size", `${count(picture.width)} × ${count(picture.height)}, ${bytes(picture.size)}`]];
  if (picture.format) facts.push(["Kind", picture.format]);
  if (picture.shownAs) facts.push(["Shown", picture.shownAs]);
  if (picture.taken_at) facts.push(["Taken", `${moment(picture.taken_at)}${FROM[picture.date_source] ?? ""}`]);
  else if (picture.modified_at) facts.push(["Changed", moment(picture.modified_at)]);
  if (picture.damage) facts.push(["Damaged", picture.damage]);
  if (picture.collection) facts.push(["Collection", picture.collection]);
  if (picture.rank) facts.push(["Rank", count(picture.rank)]);
  if (Number.isFinite(picture.score)) facts.push(["Score", `${decimal(picture.score, 3)} (${strength(picture)})`]);
  return facts;
}

function strength(picture) {
  const words = picture.weak ? "weak" : "strong";
  return `${words}: ${decimal(picture.strength, 1)} deviations above the mean`;
}

/** Where the same file lies once more. */
function copies(picture, { onCopyPath }) {
  const paths = picture.copy_paths ?? [];
  if (!paths.length) return [];
  const one = (path) => make("li", {}, button(path, () => onCopyPath({ ...picture, path }), { className: "path", title: "Copy the path" }));
  return [make("h3", {}, "The same file is also here"), make("ul", { className: "copies" }, ...paths.map(one))];
}

function words(picture) {
  if (!Array.isArray(picture.text) || !picture.text.length) return [];
  const lines = picture.text.map((line) => make("li", {}, line.text));
  return [make("h3", {}, "Words in the picture"), make("ul", { className: "words" }, ...lines)];
}

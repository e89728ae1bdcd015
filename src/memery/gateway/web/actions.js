// What can be done with pictures, by name: with one of them, or with all that are selected.

import { asked } from "./state/url-state.js";
import { download } from "./api/client.js";
import { copyPicture, copyText } from "./widgets/clipboard.js";
import { contactSheet, save } from "./widgets/contact-sheet.js";
import { copy as largestCopy } from "./viewer/image-source.js";
import { MOST_TERMS, withTerm } from "./state/terms.js";
import { counted, fileName } from "./widgets/format.js";

/**
 * @param {{state, change, tell, collections, onNamed, onRelated, onSelect}} page the state and how it
 *   changes, what shows a passing word, the folders served, and what hears of pictures that become
 *   chips or are selected
 */
export function pictureActs({ state, change, tell, collections, onNamed, onRelated, onSelect }) {
  function related(pictures, boost, { replaces = false } = {}) {
    for (const { id, path } of pictures) onNamed(id, fileName(path));
    if (state().terms.length < MOST_TERMS) onRelated();
    const terms = pictures.map(({ id }) => ({ kind: "image", value: id, boost }));
    if (replaces) change({ terms, draft: "", picture: null });
    else change({ terms: terms.reduce(withTerm, state().terms), picture: null });
  }

  function whole({ collection, path }) {
    const folder = collections().find((one) => one.name === collection)?.path;
    return folder ? `${folder.replace(/\/$/, "")}/${path}` : path;
  }

  async function paths(pictures) {
    const all = pictures.map(whole);
    const isDone = await copyText(all.join("\n"));
    const what = all.length === 1 ? all[0] : `${counted(all.length, "path")}.`;
    tell(isDone ? `Copied ${what}` : "The browser does not allow copying here.");
  }

  async function sheet(pictures) {
    const words = asked(state()).filter((term) => term.kind === "text").map((term) => term.value);
    try {
      save(await contactSheet(pictures, words.join(", ") || "memery"));
    } catch (problem) {
      tell(problem.message);
    }
  }

  async function copy(picture) {
    try {
      await copyPicture([picture.image_url, largestCopy(picture)]);
      tell("Copied the picture.");
    } catch (problem) {
      tell(problem.message);
    }
  }

  function fetched(picture) {
    const link = document.createElement("a");
    link.href = download(picture);
    link.download = fileName(picture.path);
    link.click();
  }

  return {
    similar: (picture, event) => related([picture], 1, { replaces: !event?.shiftKey }),
    less: (picture) => related([picture], -1),
    more: (pictures) => related(pictures, 1),
    fewer: (pictures) => related(pictures, -1),
    select: onSelect,
    path: (picture) => paths([picture]),
    paths,
    sheet,
    copy,
    download: fetched,
  };
}

// What can be done with images: with one of them, or with all that are selected.

/** @import { ListedImage, Term } from "./types.d.ts" */
/** @import { Selection } from "./grid/selection.js" */
/** @import { ServerStatus } from "./state/server-status.js" */
/** @import { Store } from "./state/store.js" */
/** @import { TermNames } from "./state/term-names.js" */

import { downloadUrl } from "./api/client.js";
import { messageOf } from "./api/problem.js";
import { MAX_TERMS, withTerm } from "./state/terms.js";
import { activeTerms } from "./state/url-state.js";
import { largestCopy } from "./viewer/image-source.js";
import { copyImage, copyText } from "./widgets/clipboard.js";
import { contactSheet, saveFile } from "./widgets/contact-sheet.js";
import { counted, fileName } from "./widgets/format.js";

/** @typedef {"similar" | "less" | "path" | "copy" | "download"} ImageActionName actions with one image */

export class Actions {
  #store;
  #server;
  #selection;
  #names;
  #toast;

  /**
   * @param {Store} store
   * @param {ServerStatus} server
   * @param {Selection} selection
   * @param {TermNames} names
   * @param {(text: string) => void} toast shows a message for a few seconds
   */
  constructor(store, server, selection, names, toast) {
    this.#store = store;
    this.#server = server;
    this.#selection = selection;
    this.#names = names;
    this.#toast = toast;
  }

  /**
   * Calls the action that a button or key names; unknown names do nothing.
   * @param {string} name
   * @param {ListedImage} image
   * @param {{shiftKey?: boolean}} [event]
   */
  run(name, image, event) {
    /** @type {Record<ImageActionName, () => void>} */
    const actions = {
      similar: () => this.similar(image, !event?.shiftKey),
      less: () => this.less([image]),
      path: () => this.copyPaths([image]),
      copy: () => this.copyImage(image),
      download: () => this.download(image),
    };
    if (Object.hasOwn(actions, name)) actions[/** @type {ImageActionName} */ (name)]();
  }

  /**
   * Searches for images like one.
   * @param {ListedImage} image
   * @param {boolean} isNewSearch whether it replaces the search, or is added to it
   */
  similar(image, isNewSearch) {
    if (!isNewSearch) return this.more([image]);
    this.#prepare([image]);
    this.#store.change({ terms: [imageTerm(image, 1)], draft: "", imageId: null });
  }

  /**
   * Adds images to the search.
   * @param {ListedImage[]} images
   */
  more(images) {
    this.#addTerms(images, 1);
  }

  /**
   * Adds images to the search as negative terms.
   * @param {ListedImage[]} images
   */
  less(images) {
    this.#addTerms(images, -1);
  }

  /** @param {ListedImage[]} images */
  async copyPaths(images) {
    const paths = images.map((image) => this.#fullPath(image));
    const isDone = await copyText(paths.join("\n"));
    const what = paths.length === 1 ? paths[0] : `${counted(paths.length, "path")}.`;
    this.#toast(isDone ? `Copied ${what}` : "The browser does not allow copying here.");
  }

  /** @param {ListedImage} image */
  async copyImage(image) {
    try {
      await copyImage([image.image_url, largestCopy(image)]);
      this.#toast("Copied the image.");
    } catch (error) {
      this.#toast(messageOf(error));
    }
  }

  /** @param {ListedImage} image */
  download(image) {
    const link = document.createElement("a");
    link.href = downloadUrl(image);
    link.download = fileName(image.path);
    link.click();
  }

  /** @param {ListedImage[]} images */
  async saveContactSheet(images) {
    const texts = activeTerms(this.#store.state).filter((term) => term.kind === "text").map((term) => term.value);
    try {
      saveFile(await contactSheet(images, texts.join(", ") || "memery"));
    } catch (error) {
      this.#toast(messageOf(error));
    }
  }

  /**
   * Shows all images of a folder.
   * @param {string} collection
   * @param {string} folder "" for the whole collection
   */
  showFolder(collection, folder) {
    const isOneOfSeveral = this.#server.collections.length > 1;
    const filters = { ...(isOneOfSeveral ? { collection } : {}), ...(folder ? { under: folder } : {}) };
    this.#store.change({ terms: [], draft: "", imageId: null, filters });
  }

  /**
   * @param {ListedImage[]} images
   * @param {1 | -1} boost
   */
  #addTerms(images, boost) {
    this.#prepare(images);
    const terms = images.map((image) => imageTerm(image, boost));
    this.#store.change({ terms: terms.reduce(withTerm, this.#store.state.terms), imageId: null });
  }

  /** @param {ListedImage[]} images that become terms */
  #prepare(images) {
    for (const { id, path } of images) this.#names.set(id, fileName(path));
    if (this.#store.state.terms.length < MAX_TERMS) this.#selection.clear();
  }

  /**
   * The path with the folder of its collection, if the server tells it.
   * @param {ListedImage} image
   */
  #fullPath({ collection, path }) {
    const folder = this.#server.collections.find((one) => one.name === collection)?.path;
    return folder ? `${folder.replace(/\/$/, "")}/${path}` : path;
  }
}

/**
 * @param {ListedImage} image
 * @param {1 | -1} boost
 * @returns {Term}
 */
function imageTerm({ id }, boost) {
  return { kind: "image", value: id, boost };
}

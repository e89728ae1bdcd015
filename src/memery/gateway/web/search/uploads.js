// Images from outside the page: dropped, pasted or picked. And images dragged from the grid.

import { upload } from "../api/client.js";
import { messageOf } from "../api/problem.js";
import { DRAG_TYPE } from "../grid/pointer-input.js";

/**
 * @typedef {object} UploadListeners
 * @property {(id: string, name: string) => void} onUpload an image was uploaded
 * @property {(id: string) => void} onImage an image of the grid was dropped
 * @property {(text: string) => void} onError
 */

/**
 * Accepts images anywhere in the page.
 * @param {{button: HTMLButtonElement, input: HTMLInputElement, veil: HTMLElement}} elements
 *   the button that opens the file dialog, its file input, and what covers the page during a drag
 * @param {UploadListeners} listeners
 */
export function acceptImages({ button, input, veil }, listeners) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    uploadAll([...(input.files ?? [])], listeners);
    input.value = "";
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    uploadAll(files, listeners);
  });
  acceptDrops(veil, listeners);
}

/**
 * @param {HTMLElement} veil
 * @param {UploadListeners} listeners
 */
function acceptDrops(veil, listeners) {
  let depth = 0; // of the elements that the pointer has entered
  const showVeil = (/** @type {boolean} */ isShown) => {
    veil.hidden = !isShown;
    if (!isShown) depth = 0;
  };
  document.addEventListener("dragenter", (event) => {
    if (!isAccepted(event)) return;
    depth += 1;
    showVeil(true);
  });
  document.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) showVeil(false);
  });
  document.addEventListener("dragover", (event) => {
    if (!isAccepted(event) || !event.dataTransfer) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    showVeil(false);
    if (!isAccepted(event) || !event.dataTransfer) return;
    event.preventDefault();
    drop(event.dataTransfer, listeners);
  });
}

/** @param {DragEvent} event */
function isAccepted({ dataTransfer }) {
  return ["Files", DRAG_TYPE, "text/uri-list"].some((type) => dataTransfer?.types.includes(type));
}

/**
 * @param {DataTransfer} data
 * @param {UploadListeners} listeners
 */
function drop(data, listeners) {
  const id = data.getData(DRAG_TYPE);
  if (id) listeners.onImage(id);
  else if (data.files.length) uploadAll([...data.files], listeners);
  else listeners.onError("This is a link to an image. Copy the image itself and paste it here, or save it first.");
}

/**
 * @param {File[]} files
 * @param {UploadListeners} listeners
 */
async function uploadAll(files, listeners) {
  for (const file of files) {
    try {
      const { id } = await upload(file); // eslint-disable-line no-await-in-loop -- terms keep the files' order
      listeners.onUpload(id, file.name || "image");
    } catch (error) {
      listeners.onError(`Cannot search by “${file.name || "image"}”: ${messageOf(error)}`);
    }
  }
}

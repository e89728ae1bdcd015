// Pictures that come from outside: dropped, pasted or picked. And results dragged into the field.

import { upload } from "../api/client.js";

export const DRAGGED = "application/x-memery-image";

/**
 * Listens for pictures all over the page.
 * @param {{button: HTMLButtonElement, input: HTMLInputElement, veil: HTMLElement}} elements
 * @param {{onUpload, onImage, onProblem}} options what gets the ids of uploads and of results, and
 *   what is told when something is no picture
 */
export function receive({ button, input, veil }, options) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    send([...input.files], options);
    input.value = "";
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    send(files, options);
  });
  let depth = 0;
  const shown = (isShown) => {
    veil.hidden = !isShown;
    if (!isShown) depth = 0;
  };
  document.addEventListener("dragenter", (event) => {
    if (!takes(event)) return;
    depth += 1;
    shown(true);
  });
  document.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) shown(false);
  });
  document.addEventListener("dragover", (event) => {
    if (!takes(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    shown(false);
    if (!takes(event)) return;
    event.preventDefault();
    drop(event.dataTransfer, options);
  });
}

function takes({ dataTransfer }) {
  return ["Files", DRAGGED, "text/uri-list"].some((type) => dataTransfer?.types.includes(type));
}

function drop(data, options) {
  const id = data.getData(DRAGGED);
  if (id) options.onImage(id);
  else if (data.files.length) send([...data.files], options);
  else options.onProblem("That is a link to a picture. Copy the picture itself and paste it here, or save it first.");
}

async function send(files, options) {
  for (const file of files) {
    try {
      const { id } = await upload(file);
      options.onUpload(id, file.name || "picture");
    } catch (error) {
      options.onProblem(`“${file.name || "The picture"}” cannot be searched with: ${error.message}`);
    }
  }
}

// Copying texts and images. Browsers allow more on https and localhost than elsewhere.

/**
 * Copies a text.
 * @param {string} text
 * @returns {Promise<boolean>} whether the browser allowed it
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

/**
 * Copies an image as PNG, the one format that every browser takes.
 * @param {string[]} urls of the same image; the first that the browser can decode is used
 */
export async function copyImage(urls) {
  if (!globalThis.ClipboardItem || !navigator.clipboard?.write) {
    throw new Error("This browser copies images only on https or localhost. Download the image instead.");
  }
  // Safari requires the promise inside the item, so that the click still counts as the cause.
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png(urls) })]);
}

/**
 * @param {string[]} urls
 * @returns {Promise<Blob>}
 */
async function png([url, ...others]) {
  const response = await fetch(url);
  const bitmap = await createImageBitmap(await response.blob()).catch(() => null);
  if (!bitmap && others.length) return png(others);
  if (!bitmap) throw new Error("This browser cannot decode the image, so it cannot copy it. Download the image instead.");
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The image is too large to copy."))), "image/png");
  });
}

/**
 * Copies a text by selecting it in a hidden text area.
 * @param {string} text
 */
function copySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  const owner = document.querySelector("dialog[open]") ?? document.body;
  const focused = document.activeElement;
  owner.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isDone;
}

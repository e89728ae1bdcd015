// Copying: words and pictures. Browsers allow more on https and localhost than elsewhere.

/** Copies words; answers whether that was allowed. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** Copies a picture as PNG, the one kind that every browser takes: of the first address that it can show. */
export async function copyPicture(addresses) {
  if (!globalThis.ClipboardItem || !navigator.clipboard?.write) {
    throw new Error("This browser copies pictures only on https or localhost. Download it instead.");
  }
  // Safari wants the promise inside the item, so that the click still counts.
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png(addresses) })]);
}

async function png([address, ...others]) {
  const response = await fetch(address);
  const bitmap = await createImageBitmap(await response.blob()).catch(() => null);
  if (!bitmap && others.length) return png(others);
  if (!bitmap) throw new Error("This browser cannot show the picture, so it cannot copy it. Download it instead.");
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large to copy."))), "image/png");
  });
}

function copySelected(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  const owner = document.querySelector("dialog[open]") ?? document.body;
  const before = document.activeElement;
  owner.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  before?.focus?.();
  return isDone;
}

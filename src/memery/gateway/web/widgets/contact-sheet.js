// A contact sheet: one HTML file that contains its images.

/** @import { ListedImage } from "../types.d.ts" */

import { thumbnail } from "../api/client.js";
import { counted, fileName } from "./format.js";

const STYLE = `body{margin:2rem;font:14px/1.4 system-ui,sans-serif;background:#fff;color:#222}
h1{font-size:1.2rem;font-weight:600}main{display:flex;flex-wrap:wrap;gap:12px}
figure{margin:0;break-inside:avoid}img{display:block;height:200px;max-width:100%}
figcaption{max-width:20em;margin-top:4px;font-size:12px;color:#555;overflow-wrap:anywhere}`;
const SIDE = 640; // px: longer side of an image at least
/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/**
 * Makes the contact sheet of some images.
 * @param {ListedImage[]} images
 * @param {string} title
 */
export async function contactSheet(images, title) {
  const figures = [];
  for (const image of images) figures.push(await figure(image)); // eslint-disable-line no-await-in-loop -- the server limits concurrency
  const heading = escapeHtml(`${title} (${counted(images.length, "image")})`);
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${heading}</title><style>${STYLE}</style>
<h1>${heading}</h1><main>${figures.join("\n")}</main></html>`;
  return new File([html], "contact-sheet.html", { type: "text/html" });
}

/**
 * Adds a file to the browser's downloads.
 * @param {File} file
 */
export function saveFile(file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {string} text */
export function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** @param {ListedImage} image */
async function figure(image) {
  const response = await fetch(thumbnail(image, SIDE));
  if (!response.ok) throw new Error(`“${fileName(image.path)}” has no thumbnail.`);
  const url = await dataUrl(await response.blob());
  return `<figure><img src="${escapeHtml(url)}" alt="${escapeHtml(fileName(image.path))}"><figcaption>${escapeHtml(image.path)}</figcaption></figure>`;
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}

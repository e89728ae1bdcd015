// A contact sheet: one HTML file that holds its pictures and needs nothing else.

import { thumbnail } from "../api/client.js";
import { counted, fileName } from "./format.js";

const STYLE = `body{margin:2rem;font:14px/1.4 system-ui,sans-serif;background:#fff;color:#222}
h1{font-size:1.2rem;font-weight:600}main{display:flex;flex-wrap:wrap;gap:12px}
figure{margin:0;break-inside:avoid}img{display:block;height:200px;max-width:100%}
figcaption{max-width:20em;margin-top:4px;font-size:12px;color:#555;overflow-wrap:anywhere}`;

/** The sheet of some pictures, as a file. */
export async function contactSheet(pictures, title) {
  const figures = [];
  for (const picture of pictures) figures.push(await figure(picture));
  const heading = `${title} (${counted(pictures.length, "picture")})`;
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(heading)}</title><style>${STYLE}</style>
<h1>${escaped(heading)}</h1><main>${figures.join("\n")}</main></html>`;
  return new File([html], "contact-sheet.html", { type: "text/html" });
}

/** Hands a file to the browser's downloads. */
export function save(file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function figure(picture) {
  const response = await fetch(thumbnail(picture, 640));
  if (!response.ok) throw new Error(`There is no small copy of “${fileName(picture.path)}”.`);
  const address = await dataAddress(await response.blob());
  return `<figure><img src="${escaped(address)}" alt="${escaped(fileName(picture.path))}"><figcaption>${escaped(picture.path)}</figcaption></figure>`;
}

function dataAddress(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text) => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign]);

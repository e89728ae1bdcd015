// What the viewer shows of an image: the file itself, or a copy if the browser cannot show its format.

/** @import { ListedImage } from "../types.d.ts" */

import { thumbnail } from "../api/client.js";
import { make } from "../widgets/dom.js";

const COPY_SIDE = 1280; // px: longer side of the largest copy

/**
 * Media types of the formats that only some browsers show, by the server's names.
 * @type {Record<string, string>}
 */
const UNCOMMON = { TIFF: "image/tiff", HEIF: "image/heic", AVIF: "image/avif", PPM: "image/x-portable-anymap" };

/**
 * Loads an image as large as this browser can show it. The browser itself chooses between file and
 * copy by the media type, so that it does not load a file that it cannot show.
 * @param {ListedImage} listed
 */
export function loadLargest(listed) {
  const type = UNCOMMON[listed.format];
  const image = make("img", { decoding: "async" });
  make("picture", {}, type ? make("source", { type, srcset: listed.image_url }) : null, image);
  image.src = type ? largestCopy(listed) : listed.image_url;
  return image;
}

/**
 * The URL of the largest copy: WebP, which every browser shows.
 * @param {ListedImage} listed
 */
export function largestCopy(listed) {
  return thumbnail(listed, COPY_SIDE);
}

/**
 * Why a loaded image is a copy; "" if it is the file.
 * @param {HTMLImageElement} image from `loadLargest`
 * @param {ListedImage} listed
 */
export function copyReason(image, listed) {
  if (image.currentSrc !== new URL(largestCopy(listed), document.baseURI).href) return "";
  const isSmaller = Math.max(listed.width, listed.height) > COPY_SIDE;
  const format = listed.format === "HEIF" ? "HEIC" : listed.format;
  return `${isSmaller ? "Smaller copy" : "Copy"}: this browser cannot show ${format}. Download the file for the original.`;
}

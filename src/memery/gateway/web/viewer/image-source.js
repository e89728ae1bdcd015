// What a browser shows of a picture: the file itself, or a copy where it does not show the kind.

import { thumbnail } from "../api/client.js";
import { make } from "../widgets/dom.js";

const LARGEST = 1280; // px: the longer side of the largest copy
const DOUBTFUL = { TIFF: "image/tiff", HEIF: "image/heic", AVIF: "image/avif", PPM: "image/x-portable-anymap" };

/**
 * An element that fetches a picture as large as this browser can show it. The browser itself chooses,
 * by the kind: a file that it does not show is not fetched for nothing.
 * @returns {HTMLPictureElement}
 */
export function largest(picture) {
  const kind = DOUBTFUL[picture.format];
  const image = make("img", { decoding: "async" });
  const whole = make("picture", {}, kind ? make("source", { type: kind, srcset: picture.image_url }) : null, image);
  image.src = kind ? copy(picture) : picture.image_url;
  return whole;
}

/** The largest copy: WebP, which every browser shows. */
export const copy = (picture) => thumbnail(picture, LARGEST);

/** A sentence if what an element from `largest` shows is a copy, by reason of the picture's kind. */
export function shownAs(image, picture) {
  if (image.currentSrc !== new URL(copy(picture), document.baseURI).href) return "";
  const isSmaller = Math.max(picture.width, picture.height) > LARGEST;
  const kind = picture.format === "HEIF" ? "HEIC" : picture.format;
  return `${isSmaller ? "Shown smaller" : "Shown as a copy"}: this browser does not show ${kind}. Download gives the original.`;
}

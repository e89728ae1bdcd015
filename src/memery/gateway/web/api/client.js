// REST client: every request goes through here, and every failure becomes a Problem. Requests that
// only read are retried while the server is busy.

/** @import { CollectionDocument, FacetsDocument, FactsDocument, ImageDocument, ImagesDocument, JobDocument, ProblemDocument, SearchDocument, SkipsDocument, StatusDocument, UploadDocument } from "../types.d.ts" */

import { isAbort, Problem } from "./problem.js";
import { retry } from "./retry.js";

/**
 * @typedef {(problem: Problem, delay: number) => void} WaitListener called before each retry
 * @typedef {{signal?: AbortSignal, onWait?: WaitListener}} RequestOptions
 */

const GATEWAY_ERRORS = new Set([502, 504]); // a proxy's answer if the server does not answer
const THUMBNAIL_SIZES = [160, 320, 640, 1280];
const connection = new EventTarget();

/**
 * Calls `listener` whenever a request gets no answer.
 * @param {() => void} listener
 */
export const onConnectionLost = (listener) => connection.addEventListener("lost", listener);

/**
 * The absolute URL of a path below the page, wherever the server is mounted.
 * @param {string} path
 */
export const resolve = (path) => new URL(path, document.baseURI).href;

/** @type {(parameters: URLSearchParams, options?: RequestOptions) => Promise<SearchDocument>} */
export const search = (parameters, options) => get("v1/search", parameters, options);
/** @type {(parameters: URLSearchParams, options?: RequestOptions) => Promise<ImagesDocument>} */
export const browse = (parameters, options) => get("v1/images", parameters, options);
/** @type {(parameters: URLSearchParams, options?: RequestOptions) => Promise<FacetsDocument>} */
export const facets = (parameters, options) => get("v1/facets", parameters, options);
/** @type {(id: string, options?: RequestOptions) => Promise<FactsDocument>} */
export const image = (id, options) => get(`v1/images/${encodeURIComponent(id)}`, undefined, options);
/** @type {() => Promise<CollectionDocument[]>} */
export const collections = () => get("v1/collections");
/** @type {() => Promise<StatusDocument>} */
export const status = () => get("v1/status");
/** @type {() => Promise<JobDocument[]>} */
export const jobs = () => get("v1/index");
export const startIndexing = () => request("v1/index", { method: "POST" });
export const stopIndexing = () => request("v1/index", { method: "DELETE" });

/** @type {(id: string, count: number, options?: RequestOptions) => Promise<SearchDocument>} */
export const similar = (id, count, options) =>
  get(`v1/images/${encodeURIComponent(id)}/similar`, new URLSearchParams({ top_k: String(count) }), options);

/** @type {(offset: number, count: number) => Promise<SkipsDocument>} */
export const skipped = (offset, count) =>
  get("v1/skipped", new URLSearchParams({ offset: String(offset), top_k: String(count) }));

/**
 * Uploads an image, which the server keeps for this session.
 * @param {File} file
 * @returns {Promise<UploadDocument>}
 */
export function upload(file) {
  const body = new FormData();
  body.append("image", file, file.name || "image");
  return request("v1/uploads", { method: "POST", body });
}

/** @param {string} id */
export const uploadThumbnail = (id) => resolve(`v1/uploads/${encodeURIComponent(id)}/thumbnail`);

/** @param {string} id */
export const thumbnailOf = (id) => `v1/thumbnails/${encodeURIComponent(id)}`;

/**
 * The URL of the smallest thumbnail whose longer side has at least `side` pixels, else of the largest.
 * @param {Pick<ImageDocument, "thumbnail_url">} listed
 * @param {number} side
 */
export function thumbnail(listed, side) {
  const size = THUMBNAIL_SIZES.find((one) => one >= side) ?? THUMBNAIL_SIZES.at(-1);
  return `${listed.thumbnail_url}?size=${size}`;
}

/** @param {ImageDocument} listed */
export const downloadUrl = (listed) => `${listed.image_url}?download=1`;

/**
 * @param {string} path
 * @param {URLSearchParams} [parameters]
 * @param {RequestOptions} [options]
 */
function get(path, parameters, options = {}) {
  const query = parameters ? `?${parameters}` : "";
  return retry(() => request(path + query, { signal: options.signal }), options);
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(resolve(path), { credentials: "same-origin", ...options });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw connectionLost();
  }
  if (GATEWAY_ERRORS.has(response.status)) throw connectionLost();
  const answer = await json(response);
  if (!response.ok) throw problemFrom(response, answer);
  return answer;
}

function connectionLost() {
  connection.dispatchEvent(new Event("lost"));
  return new Problem(0, "memery does not answer.");
}

/**
 * The JSON of a response, or null if it has none.
 * @param {Response} response
 */
async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    return null;
  }
}

/**
 * @param {Response} response
 * @param {ProblemDocument | null} answer
 */
function problemFrom(response, answer) {
  const errors = Array.isArray(answer?.errors) ? answer.errors : [];
  const detail = answer?.detail || answer?.title || `The server answered ${response.status}.`;
  return new Problem(response.status, String(detail), errors, retryAfter(response.headers.get("Retry-After")));
}

/**
 * Seconds of a Retry-After header: a number of them, or a date (RFC 9110, 10.2.3).
 * @param {string | null} header
 */
function retryAfter(header) {
  if (header === null) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}

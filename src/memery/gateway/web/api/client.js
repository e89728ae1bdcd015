// The server: every request goes through here, and every failure comes out as a Problem. What only
// asks is patient with a server that has too much to do.

import { patiently } from "./retry.js";

const AWAY = [502, 504]; // what a proxy answers in the place of a server that does not
const losses = new EventTarget();

/** What went wrong: `status` 0 means that there was no answer. */
export class Problem extends Error {
  constructor(status, message, errors = [], retryAfter = 0) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter; // seconds
  }

  /** Whether it passes by itself: too many requests, or more to do than can be done. */
  get passes() {
    return this.status === 429 || this.status === 503;
  }
}

/** Calls `act` whenever a request stays without an answer. */
export const whenLost = (act) => losses.addEventListener("lost", act);

/** An address of the server, wherever it is mounted. */
export const at = (path) => new URL(path, document.baseURI).href;

export const search = (parameters, signal, onWait) => get("v1/search", parameters, signal, onWait);
export const browse = (parameters, signal, onWait) => get("v1/images", parameters, signal, onWait);
export const facets = (parameters, signal) => get("v1/facets", parameters, signal);
export const image = (id, signal) => get(`v1/images/${encodeURIComponent(id)}`, null, signal);
export const collections = () => get("v1/collections");
export const status = () => get("v1/status");
export const jobs = () => get("v1/index");
export const startIndexing = () => request("v1/index", { method: "POST" });
export const stopIndexing = () => request("v1/index", { method: "DELETE" });

export function similar(id, count, signal) {
  return get(`v1/images/${encodeURIComponent(id)}/similar`, { top_k: count }, signal);
}

export function skipped(offset, count) {
  return get("v1/skipped", { offset, top_k: count });
}

/** Keeps a picture with the server for this session; answers its id. */
export function upload(file) {
  const body = new FormData();
  body.append("image", file, file.name || "picture");
  return request("v1/uploads", { method: "POST", body });
}

export const uploadThumbnail = (id) => at(`v1/uploads/${encodeURIComponent(id)}/thumbnail`);

/** The address of a small copy whose longer side has at least so many pixels, if there is one. */
export function thumbnail(picture, side) {
  const size = [160, 320, 640, 1280].find((one) => one >= side) ?? 1280;
  return `${picture.thumbnail_url}?size=${size}`;
}

export const download = (picture) => `${picture.image_url}?download=1`;

function get(path, parameters, signal, onWait) {
  const query = parameters ? `?${new URLSearchParams(parameters)}` : "";
  return patiently(() => request(path + query, { signal }), { signal, onWait });
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(at(path), { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw lost();
  }
  if (AWAY.includes(response.status)) throw lost();
  const answer = await json(response);
  if (!response.ok) throw problem(response, answer);
  return answer;
}

function lost() {
  losses.dispatchEvent(new Event("lost"));
  return new Problem(0, "memery does not answer.");
}

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

function problem(response, answer) {
  const errors = Array.isArray(answer?.errors) ? answer.errors : [];
  const detail = answer?.detail || answer?.title || `The server answered ${response.status}.`;
  return new Problem(response.status, String(detail), errors, seconds(response.headers.get("Retry-After")));
}

/** Retry-After as seconds: it is a number of them, or a date (RFC 9110, 10.2.3). */
function seconds(header) {
  const wait = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}

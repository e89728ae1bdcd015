// The server: every request goes through here, and every failure comes out as a Problem.

/** What went wrong: `status` 0 means that there was no answer; `passes` that it will by itself. */
export class Problem extends Error {
  constructor(status, message, errors = [], passes = false) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.errors = errors;
    this.passes = passes;
  }
}

/** An address of the server, wherever it is mounted. */
export const at = (path) => new URL(path, document.baseURI).href;

export const search = (parameters, signal) => get("v1/search", parameters, signal);
export const browse = (parameters, signal) => get("v1/images", parameters, signal);
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
  const size = [160, 320, 640].find((one) => one >= side) ?? 640;
  return `${picture.thumbnail_url}?size=${size}`;
}

export const download = (picture) => `${picture.image_url}?download=1`;

function get(path, parameters, signal) {
  const query = parameters ? `?${new URLSearchParams(parameters)}` : "";
  return request(path + query, { signal });
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(at(path), { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "memery does not answer.");
  }
  const answer = await json(response);
  if (!response.ok) throw problem(response, answer);
  return answer;
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
  return new Problem(response.status, String(detail), errors, response.headers.has("Retry-After"));
}

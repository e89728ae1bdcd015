// Failed requests.

/** @import { FieldError } from "../types.d.ts" */

/** A failed request. */
export class Problem extends Error {
  /**
   * @param {number} status the HTTP status, or 0 if there was no answer
   * @param {string} message
   * @param {FieldError[]} errors invalid fields
   * @param {number} retryAfter seconds
   */
  constructor(status, message, errors = [], retryAfter = 0) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later: too many requests, or a busy server. */
  get isTemporary() {
    return this.status === 429 || this.status === 503;
  }
}

/** @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

/**
 * The HTTP status of a failed request; 0 without an answer, undefined for any other error.
 * @param {unknown} error
 */
export const statusOf = (error) => (error instanceof Problem ? error.status : undefined);

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

// The state of the server: its folders, model and indexing jobs. It listens to the stream of progress
// while the page is visible; a hidden tab would occupy one of the browser's few connections.

/** @import { CollectionDocument, JobDocument, Progress, StatusDocument } from "../types.d.ts" */

import { collections, jobs, onConnectionLost, resolve, status } from "../api/client.js";
import { statusOf } from "../api/problem.js";
import { Emitter } from "./emitter.js";

const RUNNING = new Set(["waiting", "indexing", "reading"]);
const RECONNECT = 3000; // ms

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);

export class ServerStatus {
  /** @type {StatusDocument | null} */
  facts = null;
  /** @type {CollectionDocument[]} */
  collections = [];
  isOffline = false;

  /** @type {Emitter<[]>} */
  changed = new Emitter();
  /** @type {Emitter<[]>} */
  started = new Emitter(); // when the status is known
  /** @type {Emitter<[]>} */
  grown = new Emitter(); // when the number of indexed images has changed
  /** @type {Emitter<[]>} */
  wentOffline = new Emitter();
  /** @type {Emitter<[]>} */
  wentOnline = new Emitter();
  /** @type {Emitter<[]>} */
  tokenRequired = new Emitter();

  /** @type {Map<string, JobDocument>} */
  #jobs = new Map(); // by collection
  /** @type {EventSource | null} */
  #events = null;
  #timer = 0;
  #hasStarted = false;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#listen());
    onConnectionLost(() => this.#lost());
  }

  /** Number of images that searches find now. */
  get searchable() {
    if (!this.#jobs.size) return this.facts?.images ?? 0;
    return sum([...this.#jobs.values()].map((job) => job.searchable ?? 0));
  }

  get skipped() {
    return Math.max(this.facts?.skipped ?? 0, ...[...this.#jobs.values()].map((job) => job.skipped ?? 0));
  }

  get isIndexing() {
    return this.#running.length > 0;
  }

  /** @returns {Progress} */
  get progress() {
    const running = this.#running;
    return {
      done: sum(running.map((job) => job.done ?? 0)),
      total: sum(running.map((job) => job.total ?? 0)),
      eta: Math.max(0, ...running.map((job) => job.eta_seconds ?? 0)),
      isReading: running.length > 0 && running.every((job) => job.state === "reading"),
    };
  }

  /** What all running jobs wait for, or "". */
  get waitReason() {
    const running = this.#running;
    const isWaiting = running.length > 0 && running.every((job) => job.state === "waiting");
    return (isWaiting && running.find((job) => job.message)?.message) || "";
  }

  /** Why a job failed, or "". */
  get failure() {
    return [...this.#jobs.values()].find((job) => job.state === "failed")?.message ?? "";
  }

  /** Asks for everything once, then listens. After a failure it may be called again. */
  async start() {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    try {
      const [facts, states, found] = await Promise.all([status(), jobs(), collections()]);
      this.facts = facts;
      this.#jobs = new Map(states.map((job) => [job.collection, job]));
      this.collections = found;
    } catch (error) {
      this.#hasStarted = false;
      if ([401, 403].includes(statusOf(error) ?? 0)) this.tokenRequired.emit();
      return;
    }
    this.changed.emit();
    this.#listen();
    this.started.emit();
  }

  get #running() {
    return [...this.#jobs.values()].filter((job) => RUNNING.has(job.state));
  }

  /** A request got no answer: the server is asked until it answers. */
  #lost() {
    if (this.isOffline) return;
    this.isOffline = true;
    this.wentOffline.emit();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), RECONNECT);
  }

  #listen() {
    clearTimeout(this.#timer);
    if (document.hidden) {
      this.#close();
      return;
    }
    if (this.#events && this.#events.readyState !== EventSource.CLOSED) return;
    this.#events = new EventSource(resolve("v1/index/events"));
    this.#events.addEventListener("open", () => this.#online());
    this.#events.addEventListener("progress", (event) => this.#progress(JSON.parse(event.data)));
    this.#events.addEventListener("error", () => this.#check());
  }

  #close() {
    this.#events?.close();
    this.#events = null;
  }

  /** @param {JobDocument} job */
  #progress(job) {
    const before = this.#jobs.get(job.collection);
    const wasIndexing = this.isIndexing;
    this.#jobs.set(job.collection, job);
    if (before?.searchable !== job.searchable) this.grown.emit();
    if (wasIndexing && !this.isIndexing) this.#refresh();
    this.changed.emit();
  }

  async #refresh() {
    try {
      this.facts = await status();
      this.changed.emit();
      this.grown.emit();
    } catch {
      this.#check();
    }
  }

  /** The stream broke: is the server gone, or only the stream? */
  async #check() {
    this.#close();
    try {
      this.facts = await status();
      this.#online();
    } catch (error) {
      if (statusOf(error) === 401) {
        this.tokenRequired.emit(); // it was restarted with another token
        return;
      }
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.isOffline ? this.#check() : this.#listen()), RECONNECT);
  }

  #online() {
    if (!this.isOffline) return;
    this.isOffline = false;
    this.changed.emit();
    this.wentOnline.emit();
  }
}

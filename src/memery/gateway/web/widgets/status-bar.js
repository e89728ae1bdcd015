// The one line of state: how many pictures, which model, how far indexing is. It listens while the
// page is in sight; a hidden tab would keep one of the browser's few connections for nothing.

import { at, jobs, status } from "../api/client.js";
import { button, make } from "./dom.js";
import { count, counted, duration, percent } from "./format.js";

const RUNNING = new Set(["waiting", "indexing", "reading"]);
const AGAIN = 3000; // ms until a server that does not answer is asked once more

export class Status {
  #line;
  #acts;
  #facts = null;
  #jobs = new Map();
  #events = null;
  #note = "";
  #again = 0;
  isOffline = false;

  /**
   * @param {HTMLElement} line
   * @param {{onGrown, onOnline, onOffline, onToken, onIndex, onStop, onSkipped, onModel}} acts what
   *   hears that there is more to find, that the server answers again, not, or only with its token,
   *   and of the line's buttons
   */
  constructor(line, acts) {
    this.#line = line;
    this.#acts = acts;
    document.addEventListener("visibilitychange", () => this.#listen());
  }

  get facts() {
    return this.#facts;
  }

  /** Images that can be found now. */
  get searchable() {
    const running = [...this.#jobs.values()];
    if (!running.length) return this.#facts?.images ?? 0;
    return running.reduce((sum, job) => sum + (job.searchable ?? 0), 0);
  }

  get skipped() {
    return Math.max(this.#facts?.skipped ?? 0, ...[...this.#jobs.values()].map((job) => job.skipped ?? 0), 0);
  }

  get isIndexing() {
    return [...this.#jobs.values()].some((job) => RUNNING.has(job.state));
  }

  /** How far the first indexing is: { done, total }. */
  get progress() {
    const running = [...this.#jobs.values()].filter((job) => RUNNING.has(job.state));
    const sum = (name) => running.reduce((total, job) => total + (job[name] ?? 0), 0);
    return { done: sum("done"), total: sum("total"), eta: Math.max(0, ...running.map((job) => job.eta_seconds ?? 0)), isReading: running.length > 0 && running.every((job) => job.state === "reading") };
  }

  /** Asks for everything, then listens. Throws what the server answers instead. */
  async start() {
    const [facts, states] = await Promise.all([status(), jobs()]);
    this.#facts = facts;
    this.#jobs = new Map(states.map((job) => [job.collection, job]));
    this.draw();
    this.#listen();
  }

  /** A request stayed without an answer: the server is asked until it answers again. */
  lost() {
    if (this.isOffline) return;
    this.isOffline = true;
    this.#acts.onOffline();
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#check(), AGAIN);
  }

  /** A word about the search at hand, before everything else. */
  say(note) {
    this.#note = note;
    this.draw();
  }

  draw() {
    if (!this.#facts) return;
    const parts = [make("span", { className: "note" }, this.#note || counted(this.searchable, "image"))];
    parts.push(make("span", { className: "model" }, this.#facts.model_id ?? "no model", this.#better()));
    if (this.isIndexing) parts.push(make("span", {}, ...this.#running()));
    else if (this.#failed()) parts.push(make("span", { className: "failed" }, this.#failed()));
    if (this.#away()) parts.push(make("span", { className: "failed" }, this.#away()));
    if (this.skipped) parts.push(part(`${count(this.skipped)} skipped`, this.#acts.onSkipped));
    if (this.#facts.index_allowed && !this.isIndexing) parts.push(part("Update", this.#acts.onIndex, "Look for new and changed pictures"));
    const focused = this.#line.contains(document.activeElement) ? document.activeElement.textContent : null;
    this.#line.replaceChildren(...parts);
    [...this.#line.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  #better() {
    const { better_model: name } = this.#facts;
    return name ? button("get a better model", () => this.#acts.onModel(name), { className: "plain" }) : null;
  }

  #running() {
    const stop = this.#facts.index_allowed ? [button("Stop", this.#acts.onStop, { className: "plain" })] : [];
    const held = this.#held();
    if (held) return [make("span", {}, held), ...stop];
    const { done, total, eta, isReading } = this.progress;
    const what = isReading ? "reading text" : "indexing";
    const share = percent(done, total);
    const bar = make("progress", { max: Math.max(1, total), value: done, "aria-label": what });
    const parts = [make("span", {}, total ? `${what} ${share} %` : `${what} …`), bar];
    if (eta) parts.push(make("span", {}, duration(eta)));
    return [...parts, ...stop];
  }

  /** What the jobs wait for, when none of them is at work. */
  #held() {
    const running = [...this.#jobs.values()].filter((job) => RUNNING.has(job.state));
    return running.every((job) => job.state === "waiting") ? running.find((job) => job.message)?.message : null;
  }

  /** Which folders cannot be reached now. */
  #away() {
    const names = this.#facts.unavailable ?? [];
    return names.length ? `${names.join(", ")} cannot be reached: is the disk connected?` : "";
  }

  #failed() {
    return [...this.#jobs.values()].find((job) => job.state === "failed")?.message ?? "";
  }

  #listen() {
    clearTimeout(this.#again);
    if (document.hidden) {
      this.#events?.close();
      this.#events = null;
      return;
    }
    if (this.#events && this.#events.readyState !== EventSource.CLOSED) return;
    this.#events = new EventSource(at("v1/index/events"));
    this.#events.addEventListener("open", () => this.#online());
    this.#events.addEventListener("progress", (event) => this.#progress(JSON.parse(event.data)));
    this.#events.addEventListener("error", () => this.#check());
  }

  #progress(job) {
    const before = this.#jobs.get(job.collection);
    const wasRunning = this.isIndexing;
    this.#jobs.set(job.collection, job);
    if (before?.searchable !== job.searchable) this.#acts.onGrown();
    if (wasRunning && !this.isIndexing) this.#refresh();
    this.draw();
  }

  async #refresh() {
    try {
      this.#facts = await status();
      this.draw();
      this.#acts.onGrown();
    } catch {
      this.#check();
    }
  }

  /** The stream broke: is the server gone, or only the stream? */
  async #check() {
    this.#events?.close();
    this.#events = null;
    try {
      this.#facts = await status();
      this.#online();
    } catch (error) {
      if (error.status === 401) return this.#acts.onToken(); // restarted with another token
    }
    clearTimeout(this.#again);
    this.#again = setTimeout(() => (this.isOffline ? this.#check() : this.#listen()), AGAIN);
  }

  #online() {
    if (!this.isOffline) return;
    this.isOffline = false;
    this.draw();
    this.#acts.onOnline();
  }
}

function part(label, act, title) {
  return make("span", {}, button(label, act, { className: "plain", title }));
}

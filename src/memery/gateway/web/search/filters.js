// Folder, date, kind and order: one button each, its choices with counts.

import { filterParameters } from "../state/url-state.js";
import { facets } from "../api/client.js";
import { button, make } from "../widgets/dom.js";
import { hang } from "../widgets/menu.js";
import { count, span, yearOf } from "../widgets/format.js";

const MANY = 12; // choices that need no field to find one among them
const SHAPES = { landscape: "Landscape", portrait: "Portrait", square: "Square" };
const TEXT = { true: "With text", false: "Without text" };
const MODES = { visual: "What they show", text: "Words in them" };
const SORTS = { date: "Newest first", name: "By name" };

export class Filters {
  #bar;
  #toggle;
  #onChange;
  #filters = {};
  #buttons = {};
  #clear;
  #collections = [];
  #isSearch = false;

  /**
   * @param {HTMLElement} bar
   * @param {HTMLButtonElement} toggle shows and hides the bar
   * @param {function(object): void} onChange gets the new filters
   */
  constructor(bar, toggle, onChange) {
    this.#bar = bar;
    this.#toggle = toggle;
    this.#onChange = onChange;
    toggle.addEventListener("click", () => this.#open(bar.hidden));
    this.#add("collection", "Collection", (panel) => this.#choices(panel, "collection", this.#collections.map(({ name, searchable }) => [name, name, searchable])));
    this.#add("under", "Folder", (panel) => this.#fromFacets(panel, ["under"], (found) => this.#folders(panel, found.folders)));
    this.#add("date", "Date", (panel) => this.#fromFacets(panel, ["since", "until"], (found) => this.#dates(panel, found.months)));
    this.#add("ext", "Type", (panel) => this.#fromFacets(panel, ["ext"], (found) => this.#types(panel, found.types)));
    this.#add("orientation", "Shape", (panel) => this.#choices(panel, "orientation", Object.entries(SHAPES)));
    this.#add("has_text", "Text", (panel) => this.#choices(panel, "has_text", Object.entries(TEXT)));
    this.#add("mode", "Look at", (panel) => this.#choices(panel, "mode", Object.entries(MODES), "Both"));
    this.#add("sort", "Order", (panel) => this.#orders(panel));
    this.#clear = button("Clear", () => this.#change({}), { className: "plain" });
    bar.append(this.#clear);
  }

  set collections(collections) {
    this.#collections = collections;
    this.#buttons.collection.hidden = collections.length < 2;
  }

  /** Shows the filters of a state; where nothing is searched for, there are no words to look at. */
  show(filters, isSearch) {
    this.#filters = filters;
    this.#isSearch = isSearch;
    this.#buttons.mode.hidden = !isSearch;
    const isOn = Object.keys(filters).length > 0;
    const { since, until } = filters;
    const values = {
      ...filters,
      date: since === until ? since && span(since) : [since && `from ${span(since)}`, until && `to ${span(until)}`].filter(Boolean).join(" "),
      ext: filters.ext?.join(", "),
      orientation: SHAPES[filters.orientation],
      has_text: TEXT[filters.has_text],
      mode: MODES[filters.mode],
      sort: SORTS[filters.sort],
    };
    for (const [name, one] of Object.entries(this.#buttons)) {
      const value = values[name];
      one.textContent = value ? `${one.dataset.label}: ${value}` : one.dataset.label;
      one.classList.toggle("on", Boolean(value));
    }
    this.#clear.hidden = !isOn;
    this.#toggle.classList.toggle("on", isOn);
    if (isOn) this.#open(true);
  }

  #open(isOpen) {
    this.#bar.hidden = !isOpen;
    this.#toggle.setAttribute("aria-expanded", String(isOpen));
  }

  #add(name, label, fill) {
    const owner = button(label, null);
    owner.dataset.label = label;
    this.#buttons[name] = owner;
    this.#bar.append(owner, hang(owner, make("div", { className: "choices", role: "group", "aria-label": label }), fill));
  }

  #change(filters) {
    for (const panel of this.#bar.querySelectorAll(":popover-open")) panel.hidePopover();
    this.#onChange(filters);
  }

  #set(changes) {
    const filters = { ...this.#filters, ...changes };
    for (const [name, value] of Object.entries(filters)) if (!value || value.length === 0) delete filters[name];
    this.#change(filters);
  }

  /** Asks for the counts under all the other filters, then fills the panel. */
  async #fromFacets(panel, own, fill) {
    panel.replaceChildren(make("p", {}, "Counting …"));
    const others = Object.fromEntries(Object.entries(this.#filters).filter(([name]) => !own.includes(name) && !["mode", "sort"].includes(name)));
    try {
      fill(await facets(filterParameters(others)));
    } catch (problem) {
      panel.replaceChildren(make("p", {}, problem.message));
    }
  }

  #choices(panel, name, entries, any = "Any") {
    const chosen = this.#filters[name];
    panel.replaceChildren(
      choice(any, null, !chosen, () => this.#set({ [name]: null })),
      ...entries.map(([value, label, number]) => choice(label, number, chosen === value, () => this.#set({ [name]: value }))),
    );
  }

  #orders(panel) {
    if (this.#isSearch) this.#choices(panel, "sort", Object.entries(SORTS), "Best first");
    else this.#choices(panel, "sort", [["name", SORTS.name]], SORTS.date);
  }

  #folders(panel, folders) {
    this.#choices(panel, "under", folders.filter(({ name }) => name).map(({ name, count: number }) => [name, name, number]));
    if (folders.length > MANY) panel.prepend(finder(panel));
  }

  #types(panel, types) {
    const chosen = this.#filters.ext ?? [];
    const toggled = (name) => (chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
    panel.replaceChildren(
      choice("Any", null, !chosen.length, () => this.#set({ ext: null })),
      ...types.map(({ name, count: number }) => choice(name, number, chosen.includes(name), () => this.#set({ ext: toggled(name) }))),
    );
  }

  #dates(panel, months) {
    const { since, until } = this.#filters;
    const chosen = since === until ? since : undefined;
    const entry = (name, label, number, className) => choice(label, number, chosen === name, () => this.#set({ since: name, until: name }), className);
    const years = new Map();
    for (const { name, count: number } of months) years.set(name.slice(0, 4), (years.get(name.slice(0, 4)) ?? 0) + number);
    const list = [...years].flatMap(([year, number]) => [
      entry(year, yearOf(year), number, "year"),
      ...months.filter(({ name }) => name.startsWith(year)).map((one) => entry(one.name, span(one.name), one.count)),
    ]);
    panel.replaceChildren(this.#span(since, until), choice("Any", null, !since && !until, () => this.#set({ since: null, until: null })), ...list);
  }

  #span(since = "", until = "") {
    const day = (value) => (/^\d{4}-\d{2}-\d{2}$/.test(value) ? value : "");
    const from = make("input", { type: "date", value: day(since) });
    const to = make("input", { type: "date", value: day(until) });
    const act = (event) => {
      event.preventDefault();
      this.#set({ since: from.value, until: to.value });
    };
    return make("form", { className: "span", on: { submit: act } }, make("label", {}, "From ", from), make("label", {}, "to ", to), make("button", {}, "Show"));
  }
}

function choice(label, number, isChosen, act, className = "") {
  const parts = [make("span", {}, label), Number.isFinite(number) ? make("span", { className: "count" }, count(number)) : null];
  return make("button", { type: "button", className, "aria-pressed": String(isChosen), on: { click: act } }, ...parts);
}

function finder(panel) {
  const input = make("input", { type: "search", placeholder: "Find a folder", "aria-label": "Find a folder" });
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase();
    for (const one of panel.querySelectorAll("button")) one.hidden = !one.firstElementChild.textContent.toLowerCase().includes(words);
  });
  return input;
}

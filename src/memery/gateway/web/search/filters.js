// The filters: folder, date, type and order. Each has a button, and its choices have counts.

/** @import { CollectionDocument, CountDocument, FacetsDocument, FilterValues, PageState } from "../types.d.ts" */

import { facets } from "../api/client.js";
import { messageOf } from "../api/problem.js";
import { activeTerms, filterParameters } from "../state/url-state.js";
import { button, make } from "../widgets/dom.js";
import { count, period } from "../widgets/format.js";
import { attach } from "../widgets/menu.js";

const MANY_FOLDERS = 12; // more have a field to find one
/** @typedef {Record<string, string>} Labels by value */
/** @type {Labels} */
const SHAPES = { landscape: "Landscape", portrait: "Portrait", square: "Square" };
/** @type {Labels} */
const TEXT = { true: "With text", false: "Without text" };
/** @type {Labels} */
const MODES = { visual: "Image content", text: "Text in images" };
/** @type {Labels} */
const SORTS = { date: "Newest first", name: "By name" };

/** Labels of the buttons, by filter. */
const LABELS = {
  collection: "Collection",
  under: "Folder",
  date: "Date",
  ext: "Type",
  orientation: "Shape",
  has_text: "Text",
  mode: "Search in",
  sort: "Order",
};

/** @typedef {keyof typeof LABELS} FilterName */
/** @typedef {Exclude<keyof FilterValues, "ext">} SingleFilter filters with one value */
/** @typedef {[value: string, label: string, count?: number]} Choice */

export class Filters {
  #bar;
  #toggle;
  #onChange;
  /** @type {FilterValues} */
  #filters = {};
  /** @type {Record<FilterName, HTMLButtonElement>} */
  #buttons;
  #clear;
  /** @type {CollectionDocument[]} */
  #collections = [];
  #isSearch = false;

  /**
   * @param {HTMLElement} bar
   * @param {HTMLButtonElement} toggle shows and hides the bar
   * @param {(filters: FilterValues) => void} onChange
   */
  constructor(bar, toggle, onChange) {
    this.#bar = bar;
    this.#toggle = toggle;
    this.#onChange = onChange;
    toggle.addEventListener("click", () => this.#setOpen(Boolean(bar.hidden)));
    this.#buttons = {
      collection: this.#add("collection", (panel) => this.#fillCollections(panel)),
      under: this.#add("under", (panel) => this.#loadFacets(panel, ["under"], ({ folders }) => this.#fillFolders(panel, folders))),
      date: this.#add("date", (panel) => this.#loadFacets(panel, ["since", "until"], ({ months }) => this.#fillDates(panel, months))),
      ext: this.#add("ext", (panel) => this.#loadFacets(panel, ["ext"], ({ types }) => this.#fillTypes(panel, types))),
      orientation: this.#add("orientation", (panel) => this.#fill(panel, "orientation", Object.entries(SHAPES))),
      has_text: this.#add("has_text", (panel) => this.#fill(panel, "has_text", Object.entries(TEXT))),
      mode: this.#add("mode", (panel) => this.#fill(panel, "mode", Object.entries(MODES), "Both")),
      sort: this.#add("sort", (panel) => this.#fillSorts(panel)),
    };
    this.#clear = button("Clear", () => this.#change({}), { className: "plain" });
    bar.append(this.#clear);
  }

  /** @param {CollectionDocument[]} collections */
  setCollections(collections) {
    this.#collections = collections;
    this.#buttons.collection.hidden = collections.length < 2;
  }

  /**
   * Shows the filters of a state. The choice of mode is for searches only.
   * @param {PageState} state
   */
  show(state) {
    const { filters } = state;
    this.#filters = filters;
    this.#isSearch = activeTerms(state).length > 0;
    this.#buttons.mode.hidden = !this.#isSearch;
    const isFiltered = Object.keys(filters).length > 0;
    const values = displayedValues(filters);
    for (const [name, one] of Object.entries(this.#buttons)) {
      const label = LABELS[/** @type {FilterName} */ (name)];
      const value = values[/** @type {FilterName} */ (name)];
      one.textContent = value ? `${label}: ${value}` : label;
      one.classList.toggle("on", Boolean(value));
    }
    this.#clear.hidden = !isFiltered;
    this.#toggle.classList.toggle("on", isFiltered);
    if (isFiltered) this.#setOpen(true);
  }

  /** @param {boolean} isOpen */
  #setOpen(isOpen) {
    this.#bar.hidden = !isOpen;
    this.#toggle.setAttribute("aria-expanded", String(isOpen));
  }

  /**
   * Adds a filter's button and its panel, which is filled each time it opens.
   * @param {FilterName} name
   * @param {(panel: HTMLElement) => void} fill
   */
  #add(name, fill) {
    const label = LABELS[name];
    const owner = button(label, null);
    this.#bar.append(owner, attach(owner, make("div", { className: "choices", role: "group", "aria-label": label }), fill));
    return owner;
  }

  /** @param {FilterValues} filters */
  #change(filters) {
    for (const panel of this.#bar.querySelectorAll(":popover-open")) if (panel instanceof HTMLElement) panel.hidePopover();
    this.#onChange(filters);
  }

  /**
   * Changes some filters; an empty value removes one.
   * @param {FilterValues} changes
   */
  #set(changes) {
    const filters = Object.entries({ ...this.#filters, ...changes }).filter(([, value]) => value?.length);
    this.#change(Object.fromEntries(filters));
  }

  /**
   * Fills a panel with counts under all other filters.
   * @param {HTMLElement} panel
   * @param {(keyof FilterValues)[]} own the panel's own filters
   * @param {(found: FacetsDocument) => void} fill
   */
  async #loadFacets(panel, own, fill) {
    panel.replaceChildren(make("p", {}, "Counting …"));
    const others = { ...this.#filters };
    for (const name of own) delete others[name];
    delete others.mode;
    delete others.sort;
    try {
      fill(await facets(filterParameters(others)));
    } catch (error) {
      panel.replaceChildren(make("p", {}, messageOf(error)));
    }
  }

  /**
   * Fills a panel with the choices of a filter.
   * @param {HTMLElement} panel
   * @param {SingleFilter} name
   * @param {Choice[]} choices
   * @param {string} any label of the choice that removes the filter
   */
  #fill(panel, name, choices, any = "Any") {
    const chosen = this.#filters[name];
    panel.replaceChildren(
      choiceButton(any, undefined, !chosen, () => this.#set({ [name]: undefined })),
      ...choices.map(([value, label, number]) => choiceButton(label, number, chosen === value, () => this.#set({ [name]: value }))),
    );
  }

  /** @param {HTMLElement} panel */
  #fillCollections(panel) {
    this.#fill(panel, "collection", this.#collections.map(({ name, searchable }) => [name, name, searchable]));
  }

  /** @param {HTMLElement} panel */
  #fillSorts(panel) {
    if (this.#isSearch) this.#fill(panel, "sort", Object.entries(SORTS), "Best first");
    else this.#fill(panel, "sort", [["name", SORTS.name]], SORTS.date);
  }

  /**
   * @param {HTMLElement} panel
   * @param {CountDocument[]} folders
   */
  #fillFolders(panel, folders) {
    this.#fill(panel, "under", folders.filter(({ name }) => name).map(({ name, count: number }) => [name, name, number]));
    if (folders.length > MANY_FOLDERS) panel.prepend(folderSearch(panel));
  }

  /**
   * @param {HTMLElement} panel
   * @param {CountDocument[]} types
   */
  #fillTypes(panel, types) {
    const chosen = this.#filters.ext ?? [];
    const toggled = (/** @type {string} */ name) => (chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
    panel.replaceChildren(
      choiceButton("Any", undefined, !chosen.length, () => this.#set({ ext: undefined })),
      ...types.map(({ name, count: number }) => choiceButton(name, number, chosen.includes(name), () => this.#set({ ext: toggled(name) }))),
    );
  }

  /**
   * @param {HTMLElement} panel
   * @param {CountDocument[]} months
   */
  #fillDates(panel, months) {
    const { since, until } = this.#filters;
    const chosen = since === until ? since : undefined;
    const entry = (/** @type {CountDocument} */ { name, count: number }, className = "") =>
      choiceButton(period(name), number, chosen === name, () => this.#set({ since: name, until: name }), className);
    const list = countByYear(months).flatMap((year) => [
      entry(year, "year"),
      ...months.filter(({ name }) => name.startsWith(year.name)).map((month) => entry(month)),
    ]);
    const any = choiceButton("Any", undefined, !since && !until, () => this.#set({ since: undefined, until: undefined }));
    panel.replaceChildren(this.#dateForm(since, until), any, ...list);
  }

  /**
   * A form for the first and the last day.
   * @param {string} since
   * @param {string} until
   */
  #dateForm(since = "", until = "") {
    const from = dateInput(since);
    const to = dateInput(until);
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#set({ since: from.value, until: to.value });
    };
    return make("form", { className: "span", on: { submit } }, make("label", {}, "From ", from), make("label", {}, "to ", to), make("button", {}, "Show"));
  }
}

/**
 * The text that each button shows after its label.
 * @param {FilterValues} filters
 * @returns {Partial<Record<FilterName, string>>}
 */
function displayedValues(filters) {
  const { since, until } = filters;
  const range = [since && `from ${period(since)}`, until && `to ${period(until)}`].filter(Boolean).join(" ");
  return {
    collection: filters.collection,
    under: filters.under,
    date: since === until ? since && period(since) : range,
    ext: filters.ext?.join(", "),
    orientation: SHAPES[filters.orientation ?? ""],
    has_text: TEXT[filters.has_text ?? ""],
    mode: MODES[filters.mode ?? ""],
    sort: SORTS[filters.sort ?? ""],
  };
}

/**
 * A date input; a value that is not a day is left out.
 * @param {string} value
 */
function dateInput(value) {
  return make("input", { type: "date", value: /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : "" });
}

/**
 * Numbers of images by year, in the order of the months.
 * @param {CountDocument[]} months
 * @returns {CountDocument[]}
 */
export function countByYear(months) {
  const years = new Map();
  for (const { name, count: number } of months) {
    const year = name.slice(0, 4);
    years.set(year, (years.get(year) ?? 0) + number);
  }
  return [...years].map(([name, number]) => ({ name, count: number }));
}

/**
 * @param {string} label
 * @param {number | undefined} number
 * @param {boolean} isChosen
 * @param {() => void} act
 * @param {string} className
 */
function choiceButton(label, number, isChosen, act, className = "") {
  const parts = [make("span", {}, label), number === undefined ? null : make("span", { className: "count" }, count(number))];
  return make("button", { type: "button", className, "aria-pressed": String(isChosen), on: { click: act } }, ...parts);
}

/**
 * A field that finds folders in a panel by a part of their name.
 * @param {HTMLElement} panel
 */
function folderSearch(panel) {
  const input = make("input", { type: "search", placeholder: "Find a folder", "aria-label": "Find a folder" });
  input.addEventListener("input", () => {
    const part = input.value.toLowerCase();
    for (const one of panel.querySelectorAll("button")) one.hidden = !one.firstElementChild?.textContent.toLowerCase().includes(part);
  });
  return input;
}

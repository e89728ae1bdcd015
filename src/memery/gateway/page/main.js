// The page: what happens when the state changes, and what changes it. Everything else is a part.

import { pictureActs } from "./acts.js";
import * as address from "./address.js";
import * as api from "./api.js";
import { hangSettings, showHelp, showModel, showSkipped } from "./dialogs.js";
import { Field } from "./field.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { gridActions } from "./hands.js";
import { listen } from "./keys.js";
import { failure, OFFLINE, say, sentenceFor, toast } from "./notices.js";
import { onPreference, preference } from "./preferences.js";
import { Results } from "./results.js";
import { Selection } from "./selection.js";
import { Status } from "./status.js";
import { withTerm } from "./terms.js";
import { counted, fileName } from "./texts.js";
import { Timeline } from "./timeline.js";
import { askForToken } from "./token.js";
import { receive } from "./uploads.js";
import { drawSigns, Viewer } from "./viewer.js";

const SLOW = 1000; // ms until a search says that it is still at it
const FEW = 60; // pictures: so many may be shown anew while indexing without anything jumping
const LONG = 24; // pictures: fewer are seen at a glance, without months beside them
const $ = (id) => document.getElementById(id);

let state = address.read();
let asked = null; // what the pictures shown answer, as parameters
let coming = null; // results that are under way
let collections = [];
const names = new Map(); // of pictures in chips, by id

history.scrollRestoration = "manual";
drawSigns(document);

const tell = (sentence) => toast($("toasts"), sentence);

const grid = new Grid($("grid"), $("header"), {
  href: (picture) => address.write({ ...state, picture: picture.id }),
  isSelected: (id) => selection.has(id),
  onMove: moved,
  onError: (problem) => say($("notice"), failure(problem), { label: "Try again", act: () => grid.arrange(), isError: true }),
});
const timeline = new Timeline($("months"), grid);
const filters = new Filters($("filters"), $("narrow"), (chosen) => change({ filters: chosen }));
const field = new Field($("field"), {
  // Words that become a chip are no new step: Back undoes the typing and the chip together.
  onTerms: (terms, draft) => change({ terms, draft }, state.draft.trim() && terms.length > state.terms.length ? "replace" : "push"),
  onDraft: (draft) => change({ draft }, state.draft.trim() ? "replace" : "push"),
  onDown: () => grid.go(grid.first, { focus: true }),
  nameOf: (term) => names.get(term.value) ?? "picture",
});
const selection = new Selection(
  $("selection"),
  {
    "Copy paths": (pictures) => acts.paths(pictures),
    "Contact sheet": (pictures) => acts.sheet(pictures),
    "More like these": (pictures) => acts.more(pictures),
    "Less like these": (pictures) => acts.fewer(pictures),
  },
  () => {
    grid.refresh();
    if (viewer.picture) viewer.mark(selection.has(viewer.picture.id));
  },
);
const acts = pictureActs({
  state: () => state,
  change,
  tell,
  collections: () => collections,
  onNamed: (id, name) => names.set(id, name),
  onRelated: () => selection.clear(),
  onSelect: (picture) => selection.toggle(picture, grid.results.indexOf(picture.id)),
});
const viewer = new Viewer($("viewer"), {
  acts,
  href: (picture) => address.write({ ...state, picture: picture.id }),
  onShow: shown,
  onClose: closed,
  onFolder: (picture, folder) => change({ terms: [], draft: "", picture: null, filters: collectionOf(picture, folder) }),
});
const status = new Status($("status"), {
  onGrown: grown,
  onOnline: online,
  onOffline: () => say($("notice"), OFFLINE, { isError: true }),
  onToken: () => askForToken($("notice")),
  onIndex: index,
  onStop: () => api.stopIndexing().catch((problem) => tell(failure(problem))),
  onSkipped: showSkipped,
  onModel: showModel,
});

const offers = {
  clear: { label: "Clear the filters", act: () => change({ filters: {} }) },
  skipped: { label: "See why", act: showSkipped },
  index: { label: "Look again", act: index },
};

function index() {
  api.startIndexing().catch((problem) => tell(failure(problem)));
}

/** Goes to another state; `how` says what becomes of the browser's history. */
function change(changes, how = "push") {
  keepPlace();
  state = { ...state, ...changes };
  const isNew = address.write(state) !== (location.search || location.pathname);
  if (how === "push" && isNew) address.push(state);
  else address.replace(state);
  render();
}

/** Makes the page show the state; nothing that is right already is touched. */
function render(place = null) {
  field.show(state);
  filters.show(state.filters, address.asked(state).length > 0);
  find(place);
  if (!state.picture) viewer.close();
  else if (viewer.picture?.id !== state.picture) open(state.picture);
}

async function find(place = null, isForced = false) {
  const parameters = address.request(state);
  if (parameters.toString() === asked && !isForced) return;
  asked = parameters.toString();
  coming?.abandon();
  const isSearch = address.asked(state).length > 0;
  const results = new Results(parameters, isSearch);
  results.asOf = status.facts ? status.searchable : null; // images there were when it was asked
  coming = results;
  $("grid").setAttribute("aria-busy", "true");
  const slow = setTimeout(() => status.say("Still looking …"), SLOW);
  try {
    await results.load(0);
    if (coming === results) answered(results, place, isForced);
  } catch (problem) {
    if (coming === results && problem.name !== "AbortError") failed(problem);
  } finally {
    clearTimeout(slow);
  }
}

function answered(results, place, isForced) {
  $("grid").setAttribute("aria-busy", "false");
  $("fresh").hidden = true;
  showMonths(results);
  grid.show(results, place ?? (isForced ? grid.place : null));
  timeline.draw();
  tellState(results);
  if (viewer.isOpen) viewer.relist(results);
  if (results.asOf !== null) grown(); // there may be more by now
}

function failed(problem) {
  asked = null;
  $("grid").setAttribute("aria-busy", "false");
  status.say("");
  if (problem.status === 401 || problem.status === 403) return askForToken($("notice"));
  const gone = problem.status === 404 && state.terms.some((term) => term.kind !== "text");
  const sentence = gone ? "A picture of this search is gone: memery was started anew, or the file was moved. Remove it from the field, or add it again." : failure(problem);
  say($("notice"), sentence, { label: "Try again", act: () => find(null, true), isError: true });
}

/** The line of state and the sentence above the pictures, for an answer. */
function tellState(results = grid.results) {
  if (!results) return;
  const isNarrowed = results.isSearch || address.filterParameters(state.filters).size > 0;
  const took = results.milliseconds === null ? "" : ` · ${Math.max(1, Math.round(results.milliseconds))} ms`;
  status.say(isNarrowed ? counted(results.total, "image") + took : "");
  $("heard").textContent = counted(results.total, "picture");
  if (status.isOffline) return;
  const { sentence, offer } = sentenceFor(results, { status, isNarrowed, terms: address.asked(state) });
  say($("notice"), sentence, offers[offer]);
}

/** Room for the months is made before the pictures are laid out: nothing moves when they come. */
async function showMonths(results) {
  const isWanted = hasMonths(results);
  document.body.classList.toggle("with-months", isWanted);
  if (!isWanted) return timeline.show([]);
  try {
    const { months } = await api.facets(address.filterParameters(state.filters));
    if (results === coming) timeline.show(months);
  } catch {
    timeline.show([]); // the months are an aid: without them the list is whole
  }
}

function hasMonths(results) {
  return !results.isSearch && !state.filters.sort && results.total >= LONG;
}

/** Indexing went on: few pictures are shown anew at once, many only when asked for. */
function grown() {
  const results = grid.results;
  if (!results || coming !== results) return;
  tellState(results);
  if ([results.total, results.asOf].includes(status.searchable)) return;
  if (!results.isSearch && results.total < FEW && !grid.element.contains(document.activeElement)) return void find(null, true);
  const more = status.searchable - results.total;
  $("fresh").textContent = more > 0 ? `Show ${counted(more, "new picture")}` : "Show what changed";
  $("fresh").hidden = address.filterParameters(state.filters).size > 0;
}

function online() {
  say($("notice"));
  if (asked === null || !grid.results) find(null, true);
  else tellState();
}

function moved() {
  timeline.moved();
  clearTimeout(moved.waiting);
  moved.waiting = setTimeout(keepPlace, 400);
}

function keepPlace() {
  clearTimeout(moved.waiting);
  if (grid.results && coming === grid.results) address.rememberPlace(grid.place);
}

/** Opens the picture that the address names; its place in the list is found if it is near. */
async function open(id) {
  const index = grid.results?.indexOf(id) ?? -1;
  if (index >= 0) return viewer.show(grid.results.at(index), grid.results);
  try {
    const picture = await api.image(id);
    if (state.picture === id) viewer.show(picture, grid.results);
  } catch (problem) {
    tell(problem.status === 404 ? "That picture is no longer here." : failure(problem));
    change({ picture: null }, "replace");
  }
}

/** The viewer went to a picture by itself. */
function shown(picture) {
  viewer.mark(selection.has(picture.id));
  if (state.picture === picture.id) return;
  state = { ...state, picture: picture.id };
  address.replace(state);
}

function closed() {
  const index = viewer.picture ? (grid.results?.indexOf(viewer.picture.id) ?? -1) : -1;
  if (address.cameFromHere()) history.back();
  else change({ picture: null }, "replace");
  if (index >= 0) viewer.whenClosed(() => grid.go(index, { focus: true }));
}

function addTerm(term) {
  change({ terms: withTerm(state.terms, term) });
}

function collectionOf({ collection }, folder) {
  return { ...(collections.length > 1 ? { collection } : {}), ...(folder ? { under: folder } : {}) };
}

gridActions($("grid"), grid, selection, {
  acts,
  open: (picture) => change({ picture: picture.id }),
  onUp: () => field.focus(),
  tell,
});
receive(
  { button: $("pick"), input: $("file"), veil: $("veil") },
  {
    onUpload: (id, name) => {
      names.set(id, name);
      addTerm({ kind: "upload", value: id, boost: 1 });
    },
    onImage: (id) => {
      names.set(id, fileName(grid.results?.at(grid.results.indexOf(id))?.path ?? "picture"));
      addTerm({ kind: "image", value: id, boost: 1 });
    },
    onProblem: tell,
  },
);
hangSettings($("settings"), showHelp);
listen(document, {
  "/": () => (viewer.isOpen ? undefined : (field.focus(), true)),
  "?": () => (showHelp(), true),
  Escape: () => (viewer.isOpen || selection.isEmpty ? undefined : (selection.clear(), true)),
});
$("fresh").addEventListener("click", () => {
  scrollTo(0, 0);
  find(null, true);
});
$("home").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  change({ terms: [], draft: "", filters: {}, picture: null });
});
addEventListener("popstate", () => {
  state = address.read();
  render(address.rememberedPlace());
});
addEventListener("pagehide", keepPlace);
onPreference((name) => {
  if (name === "height") grid.arrange();
  else if (name === "theme") applyTheme();
  else grid.refresh();
  timeline.draw();
});

function applyTheme() {
  const theme = preference("theme");
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

async function start() {
  render(address.rememberedPlace());
  try {
    const [, found] = await Promise.all([status.start(), api.collections()]);
    collections = found;
    filters.collections = found;
    tellState();
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) askForToken($("notice"));
    else if (problem.status === 0) setTimeout(start, 3000);
  }
}

start();

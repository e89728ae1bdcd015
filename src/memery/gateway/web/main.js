// The page: what happens when the state changes, and what changes it. Everything else is a part.

import { pictureActs } from "./actions.js";
import * as address from "./state/url-state.js";
import * as api from "./api/client.js";
import { Asking } from "./search/search-controller.js";
import { hangSettings, showHelp, showModel, showSkipped } from "./widgets/dialogs.js";
import { Field } from "./search/search-box.js";
import { Filters } from "./search/filters.js";
import { Grid } from "./grid/grid.js";
import { gridActions } from "./grid/pointer-input.js";
import { listen } from "./widgets/keyboard.js";
import { failure, FULL, OFFLINE, say, toast } from "./widgets/messages.js";
import { Opening } from "./viewer/viewer-controller.js";
import { onPreference } from "./state/preferences.js";
import { Selection } from "./grid/selection.js";
import { Status } from "./widgets/status-bar.js";
import { fitting, withTerm } from "./state/terms.js";
import { fileName } from "./widgets/format.js";
import { Timeline } from "./grid/timeline.js";
import { askForToken } from "./widgets/token-form.js";
import { receive } from "./search/uploads.js";
import { drawSigns, Viewer } from "./viewer/viewer.js";

const $ = (id) => document.getElementById(id);

let state = address.read();
let collections = [];
let hasBegun = false; // whether the server was asked for its status and collections
const names = new Map(); // of pictures in chips, by id

history.scrollRestoration = "manual";
api.whenLost(() => status.lost());
drawSigns(document);

const tell = (sentence) => toast($("toasts"), sentence);
const full = () => tell(FULL);

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
  nameOf,
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
  onShow: (picture) => {
    document.title = `${fileName(picture.path)} · memery`;
    viewer.mark(selection.has(picture.id));
    opening.shown(picture);
  },
  onClose: () => opening.close(),
  onFolder: (picture, folder) => change({ terms: [], draft: "", picture: null, filters: collectionOf(picture, folder) }),
});
const opening = new Opening({
  state: () => state,
  change,
  note: (changes) => address.replace((state = { ...state, ...changes })),
  tell,
  grid,
  viewer,
});
const status = new Status($("status"), {
  onGrown: () => asking.grown(),
  onOnline: resume,
  onOffline: () => say($("notice"), OFFLINE, { isError: true }),
  onToken: () => askForToken($("notice")),
  onIndex: index,
  onStop: () => api.stopIndexing().catch((problem) => tell(failure(problem))),
  onSkipped: showSkipped,
  onModel: showModel,
});

const asking = new Asking({
  state: () => state,
  grid,
  timeline,
  status,
  offers: {
    clear: { label: "Clear the filters", act: () => change({ filters: {} }) },
    skipped: { label: "See why", act: showSkipped },
    index: { label: "Look again", act: index },
  },
  pass: tell,
  onAnswer: () => {
    opening.place();
    begin(); // in case that had been given up
  },
});

function index() {
  api.startIndexing().catch((problem) => tell(failure(problem)));
}

/** Goes to another state; `how` says what becomes of the browser's history. */
function change(changes, how = "push") {
  keepPlace();
  state = fitting(address.following(state, changes), full);
  const isNew = address.write(state) !== (location.search || location.pathname);
  if (how === "push" && isNew) address.push(state);
  else address.replace(state);
  render();
}

/** Makes the page show the state; nothing that is right already is touched. */
function render(place = null) {
  if (!state.picture) document.title = titleOf(state);
  field.show(state);
  filters.show(state.filters, address.asked(state).length > 0);
  asking.find(place);
  opening.show();
}

function moved() {
  timeline.moved();
  clearTimeout(moved.waiting);
  moved.waiting = setTimeout(keepPlace, 400);
}

function keepPlace() {
  clearTimeout(moved.waiting);
  if (asking.isSettled) address.rememberPlace(grid.place);
}

function nameOf(term) {
  return term.kind === "text" ? term.value : (names.get(term.value) ?? "picture");
}

/** The tab's title: what is searched for, else the folder that is shown. */
function titleOf({ terms, draft, filters }) {
  const parts = address.asked({ terms, draft }).map((term) => (term.boost < 0 ? "−" : "") + nameOf(term));
  const view = parts.join(", ") || filters.under;
  return view ? `${view} · memery` : "memery";
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
  asking.find(null, true);
});
$("home").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  change({ terms: [], draft: "", filters: {}, picture: null });
});
addEventListener("popstate", () => {
  state = fitting(address.read(), full);
  render(address.rememberedPlace());
});
addEventListener("pagehide", keepPlace);
onPreference((name) => {
  if (name === "height") grid.arrange();
  else if (name !== "theme") grid.refresh();
  timeline.draw();
});

async function begin() {
  if (hasBegun) return;
  hasBegun = true;
  try {
    const [, found] = await Promise.all([status.start(), api.collections()]);
    collections = found;
    filters.collections = found;
    asking.informed();
  } catch (problem) {
    hasBegun = false;
    if (problem.status === 401 || problem.status === 403) askForToken($("notice"));
  }
}

/** The server answers again: what did not come is asked for once more. */
function resume() {
  begin();
  asking.resume();
  opening.show();
  viewer.retry();
}

function start() {
  state = fitting(state, full);
  render(address.rememberedPlace());
  begin();
}

start();

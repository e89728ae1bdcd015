// Composition of the page. State comes first, then the parts that show and change it, each made of
// parts that exist already; what happens between them is wired at the end.

import { Actions } from "./actions.js";
import { startIndexing, stopIndexing } from "./api/client.js";
import { Grid } from "./grid/grid.js";
import { PointerInput } from "./grid/pointer-input.js";
import { Selection, SelectionBar } from "./grid/selection.js";
import { Timeline } from "./grid/timeline.js";
import { Filters } from "./search/filters.js";
import { failureMessage, OFFLINE, showMessage, toast, TOO_MANY_TERMS } from "./search/messages.js";
import { SearchBox } from "./search/search-box.js";
import { SearchController } from "./search/search-controller.js";
import { acceptImages } from "./search/uploads.js";
import { ServerStatus } from "./state/server-status.js";
import { Store } from "./state/store.js";
import { TermNames } from "./state/term-names.js";
import { Viewer } from "./viewer/viewer.js";
import { ViewerController } from "./viewer/viewer-controller.js";
import { attachSettings, showHelp, showModel, showSkipped } from "./widgets/dialogs.js";
import { byId, drawIcons } from "./widgets/dom.js";
import { fileName } from "./widgets/format.js";
import { onKeys } from "./widgets/keyboard.js";
import { StatusBar } from "./widgets/status-bar.js";
import { showTokenForm } from "./widgets/token-form.js";

const message = byId("notice", HTMLElement);
const notify = (/** @type {string} */ text) => toast(byId("toasts", HTMLElement), text);
const reportFailure = (/** @type {unknown} */ error) => notify(failureMessage(error));
const index = () => void startIndexing().catch(reportFailure);

// State
const store = new Store();
const server = new ServerStatus();
const selection = new Selection();
const names = new TermNames();
const actions = new Actions(store, server, selection, names, notify);
const href = (/** @type {{id: string}} */ image) => store.href({ imageId: image.id });

// Images
const gridElement = byId("grid", HTMLElement);
const grid = new Grid(gridElement, byId("header", HTMLElement), { href, selection });
const timeline = new Timeline(byId("months", HTMLElement), grid);
new SelectionBar(byId("selection", HTMLElement), selection, {
  "Copy paths": (images) => actions.copyPaths(images),
  "Contact sheet": (images) => actions.saveContactSheet(images),
  "More like these": (images) => actions.more(images),
  "Less like these": (images) => actions.less(images),
});
const viewer = new Viewer(byId("viewer", HTMLDialogElement), { actions, selection, href });
const viewerController = new ViewerController(store, grid, viewer, notify);

// Search
const statusBar = new StatusBar(byId("status", HTMLElement), server, {
  index,
  stop: () => void stopIndexing().catch(reportFailure),
  showSkipped,
  showModel,
});
const search = new SearchController({
  store,
  server,
  grid,
  timeline,
  statusBar,
  elements: { message, announcement: byId("heard", HTMLElement), refresh: byId("fresh", HTMLButtonElement) },
  offers: {
    clear: { label: "Clear the filters", act: () => store.change({ filters: {} }) },
    skipped: { label: "See why", act: showSkipped },
    index: { label: "Look again", act: index },
  },
  toast: notify,
});
const filters = new Filters(byId("filters", HTMLElement), byId("narrow", HTMLButtonElement), (chosen) => store.change({ filters: chosen }));
const searchBox = new SearchBox(byId("field", HTMLFormElement), names, {
  // A draft that becomes a chip is not a new step: Back undoes the typing and the chip together.
  onTerms: (terms, draft) => {
    const isFromDraft = store.state.draft.trim() && terms.length > store.state.terms.length;
    store.change({ terms, draft }, isFromDraft ? "replace" : "push");
  },
  onDraft: (draft) => store.change({ draft }, store.state.draft.trim() ? "replace" : "push"),
  onDown: () => grid.go(grid.first, { focus: true }),
});

// Input
new PointerInput(gridElement, grid, selection, {
  actions,
  open: (image) => store.change({ imageId: image.id }),
  leave: () => searchBox.focus(),
  toast: notify,
});
acceptImages(
  { button: byId("pick", HTMLButtonElement), input: byId("file", HTMLInputElement), veil: byId("veil", HTMLElement) },
  {
    onUpload: (id, name) => {
      names.set(id, name);
      store.addTerm({ kind: "upload", value: id, boost: 1 });
    },
    onImage: (id) => {
      names.set(id, fileName(grid.results?.at(grid.results.indexOf(id))?.path ?? "image"));
      store.addTerm({ kind: "image", value: id, boost: 1 });
    },
    onError: notify,
  },
);
attachSettings(byId("settings", HTMLButtonElement));
onKeys(document, {
  "/": () => {
    if (!viewer.isOpen) searchBox.focus();
    return !viewer.isOpen;
  },
  "?": () => {
    showHelp();
    return true;
  },
  Escape: () => {
    if (viewer.isOpen || selection.isEmpty) return false;
    selection.clear();
    return true;
  },
});
byId("home", HTMLAnchorElement).addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  store.change({ terms: [], draft: "", filters: {}, imageId: null });
});

// Events
store.full.on(() => notify(TOO_MANY_TERMS));
store.changed.on((place) => {
  const { state } = store;
  if (!state.imageId) document.title = names.title(state);
  searchBox.show(state);
  filters.show(state);
  search.show(place);
  viewerController.show();
});
search.answered.on(() => {
  viewerController.findPlace();
  server.start(); // if its first request failed
});
server.started.on(() => filters.setCollections(server.collections));
server.wentOffline.on(() => showMessage(message, OFFLINE, { isError: true }));
server.tokenRequired.on(() => showTokenForm(message));
server.wentOnline.on(() => {
  server.start();
  search.resume();
  viewerController.show();
  viewer.retry();
});

drawIcons(document);
store.load();
server.start();

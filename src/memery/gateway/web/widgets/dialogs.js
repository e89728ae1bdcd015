// The small dialogs: settings, skipped files, a better model, keyboard shortcuts.

import { skipped } from "../api/client.js";
import { messageOf } from "../api/problem.js";
import { preference, setPreference } from "../state/preferences.js";
import { copyText } from "./clipboard.js";
import { button, make } from "./dom.js";
import { counted } from "./format.js";
import { fillShortcuts } from "./keyboard.js";
import { attach } from "./menu.js";

const SKIPPED_PAGE = 100; // files per request
const THEMES = { system: "System", light: "Light", dark: "Dark" };

/**
 * Shows a dialog with a heading and a button to close it.
 * @param {string} title
 * @param {Node[]} children
 */
function dialog(title, ...children) {
  const one = make("dialog", { className: "sheet", "aria-label": title });
  const close = () => one.close();
  one.append(make("header", {}, make("h2", {}, title), button("Close", close, { className: "plain" })), ...children);
  one.addEventListener("click", (event) => {
    if (event.target === one) close();
  });
  one.addEventListener("close", () => one.remove());
  document.body.append(one);
  one.showModal();
}

export function showHelp() {
  const list = make("dl", { className: "keys" });
  fillShortcuts(list);
  dialog("Keyboard shortcuts", list);
}

/**
 * Shows how to install a better model.
 * @param {string} name
 */
export function showModel(name) {
  const commands = `memery models pull ${name}\nmemery build PATH --model ${name}`;
  dialog(
    "A better model",
    make("p", {}, `“${name}” gives better results. These two commands download it and index your images again; you can search meanwhile. Nothing is downloaded automatically.`),
    make("pre", { tabIndex: 0 }, commands),
    button("Copy", () => copyText(commands)),
  );
}

/** Shows the skipped files and their reasons, a page at a time. */
export function showSkipped() {
  const list = make("dl", { className: "skipped" });
  const note = make("p", { "aria-live": "polite" }, "Loading …");
  const more = button("Show more", null);
  let shown = 0;
  const showMore = async () => {
    try {
      const { skipped: files } = await skipped(shown, SKIPPED_PAGE);
      for (const { path, reason, detail } of files) list.append(make("dt", {}, path), make("dd", {}, detail ? `${reason}: ${detail}` : reason));
      shown += files.length;
      more.hidden = files.length < SKIPPED_PAGE;
      const again = shown === 1 ? "It is tried again when it changes." : "They are tried again when they change.";
      note.textContent = shown ? `${counted(shown, "file")} skipped. ${again}` : "No files were skipped.";
    } catch (error) {
      note.textContent = messageOf(error);
    }
  };
  more.addEventListener("click", showMore);
  dialog("Skipped files", note, list, more);
  showMore();
}

/**
 * Attaches the settings to their button.
 * @param {HTMLButtonElement} owner
 */
export function attachSettings(owner) {
  const panel = make("div", { className: "settings", role: "group", "aria-label": "Settings" });
  const size = make("input", { type: "range", min: 96, max: 400, step: 8, value: preference("height") });
  size.addEventListener("input", () => setPreference("height", Number(size.value)));
  panel.append(
    make("label", {}, "Image size", size),
    checkbox("names", "Show names"),
    checkbox("scores", "Show scores"),
    themes(),
    button("Keyboard shortcuts …", showHelp, { className: "plain" }),
  );
  owner.after(attach(owner, panel));
}

/**
 * @param {"names" | "scores"} name
 * @param {string} label
 */
function checkbox(name, label) {
  const box = make("input", { type: "checkbox", checked: preference(name) });
  box.addEventListener("change", () => setPreference(name, box.checked));
  return make("label", { className: "check" }, box, label);
}

function themes() {
  const choices = make("fieldset", {}, make("legend", {}, "Theme"));
  for (const [value, label] of Object.entries(THEMES)) {
    const radio = make("input", { type: "radio", name: "theme", value, checked: preference("theme") === value });
    radio.addEventListener("change", () => setPreference("theme", value));
    choices.append(make("label", { className: "check" }, radio, label));
  }
  return choices;
}

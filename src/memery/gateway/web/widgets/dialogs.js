// The small dialogs: settings, files that were skipped, the better model, the keys.

import { skipped } from "../api/client.js";
import { copyText } from "./clipboard.js";
import { button, make } from "./dom.js";
import { fillHelp } from "./keyboard.js";
import { hang } from "./menu.js";
import { prefer, preference } from "../state/preferences.js";
import { counted } from "./format.js";

const SKIPPED = 100;

/** A dialog with a heading and a way out. */
function dialog(title, ...children) {
  const close = () => one.close();
  const one = make(
    "dialog",
    { className: "sheet", "aria-label": title },
    make("header", {}, make("h2", {}, title), button("Close", close, { className: "plain" })),
    ...children,
  );
  one.addEventListener("click", (event) => event.target === one && close());
  one.addEventListener("close", () => one.remove());
  document.body.append(one);
  one.showModal();
  return one;
}

export function showHelp() {
  const list = make("dl", { className: "keys" });
  fillHelp(list);
  dialog("Keys", list);
}

/** How to get a model that is better than the one at work. */
export function showModel(name) {
  const commands = `memery models pull ${name}\nmemery build PATH --model ${name}`;
  dialog(
    "A better model",
    make("p", {}, `“${name}” understands more. These two commands download it once and look at your pictures anew; searching goes on meanwhile. Nothing is downloaded unasked.`),
    make("pre", { tabIndex: 0 }, commands),
    button("Copy", () => copyText(commands)),
  );
}

/** Files that could not be read, with reasons, a page at a time. */
export function showSkipped() {
  const list = make("dl", { className: "skipped" });
  const more = button("Show more", () => next());
  const note = make("p", { "aria-live": "polite" }, "Asking …");
  let shown = 0;
  async function next() {
    try {
      const found = await skipped(shown, SKIPPED);
      const files = Array.isArray(found) ? found : (found.skipped ?? []);
      for (const { path, reason, detail } of files) list.append(make("dt", {}, path), make("dd", {}, detail ? `${reason}: ${detail}` : reason));
      shown += files.length;
      more.hidden = files.length < SKIPPED;
      note.textContent = shown ? `${counted(shown, "file")} left out. They are tried again when they change.` : "Nothing was left out.";
    } catch (problem) {
      note.textContent = problem.message;
    }
  }
  dialog("Skipped files", note, list, more);
  next();
}

/** The panel of what someone likes, under its button. */
export function hangSettings(owner, onHelp) {
  const panel = make("div", { className: "settings", role: "group", "aria-label": "Settings" });
  const size = make("input", { type: "range", min: 96, max: 400, step: 8, value: preference("height") });
  size.addEventListener("input", () => prefer("height", Number(size.value)));
  const check = (name, label) => {
    const box = make("input", { type: "checkbox", checked: preference(name) });
    box.addEventListener("change", () => prefer(name, box.checked));
    return make("label", { className: "check" }, box, label);
  };
  const themes = make("fieldset", {}, make("legend", {}, "Colours"));
  for (const [value, label] of [["system", "System"], ["light", "Light"], ["dark", "Dark"]]) {
    const radio = make("input", { type: "radio", name: "theme", value, checked: preference("theme") === value });
    radio.addEventListener("change", () => prefer("theme", value));
    themes.append(make("label", { className: "check" }, radio, label));
  }
  panel.append(make("label", {}, "Size of pictures", size), check("names", "Show names"), check("scores", "Show scores"), themes, button("Keys …", onHelp, { className: "plain" }));
  owner.after(hang(owner, panel));
}

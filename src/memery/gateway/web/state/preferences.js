// Preferences, kept in this browser. They are not part of the URL.

const DEFAULTS = { theme: "system", height: 200, names: false, scores: false };
const KEY = "memery";
const changes = new EventTarget();
let current = { ...DEFAULTS, ...stored() };

/** @typedef {typeof DEFAULTS} Preferences */

/**
 * @template {keyof Preferences} K
 * @param {K} name
 */
export const preference = (name) => current[name];

/**
 * @template {keyof Preferences} K
 * @param {K} name
 * @param {Preferences[K]} value
 */
export function setPreference(name, value) {
  current = { ...current, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Without storage, preferences last until the page is closed.
  }
  if (name === "theme") applyTheme();
  changes.dispatchEvent(new CustomEvent("change", { detail: name }));
}

/** @param {(name: keyof Preferences) => void} listener */
export function onPreference(listener) {
  changes.addEventListener("change", (event) => {
    if (event instanceof CustomEvent) listener(event.detail);
  });
}

/** Does what theme.js does before the first paint. */
function applyTheme() {
  if (current.theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current.theme;
}

/** @returns {Partial<Preferences>} what is stored, without values of a wrong type */
function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(
      Object.entries(DEFAULTS)
        .filter(([name, value]) => typeof found?.[name] === typeof value)
        .map(([name]) => [name, found[name]]),
    );
  } catch {
    return {};
  }
}

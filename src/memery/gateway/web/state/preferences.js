// What someone likes, kept in this browser; it is no part of a search, and never in the address.

const DEFAULTS = { theme: "system", height: 200, names: false, scores: false };
const KEY = "memery";
const changes = new EventTarget();
let kept = { ...DEFAULTS, ...stored() };

export const preference = (name) => kept[name];

export function prefer(name, value) {
  kept = { ...kept, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing still shows the page as it was asked to.
  }
  if (name === "theme") applyTheme();
  changes.dispatchEvent(new CustomEvent("change", { detail: name }));
}

export const onPreference = (act) => changes.addEventListener("change", (event) => act(event.detail));

/** As theme.js does before anything is painted. */
function applyTheme() {
  if (kept.theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = kept.theme;
}

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

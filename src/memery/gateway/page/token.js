// The server wants a token: the page asks for it, and the server makes a cookie of it.

import { make } from "./elements.js";

export function askForToken(element) {
  if (element.querySelector("form")) return;
  const input = make("input", { type: "password", name: "token", required: true, autocomplete: "current-password" });
  const form = make(
    "form",
    { action: "./", method: "get", className: "token" },
    make("label", {}, "This memery asks for a token. It was printed where memery was started.", input),
    make("button", {}, "Enter"),
  );
  element.replaceChildren(form);
  element.hidden = false;
  element.classList.remove("error");
  input.focus();
}

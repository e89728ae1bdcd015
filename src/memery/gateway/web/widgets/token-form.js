// The server wants a token: the page asks for it, and the server makes a cookie of it.

import { at } from "../api/client.js";
import { make } from "./dom.js";

/** Asks for the token where pictures would stand; the page begins anew with it. */
export function askForToken(element) {
  if (element.querySelector("form")) return;
  const input = make("input", { type: "password", required: true, autocomplete: "current-password" });
  const answer = make("p", { role: "status" });
  const enter = async (event) => {
    event.preventDefault();
    const response = await fetch(at(`./?${new URLSearchParams({ token: input.value })}`), { redirect: "manual" }).catch(() => null);
    if (response?.type === "opaqueredirect" || response?.ok) location.reload();
    else answer.textContent = response ? "That is not the token." : "memery does not answer.";
  };
  element.replaceChildren(
    make(
      "form",
      { className: "token", on: { submit: enter } },
      make("label", {}, "This memery asks for a token. It was printed where memery was started.", input),
      make("button", {}, "Enter"),
      answer,
    ),
  );
  element.hidden = false;
  element.classList.remove("error");
  input.focus();
}

// The form for the server's token, which the server turns into a cookie.

import { resolve } from "../api/client.js";
import { make } from "./dom.js";

/**
 * Asks for the token where messages are shown; the page is loaded again with it.
 * @param {HTMLElement} element
 */
export function showTokenForm(element) {
  if (element.querySelector("form")) return;
  const input = make("input", { type: "password", required: true, autocomplete: "current-password" });
  const answer = make("p", { role: "status" });
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const url = resolve(`./?${new URLSearchParams({ token: input.value })}`);
    const response = await fetch(url, { redirect: "manual" }).catch(() => null);
    if (response?.type === "opaqueredirect" || response?.ok) location.reload();
    else answer.textContent = response ? "Wrong token." : "memery does not answer.";
  };
  element.replaceChildren(
    make(
      "form",
      { className: "token", on: { submit } },
      make("label", {}, "This server requires a token. memery printed it when it was started.", input),
      make("button", {}, "Enter"),
      answer,
    ),
  );
  element.hidden = false;
  element.classList.remove("error");
  input.focus();
}

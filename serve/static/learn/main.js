/** Starts the page: the state from the address, the questions to the endpoints, and a drawing for every change. */

import { html, render } from "../vendor/preact-htm.js";
import { makeActions } from "./actions.js";
import { writeAddress } from "./address.js";
import { followSetting, openAddress } from "./address_bar.js";
import { converse } from "./conversation.js";
import { Page } from "./page.js";
import { nextQuestion } from "./questions.js";
import { initialState } from "./state.js";
import { makeStore } from "./store.js";

const store = makeStore(initialState());
const act = makeActions(store);
const ask = converse(store);
const root = /** @type {HTMLElement} */ (document.getElementById("learn"));

let drawing = false;
function draw() {
  root.dataset.settled = "false";
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    render(html`<${Page} state=${store.state} act=${act} />`, root);
    if (!store.state.running && nextQuestion(store.state, 0, 0) === null) settle();
  });
}

/** Says that everything has been asked and drawn, and which address will hold it. */
function settle() {
  root.dataset.address = writeAddress(store.state.setting);
  root.dataset.settled = "true";
}

store.listen(ask);
store.listen(draw);
store.listen(() => followSetting(store));
window.addEventListener("hashchange", () => openAddress(store));
openAddress(store);

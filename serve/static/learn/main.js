/** Starts the page: the state from the address, the questions to the endpoints, and a drawing for every change. */

import { html, render } from "../vendor/preact-htm.js";
import { getJson } from "../shared/request.js";
import { makeActions } from "./actions.js";
import { readAddress, writeAddress } from "./address.js";
import { converse } from "./conversation.js";
import { Page } from "./page.js";
import { nextQuestion } from "./questions.js";
import { initialState, open } from "./state.js";
import { makeStore } from "./store.js";

// The address follows the state after so many milliseconds; browsers refuse to change it much more often.
const ADDRESS_AFTER = 400;

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

let waiting = 0;
function followAddress() {
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = 0;
    const address = writeAddress(store.state.setting);
    if (address !== location.hash) history.replaceState(null, "", address);
  }, ADDRESS_AFTER);
}

function openAddress() {
  const { setting, problem } = readAddress(location.hash);
  store.change((state) => open(state, setting, problem));
}

store.listen(ask);
store.listen(draw);
store.listen(followAddress);
window.addEventListener("hashchange", openAddress);
openAddress();
void getJson("/learn/presets").then(
  (presets) => store.change((state) => ({ ...state, presets })),
  () => undefined,
);

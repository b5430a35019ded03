/** The list of the models that are served. */

import { html, render } from "../vendor/preact-htm.js";
import { RequestError, getJson } from "../shared/request.js";
import { showLearnLink } from "../shared/site_header.js";
import { asSentence } from "./sentences.js";
import { summaryOf } from "./watched.js";

/** @typedef {import("./types.js").Summary} Summary */

// Milliseconds after which the list is read again while a model is being loaded.
const LOADING_PAUSE = 1000;

/** @param {{models: Summary[]}} props */
function List({ models }) {
  return html`<h1>Models</h1>
    <p class="soft">Each predicts one column of a table from the others. Choose one to try it.</p>
    ${!models.length && html`<p class="message">There is no model yet. Write one with nudge train, and load this page again.</p>`}
    <ul class="models">
      ${models.map((model) => html`<${Item} key=${model.name} model=${model} />`)}
    </ul>`;
}

/** @param {{model: Summary}} props */
function Item({ model }) {
  const isReady = model.state === "ready";
  const name = isReady ? html`<a href=${`/models/${encodeURIComponent(model.name)}`}>${model.name}</a>` : model.name;
  return html`<li class="panel" data-name="model" data-model=${model.name} data-state=${model.state}>
    <h2>${name}${model.is_default && html` <span class="badge">default</span>`}</h2>
    ${isReady && html`<p>${summaryOf({ ...model, columns: model.columns ?? 0 })}</p>`}
    ${model.state === "loading" && html`<p class="soft">It is being loaded.</p>`}
    ${model.failure && html`<p class="message error">
      ${isReady ? "Its newest file cannot be used, so an older version answers" : "Its file cannot be used"}: ${model.failure}.
    </p>`}
    ${model.version && html`<p class="soft small">version <code>${model.version}</code></p>`}
  </li>`;
}

async function show() {
  const element = /** @type {HTMLElement} */ (document.getElementById("page"));
  try {
    const { models, has_learning: hasLearning } = await getJson("/models.json");
    showLearnLink(hasLearning);
    element.replaceChildren();
    render(html`<${List} models=${models} />`, element);
    if (models.some((/** @type {Summary} */ model) => model.state === "loading")) setTimeout(show, LOADING_PAUSE);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    element.replaceChildren();
    render(html`<h1>Models</h1><p class="message error" role="alert">${asSentence(error.message)}</p>`, element);
  }
}

show();

/** The page of a served model: a form, the prediction live, what moves it, and where the model comes from. */

import { html, render, useEffect, useMemo, useState } from "../vendor/preact-htm.js";
import { RequestError, getJson } from "../shared/request.js";
import { showLearnLink } from "../shared/site_header.js";
import { Code } from "./code.js";
import { Effects } from "./effects_panel.js";
import { Form } from "./form.js";
import { Prediction } from "./prediction.js";
import { Origin, Quality } from "./quality.js";
import { keptEntries, rowOf, usualEntries } from "./row.js";
import { asSentence } from "./sentences.js";
import { useEffects } from "./use_effects.js";
import { usePrediction } from "./use_prediction.js";
import { predictionText, watchedNumber } from "./watched.js";

/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./row.js").Entry} Entry */

// Milliseconds after which a model that is being loaded is asked for again.
const LOADING_PAUSE = 1000;

/** @param {{first: Description}} props */
function Page({ first }) {
  const [model, setModel] = useState(first);
  const [entries, setEntries] = useState(() => usualEntries(first.columns));
  const [watched, setWatched] = useState(first.task === "multiclass" ? -1 : first.classes.length - 1);
  const [chosen, setChosen] = useState("");
  const [told, setTold] = useState("");
  const row = useMemo(() => rowOf(entries, model.columns), [entries, model]);
  const { answer, answeredRow, fault } = usePrediction(model, row);
  const isStale = answeredRow !== row;
  const watchedClass = watched < 0 && answer ? model.classes.indexOf(answer.label ?? null) : watched;
  const found = useEffects(model, isStale || fault ? null : row, watchedClass, chosen);

  useEffect(() => {
    if (watched < 0 && watchedClass >= 0) setWatched(watchedClass);
  }, [watchedClass]);
  useEffect(() => {
    if (!answer || answer.version === model.version) return;
    describe(model.name).then((next) => {
      setModel(next);
      setEntries((entered) => keptEntries(entered, next.columns));
      setTold(`Version ${next.version} has just replaced ${model.version}, and the page shows it now.`);
    }, () => setTold("Another version of this model has just come. Load the page again to see it."));
  }, [answer]);

  const prediction = answer ? watchedNumber(model, answer, watchedClass) : null;
  const isSettled = fault !== null || (!isStale && found.row === row);
  return html`<div class="model-page" data-settled=${isSettled ? "true" : "false"}>
    <div class="model-head">
      <h1>${model.name}</h1>
      <p class="soft">${summaryOf(model)}</p>
      ${told && html`<p class="message" role="status">${told}</p>`}
    </div>
    ${answer && html`<p class="sticky-summary" aria-hidden="true">${model.target}: <strong>${headlineOf(model, answer)}</strong></p>`}
    <${Form}
      columns=${model.columns}
      entries=${entries}
      fault=${fault?.column ? fault : null}
      change=${(/** @type {string} */ name, /** @type {Entry} */ entry) => setEntries((all) => ({ ...all, [name]: entry }))}
      reset=${() => setEntries(usualEntries(model.columns))}
    />
    <div class="results">
      <${Prediction} model=${model} answer=${answer} isStale=${isStale} fault=${fault?.whole ?? ""} />
      <${Effects}
        model=${model}
        row=${row}
        prediction=${prediction}
        effects=${found.effects}
        isBusy=${found.isBusy}
        fault=${found.fault}
        watched=${Math.max(0, watchedClass)}
        watch=${setWatched}
        chosen=${chosen}
        choose=${setChosen}
        curve=${found.curve}
        tryAll=${found.tryAll}
      />
    </div>
    <${Quality} model=${model} />
    <${Origin} model=${model} />
    <${Code} model=${model} row=${row} />
  </div>`;
}

/**
 * @param {Description} model
 * @param {import("./types.js").Answer} answer
 * @returns {string} the prediction in a few words.
 */
function headlineOf(model, answer) {
  if (!model.classes.length) return predictionText(model, Number(answer.prediction));
  const index = model.classes.indexOf(answer.label ?? null);
  return `${model.class_names[index]}, ${predictionText(model, watchedNumber(model, answer, index))}`;
}

/**
 * @param {Description} model
 * @returns {string} what it predicts from what.
 */
function summaryOf({ target, classes, class_names: names, columns }) {
  const kind = classes.length > 4 ? `one of ${classes.length} classes` : classes.length ? names.join(" or ") : "a number";
  return `Predicts ${target} (${kind}) from ${columns.length} ${columns.length === 1 ? "column" : "columns"}.`;
}

/**
 * @param {string} name
 * @returns {Promise<Description>}
 */
function describe(name) {
  return getJson(`/models/${encodeURIComponent(name)}/description`);
}

/** @param {{sentence: string, isLoading: boolean}} props */
function Failure({ sentence, isLoading }) {
  return html`<h1>${isLoading ? "One moment" : "This model cannot be shown"}</h1>
    <p class=${`message ${isLoading ? "" : "error"}`} role="alert" data-name="failure">${sentence}</p>
    <p><a href="/models">All models</a></p>`;
}

async function start() {
  const element = /** @type {HTMLElement} */ (document.getElementById("page"));
  const name = decodeURIComponent(location.pathname.split("/")[2] ?? "");
  document.title = `${name} · Nudge`;
  try {
    const model = await describe(name);
    showLearnLink(model.has_learning);
    element.replaceChildren();
    render(html`<${Page} first=${model} />`, element);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const isLoading = error.retryAfter > 0 && error.message.includes("it is being loaded");
    element.replaceChildren();
    render(html`<${Failure} sentence=${asSentence(error.message)} isLoading=${isLoading} />`, element);
    if (isLoading) setTimeout(start, LOADING_PAUSE);
  }
}

start();

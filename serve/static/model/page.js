/** The page of a served model: a form, the prediction live, what moves it, and where the model comes from. */

import { html, render, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { RequestError, getJson } from "../shared/request.js";
import { showLearnLink } from "../shared/site_header.js";
import { Code } from "./code.js";
import { Effects } from "./effects_panel.js";
import { Form } from "./form.js";
import { Prediction } from "./prediction.js";
import { Origin, Quality } from "./quality.js";
import { keptEntries, rowOf, usualEntries } from "./row.js";
import { asSentence } from "./sentences.js";
import { SummaryBar } from "./summary_bar.js";
import { useEffects } from "./use_effects.js";
import { usePrediction } from "./use_prediction.js";
import { summaryOf, watchedNumber } from "./watched.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./row.js").Entry} Entry */

// Milliseconds after which a model that is being loaded is asked for again.
const LOADING_PAUSE = 1000;

/** @param {{first: Description}} props */
function Page({ first }) {
  const [model, setModel] = useState(first);
  const [entries, setEntries] = useState(() => usualEntries(first.columns));
  const [chosen, setChosen] = useState("");
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const row = useMemo(() => rowOf(entries, model.columns), [entries, model]);
  const { answer, answeredRow, fault } = usePrediction(model, row);
  const isStale = answeredRow !== row;
  const [watched, setWatched] = useWatched(model, answer);
  const found = useEffects(model, isStale || fault ? null : row, watched, chosen);
  const told = useNewVersion(model, answer, (next) => {
    setModel(next);
    setEntries((entered) => keptEntries(entered, next.columns));
  });
  const isSettled = !isStale && (fault !== null || found.isCurrent);
  return html`<div class="model-page" data-settled=${isSettled ? "true" : "false"}>
      <div class="model-head">
        <h1>${model.name}</h1>
        <p class="soft">${summaryOf({ ...model, columns: model.columns.length })}</p>
        ${told && html`<p class="message" role="status">${told}</p>`}
      </div>
      <${Form}
        columns=${model.columns}
        entries=${entries}
        fault=${fault}
        change=${(/** @type {string} */ name, /** @type {Entry} */ entry) => setEntries((all) => ({ ...all, [name]: entry }))}
        reset=${() => setEntries(usualEntries(model.columns))}
      />
      <div class="results">
        <div ref=${panel}><${Prediction} model=${model} answer=${answer} isStale=${isStale} fault=${fault?.whole ?? ""} /></div>
        <${Effects}
          ...${{ ...found, model }}
          selected=${Math.max(0, watched)}
          shownRow=${row}
          prediction=${answer ? watchedNumber(model, answer, found.watched) : null}
          watch=${setWatched}
          choose=${setChosen}
        />
      </div>
      <${Origin} model=${model} />
      <${Quality} model=${model} />
      <${Code} model=${model} row=${row} />
    </div>
    <${SummaryBar} model=${model} answer=${answer} fault=${fault?.whole ?? ""} panel=${panel} />`;
}

/**
 * Which class is watched: of two the second, of several the first label, until the reader chooses another.
 *
 * @param {Description} model
 * @param {Answer | null} answer
 * @returns {[number, (watched: number) => void]} its index, below 0 while it is not known; 0 in a regression.
 */
function useWatched(model, answer) {
  const [watched, setWatched] = useState(model.task === "multiclass" ? -1 : Math.max(0, model.classes.length - 1));
  const isOpen = watched < 0 || watched >= Math.max(1, model.classes.length);
  const label = isOpen && answer ? model.classes.indexOf(answer.label ?? null) : watched;
  useEffect(() => {
    if (label !== watched) setWatched(label);
  }, [label, watched]);
  return [label, setWatched];
}

/**
 * Notice by the version of an answer that another checkpoint is served, and take its description.
 *
 * @param {Description} model
 * @param {Answer | null} answer
 * @param {(next: Description) => void} take
 * @returns {string} what the reader is told; empty if nothing has changed.
 */
function useNewVersion(model, answer, take) {
  const [told, setTold] = useState("");
  useEffect(() => {
    if (!answer || answer.version === model.version) return;
    describe(model.name).then(
      (next) => {
        take(next);
        setTold(`Version ${next.version} has just replaced ${model.version}, and the page shows it now.`);
      },
      () => setTold("Another version of this model has just come. Load the page again to see it."),
    );
  }, [answer]);
  return told;
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

/**
 * @param {string} part of an address.
 * @returns {string} the name that it stands for; itself if it stands for none, so that the service says so.
 */
function nameIn(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function start() {
  const element = /** @type {HTMLElement} */ (document.getElementById("page"));
  const name = nameIn(location.pathname.split("/")[2] ?? "");
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

/** How good the model is, and how it was trained. */

import { html } from "../vendor/preact-htm.js";
import { formatCount, formatFixed, formatNumber } from "../shared/numbers.js";
import { decimalsOf } from "./watched.js";

/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Metric} Metric */

// What a metric means, in one sentence.
const MEANINGS = new Map([
  ["accuracy", "The share of rows whose label is right."],
  ["recall", "Of the rows that are in the class, the share that is found."],
  ["precision", "Of the rows with this label, the share that is right."],
  ["F1", "One number for recall and precision: their harmonic mean."],
  ["AUC", "How often a row of the class gets a higher probability than another row."],
  ["average precision", "The precision, averaged over all thresholds."],
  ["log loss", "How surprising the truth is to the network. 0 would be perfect."],
  ["Brier score", "The mean squared error of the probabilities. 0 would be perfect."],
  ["calibration error", "How far the probabilities are from what then happens."],
  ["R²", "The share of the ups and downs that is predicted. 1 would be perfect."],
  ["RMSE", "The usual size of an error; large errors count more."],
  ["MAE", "The mean size of an error."],
  ["median absolute error", "Half of the errors are at most this large."],
  ["90 % absolute error", "Nine errors of ten are at most this large."],
  ["largest absolute error", "No error was larger."],
]);
const METRIC_DECIMALS = 3;

/** @param {{model: Description}} props */
export function Quality({ model }) {
  return html`<section class="panel" aria-labelledby="quality-title">
    <h2 id="quality-title">How good is it?</h2>
    ${model.metrics.length ? html`<${Metrics} model=${model} />` : html`<p>${gateText(model)}</p>`}
  </section>`;
}

/** @param {{model: Description}} props */
function Metrics({ model }) {
  const { training } = model;
  const measured = training.held_out
    ? `Measured on rows that a network had not learned from: ${training.split}.`
    : "Measured on rows that the network has learned from, so it looks better than it is.";
  return html`<p>
      ${measured} The baseline is a guess that knows only how often each ${model.classes.length ? "class" : "value"} occurs.
    </p>
    <div class="metrics" tabindex="0" role="region" aria-label="Metrics">
      <table>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col">Network</th>
            <th scope="col">90 % interval</th>
            <th scope="col">Baseline</th>
          </tr>
        </thead>
        <tbody>
          ${model.metrics.map((metric) => html`<${MetricRow} key=${metric.name} model=${model} metric=${metric} />`)}
        </tbody>
      </table>
    </div>
    <p class="soft small">An interval says how far a metric may be from that of endless rows of the same kind.</p>`;
}

/** @param {{model: Description, metric: Metric}} props */
function MetricRow({ model, metric }) {
  const decimals = model.classes.length || metric.name === "R²" ? METRIC_DECIMALS : decimalsOf(model);
  const text = (/** @type {number} */ value) => formatFixed(value, decimals);
  const { name, value, interval, baseline } = metric;
  const meaning = MEANINGS.get(name.replace("macro ", ""));
  return html`<tr class=${meaning ? "with-meaning" : ""}>
    <th scope="row">${name}</th>
    <td class="number" data-name=${`metric ${name}`} data-value=${value}>${text(value)}</td>
    <td class="number">
      ${interval &&
      html`<span data-name=${`low of ${name}`} data-value=${interval[0]}>${text(interval[0])}</span> to${" "}
        <span data-name=${`high of ${name}`} data-value=${interval[1]}>${text(interval[1])}</span>`}
    </td>
    <td class="number">${baseline !== null && html`<span data-name=${`baseline of ${name}`} data-value=${baseline}>${text(baseline)}</span>`}</td>
    </tr>
    ${meaning && html`<tr><td colspan="4" class="meaning">${meaning}${name.startsWith("macro ") ? " The mean over all classes." : ""}</td></tr>`}`;
}

/**
 * @param {Description} model of a table without metrics.
 * @returns {string}
 */
function gateText({ training }) {
  const { solved, restarts, table } = training;
  if (solved) return `It has learned all rows of ${table}. ${formatCount(solved)} of ${formatCount(restarts)} random starts did.`;
  return `It was trained on ${table}, and no metrics were kept. Its loss is ${formatNumber(training.loss)}.`;
}

/** @param {{model: Description}} props */
export function Origin({ model }) {
  const { training } = model;
  const dropped = training.dropped ? `; ${formatCount(training.dropped)} more had no target` : "";
  const facts = [
    ["Version", html`<code data-name="version">${model.version}</code>`],
    ["Loaded", html`<time datetime=${model.loaded_at}>${new Date(model.loaded_at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</time>`],
    ["Trained on", `${training.table}${training.is_file ? `, ${formatCount(training.rows)} rows${dropped}` : ""}`],
    ["Held out", training.split || "no rows"],
    ["Networks", training.networks.map(networkText).join("; ")],
    ["Starts", `${formatCount(training.restarts)}, seed ${training.seed}`],
    ["Epochs", `${formatCount(training.epoch)} of at most ${formatCount(training.epochs)}`],
    ["Optimizer", `${training.optimizer}, learning rate ${formatNumber(training.learning_rate)}`],
    ["Loss", html`<span class="number" data-name="loss" data-value=${training.loss}>${formatNumber(training.loss, 4)}</span>`],
  ];
  return html`<section class="panel" aria-labelledby="origin-title">
    <h2 id="origin-title">Where does it come from?</h2>
    <dl class="facts">
      ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  </section>`;
}

/**
 * @param {import("./types.js").Training["networks"][number]} networks
 * @returns {string}
 */
function networkText({ count, sizes, activation, sees_bins: seesBins }) {
  const copies = count === 1 ? "one" : String(count);
  return `${copies} with ${sizes.join("-")} units, ${activation}${seesBins ? ", seeing bins of the numbers" : ""}`;
}

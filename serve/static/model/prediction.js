/** The prediction: probabilities as bars, or a number with its interval. */

import { html, useState } from "../vendor/preact-htm.js";
import { formatCount, formatPercent } from "../shared/numbers.js";
import { predictionText, probabilities } from "./watched.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Description} Description */

// Of more classes than these, the likeliest are shown.
const MAX_CLASSES = 10;

/**
 * @param {object} props
 * @param {Description} props.model
 * @param {Answer | null} props.answer null before the first one.
 * @param {boolean} props.isStale whether the row has changed since.
 * @param {string} props.fault why there is no prediction for this row; empty if there is one.
 */
export function Prediction({ model, answer, isStale, fault }) {
  return html`<section class=${`panel prediction-panel ${fault ? "at-fault-panel" : ""}`} aria-busy=${isStale ? "true" : "false"} aria-labelledby="prediction-title">
    <h2 id="prediction-title">Prediction of ${model.target}</h2>
    ${fault && html`<${Fault} fault=${fault} hasAnswer=${answer !== null} />`}
    <p class="headline" role="status" aria-live="polite">${answer && html`<${Headline} model=${model} answer=${answer} />`}</p>
    ${answer && (model.classes.length ? html`<${Bars} model=${model} answer=${answer} />` : html`<${Interval} model=${model} answer=${answer} />`)}
    ${answer?.spread !== undefined && html`<${Spread} model=${model} spread=${answer.spread} />`}
    ${answer?.notes?.map((note) => html`<p class="message warning" data-name="note">${note}.</p>`)}
  </section>`;
}

/** @param {{fault: string, hasAnswer: boolean}} props */
function Fault({ fault, hasAnswer }) {
  return html`<p class="message error" role="alert" data-name="fault">${fault}</p>
    ${hasAnswer && html`<p class="soft">The numbers below are those of the last values that could be read.</p>`}`;
}

/** @param {{model: Description, answer: Answer}} props */
function Headline({ model, answer }) {
  if (!model.classes.length) {
    const value = Number(answer.prediction);
    return html`<span class="big number" data-name="prediction" data-value=${value}>${predictionText(model, value)}</span>`;
  }
  const index = model.classes.indexOf(answer.label ?? null);
  const share = probabilities(model, answer)[index] ?? NaN;
  return html`<span class="big" data-name="label" data-value=${String(answer.label)}>${model.class_names[index]}</span>
    <span class="soft">${" "}with a probability of ${formatPercent(share, 1)}</span>`;
}

/** @param {{model: Description, answer: Answer}} props */
function Bars({ model, answer }) {
  const [isWhole, setWhole] = useState(false);
  const shares = probabilities(model, answer);
  const all = shares.map((share, index) => ({ share, index, name: model.class_names[index] ?? "" }));
  const isLong = all.length > MAX_CLASSES;
  const ordered = isLong ? [...all].sort((one, other) => other.share - one.share) : all;
  const shown = isLong && !isWhole ? ordered.slice(0, MAX_CLASSES) : ordered;
  const label = model.classes.indexOf(answer.label ?? null);
  const { threshold } = model;
  return html`<ul class="bars" aria-label="Probabilities">
      ${shown.map(
        ({ share, index, name }) =>
          html`<li class=${index === label ? "chosen" : ""} key=${name}>
            <span class="bar-name">${name}</span>
            <span class="bar-track" aria-hidden="true">
              <span class="bar" style=${{ width: `${100 * share}%` }}></span>
              ${threshold !== null && index === 1 && html`<span class="threshold" style=${{ left: `${100 * threshold}%` }}></span>`}
            </span>
            <span class="bar-value number" data-name=${`probability ${name}`} data-value=${share}>${formatPercent(share, 1)}</span>
          </li>`,
      )}
    </ul>
    ${isLong &&
    html`<button type="button" class="plain" aria-expanded=${isWhole ? "true" : "false"} onClick=${() => setWhole(!isWhole)}>
      ${isWhole ? `The ${MAX_CLASSES} likeliest` : `All ${formatCount(all.length)} classes`}
    </button>`}
    ${threshold !== null &&
    html`<p class="soft small">
      The label is ${model.class_names[1]} from a probability of ${formatPercent(threshold, 1)} on. A line marks it.
    </p>`}`;
}

/** @param {{model: Description, answer: Answer}} props */
function Interval({ model, answer }) {
  const value = Number(answer.prediction);
  const [low, high] = answer.interval ?? [value, value];
  const [lowest, highest] = model.target_range ?? [low, high];
  const [start, end] = [Math.min(low, lowest), Math.max(high, highest)];
  const place = (/** @type {number} */ number) => `${end > start ? (100 * (number - start)) / (end - start) : 50}%`;
  const width = `${end > start ? (100 * (high - low)) / (end - start) : 0}%`;
  return html`${answer.interval &&
    html`<p>
      In nine rows of ten the truth is between${" "}
      <span class="number" data-name="interval low" data-value=${low}>${predictionText(model, low)}</span> and${" "}
      <span class="number" data-name="interval high" data-value=${high}>${predictionText(model, high)}</span>.
    </p>`}
    ${(answer.interval || model.target_range) &&
    html`<div class="interval" aria-hidden="true">
      <span class="interval-track"></span>
      <span class="interval-band" style=${{ left: place(low), width }}></span>
      <span class="interval-dot" style=${{ left: place(value) }}></span>
    </div>
    <p class="interval-ends soft small number"><span>${predictionText(model, start)}</span><span>${predictionText(model, end)}</span></p>
    ${model.target_range &&
    html`<p class="soft small">The line goes through all values of training, from ${predictionText(model, lowest)} to ${predictionText(model, highest)}.</p>`}`}`;
}

/** @param {{model: Description, spread: number}} props */
function Spread({ model, spread }) {
  const count = model.training.networks.reduce((sum, networks) => sum + networks.count, 0);
  const text = model.classes.length ? formatPercent(spread, 1) : predictionText(model, spread);
  return html`<p class="soft small">
    Spread <span class="number" data-name="spread" data-value=${spread}>${text}</span>: the standard deviation among the
    ${" "}${count} networks. The smaller it is, the more they agree.
  </p>`;
}

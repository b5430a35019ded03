/** Which column moves the prediction: a ranking of the columns, and one of them in detail. */

import { html, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { Detail } from "./effect_detail.js";
import { predictionText, watchedName } from "./watched.js";

/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Row} Row */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").Point} Point */

const SHOWN = 12;

/**
 * @param {object} props
 * @param {Description} props.model
 * @param {Row} props.shownRow the row in the form.
 * @param {number | null} props.prediction the watched number of the row; null before the first answer.
 * @param {Effect[]} props.effects of the columns that have been tried.
 * @param {boolean} props.isBusy whether more of them are being tried.
 * @param {number} props.watched the index of the class that was watched when the effects were found out.
 * @param {number} props.selected the index of the class that is to be watched.
 * @param {(watched: number) => void} props.watch
 * @param {string} props.chosen the name of the column in detail; empty for the first of the ranking.
 * @param {(name: string) => void} props.choose
 * @param {{name: string, points: Point[]} | null} props.curve of the column in detail.
 * @param {string} props.fault why no more of them could be tried; empty if nothing is wrong.
 * @param {() => void} props.tryAll tries all columns, also very many.
 */
export function Effects(props) {
  const { model, effects, watched, selected, watch, isBusy, fault, tryAll } = props;
  const [limit, setLimit] = useState(SHOWN);
  const untried = model.columns.length - effects.length;
  const ranked = [...effects].sort((one, other) => other.high - other.low - (one.high - one.low));
  return html`<section class="panel effects-panel" aria-labelledby="effects-title" aria-busy=${isBusy ? "true" : "false"}>
    <h2 id="effects-title">Which column moves it?</h2>
    <p class="soft">
      Each column in turn takes its usual values, and all others stay as they are. A bar goes from the lowest to the
      highest prediction that this gives; the dark line is the prediction of this row. Choose a column to see more.
    </p>
    ${model.classes.length > 2 && html`<${Watcher} model=${model} selected=${selected} watch=${watch} />`}
    ${fault && html`<p class="message error" role="alert">${fault}</p>`}
    <div class="effects">
      <ol class="ranking" aria-label=${`Columns by how much they move the ${watchedName(model, watched)}`}>
        ${ranked.slice(0, limit).map((effect) => html`<${Rank} key=${effect.column.name} ...${props} effect=${effect} />`)}
      </ol>
      <${Detail} ...${props} />
    </div>
    <div class="buttons">
      ${ranked.length > limit &&
      html`<button type="button" onClick=${() => setLimit(limit * 4)}>Show more of ${formatCount(ranked.length)} columns</button>`}
      ${untried > 0 &&
      html`<button type="button" disabled=${isBusy} onClick=${tryAll}>
        ${isBusy ? `${formatCount(effects.length)} columns tried …` : `Try the other ${formatCount(untried)} columns`}
      </button>`}
    </div>
  </section>`;
}

/** @param {{model: Description, selected: number, watch: (watched: number) => void}} props */
function Watcher({ model, selected, watch }) {
  const choose = (/** @type {Event} */ event) => watch(Number(/** @type {HTMLSelectElement} */ (event.target).value));
  return html`<p class="watcher">
    <label for="watched">Watch the probability of</label>
    <select id="watched" value=${String(selected)} onChange=${choose}>
      ${model.class_names.map((name, index) => html`<option value=${String(index)}>${name}</option>`)}
    </select>
  </p>`;
}

/**
 * @param {object} props
 * @param {Description} props.model
 * @param {Effect} props.effect
 * @param {Effect[]} props.effects
 * @param {number | null} props.prediction
 * @param {{name: string, points: Point[]} | null} props.curve
 * @param {(name: string) => void} props.choose
 */
function Rank({ model, effect, effects, prediction, curve, choose }) {
  const { column, low, high } = effect;
  const isChosen = curve?.name === column.name;
  const [start, end] = model.classes.length
    ? [0, 1]
    : [Math.min(...effects.map((each) => each.low)), Math.max(...effects.map((each) => each.high))];
  const place = (/** @type {number} */ number) => (end > start ? (100 * (number - start)) / (end - start) : 50);
  const [lowText, highText] = [predictionText(model, low), predictionText(model, high)];
  const text = lowText === highText ? `always ${lowText}` : `${lowText} to ${highText}`;
  const size = { left: `${place(low)}%`, width: `${place(high) - place(low)}%` };
  // A mouse chooses as it is pressed: there is no click if an answer moves the columns before it is released.
  const press = (/** @type {PointerEvent} */ event) => {
    if (event.pointerType === "mouse" && event.button === 0) choose(column.name);
  };
  const [pressed, click] = [isChosen ? "true" : "false", () => choose(column.name)];
  return html`<li>
    <button type="button" class="rank printed" aria-pressed=${pressed} onPointerDown=${press} onClick=${click}>
      <span class="rank-name">${column.name}</span>
      <span class="rank-text number" data-name=${`effect ${column.name}`} data-value=${high - low} data-low=${low} data-high=${high}>${text}</span>
      <span class="rank-track" aria-hidden="true">
        <span class="rank-bar" style=${size}></span>
        ${prediction !== null && html`<span class="rank-now" style=${{ left: `${place(prediction)}%` }}></span>`}
      </span>
    </button>
  </li>`;
}

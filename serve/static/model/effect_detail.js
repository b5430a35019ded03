/** How the prediction changes along one column: a curve for numbers and dates, bars for categories. */

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { Curve } from "../shared/curve.js";
import { formatCount, formatNumber, formatPercent } from "../shared/numbers.js";
import { dateText } from "./dates.js";
import { positionOf } from "./row.js";
import { predictionText, watchedName } from "./watched.js";

/** @typedef {import("./types.js").Column} Column */
/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Row} Row */
/** @typedef {import("./effects.js").Point} Point */
/**
 * @typedef {object} DetailProps
 * @property {Description} model
 * @property {Row} shownRow
 * @property {number} watched
 * @property {{name: string, points: Point[]} | null} curve
 */

// A longer list of categories is scrolled.
const MAX_WHOLE = 15;

/** @param {DetailProps} props */
export function Detail({ model, shownRow, watched, curve }) {
  const column = model.columns.find((each) => each.name === curve?.name);
  if (!column || !curve) return html`<div class="detail"></div>`;
  const Picture = column.kind === "category" ? CategoryBars : NumberCurve;
  const now = shownRow[column.name];
  return html`<div class="detail" data-name="detail" data-column=${column.name}>
    <h3>${watchedName(model, watched)}, by ${column.name}</h3>
    <${Picture} key=${`${column.name} ${watched}`} model=${model} column=${column} watched=${watched} points=${curve.points} now=${now} />
  </div>`;
}

/**
 * @param {object} props
 * @param {Description} props.model
 * @param {Column} props.column
 * @param {number} props.watched
 * @param {Point[]} props.points
 * @param {import("./types.js").JsonValue} props.now
 */
function NumberCurve({ model, column, watched, points, now }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const curve = useRef(/** @type {Curve | null} */ (null));
  const position = positionOf(column, now);
  useEffect(() => {
    if (!element.current) return undefined;
    const made = new Curve(element.current, {
      label: `${watchedName(model, watched)} by ${column.name}`,
      xName: column.unit ? `${column.name} (${column.unit})` : column.name,
      yName: watchedName(model, watched),
      lines: [{ name: watchedName(model, watched), colour: "--accent" }],
      yRange: model.classes.length ? [0, 1] : null,
      formatX: column.kind === "date" ? (seconds) => dateText(column, seconds) : (value) => formatNumber(value, 7),
      formatY: (value) => predictionText(model, value),
      formatTick: model.classes.length ? (share) => formatPercent(share, 0) : (value) => formatNumber(value, 7),
      ...(column.kind === "date" && { xSpace: 96 }),
    });
    curve.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    curve.current?.setData(
      points.map((point) => point.position),
      points.map((point) => point.prediction),
    );
    curve.current?.setMark(Number.isNaN(position) ? null : position);
    const nearest = points.findIndex((point) => point.position === position);
    if (nearest >= 0) curve.current?.read(nearest);
  }, [points, position]);
  return html`<div ref=${element}></div>
    <p class="soft small">
      ${Number.isNaN(position) ? "The value of this row is missing, so no line marks it." : "The dashed line marks the value of this row."}
    </p>`;
}

/**
 * @param {object} props
 * @param {Description} props.model
 * @param {Column} props.column
 * @param {Point[]} props.points
 * @param {import("./types.js").JsonValue} props.now
 */
function CategoryBars({ model, column, points, now }) {
  const numbers = points.map((point) => point.prediction);
  const [start, end] = model.classes.length ? [0, 1] : [Math.min(0, ...numbers), Math.max(0, ...numbers)];
  const place = (/** @type {number} */ number) => (end > start ? (100 * (number - start)) / (end - start) : 0);
  const bar = (/** @type {number} */ number) => ({
    left: `${place(Math.min(0, number))}%`,
    width: `${Math.abs(place(number) - place(0))}%`,
  });
  const all = column.values.length;
  const isLong = points.length > MAX_WHOLE;
  return html`<ul
      class=${`bars ${isLong ? "long-list" : ""}`}
      aria-label=${`Predictions by ${column.name}`}
      ...${isLong && { tabindex: 0 }}
    >
      ${points.map(
        ({ value, prediction }) =>
          html`<li class=${value === now ? "chosen" : ""} key=${value}>
            <span class="bar-name">${value}${value === now && html`<span class="soft small">${" "}this row</span>`}</span>
            <span class="bar-track" aria-hidden="true"><span class="bar" style=${bar(prediction)}></span></span>
            <span class="bar-value number" data-name=${`at ${value}`} data-value=${prediction}>${predictionText(model, prediction)}</span>
          </li>`,
      )}
    </ul>
    ${points.length < all && html`<p class="soft small">Of ${formatCount(all)} texts, these are the most frequent.</p>`}`;
}

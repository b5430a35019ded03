/**
 * Which column moves the prediction: the row is predicted again and again, with other values in one column.
 * The service gets the rows as arrays, some at a time, so that it stays free for others.
 */

import { postJson } from "../shared/request.js";
import { positionOf, valueAt } from "./row.js";
import { watchedNumber } from "./watched.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Column} Column */
/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").JsonValue} JsonValue */
/** @typedef {import("./types.js").Row} Row */
/**
 * @typedef {object} Effect what a column does to the prediction.
 * @property {Column} column
 * @property {number} low the smallest prediction.
 * @property {number} high the largest.
 * @property {JsonValue} lowAt the value with the smallest prediction.
 * @property {JsonValue} highAt
 */
/** @typedef {{value: JsonValue, position: number, prediction: number}} Point */

// The bytes of the rows that are tried without being asked for, and of those in one request.
const MAX_BYTES = 1_500_000;
const REQUEST_BYTES = 150_000;
const MAX_CATEGORIES = 30;
const CURVE_POINTS = 41;

/**
 * How many columns are tried without being asked for. Each is tried with all its values.
 *
 * @param {Description} model
 * @param {Row} row
 * @returns {number}
 */
export function freeColumns(model, row) {
  const bytes = JSON.stringify(row).length;
  let sum = 0;
  const first = model.columns.findIndex((column) => {
    sum += bytes * triedValues(column).length;
    return sum > MAX_BYTES;
  });
  return first < 0 ? model.columns.length : first;
}

/**
 * Try the values of some columns.
 *
 * @param {Description} model
 * @param {Row} row
 * @param {Column[]} columns
 * @param {number} watched the index of the class that is watched.
 * @param {() => boolean} isOutdated whether nobody needs the result any more.
 * @param {(effects: Effect[]) => void} show is called with the effects of the columns that are done.
 * @returns {Promise<void>}
 */
export async function tryColumns(model, row, columns, watched, isOutdated, show) {
  const own = (await ask(model, [row]))[0];
  if (!own) return;
  const prediction = watchedNumber(model, own, watched);
  /** @type {Effect[]} */
  const effects = [];
  for (const column of columns) effects.push(unmoved(column, row[column.name] ?? null, prediction));
  const trials = columns.flatMap((column, place) => triedValues(column).map((value) => ({ place, name: column.name, value })));
  const size = rowsOfRequest(model, row);
  for (let start = 0; start < trials.length && !isOutdated(); start += size) {
    const part = trials.slice(start, start + size);
    const answers = await ask(model, part.map(({ name, value }) => ({ ...row, [name]: value })));
    part.forEach(({ place, value }, index) => {
      const answer = answers[index];
      const effect = effects[place];
      if (answer && effect) effects[place] = widened(effect, value, watchedNumber(model, answer, watched));
    });
    show(effects.slice(0, trials[start + size]?.place ?? columns.length));
  }
}

/**
 * The predictions along a column.
 *
 * @param {Description} model
 * @param {Row} row
 * @param {Column} column
 * @param {number} watched
 * @returns {Promise<Point[]>} for numbers and dates in ascending order, and otherwise for each category.
 */
export async function tryColumn(model, row, column, watched) {
  const current = row[column.name] ?? null;
  const values = column.kind === "category" ? withCurrent(triedValues(column), current) : curveValues(column, current);
  const size = rowsOfRequest(model, row);
  /** @type {Answer[]} */
  const answers = [];
  for (let start = 0; start < values.length; start += size) {
    const part = values.slice(start, start + size);
    answers.push(...(await ask(model, part.map((value) => ({ ...row, [column.name]: value })))));
  }
  return values.map((value, index) => {
    const answer = /** @type {Answer} */ (answers[index]);
    return { value, position: positionOf(column, value), prediction: watchedNumber(model, answer, watched) };
  });
}

/**
 * @param {Description} model
 * @param {Row[]} rows
 * @returns {Promise<Answer[]>}
 */
function ask(model, rows) {
  return postJson(`/models/${encodeURIComponent(model.name)}/predict`, rows);
}

/**
 * @param {Description} model
 * @param {Row} row
 * @returns {number} how many rows one request has.
 */
function rowsOfRequest(model, row) {
  const bytes = Math.min(REQUEST_BYTES, model.limits.bytes / 2);
  return Math.max(1, Math.min(model.limits.rows, Math.floor(bytes / (JSON.stringify(row).length + 20))));
}

/**
 * The values of a column that are tried: usual ones, or the most frequent categories.
 *
 * @param {Column} column
 * @returns {JsonValue[]}
 */
export function triedValues(column) {
  const { values, shares } = column;
  if (column.kind !== "category" || values.length <= MAX_CATEGORIES) return values;
  const order = values.map((_, index) => index).sort((one, other) => (shares?.[other] ?? 0) - (shares?.[one] ?? 0));
  const chosen = new Set(order.slice(0, MAX_CATEGORIES));
  return values.filter((_, index) => chosen.has(index));
}

/**
 * @param {JsonValue[]} values of a column of categories.
 * @param {JsonValue} current
 * @returns {JsonValue[]} the values, and the current one if it is not among them.
 */
function withCurrent(values, current) {
  return current === null || values.includes(current) ? values : [current, ...values];
}

/**
 * @param {Column} column of numbers or dates.
 * @param {JsonValue} current
 * @returns {JsonValue[]} values at equal distances, and the current one, in ascending order.
 */
function curveValues(column, current) {
  const { low = 0, high = 0 } = column;
  const evenly = Array.from({ length: CURVE_POINTS }, (_, index) => low + ((high - low) * index) / (CURVE_POINTS - 1));
  const values = new Map(evenly.map((position) => [valueAt(column, position), true]));
  const all = [...values.keys(), ...(Number.isNaN(positionOf(column, current)) ? [] : [/** @type {JsonValue} */ (current)])];
  const byPosition = new Map(all.map((value) => [positionOf(column, value), value]));
  return [...byPosition].sort(([one], [other]) => one - other).map(([, value]) => value);
}

/**
 * @param {Column} column
 * @param {JsonValue} value
 * @param {number} prediction
 * @returns {Effect}
 */
function unmoved(column, value, prediction) {
  return { column, low: prediction, high: prediction, lowAt: value, highAt: value };
}

/**
 * @param {Effect} effect
 * @param {JsonValue} value
 * @param {number} prediction with this value.
 * @returns {Effect}
 */
function widened(effect, value, prediction) {
  const wider = { ...effect };
  if (prediction < wider.low) [wider.low, wider.lowAt] = [prediction, value];
  if (prediction > wider.high) [wider.high, wider.highAt] = [prediction, value];
  return wider;
}

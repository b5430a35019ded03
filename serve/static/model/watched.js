/** The one number of a prediction that is watched: the probability of a class, or the number that is predicted. */

import { formatCount, formatFixed, formatNumber, formatPercent } from "../shared/numbers.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Description} Description */

const MAX_LISTED = 4;

/**
 * The probability of each class, in the order of the classes.
 *
 * @param {Description} model with classes.
 * @param {Answer} answer
 * @returns {number[]}
 */
export function probabilities(model, answer) {
  const { prediction } = answer;
  if (typeof prediction === "number") return [1 - prediction, prediction];
  return model.class_names.map((name) => prediction[name] ?? NaN);
}

/**
 * The number that is watched.
 *
 * @param {Description} model
 * @param {Answer} answer
 * @param {number} watched the index of the class; it does not count in a regression.
 * @returns {number}
 */
export function watchedNumber(model, answer, watched) {
  if (!model.classes.length) return Number(answer.prediction);
  return probabilities(model, answer)[watched] ?? NaN;
}

/**
 * The text of a prediction: percent, or a number with as many decimals as its errors let one see.
 *
 * @param {Description} model
 * @param {number} value
 * @returns {string}
 */
export function predictionText(model, value) {
  if (model.classes.length) return formatPercent(value, 1);
  const decimals = decimalsOf(model);
  return Math.abs(value) < 1e15 ? formatFixed(value, decimals) : formatNumber(value);
}

/**
 * What a model predicts from what, in a sentence.
 *
 * @param {{target?: string, classes?: import("./types.js").JsonValue[], columns: number}} model
 * @returns {string} such as "Predicts species (Adelie, Chinstrap or Gentoo) from 6 columns."
 */
export function summaryOf({ target, classes = [], columns }) {
  const names = classes.map(String);
  const listed = names.length > 1 ? `${names.slice(0, -1).join(", ")} or ${names.at(-1)}` : "a number";
  const kind = names.length > MAX_LISTED ? `one of ${formatCount(names.length)} classes` : listed;
  return `Predicts ${target} (${kind}) from ${formatCount(columns)} ${columns === 1 ? "column" : "columns"}.`;
}

/**
 * The decimals of the numbers of a regression: two digits more than the size of its usual error.
 *
 * @param {Description} model
 * @returns {number}
 */
export function decimalsOf(model) {
  const error = model.metrics.find((metric) => metric.name === "RMSE")?.value ?? 0.01;
  return error > 0 ? Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(error)))) : 6;
}

/**
 * What is watched, in words.
 *
 * @param {Description} model
 * @param {number} watched
 * @returns {string} such as "probability of yes", or the name of the target.
 */
export function watchedName(model, watched) {
  return model.classes.length ? `probability of ${model.class_names[watched]}` : model.target;
}

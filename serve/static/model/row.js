/** The row that one fills in: what was typed for each column, and the JSON that is sent for it. */

import { dateStep, dateText, secondsOf } from "./dates.js";

/** @typedef {import("./types.js").Column} Column */
/** @typedef {import("./types.js").JsonValue} JsonValue */
/** @typedef {import("./types.js").Row} Row */
/** @typedef {{text: string, isMissing: boolean}} Entry what was typed for a column. */
/** @typedef {Record<string, Entry>} Entries */

// As Python writes numbers. Any other text goes to the service as it is, which knows how the column is written.
const PLAIN_NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The usual row.
 *
 * @param {Column[]} columns
 * @returns {Entries}
 */
export function usualEntries(columns) {
  return Object.fromEntries(columns.map((column) => [column.name, { text: String(column.usual), isMissing: false }]));
}

/**
 * The entries of a row for other columns, as those of a new version. What does not fit any more is usual again.
 *
 * @param {Entries} entries
 * @param {Column[]} columns
 * @returns {Entries}
 */
export function keptEntries(entries, columns) {
  const usual = usualEntries(columns);
  const kept = columns.filter((column) => entries[column.name] && (column.takes_missing || !entries[column.name]?.isMissing));
  return { ...usual, ...Object.fromEntries(kept.map(({ name }) => [name, /** @type {Entry} */ (entries[name])])) };
}

/**
 * The JSON of a row.
 *
 * @param {Entries} entries
 * @param {Column[]} columns
 * @returns {Row}
 */
export function rowOf(entries, columns) {
  return Object.fromEntries(columns.map((column) => [column.name, jsonValue(column, entries[column.name])]));
}

/**
 * @param {Column} column
 * @param {Entry | undefined} entry
 * @returns {JsonValue}
 */
function jsonValue(column, entry) {
  if (!entry || entry.isMissing) return null;
  const text = entry.text.trim();
  return column.kind === "number" && PLAIN_NUMBER.test(text) ? Number(text) : text;
}

/**
 * Where a value lies on the range of a column of numbers or dates.
 *
 * @param {Column} column
 * @param {JsonValue | undefined} value
 * @returns {number} NaN if it is missing, or if it is not written plainly.
 */
export function positionOf(column, value) {
  if (typeof value === "number") return value;
  return column.kind === "date" && typeof value === "string" ? secondsOf(value) : NaN;
}

/**
 * The value at a place on the range of a column, rounded to a step that one can see.
 *
 * @param {Column} column of numbers or dates.
 * @param {number} position
 * @returns {number | string}
 */
export function valueAt(column, position) {
  const { low = 0, high = 0 } = column;
  const step = stepOf(column);
  const rounded = Math.min(high, Math.max(low, Math.round(position / step) * step));
  if (column.kind === "date") return dateText(column, rounded);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Number(rounded.toFixed(Math.min(decimals, 20)));
}

/**
 * The step of a column: 1 for whole numbers, and otherwise a power of ten, at least a hundredth of the range.
 *
 * @param {Column} column of numbers or dates.
 * @returns {number}
 */
export function stepOf(column) {
  if (column.kind === "date") return dateStep(column);
  const range = (column.high ?? 0) - (column.low ?? 0);
  return column.is_whole || range <= 0 ? 1 : 10 ** Math.floor(Math.log10(range / 100));
}

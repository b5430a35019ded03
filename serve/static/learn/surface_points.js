/** The rows of the table in the large picture: circles for the one class, squares for the others; of more than two, each has its mark. */

import { html, useMemo } from "../vendor/preact-htm.js";
import { ClassMark } from "./class_marks.js";
import { rangeOf } from "./questions.js";
import { colourAt, place } from "./surfaces.js";
import { outputRange } from "./unit_surfaces.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./types.js").Table} Table */

const MOST_POINTS = 600;
const MANY = 60;

/** @param {{state: State}} props */
export function Points({ state }) {
  const { table } = state;
  const rows = useMemo(() => {
    const count = table?.y.length ?? 0;
    const every = Math.max(1, Math.ceil(count / MOST_POINTS));
    return Array.from({ length: Math.ceil(count / every) }, (_, index) => index * every);
  }, [table]);
  if (!table) return null;
  return html`<div class=${rows.length > MANY ? "points many" : "points"} aria-hidden="true">
    ${rows.map((row) => {
      const current = row === state.setting.row ? " current" : "";
      const style = styleOf(state, table, row);
      if (table.task === "regression") return html`<span key=${row} class=${`point number${current}`} style=${style}></span>`;
      return html`<${ClassMark} key=${row} table=${table} label=${table.y[row] ?? 0} class=${current} style=${style} />`;
    })}
  </div>`;
}

/** @param {State} state @param {Table} table @param {number} row */
function styleOf(state, table, row) {
  const { low, high } = rangeOf(state);
  const share = (/** @type {0 | 1} */ axis) => {
    const value = table.x[row]?.[state.setting.drawn[axis]] ?? 0;
    return `${(100 * (value - low[axis])) / (high[axis] - low[axis] || 1)}%`;
  };
  const at = { left: share(0), bottom: share(1) };
  if (table.task !== "regression") return at;
  return { ...at, background: `rgb(${colourAt(place(table.y[row] ?? 0, outputRange(state))).join(" ")})` };
}

/** @param {State} state @param {number} row @returns {boolean} whether the label of a row is that of the table */
export function isRight({ table, forward }, row) {
  return String(forward?.labels[row]) === String(table?.classes?.[table.y[row] ?? -1]);
}

/** Which surface the picture of each unit shows, and in which range of colours. */

import { isPlane, networkOf } from "./derived.js";
import { rangeAround } from "./surfaces.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./surfaces.js").Range} Range */
/** @typedef {{values: ArrayLike<number>, size: number, range: Range}} Picture */

/** @param {State} state @param {number} layer 0 for the inputs @param {number} unit @returns {Picture | null} */
export function unitSurface(state, layer, unit) {
  const { surface } = state;
  if (!surface) return null;
  const { size } = surface;
  if (layer === 0) return inputSurface(state, surface, unit);
  if (layer < networkOf(state).sizes.length - 1) {
    const values = surface.units[layer - 1]?.[unit];
    return values ? { values, size, range: rangeAround(values) } : null;
  }
  const values = surface.outputs[unit];
  return values ? { values, size, range: outputRange(state) } : null;
}

/** @param {State} state @param {import("./types.js").Surface} surface @param {number} unit @returns {Picture} */
function inputSurface(state, { size, xs, ys }, unit) {
  const axis = state.setting.drawn.indexOf(unit);
  if (axis < 0) {
    const value = isPlane(state) ? 0 : (state.table?.x[state.setting.row]?.[unit] ?? 0);
    return { values: new Float32Array(size * size).fill(value), size, range: rangeAround([value]) };
  }
  const along = axis === 1 ? ys : xs;
  const [low, high] = [along[0] ?? 0, along[size - 1] ?? 1];
  const values = Float32Array.from({ length: size * size }, (_, index) => along[axis === 1 ? Math.floor(index / size) : index % size] ?? 0);
  return { values, size, range: { low, middle: (low + high) / 2, high } };
}

/** @param {State} state @returns {Range} of the colours of predictions */
export function outputRange(state) {
  if (state.table?.task !== "regression") return { low: 0, middle: 0.5, high: 1 };
  const { y } = state.table;
  const [low, high] = [Math.min(...y), Math.max(...y)];
  return { low, middle: (low + high) / 2, high };
}

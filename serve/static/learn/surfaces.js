/** Surfaces: what the endpoints send of them, and how they become pictures. */

import { divergingScale, onSchemeChange } from "../shared/colours.js";

/** @typedef {import("./types.js").Surface} Surface */
/** @typedef {{low: number, middle: number, high: number}} Range */

/** @param {any} answer with base64 of float32 @returns {Surface} */
export function readSurface(answer) {
  return {
    size: answer.size,
    xs: answer.xs,
    ys: answer.ys,
    units: answer.units.map((/** @type {string[]} */ layer) => layer.map(readFloats)),
    outputs: answer.outputs.map(readFloats),
  };
}

/** @param {string} text base64 of float32, little-endian @returns {Float32Array} */
export function readFloats(text) {
  return new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

const SHADES = 255;
/** @type {number[][] | null} */
let shades = null;

/** Calls a function when the colours change. @param {() => void} change */
export function onColours(change) {
  return onSchemeChange(() => {
    shades = null;
    change();
  });
}

/** @param {number} share from -1 to 1 @returns {number[]} red, green, blue */
export function colourAt(share) {
  if (!shades) {
    const scale = divergingScale();
    shades = Array.from({ length: SHADES + 1 }, (_, index) => scale((2 * index) / SHADES - 1));
  }
  return shades[Math.round(((share + 1) / 2) * SHADES)] ?? shades[(SHADES + 1) / 2];
}

/**
 * Paints a surface, the largest y at the top.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values [size of y, size of x]
 * @param {number} size
 * @param {Range} range
 */
export function paint(canvas, values, size, range) {
  const context = canvas.getContext("2d");
  if (!context) return;
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const image = context.createImageData(size, size);
  for (let line = 0; line < size; line++) {
    for (let column = 0; column < size; column++) {
      const colour = colourAt(place(values[(size - 1 - line) * size + column], range));
      const at = 4 * (line * size + column);
      image.data[at] = colour[0];
      image.data[at + 1] = colour[1];
      image.data[at + 2] = colour[2];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

/** @param {number} value @param {Range} range @returns {number} from -1 to 1 */
export function place(value, { low, middle, high }) {
  const span = value < middle ? middle - low : high - middle;
  return span > 0 ? Math.max(-1, Math.min(1, (value - middle) / span)) : 0;
}

/** @param {ArrayLike<number>} values @returns {Range} symmetric around 0 */
export function rangeAround(values) {
  let largest = 0;
  for (let index = 0; index < values.length; index++) largest = Math.max(largest, Math.abs(values[index]) || 0);
  return { low: -largest || -1, middle: 0, high: largest || 1 };
}

/**
 * The line on which a surface has a level, by marching squares.
 * @param {ArrayLike<number>} values [size of y, size of x]
 * @param {number} size
 * @param {number} level
 * @returns {string} a path in a square of 100 by 100
 */
export function contour(values, size, level) {
  let path = "";
  const at = (/** @type {number} */ line, /** @type {number} */ column) => values[line * size + column] - level;
  for (let line = 0; line + 1 < size; line++) {
    for (let column = 0; column + 1 < size; column++) {
      const corners = [[line, column], [line, column + 1], [line + 1, column + 1], [line + 1, column]];
      const crossings = [];
      for (let side = 0; side < 4; side++) {
        const [from, to] = [corners[side], corners[(side + 1) % 4]];
        const [one, other] = [at(from[0], from[1]), at(to[0], to[1])];
        if (one < 0 === other < 0) continue;
        const share = one / (one - other);
        crossings.push([from[1] + share * (to[1] - from[1]), from[0] + share * (to[0] - from[0])]);
      }
      for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
        path += `M${percent(crossings[pair], size)}L${percent(crossings[pair + 1], size)}`;
      }
    }
  }
  return path;
}

/** @param {number[]} point @param {number} size */
function percent([column, line], size) {
  return `${((100 * (column + 0.5)) / size).toFixed(2)} ${(100 - (100 * (line + 0.5)) / size).toFixed(2)}`;
}

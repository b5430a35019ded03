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
  return shades[Math.round(((share + 1) / 2) * SHADES)] ?? [0, 0, 0];
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
      const colour = colourAt(place(values[(size - 1 - line) * size + column] ?? 0, range));
      const at = 4 * (line * size + column);
      image.data.set(colour, at);
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
  for (let index = 0; index < values.length; index++) largest = Math.max(largest, Math.abs(values[index] ?? 0) || 0);
  return { low: -largest || -1, middle: 0, high: largest || 1 };
}

/** @type {[number, number, number, number][]} the ends of the sides of a cell */
const SIDES = [[0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 0, 0]];

/**
 * The line on which a surface has a level, by marching squares.
 * @param {ArrayLike<number>} values [size of y, size of x]
 * @param {number} size
 * @param {number} level
 * @returns {string} a path in a square of 100 by 100
 */
export function contour(values, size, level) {
  let path = "";
  const at = (/** @type {number} */ line, /** @type {number} */ column) => (values[line * size + column] ?? 0) - level;
  for (let line = 0; line + 1 < size; line++) {
    for (let column = 0; column + 1 < size; column++) {
      const crossings = SIDES.flatMap(([x1, y1, x2, y2]) => {
        const [one, other] = [at(line + y1, column + x1), at(line + y2, column + x2)];
        if (one < 0 === other < 0) return [];
        const share = one / (one - other);
        return [percent(column + x1 + share * (x2 - x1), line + y1 + share * (y2 - y1), size)];
      });
      for (let pair = 0; pair + 1 < crossings.length; pair += 2) path += `M${crossings[pair]}L${crossings[pair + 1]}`;
    }
  }
  return path;
}

/** @param {number} column @param {number} line @param {number} size @returns {string} the place in percent */
function percent(column, line, size) {
  return `${((100 * (column + 0.5)) / size).toFixed(2)} ${(100 - (100 * (line + 0.5)) / size).toFixed(2)}`;
}

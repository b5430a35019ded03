/** Where the units of the network are drawn, in pixels. */

/**
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {number} side of the square of a unit
 * @property {boolean} roomy whether every weight has room for its number
 * @property {boolean} narrow whether layers are close to each other
 * @property {boolean} tiny whether units have room for their names alone
 * @property {boolean} dense whether there is no room for the numbers of biases
 * @property {(layer: number) => number} x of the middle of a layer
 * @property {(layer: number, unit: number) => number} y of the middle of a unit
 */

// What the number of a weight needs between two units, in pixels.
const NUMBER = 66;

/** @param {number} width @param {number[]} sizes @returns {Layout} */
export function layOut(width, sizes) {
  const most = Math.max(...sizes);
  const spacing = Math.max(56, Math.min(152, 460 / most));
  const share = width / sizes.length;
  const narrow = share < 110;
  const side = Math.round(Math.max(26, Math.min(narrow ? 44 : 64, spacing * 0.5)));
  const dense = spacing < 110 || narrow;
  // Above a unit there is room for its name, and below it for its bias and for what a step has computed.
  const above = side / 2 + 24;
  const below = side / 2 + (dense && most > 4 ? 14 : 58);
  const height = Math.max(above + (most - 1) * spacing + below, 230);
  const margin = side / 2 + (narrow ? 14 : 34);
  const between = (width - 2 * margin) / (sizes.length - 1) - side;
  const middle = (above + height - below) / 2;
  return {
    width,
    height,
    side,
    dense,
    narrow,
    tiny: share < 84,
    roomy: most <= 3 && share > 100 && between > NUMBER,
    x: (layer) => margin + (layer * (width - 2 * margin)) / (sizes.length - 1),
    y: (layer, unit) => middle + (unit - ((sizes[layer] ?? 1) - 1) / 2) * spacing,
  };
}

/** Where a logarithmic axis has lines and numbers. */

// On a logarithmic axis, so many powers of ten have a line and a number.
const MAX_POWERS = 7;

/**
 * The powers of ten on a logarithmic axis; the ends of the axis, if there are fewer than two.
 *
 * @param {import("../vendor/uplot.js").default} _plot
 * @param {number} _axis
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function powers(_plot, _axis, low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  if (!(last > first)) return [low, high];
  const step = Math.ceil((last - first + 1) / MAX_POWERS);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => Number(`1e${first + index * step}`));
}

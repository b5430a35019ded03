/**
 * What the endpoints take, as `/learn/presets` says it: the least and the most. The fields and the address keep to it.
 * A test compares the two.
 */
export const LIMITS = Object.freeze(/** @type {const} */ ({
  hidden_layers: [0, 3],
  units: [1, 8],
  rows: [1, 2000],
  epochs: [1, 100_000],
  work: 300_000_000,
  epsilon: [1e-12, 1],
  learning_rate: [1e-30, 1000],
  noise: [0, 10],
  seed: [0, 4_294_967_295],
}));

/** @param {number} low @param {number} high @param {(value: number) => string} format @returns {string} the range in words */
export function rangeInWords(low, high, format) {
  return low === LIMITS.learning_rate[0] ? `above 0, and at most ${format(high)}` : `from ${format(low)} to ${format(high)}`;
}

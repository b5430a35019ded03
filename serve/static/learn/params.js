/** Names and places of parameters: `0.weight[0,1]` is the weight of layer 0 from input 0 to unit 1. */

/** @typedef {import("./types.js").Params} Params */
/** @typedef {import("./types.js").Network} Network */
/** @typedef {import("./types.js").Table} Table */
/** @typedef {{layer: number, input: number | null, unit: number}} Place */

/**
 * Every parameter of a network in the order of the picture: for each unit its weights, then its bias.
 * @param {Network} network
 * @returns {Place[]}
 */
export function places(network) {
  /** @type {Place[]} */
  const found = [];
  for (let layer = 0; layer + 1 < network.sizes.length; layer++) {
    for (let unit = 0; unit < sizeOf(network, layer + 1); unit++) {
      for (let input = 0; input < sizeOf(network, layer); input++) found.push({ layer, input, unit });
      found.push({ layer, input: null, unit });
    }
  }
  return found;
}

/** @param {Network} network @param {number} layer @returns {number} */
function sizeOf(network, layer) {
  return network.sizes[layer] ?? 0;
}

/** @param {Place} place */
export function parameterName({ layer, input, unit }) {
  return input === null ? `${layer}.bias[${unit}]` : `${layer}.weight[${input},${unit}]`;
}

/** @param {string} name @returns {Place | null} */
export function placeOf(name) {
  const found = /^(\d+)\.(?:weight\[(\d+),(\d+)\]|bias\[(\d+)\])$/.exec(name);
  if (!found) return null;
  const [, layer, input, unit, biased] = found;
  return { layer: Number(layer), input: input === undefined ? null : Number(input), unit: Number(unit ?? biased) };
}

/** @param {Params} params @param {Place} place @returns {number | undefined} */
export function valueAt(params, { layer, input, unit }) {
  const found = params[layer];
  return input === null ? found?.bias[unit] : found?.weight[input]?.[unit];
}

/** @param {Params} params @param {Place} place @param {number} value @returns {Params} with one value replaced */
export function withValue(params, place, value) {
  return params.map((layer, index) => {
    if (index !== place.layer) return layer;
    if (place.input === null) return { ...layer, bias: layer.bias.with(place.unit, value) };
    return { ...layer, weight: layer.weight.with(place.input, (layer.weight[place.input] ?? []).with(place.unit, value)) };
  });
}

/**
 * The shortest decimals that are this float32, as the endpoints write it.
 * @param {number} value
 * @returns {number}
 */
export function asFloat32(value) {
  const exact = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(exact.toPrecision(digits));
    if (Math.fround(short) === exact) return short;
  }
  return exact === 0 ? 0 : Number(exact.toPrecision(9));
}

/** @param {Params} params @returns {number[]} layer by layer, the weight row by row, then the bias */
export function flatten(params) {
  return params.flatMap((layer) => [...layer.weight.flat(), ...layer.bias]);
}

/** @param {number[]} flat @param {Network} network @returns {Params | null} null if the count does not fit */
export function unflatten(flat, network) {
  let start = 0;
  const take = (/** @type {number} */ count) => flat.slice(start, (start += count));
  const params = network.sizes.slice(1).map((units, layer) => ({
    weight: Array.from({ length: sizeOf(network, layer) }, () => take(units)),
    bias: take(units),
  }));
  return start === flat.length ? params : null;
}

/**
 * What a unit is called, as in the formulas: hidden units are h1, h2, … through all layers; outputs are p, or ŷ.
 * @param {Network} network
 * @param {Table | null} table
 * @param {number} layer counted from the inputs, which are layer 0
 * @param {number} unit
 */
export function unitName(network, table, layer, unit) {
  if (layer === 0) return table?.columns[unit] ?? `x${unit + 1}`;
  const before = network.sizes.slice(1, layer).reduce((sum, size) => sum + size, 0);
  if (layer < network.sizes.length - 1) return `h${before + unit + 1}`;
  const letter = network.task === "regression" ? "ŷ" : "p";
  return network.sizes[layer] === 1 ? letter : `${letter}${unit + 1}`;
}

/** @param {Network} network @param {Table | null} table @param {number} layer @param {number} unit @returns {string | null} the class whose probability an output gives, if there are more than two */
export function unitClass(network, table, layer, unit) {
  if (network.task !== "multiclass" || layer < network.sizes.length - 1) return null;
  return table?.classes?.[unit] ?? null;
}

/** @param {Network} network @param {string | null} name such as h3 @returns {{layer: number, unit: number} | null} */
export function unitNamed(network, name) {
  for (let layer = 1; layer + 1 < network.sizes.length; layer++) {
    for (let unit = 0; unit < sizeOf(network, layer); unit++) {
      if (unitName(network, null, layer, unit) === name) return { layer, unit };
    }
  }
  return null;
}

/** @param {Network} network @param {Table | null} table @param {Place} place @returns {string} in words */
export function parameterLabel(network, table, place) {
  const named = unitName(network, table, place.layer + 1, place.unit);
  const label = unitClass(network, table, place.layer + 1, place.unit);
  const unit = label === null ? named : `${named} (${label})`;
  if (place.input === null) return `bias of ${unit}`;
  return `weight from ${unitName(network, table, place.layer, place.input)} to ${unit}`;
}

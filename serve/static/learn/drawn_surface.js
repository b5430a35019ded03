/** Which surface the large picture shows: the prediction, or what one hidden unit hands on. */

import { unitName, unitNamed } from "./params.js";
import { networkOf } from "./derived.js";
import { rangeAround } from "./surfaces.js";
import { outputRange } from "./unit_surfaces.js";

/** @typedef {import("./state.js").State} State */
/**
 * @typedef {object} DrawnSurface
 * @property {Float32Array | null} values
 * @property {import("./surfaces.js").Range} range
 * @property {string} title
 * @property {string} scale what the colours mean
 * @property {string} name of the number, such as p
 */

/** @param {State} state @returns {DrawnSurface} */
export function drawnSurface(state) {
  const unit = unitNamed(networkOf(state), state.setting.show);
  return unit ? hiddenSurface(state, unit.layer, unit.unit) : predictionSurface(state);
}

/** @param {State} state @param {number} layer @param {number} unit @returns {DrawnSurface} */
function hiddenSurface({ surface, setting }, layer, unit) {
  const values = surface?.units[layer - 1]?.[unit] ?? null;
  const name = setting.show ?? "";
  return { values, range: rangeAround(values ?? []), title: `What ${name} hands on`, scale: name, name };
}

/** @param {State} state @returns {DrawnSurface} */
function predictionSurface(state) {
  const { surface, setting, table } = state;
  const network = networkOf(state);
  const output = network.task === "multiclass" ? setting.class : 0;
  const values = surface?.outputs[output] ?? null;
  const name = unitName(network, table, network.sizes.length - 1, output);
  const target = table?.target ?? "the target";
  const drawn = { values, range: outputRange(state), title: "What it predicts", name };
  if (network.task === "regression") return { ...drawn, scale: target };
  const label = table?.classes?.[network.task === "multiclass" ? output : 1] ?? "1";
  const title = network.task === "multiclass" ? `What it predicts: ${label}` : drawn.title;
  return { ...drawn, title, scale: `probability of ${target} = ${label}` };
}

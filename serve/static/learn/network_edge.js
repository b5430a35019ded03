/** A weight in the picture of the network: a line, dashed if it is negative. */

import { html } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { parameterLabel, valueAt } from "./params.js";

// In a dense picture, the width of a bias beside its unit.
const BIAS = 24;
// Where on the line its number stands, from its beginning.
const SHARE = 0.38;

/** @param {import("./network_picture.js").PartProps & {item: import("./network_picture.js").Item}} props */
export function Edge({ item, state, layout, network, highlight, common }) {
  const { place } = item;
  const value = state.params && place ? valueAt(state.params, place) : undefined;
  if (value === undefined || !place || place.input === null) return null;
  const { side, x, y, dense } = layout;
  const port = dense && place.layer > 0 ? BIAS : 0;
  const [x1, y1] = [x(place.layer) + side / 2 + port, y(place.layer, place.input)];
  const [x2, y2] = [x(place.layer + 1) - side / 2, y(place.layer + 1, place.unit)];
  const width = thickness(value, dense);
  const share = layout.roomy ? SHARE : 0.5;
  const selected = state.setting.select === item.name;
  const line = `M${x1} ${y1}L${x2} ${y2}`;
  const text = formatNumber(value, 4);
  const label = `${parameterLabel(network, state.table, place)}: ${text}`;
  const classes = `edge ${signOf(value)}${selected ? " selected" : ""}${highlight.has(item.name) ? " lit" : ""}`;
  return html`<g class=${classes} role="button" aria-label=${label} aria-pressed=${selected} ...${common(item)}>
    <path class="halo" d=${line} stroke-width=${width + 8} />
    <path class="touch" d=${line} />
    <path class="line" d=${line} stroke-width=${width} />
    <text
      class="weight"
      x=${x1 + share * (x2 - x1)}
      y=${y1 + share * (y2 - y1) - 6 - width / 2}
      data-name=${item.name}
      data-value=${String(value)}
    >
      ${text}
    </text>
  </g>`;
}

/** @param {number | null} value null if it is not a finite number @returns {string} the class of its colour */
export function signOf(value) {
  if (value === null) return "lost";
  return value < 0 ? "negative" : "positive";
}

/** @param {number} value @param {boolean} dense @returns {number} the width of a line */
function thickness(value, dense) {
  const root = Math.sqrt(Math.abs(value));
  return dense ? Math.min(6, 0.6 + 1.3 * root) : Math.min(10, 1 + 2.2 * root);
}

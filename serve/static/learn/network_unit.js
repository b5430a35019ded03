/** A unit in the picture of the network: a square with its own surface, its value, and its bias. */

import { html } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { SurfaceCanvas, Value } from "./elements.js";
import { signOf } from "./network_edge.js";
import { parameterName, unitClass, unitName, valueAt } from "./params.js";
import { unitSurface } from "./unit_surfaces.js";

/** @typedef {import("./network_picture.js").PartProps & {layer: number, unit: number}} UnitProps */

// What the label of the next unit needs to the left of its middle, in pixels.
const ROOM = 48;

/** @param {UnitProps & {texts: Map<string, import("./unit_texts.js").UnitText>}} props */
export function Unit(props) {
  const { layer, unit, state, layout, network, highlight, texts } = props;
  const { side, x, y } = layout;
  const name = unitName(network, state.table, layer, unit);
  const key = `${layer}.${unit}`;
  const text = texts.get(key) ?? {};
  const style = {
    left: `${x(layer) - side / 2}px`,
    top: `${y(layer, unit) - side / 2}px`,
    width: `${side}px`,
    height: `${side}px`,
  };
  const classes = ["unit", layer === 0 && "input", layer === network.sizes.length - 1 && "output"];
  if (highlight.has(key)) classes.push("lit");
  if (state.setting.show === name) classes.push("selected");
  return html`<div class=${classes.filter(Boolean).join(" ")} style=${style}>
    <${Label} ...${props} name=${name} text=${text} />
    <${Square} ...${props} name=${name} />
    ${layer > 0 ? html`<${Bias} ...${props} />` : null}
    ${text.lines?.length ? html`<span class="unit-lines">${text.lines.map((line) => html`<span key=${line.label}>${line.label} = <${Value} name=${line.name} value=${line.value} digits=${3} /></span>`)}</span>` : null}
  </div>`;
}

/** @param {UnitProps & {name: string, text: import("./unit_texts.js").UnitText}} props */
function Label(props) {
  const { layer, layout, name, text } = props;
  const also = alsoCalled(props);
  const style = layer === 0 ? { maxWidth: `${layout.x(1) - layout.x(0) + layout.side / 2 - ROOM}px` } : {};
  const before = also && layer === 0 ? html`<span class="also">${also}:</span> ` : null;
  const after = also && layer > 0 ? html` <span class="also">${also}</span>` : null;
  return html`<span class="unit-label" style=${style} title=${titleOf(name, layer, also)}>${before}<b>${name}</b>${after}${text.value === undefined ? null : html` <span class="equals">${name.includes("=") ? ":" : "="}</span> <${Value} name=${text.name} value=${text.value} digits=${3} />`}</span>`;
}

/** @param {string} name @param {number} layer @param {string | null} also @returns {string} in words, as the sentences of the panels call a unit */
function titleOf(name, layer, also) {
  const number = layer > 0 && /^h(\d+)$/.exec(name)?.[1];
  if (number) return `${name}: hidden unit ${number}`;
  return also ? `${name}: ${also}` : name;
}

/** @param {UnitProps} props @returns {string | null} the class of an output; of an input, its symbol in the formulas if that is not its name */
function alsoCalled({ layer, unit, state, network, layout }) {
  if (layer > 0) return unitClass(network, state.table, layer, unit);
  if (layout.narrow) return null;
  const symbol = state.setting.panel === "trace" ? state.trace?.symbols?.[unit] : null;
  return symbol && symbol !== state.table?.columns[unit] ? symbol : null;
}

/** @param {UnitProps & {name: string}} props */
function Square({ layer, unit, state, network, common, name }) {
  const picture = unitSurface(state, layer, unit);
  const canvas = picture && html`<${SurfaceCanvas} ...${picture} />`;
  if (layer === 0 || layer === network.sizes.length - 1) {
    return html`<span class="square" role="img" aria-label=${`${layer ? "Output" : "Input"} ${name}`}>${canvas}</span>`;
  }
  const shown = state.setting.show === name;
  const item = { name, place: null, unit: name };
  return html`<button type="button" class="square" aria-label=${`Unit ${name}: show it large`} aria-pressed=${shown} ...${common(item)}>${canvas}</button>`;
}

/** @param {UnitProps} props */
function Bias({ layer, unit, state, network, highlight, common }) {
  const place = { layer: layer - 1, input: null, unit };
  const name = parameterName(place);
  const value = state.params ? valueAt(state.params, place) : undefined;
  if (value === undefined) return null;
  const selected = state.setting.select === name;
  const classes = `bias ${signOf(value)}${selected ? " selected" : ""}${highlight.has(name) ? " lit" : ""}`;
  const label = `bias ${formatNumber(value, 3)} of ${unitName(network, state.table, layer, unit)}`;
  return html`<button type="button" class=${classes} aria-label=${label} aria-pressed=${selected} ...${common({ name, place, unit: null })}>
    <span class="bias-name" aria-hidden="true">bias </span><${Value} name=${name} value=${value} digits=${3} />
  </button>`;
}

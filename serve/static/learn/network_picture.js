/** The network, drawn: a line for each weight, a square with its own surface for each unit. */

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { SurfaceCanvas, useWidth, Value } from "./elements.js";
import { parameterLabel, parameterName, places, unitName, valueAt } from "./params.js";
import { networkOf } from "./state.js";
import { rangeAround } from "./surfaces.js";
import { highlightOf, unitTexts } from "./unit_texts.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./params.js").Place} Place */
/** @typedef {{width: number, height: number, side: number, x: (layer: number) => number, y: (layer: number, unit: number) => number, roomy: boolean, dense: boolean}} Layout */

/** @param {number} width @param {number[]} sizes @returns {Layout} */
function layOut(width, sizes) {
  const most = Math.max(...sizes);
  const spacing = Math.max(56, Math.min(152, 460 / most));
  const narrow = width / sizes.length < 110;
  const side = Math.round(Math.max(26, Math.min(narrow ? 44 : 64, spacing * 0.5)));
  // Above a unit there is room for its name, and below it for its bias and what a step has computed.
  const dense = spacing < 110 || narrow;
  const [above, below] = [side / 2 + 24, side / 2 + (dense ? (most <= 4 ? 44 : 14) : 58)];
  const height = Math.max(above + (most - 1) * spacing + below, 230);
  const middle = (above + height - below) / 2;
  const margin = side / 2 + (narrow ? 14 : 34);
  const x = (/** @type {number} */ layer) => margin + (layer * (width - 2 * margin)) / (sizes.length - 1);
  const y = (/** @type {number} */ layer, /** @type {number} */ unit) => middle + (unit - ((sizes[layer] ?? 1) - 1) / 2) * spacing;
  return { width, height, side, x, y, roomy: most <= 3 && width / sizes.length > 100, dense };
}

/** @param {{state: State, act: any}} props */
export function NetworkPicture({ state, act }) {
  const box = useRef(/** @type {any} */ (null));
  const width = useWidth(box, 600);
  const [focused, setFocused] = useState(0);
  const network = networkOf(state);
  const layout = layOut(width, network.sizes);
  const items = itemsOf(network);
  const current = Math.min(focused, items.length - 1);
  const highlight = highlightOf(state);
  const texts = unitTexts(state);

  const moveTo = (/** @type {number} */ index) => {
    setFocused(index);
    box.current?.querySelector(`[data-item="${items[index].name}"]`)?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const item = items[current];
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const nudges = { "+": 0.1, "=": 0.1, "-": -0.1, "−": -0.1 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) moveTo((current + steps[/** @type {keyof steps} */ (event.key)] + items.length) % items.length);
    else if (event.key === "Home") moveTo(0);
    else if (event.key === "End") moveTo(items.length - 1);
    else if (event.key in nudges && item.place && state.params) {
      act.edit(item.name, (valueAt(state.params, item.place) ?? 0) + nudges[/** @type {keyof nudges} */ (event.key)]);
    } else if (event.key === "Enter" || event.key === " ") act.choose(item);
    else return;
    event.preventDefault();
  };
  const common = (/** @type {Item} */ item) => ({
    "data-item": item.name,
    tabindex: items[current].name === item.name ? 0 : -1,
    onFocus: () => (setFocused(items.findIndex((each) => each.name === item.name)), act.hover(item.name)),
    onBlur: () => act.hover(null),
    onPointerEnter: () => act.hover(item.name),
    onPointerLeave: () => act.hover(null),
    onClick: () => act.choose(item),
  });
  return html`<div
    class=${`network${layout.roomy ? " roomy" : ""}${layout.dense ? " dense" : ""}`}
    ref=${box}
    role="group"
    aria-label="The network. Arrow keys move from weight to weight, plus and minus change one, Enter opens it."
    onKeyDown=${onKeyDown}
    style=${{ height: `${layout.height}px` }}
  >
    <svg width=${width} height=${layout.height} viewBox=${`0 0 ${width} ${layout.height}`}>
      ${items.map((item) => item.place && item.place.input !== null && html`<${Edge} key=${item.name} ...${{ item, state, layout, network, highlight, common }} />`)}
    </svg>
    ${network.sizes.map((units, layer) =>
      Array.from({ length: units }, (_, unit) => html`<${Unit} key=${`${layer}.${unit}`} ...${{ layer, unit, state, layout, network, highlight, texts, common }} />`),
    )}
  </div>`;
}

/** @typedef {{name: string, place: Place | null, unit: string | null}} Item */

/** @param {import("./types.js").Network} network @returns {Item[]} what one can focus, in order */
function itemsOf(network) {
  return places(network).flatMap((place) => {
    const item = { name: parameterName(place), place, unit: null };
    const hidden = place.layer + 2 < network.sizes.length;
    if (place.input !== null) return [item];
    const unit = unitName(network, null, place.layer + 1, place.unit);
    return hidden ? [item, { name: unit, place: null, unit }] : [item];
  });
}

// In a dense picture, the width of a bias beside its unit.
const BIAS = 24;

/** @param {number} value @param {boolean} dense @returns {number} the width of a line */
function thickness(value, dense) {
  return dense ? Math.min(6, 0.6 + 1.3 * Math.sqrt(Math.abs(value))) : Math.min(10, 1 + 2.2 * Math.sqrt(Math.abs(value)));
}

/** @param {any} props */
function Edge({ item, state, layout, network, highlight, common }) {
  const place = /** @type {{layer: number, input: number, unit: number}} */ (item.place);
  const value = state.params ? valueAt(state.params, place) : undefined;
  if (value === undefined) return null;
  const { side, x, y, dense } = layout;
  const port = dense && place.layer > 0 ? BIAS : 0;
  const [x1, y1, x2, y2] = [x(place.layer) + side / 2 + port, y(place.layer, place.input), x(place.layer + 1) - side / 2, y(place.layer + 1, place.unit)];
  const share = 0.3;
  const width = thickness(value, dense);
  const classes = ["edge", value === null ? "lost" : value < 0 ? "negative" : "positive", state.setting.select === item.name && "selected", highlight.has(item.name) && "lit"];
  const line = `M${x1} ${y1}L${x2} ${y2}`;
  const text = formatNumber(value, 4);
  return html`<g class=${classes.filter(Boolean).join(" ")} role="button" aria-label=${`${parameterLabel(network, state.table, place)}: ${text}`} aria-pressed=${state.setting.select === item.name} ...${common(item)}>
    <path class="halo" d=${line} stroke-width=${width + 8} />
    <path class="touch" d=${line} />
    <path class="line" d=${line} stroke-width=${width} />
    <text class="weight" x=${x1 + share * (x2 - x1)} y=${y1 + share * (y2 - y1) - 6 - width / 2} data-name=${item.name} data-value=${String(value)}>${text}</text>
  </g>`;
}

/** @param {any} props */
function Unit({ layer, unit, state, layout, network, highlight, texts, common }) {
  const { side, x, y } = layout;
  const name = unitName(network, state.table, layer, unit);
  const output = layer === network.sizes.length - 1;
  const style = { left: `${x(layer) - side / 2}px`, top: `${y(layer, unit) - side / 2}px`, width: `${side}px`, height: `${side}px` };
  const picture = surfaceOf(state, layer, unit);
  const said = texts.get(`${layer}.${unit}`) ?? {};
  const canvas = picture && html`<${SurfaceCanvas} ...${picture} />`;
  const lit = highlight.has(`${layer}.${unit}`) ? " lit" : "";
  const shown = state.setting.show === name ? " selected" : "";
  const label = html`<span class="unit-label"><b>${name}</b>${said.value === undefined ? null : html` <span class="equals">=</span> <${Value} name=${said.name} value=${said.value} digits=${3} />`}</span>`;
  const square = layer === 0 || output
    ? html`<span class="square" role="img" aria-label=${`${output ? "Output" : "Input"} ${name}`}>${canvas}</span>`
    : html`<button type="button" class="square" aria-label=${`Unit ${name}: show it large`} aria-pressed=${Boolean(shown)} ...${common({ name, place: null, unit: name })}>${canvas}</button>`;
  return html`<div class=${`unit${lit}${shown}${layer === 0 ? " input" : ""}${output ? " output" : ""}`} style=${style}>
    ${label}${square}
    ${layer > 0 && state.params ? html`<${Bias} ...${{ layer, unit, state, network, highlight, common }} />` : null}
    ${said.lines?.length ? html`<span class="unit-lines">${said.lines.map((/** @type {any} */ line) => html`<span key=${line.label}>${line.label} = <${Value} name=${line.name} value=${line.value} digits=${3} /></span>`)}</span>` : null}
  </div>`;
}

/** @param {any} props */
function Bias({ layer, unit, state, network, highlight, common }) {
  const place = { layer: layer - 1, input: null, unit };
  const name = parameterName(place);
  const value = valueAt(state.params, place);
  if (value === undefined) return null;
  const classes = ["bias", value < 0 ? "negative" : "positive", state.setting.select === name && "selected", highlight.has(name) && "lit"];
  const label = `bias ${formatNumber(value, 3)} of ${unitName(network, state.table, layer, unit)}`;
  return html`<button type="button" class=${classes.filter(Boolean).join(" ")} aria-label=${label} aria-pressed=${state.setting.select === name} ...${common({ name, place, unit: null })}>
    <span class="bias-name" aria-hidden="true">bias </span><${Value} name=${name} value=${value} digits=${3} />
  </button>`;
}

/** @param {State} state @param {number} layer @param {number} unit @returns {any} what a unit's picture needs */
function surfaceOf(state, layer, unit) {
  const { surface, setting } = state;
  const network = networkOf(state);
  if (!surface) return null;
  const { size } = surface;
  if (layer === 0) {
    const axis = setting.drawn.indexOf(unit);
    const along = axis === 1 ? surface.ys : surface.xs;
    const constant = state.table?.x[setting.row]?.[unit] ?? 0;
    const values = Array.from({ length: size * size }, (_, index) => axis < 0 ? constant : along[axis === 1 ? Math.floor(index / size) : index % size]);
    const [low, high] = [along[0], along[size - 1]];
    return { values, size, range: axis < 0 ? rangeAround([constant]) : { low, middle: (low + high) / 2, high } };
  }
  if (layer < network.sizes.length - 1) {
    const values = surface.units[layer - 1]?.[unit];
    return values ? { values, size, range: rangeAround(values) } : null;
  }
  const values = surface.outputs[unit];
  return values ? { values, size, range: outputRange(state) } : null;
}

/** @param {State} state @returns {import("./surfaces.js").Range} of the colours of predictions */
export function outputRange(state) {
  if (state.table?.task !== "regression") return { low: 0, middle: 0.5, high: 1 };
  const { y } = state.table;
  const [low, high] = [Math.min(...y), Math.max(...y)];
  return { low, middle: (low + high) / 2, high };
}

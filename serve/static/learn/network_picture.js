/** The network, drawn: a line for each weight, a square with its own surface for each unit. */

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { useWidth } from "./elements.js";
import { Edge } from "./network_edge.js";
import { layOut } from "./network_layout.js";
import { Unit } from "./network_unit.js";
import { parameterName, places, unitName, valueAt } from "./params.js";
import { networkOf } from "./derived.js";
import { highlightOf, unitTexts } from "./unit_texts.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{name: string, place: import("./params.js").Place | null, unit: string | null}} Item */
/**
 * @typedef {object} PartProps what every part of the picture gets
 * @property {State} state
 * @property {import("./types.js").Network} network
 * @property {import("./network_layout.js").Layout} layout
 * @property {Set<string>} highlight
 * @property {(item: Item) => object} common the attributes of what one can focus
 */

/** @type {Record<string, number>} */
const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
/** @type {Record<string, number>} */
const NUDGES = { "+": 0.1, "=": 0.1, "-": -0.1, "−": -0.1 };
const HELP = "The network. Arrow keys move from weight to weight, plus and minus change one, Enter opens it.";

/** @param {{state: State, act: any}} props */
export function NetworkPicture({ state, act }) {
  const box = useRef(/** @type {any} */ (null));
  const width = useWidth(box, 600);
  const [focused, setFocused] = useState("");
  const network = networkOf(state);
  const layout = layOut(width, network.sizes);
  const items = itemsOf(network);
  const current = Math.max(0, items.findIndex((item) => item.name === focused));
  const common = (/** @type {Item} */ item) => ({
    "data-item": item.name,
    tabindex: items[current]?.name === item.name ? 0 : -1,
    onFocus: () => {
      setFocused(item.name);
      act.hover(item.name);
    },
    onBlur: () => act.hover(null),
    onPointerEnter: () => act.hover(item.name),
    onPointerLeave: () => act.hover(null),
    onClick: () => act.choose(item),
  });
  const parts = { state, network, layout, highlight: highlightOf(state), common };
  const texts = unitTexts(state);
  const focus = (/** @type {number} */ index) => box.current.querySelector(`[data-item="${items[index]?.name}"]`)?.focus();
  return html`<div
    class=${`network${layout.roomy ? " roomy" : ""}${layout.dense ? " dense" : ""}${layout.tiny ? " tiny" : ""}`}
    ref=${box}
    role="group"
    aria-label=${HELP}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => onKey(event, state, act, items, current, focus)}
    style=${{ height: `${layout.height}px` }}
  >
    <svg width=${width} height=${layout.height} viewBox=${`0 0 ${width} ${layout.height}`}>
      ${items.map((item) => html`<${Edge} key=${item.name} item=${item} ...${parts} />`)}
    </svg>
    ${network.sizes.map((units, layer) =>
      Array.from({ length: units }, (_, unit) => html`<${Unit} key=${`${layer}.${unit}`} layer=${layer} unit=${unit} texts=${texts} ...${parts} />`),
    )}
  </div>`;
}

/**
 * @param {KeyboardEvent} event
 * @param {State} state
 * @param {any} act
 * @param {Item[]} items
 * @param {number} current the index of the item that has the focus
 * @param {(index: number) => void} focus
 */
function onKey(event, state, act, items, current, focus) {
  const item = items[current];
  const { key, ctrlKey, metaKey, altKey } = event;
  if (!item || [ctrlKey, metaKey, altKey].includes(true)) return;
  const move = MOVES[key];
  const nudge = NUDGES[key];
  const ends = /** @type {Record<string, number>} */ ({ Home: 0, End: items.length - 1 });
  if (move) focus((current + move + items.length) % items.length);
  else if (key in ends) focus(ends[key] ?? 0);
  else if (nudge && item.place && state.params) act.edit(item.name, (valueAt(state.params, item.place) ?? 0) + nudge);
  else if (key === "Enter" || key === " ") act.choose(item);
  else return;
  event.preventDefault();
}

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

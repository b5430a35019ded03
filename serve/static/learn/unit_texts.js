/** What stands at each unit of the picture: its value at the pointer or of the row, and what a step has computed. */

import { parameterName, placeOf, unitName } from "./params.js";
import { networkOf, traceKey } from "./state.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{name: string, label: string, value: number}} Line */
/** @typedef {{name?: string, value?: number, lines?: Line[]}} UnitText */

/** @param {State} state @returns {Map<string, UnitText>} by layer.unit, where layer 0 has the inputs */
export function unitTexts(state) {
  if (isStepping(state)) return stepTexts(state);
  if (state.probe) return probeTexts(state);
  return rowTexts(state);
}

/** @param {State} state */
export function isStepping(state) {
  return state.setting.panel === "trace" && !state.running && state.trace?.key === traceKey(state);
}

/** @param {State} state */
function rowTexts(state) {
  const { table, forward } = state;
  const { row } = state.setting;
  /** @type {Map<string, UnitText>} */
  const texts = new Map();
  table?.x[row]?.forEach((value, column) => texts.set(`0.${column}`, { name: `x[${row},${column}]`, value }));
  if (!forward || !table?.y.length) return texts;
  forward.activations.forEach((rows, layer) => {
    rows[row]?.forEach((value, unit) => texts.set(`${layer + 1}.${unit}`, { name: `activation[${layer},${row},${unit}]`, value }));
  });
  const last = networkOf(state).sizes.length - 1;
  [forward.predictions[row]].flat().forEach((value, unit) => {
    if (value !== undefined) texts.set(`${last}.${unit}`, { name: `prediction[${row},${unit}]`, value });
  });
  return texts;
}

/** @param {State} state */
function probeTexts(state) {
  const { surface, probe, table, setting } = state;
  /** @type {Map<string, UnitText>} */
  const texts = new Map();
  if (!surface || !probe) return texts;
  const at = probe.line * surface.size + probe.column;
  table?.columns.forEach((_, column) => {
    const axis = setting.drawn.indexOf(column);
    const value = axis < 0 ? (table.x[setting.row]?.[column] ?? 0) : axis === 0 ? surface.xs[probe.column] : surface.ys[probe.line];
    texts.set(`0.${column}`, { name: `probe x[${column}]`, value });
  });
  surface.units.forEach((units, layer) => units.forEach((values, unit) => texts.set(`${layer + 1}.${unit}`, { name: `probe unit[${layer},${unit}]`, value: values[at] })));
  surface.outputs.forEach((values, unit) => texts.set(`${surface.units.length + 1}.${unit}`, { name: `probe output[${unit}]`, value: values[at] }));
  return texts;
}

/** @param {State} state @returns {Map<string, UnitText>} only what has been computed up to the step */
function stepTexts(state) {
  const network = networkOf(state);
  const { row } = state.setting;
  const last = network.sizes.length - 1;
  /** @type {Map<string, UnitText>} */
  const texts = new Map();
  state.table?.x[row]?.forEach((value, column) => texts.set(`0.${column}`, { name: `x[${row},${column}]`, value }));
  for (const step of state.trace?.steps.slice(0, state.setting.step + 1) ?? []) {
    const layer = step.layer === null ? last : step.layer + 1;
    const key = `${layer}.${step.unit ?? 0}`;
    const text = texts.get(key) ?? { lines: [] };
    const name = `step ${step.name}`;
    if (step.kind === "activation" || step.kind === "prediction") Object.assign(text, { name, value: step.result });
    else if (step.kind !== "gradient" && step.kind !== "update") {
      text.lines = [...(text.lines ?? []).filter((line) => line.label !== step.name), { name, label: step.name, value: step.result }];
    }
    texts.set(key, text);
  }
  return texts;
}

/** @param {State} state @returns {Set<string>} the parameters, and the units as layer.unit, that the step is about */
export function highlightOf(state) {
  /** @type {Set<string>} */
  const lit = new Set();
  if (!isStepping(state)) return lit;
  const step = state.trace?.steps[state.setting.step];
  const { sizes } = networkOf(state);
  if (!step) return lit;
  const last = sizes.length - 2;
  const [layer, unit] = [step.layer ?? last, step.unit ?? 0];
  if (step.kind === "gradient" || step.kind === "update") {
    lit.add(parameterName({ layer, input: step.input, unit }));
    return lit;
  }
  lit.add(`${layer + 1}.${unit}`);
  if (step.kind === "preactivation") {
    for (let input = 0; input < sizes[layer]; input++) lit.add(parameterName({ layer, input, unit }));
    lit.add(parameterName({ layer, input: null, unit }));
  }
  if (step.kind === "delta" && layer < last) {
    for (let next = 0; next < sizes[layer + 2]; next++) lit.add(parameterName({ layer: layer + 1, input: unit, unit: next }));
  }
  return lit;
}

/** @param {State} state @returns {string} what is under the pointer, in words; empty if nothing is */
export function hoveredName(state) {
  const place = state.hovered && placeOf(state.hovered);
  return place ? unitName(networkOf(state), state.table, place.layer + 1, place.unit) : "";
}

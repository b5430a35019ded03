/** What stands at each unit of the picture: its value at the pointer or of the row, and what a step has computed. */

import { parameterName } from "./params.js";
import { networkOf, traceKey } from "./derived.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{name: string, label: string, value: number}} Line */
/** @typedef {{name?: string, value?: number | undefined, lines?: Line[]}} UnitText */

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
    if (step.kind === "gradient" || step.kind === "update") continue;
    const key = `${step.layer === null ? last : step.layer + 1}.${step.unit ?? 0}`;
    texts.set(key, withStep(texts.get(key) ?? {}, step));
  }
  return texts;
}

/** @param {UnitText} text @param {import("./types.js").TraceStep} step @returns {UnitText} */
function withStep(text, step) {
  const name = `step ${step.name}`;
  if (step.kind === "activation" || step.kind === "prediction") return { ...text, name, value: step.result };
  return { ...text, lines: [...(text.lines ?? []), { name, label: step.name, value: step.result }] };
}

/** @param {State} state @returns {Set<string>} the parameters, and the units as layer.unit, that the step is about */
export function highlightOf(state) {
  const step = isStepping(state) ? state.trace?.steps[state.setting.step] : undefined;
  return new Set(step ? partsOf(step, networkOf(state).sizes) : []);
}

/** @param {import("./types.js").TraceStep} step @param {number[]} sizes @returns {string[]} what a step is about */
function partsOf(step, sizes) {
  const last = sizes.length - 2;
  const [layer, unit] = [step.layer ?? last, step.unit ?? 0];
  const counted = (/** @type {number | undefined} */ count) => Array.from({ length: count ?? 0 }, (_, index) => index);
  if (step.kind === "gradient" || step.kind === "update") return [parameterName({ layer, input: step.input, unit })];
  const own = `${layer + 1}.${unit}`;
  if (step.kind === "preactivation") {
    return [own, ...[null, ...counted(sizes[layer])].map((input) => parameterName({ layer, input, unit }))];
  }
  if (step.kind !== "delta") return [own];
  return [own, ...counted(sizes[layer + 2]).map((next) => parameterName({ layer: layer + 1, input: unit, unit: next }))];
}

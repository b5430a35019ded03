/** The steps of a trace: in which part of the computation each one is, in which order they are shown, and their titles. */

import { networkOf } from "./derived.js";
import { parameterLabel } from "./params.js";

/** @typedef {import("./types.js").TraceStep} TraceStep */

export const PHASES = ["Forwards", "Backwards", "Update"];
const FORWARDS = ["preactivation", "activation", "prediction", "row loss", "loss"];

/** @param {TraceStep} step @returns {string} the phase that it belongs to */
export function phaseOf(step) {
  if (FORWARDS.includes(step.kind)) return "Forwards";
  return step.kind === "update" ? "Update" : "Backwards";
}

/** @param {TraceStep[]} steps @returns {TraceStep[]} phase by phase: all gradients come before the first update */
export function inPhases(steps) {
  return PHASES.flatMap((phase) => steps.filter((step) => phaseOf(step) === phase));
}

/** @param {import("./state.js").State} state @param {TraceStep} step @returns {string} what its number is */
export function titleOf(state, step) {
  if (step.kind !== "gradient" && step.kind !== "update") return step.name;
  const place = { layer: step.layer ?? 0, input: step.input, unit: step.unit ?? 0 };
  const label = parameterLabel(networkOf(state), state.table, place);
  return step.kind === "gradient" ? `gradient of the ${label}` : `new ${label}`;
}

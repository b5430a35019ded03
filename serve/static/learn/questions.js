/** Which question the page asks the endpoints next, as a pure function of the state. Only one is asked at a time. */

import { LIMITS } from "./limits.js";
import { placeOf, valueAt } from "./params.js";
import * as derived from "./derived.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{kind: string, path: string, body: any, key: string, turn: number, epochs?: number}} Question */

// While it runs, the numbers beside the pictures are renewed so often, in milliseconds.
const NUMBERS_EVERY = 250;
export const SURFACE_SIZE = 48;
const RUNNING_SIZE = 32;

/**
 * @param {State} state
 * @param {number} now in milliseconds
 * @param {number} numbersAt when the numbers were asked for last
 * @returns {Question | null} null if there is nothing to ask
 */
export function nextQuestion(state, now, numbersAt) {
  if (state.halted) return null;
  return firstQuestion(state) ?? trainingQuestion(state, now - numbersAt > NUMBERS_EVERY) ?? pictureQuestion(state) ?? panelQuestion(state);
}

/** @param {State} state @returns {Question | null} for the table, and for the params of the start */
function firstQuestion(state) {
  const { setting } = state;
  if (!state.table) return ask(state, "table", "/learn/table", { table: tableBody(setting.table) });
  const network = derived.networkOf(state);
  if (state.params) return null;
  const start = { seed: setting.seed, index: setting.start, init: setting.init };
  return ask(state, "start", "/learn/start", { network, start });
}

/** @param {State} state @returns {boolean} whether there is something that can be trained and asked about */
function isAlive(state) {
  return !state.diverged && (state.table?.y.length ?? 0) > 0;
}

/** @param {State} state @param {boolean} due whether it is time to renew the numbers @returns {Question | null} */
function trainingQuestion(state, due) {
  if (!isAlive(state)) return null;
  const isBehind = state.epoch < state.setting.epochs;
  // The loss of the start is the first point of the curve.
  const first = state.epoch === 0 && (isBehind || state.running) ? forwardQuestion(state) : null;
  if (first) return first;
  if (isBehind) return trainQuestion(state, catchUp(state), false);
  if (!state.running || (due && state.forward?.key !== derived.forwardKey(state))) return null;
  return trainQuestion(state, frameEpochs(state), true);
}

/** @param {State} state @returns {any} what most questions hold */
function bodyOf(state) {
  return { network: derived.networkOf(state), params: state.params, table: tableBody(state.setting.table) };
}

/** @param {State} state @returns {Question | null} for the numbers of the rows, unless they are known */
function forwardQuestion(state) {
  if (!isAlive(state) || state.forward?.key === derived.forwardKey(state)) return null;
  return ask(state, "forward", "/learn/forward", bodyOf(state), derived.forwardKey(state));
}

/** @param {State} state @returns {Question | null} for the numbers of the rows, and for the surfaces */
function pictureQuestion(state) {
  if (state.diverged) return null;
  const forward = forwardQuestion(state);
  if (forward) return forward;
  if (state.surface?.key === derived.surfaceKey(state)) return null;
  const { network, params } = bodyOf(state);
  return ask(state, "surface", "/learn/surface", { network, params, grid: gridOf(state, SURFACE_SIZE) }, derived.surfaceKey(state));
}

/** @param {State} state @returns {Question | null} for the panel that is open */
function panelQuestion(state) {
  if (!isAlive(state) || state.running) return null;
  const { setting } = state;
  const body = bodyOf(state);
  if (setting.panel === "nudge" && state.gradients?.key !== derived.gradientsKey(state)) {
    const asked = { ...body, epsilon: setting.epsilon, parameter: selectedExists(state) ? setting.select : null };
    return ask(state, "gradients", "/learn/gradients", asked, derived.gradientsKey(state));
  }
  if (setting.panel === "trace" && state.trace?.key !== derived.traceKey(state)) {
    const asked = { ...body, row: setting.row, training: derived.trainingOf(state) };
    return ask(state, "trace", "/learn/trace", asked, derived.traceKey(state));
  }
  return null;
}

/** @param {State} state */
export function selectedExists(state) {
  const place = state.setting.select && placeOf(state.setting.select);
  return Boolean(place && state.params && valueAt(state.params, place) !== undefined);
}

/** @param {State} state @param {string} kind @param {string} path @param {any} body @param {string} key @returns {Question} */
function ask(state, kind, path, body, key = "") {
  return { kind, path, body, key, turn: state.turn };
}

/** @param {State} state @param {number} epochs @param {boolean} drawn @returns {Question} */
function trainQuestion(state, epochs, drawn) {
  const body = {
    network: derived.networkOf(state),
    params: state.params,
    table: tableBody(state.setting.table),
    training: derived.trainingOf(state),
    opt_state: state.optState,
    epochs,
    records: drawn ? Math.min(epochs, 4) : Math.min(epochs, 200),
    grid: drawn ? gridOf(state, RUNNING_SIZE) : null,
  };
  return { ...ask(state, "train", "/learn/train", body), epochs };
}

/** @param {State} state @returns {number} how many epochs one stretch of catching up takes */
function catchUp(state) {
  const left = state.setting.epochs - state.epoch;
  return Math.max(1, Math.min(left, largestEpochs(state)));
}

/** @param {State} state @param {number} networks that are trained at once @returns {number} how many epochs one call may take */
export function largestEpochs(state, networks = 1) {
  const { sizes } = derived.networkOf(state);
  const parameters = sizes.slice(1).reduce((sum, units, layer) => sum + units * ((sizes[layer] ?? 0) + 1), 0);
  const each = parameters * Math.max(1, state.table?.y.length ?? 1) * networks;
  return Math.max(1, Math.min(LIMITS.epochs[1], Math.floor(LIMITS.work / each)));
}

/** @param {State} state */
function frameEpochs(state) {
  const wanted = Number(state.speed) || state.pace;
  return Math.max(1, Math.min(wanted, largestEpochs(state)));
}

/** @param {import("./types.js").TableSpec} table @returns {any} as the endpoints take it */
export function tableBody(table) {
  if ("name" in table) return table;
  const { columns, target, classes, task, x, y } = table;
  return { columns, target, classes, task, x, y };
}

/** @param {import("./types.js").TableSpec} table @returns {any} for a checkpoint: with the columns of its file */
export function checkpointTable(table) {
  return "encoding" in table ? { ...tableBody(table), encoding: table.encoding } : tableBody(table);
}

/** @param {State} state @param {number} size @returns {any} the grid of the pictures, a little wider than the data */
export function gridOf(state, size) {
  const { drawn, row } = state.setting;
  const { low, high } = rangeOf(state);
  const others = derived.isPlane(state) ? null : (state.table?.x[row] ?? null);
  return { columns: drawn, low, high, size, others };
}

/** @param {State} state @returns {{low: [number, number], high: [number, number]}} of the two drawn columns */
export function rangeOf(state) {
  const { drawn, table } = state.setting;
  if ("drawn" in table && table.drawn) return { low: [-1.5, -1.5], high: [1.5, 1.5] };
  const share = "name" in table && table.rows === undefined ? 0.25 : 0.1;
  const ends = (/** @type {0 | 1} */ axis) => {
    const low = state.table?.lows[drawn[axis]] ?? 0;
    const high = state.table?.highs[drawn[axis]] ?? 1;
    const margin = (high - low || 1) * share;
    return { low: low - margin, high: high + margin };
  };
  const [across, up] = [ends(0), ends(1)];
  return { low: [across.low, up.low], high: [across.high, up.high] };
}

/**
 * What the page knows, as one plain object, and the pure functions that change it. Every number in it that is not part
 * of the setting is the answer of an endpoint.
 */

import { DEFAULT_SETTING } from "./address.js";
import { forwardKey, networkOf, surfaceKey } from "./derived.js";
import { asFloat32, flatten, placeOf, unflatten, valueAt, withValue } from "./params.js";
import { seemsStuck } from "./progress.js";
import { remember } from "./undo.js";

/** @typedef {import("./types.js").Setting} Setting */
/** @typedef {import("./types.js").Table} Table */
/** @typedef {import("./types.js").Params} Params */

/**
 * @typedef {object} State
 * @property {Setting} setting what the address holds
 * @property {number} turn counts what the learner changed; an answer to a question of an earlier turn comes too late
 * @property {Table | null} table
 * @property {Params | null} params
 * @property {any[] | null} optState
 * @property {number} epoch since the start
 * @property {number} version counts the changes of params, table and network
 * @property {{epoch: number, loss: number}[]} losses
 * @property {boolean} running
 * @property {string} speed auto, full, or how many epochs a frame
 * @property {number} pace epochs of the next frame at the speeds auto and full
 * @property {boolean} diverged
 * @property {boolean} stopped whether the run stopped since every row is right
 * @property {import("./types.js").Forward & Known | null} forward
 * @property {import("./types.js").Surface & Known | null} surface
 * @property {import("./types.js").Gradients & Known | null} gradients
 * @property {import("./types.js").Trace & Known | null} trace
 * @property {string | null} problem a sentence about what went wrong
 * @property {boolean} halted whether to ask nothing more until the learner changes something
 * @property {{column: number, line: number} | null} probe the cell of the surface under the pointer
 * @property {string | null} hovered the unit or parameter under the pointer
 * @property {any} tried the starts that were tried side by side, and their setting
 * @property {any} diagnosis why the network was stuck, and the key of the network
 * @property {import("./undo.js").Undo | null} undo what there was before the last change by hand
 * @property {boolean} stuck whether the run has paused since it seemed stuck
 * @property {number} stuckAt how many epochs the run had then; it pauses again after twice as many
 * @property {{key: string, before: number | null} | null} applied the update that was applied last: the key of the params that it made, and the loss of all rows before it
 * @property {number} drawClass the class of the next point that is drawn
 */

/** @typedef {{key: string}} Known key: what it was computed for */

/** @returns {State} */
export function initialState() {
  return {
    setting: { ...DEFAULT_SETTING },
    turn: 0,
    speed: "auto",
    pace: 1,
    drawClass: 1,
    tried: null,
    diagnosis: null,
    applied: null,
    probe: null,
    hovered: null,
    problem: null,
    halted: false,
    ...NOTHING_KNOWN,
  };
}

const NOTHING_KNOWN = Object.freeze({
  table: null,
  params: null,
  optState: null,
  epoch: 0,
  version: 0,
  losses: /** @type {{epoch: number, loss: number}[]} */ ([]),
  running: false,
  diverged: false,
  stopped: false,
  forward: null,
  surface: null,
  gradients: null,
  trace: null,
  undo: null,
  stuck: false,
  stuckAt: 0,
});

// Without numbers, nothing that was computed before may stand beside the weights.
const NO_NUMBERS = Object.freeze({ running: false, forward: null, surface: null, gradients: null, trace: null, probe: null });

/**
 * @param {State} state
 * @param {Setting} setting
 * @param {string | null} problem what was wrong with the address
 * @returns {State} that setting from its start
 */
export function open(state, setting, problem = null) {
  const kept = sameTable(state.setting, setting) ? { table: state.table } : {};
  const opened = {
    ...state, ...NOTHING_KNOWN, ...kept, setting: { ...setting, run: false }, running: setting.run, turn: state.turn + 1,
    version: state.version + 1, problem, halted: false, probe: null, pace: 1, surface: state.surface, forward: state.forward,
  };
  const table = opened.table ?? emptyTable(setting.table);
  return table ? receiveTable(opened, table) : opened;
}

/** @param {Setting} one @param {Setting} other */
function sameTable(one, other) {
  return JSON.stringify(one.table) === JSON.stringify(other.table);
}

/** @param {State} state @param {Partial<Setting>} changes to the network or its start @returns {State} */
export function startAnew(state, changes) {
  return open(state, { ...state.setting, params: null, before: 0, epochs: 0, step: 0, ...changes });
}

/** @param {State} state @param {Partial<Setting>} changes @returns {State} back at the start of its seed, before any change by hand */
export function reset(state, changes = {}) {
  return { ...startAnew(state, changes), undo: remember(state, "reset").undo };
}

/** @param {State} state @param {import("./types.js").TableSpec} table @returns {State} with the same network */
export function chooseTable(state, table) {
  return startAnew(state, { table, row: DEFAULT_SETTING.row, drawn: [0, 1], class: 1, select: null, show: null });
}

/** @param {State} state @param {Partial<Setting>} changes to what is shown only @returns {State} */
export function show(state, changes) {
  return { ...state, halted: false, problem: null, setting: { ...state.setting, ...changes } };
}

/**
 * Another learning rate or optimizer. The start becomes the params as they are, so that the numbers can be reproduced.
 * @param {State} state @param {Partial<Setting>} changes @returns {State}
 */
export function changeTraining(state, changes) {
  const { setting, epoch, params } = state;
  const turned = { ...state, turn: state.turn + 1, halted: false, problem: null, optState: null };
  if (state.diverged) return reset(state, changes);
  if (epoch === 0 || !params) return { ...turned, setting: { ...setting, ...changes } };
  return { ...rebase(turned, params), setting: { ...rebase(turned, params).setting, ...changes } };
}

/** @param {State} state @param {Params} params @returns {State} which starts from these params */
function rebase(state, params) {
  const { setting, epoch } = state;
  return {
    ...state, params, epoch: 0, optState: null,
    setting: { ...setting, params: flatten(params), before: setting.before + epoch, epochs: 0 },
  };
}

/** @param {State} state @param {string} name of a parameter @param {number} value @returns {State} changed by hand */
export function editParameter(state, name, value) {
  const place = placeOf(name);
  if (!place || !state.params || state.diverged || !Number.isFinite(value) || valueAt(state.params, place) === undefined) return state;
  return takeParams(remember(state, "edit", name), withValue(state.params, place, asFloat32(value)));
}

/** @param {State} state @param {Params} params made by hand, or by a change that a finding names @returns {State} */
export function takeParams(state, params) {
  return {
    ...rebase(state, params), turn: state.turn + 1, version: state.version + 1, running: false, diverged: false,
    stopped: false, stuck: false, stuckAt: 0, halted: false, problem: null,
  };
}

/** @param {State} state @param {Params} params after an update for one row, which counts as one epoch @returns {State} */
export function applyUpdate(state, params) {
  const changed = takeParams(state, params);
  const before = state.forward?.key === forwardKey(state) ? state.forward.loss : null;
  return show({ ...changed, applied: { key: forwardKey(changed), before } }, { before: changed.setting.before + 1, step: 0 });
}

/** @param {State} state @returns {State} */
export function run(state) {
  if (!state.params || state.diverged) return state;
  return { ...state, running: true, stopped: false, stuck: false, halted: false, problem: null, turn: state.turn + 1, probe: null };
}

/** @param {State} state @returns {State} */
export function pause(state) {
  const setting = { ...state.setting, epochs: state.epoch };
  return { ...state, running: false, setting, turn: state.turn + 1 };
}

/** @param {State} state @returns {State} which trains one epoch more */
export function stepOnce(state) {
  if (state.diverged) return state;
  const setting = { ...state.setting, epochs: state.epoch + 1 };
  return { ...state, running: false, setting, turn: state.turn + 1, halted: false, problem: null };
}

/** @param {State} state @param {string} problem a sentence @returns {State} */
export function fail(state, problem) {
  return { ...pause(state), halted: true, problem };
}

/** @param {State} state @param {number[]} point @param {number} label @returns {State} with one more drawn point */
export function addPoint(state, point, label) {
  const { table } = state.setting;
  if (!("drawn" in table)) return state;
  return drawPoints(state, { ...table, x: [...table.x, point.map(asFloat32)], y: [...table.y, label] });
}

/** @param {State} state @param {import("./types.js").GivenTable} table @returns {State} other points, the same params */
export function drawPoints(state, table) {
  const { params } = state;
  if (state.diverged) return startAnew(state, { table, row: 0 });
  const changed = { ...state, turn: state.turn + 1, version: state.version + 1, running: false, halted: false, problem: null };
  const based = params ? rebase(changed, params) : changed;
  return { ...based, table: emptyTable(table), stopped: false, stuck: false, stuckAt: 0, undo: null, losses: [], setting: { ...based.setting, table, row: 0, step: 0 } };
}

/** @param {import("./types.js").TableSpec} table @returns {Table | null} the table itself if it has no rows: then there is nothing to ask */
function emptyTable(table) {
  if ("name" in table || table.y.length) return null;
  const { columns, target, classes, task } = table;
  return { columns, target, classes, task, x: [], y: [], lows: [-1, -1], highs: [1, 1] };
}

/** @param {State} state @param {Table} answer @returns {State} */
export function receiveTable(state, answer) {
  const classes = answer.classes?.length ? answer.classes.map(String) : null;
  const table = { ...answer, classes };
  const columns = table.columns.length;
  const { setting } = state;
  const row = Math.min(setting.row, Math.max(table.y.length - 1, 0));
  /** @type {[number, number]} */
  const drawn = setting.drawn.every((column) => column < columns) ? setting.drawn : [0, Math.min(1, columns - 1)];
  const known = { ...state, table, setting: { ...setting, row, drawn, class: Math.min(setting.class, (table.classes?.length ?? 2) - 1) } };
  if (!setting.params || known.params) return known;
  const params = unflatten(setting.params, networkOf(known));
  if (params) return { ...known, params };
  const problem = `The params in the address do not fit its network. Start ${setting.start} of seed ${setting.seed} is used instead.`;
  return { ...known, setting: { ...known.setting, params: null, before: 0 }, problem };
}

/** @param {State} state @param {Params} params @returns {State} */
export function receiveStart(state, params) {
  return { ...state, params, version: state.version + 1 };
}

const MOST_LOSSES = 2000;

/**
 * @param {State} state
 * @param {number} epochs
 * @param {any} answer of /learn/train
 * @param {import("./types.js").Surface & Known | null} surface
 * @returns {State}
 */
export function receiveTraining(state, epochs, answer, surface) {
  const done = state.setting.before + state.epoch;
  const added = answer.losses.map((/** @type {any} */ at) => ({ epoch: done + at.epoch, loss: at.loss }));
  const losses = [...state.losses, ...added].filter((at) => at.loss !== null);
  const epoch = state.epoch + epochs;
  const version = state.version + 1;
  const trained = {
    ...state, params: answer.params, optState: answer.opt_state, epoch, version, diverged: answer.diverged,
    losses: losses.length > MOST_LOSSES ? losses.filter((_, index) => index % 2 || index === losses.length - 1) : losses,
    surface: surface ? { ...surface, key: surfaceKey({ ...state, version }) } : state.surface,
    setting: { ...state.setting, epochs: Math.max(epoch, state.running ? 0 : state.setting.epochs) },
  };
  return answer.diverged ? { ...trained, ...NO_NUMBERS, setting: { ...trained.setting, epochs: epoch } } : trained;
}

/** @param {State} state @param {import("./types.js").Forward & Known} forward @returns {State} */
export function receiveForward(state, forward) {
  const isOfNow = forward.key === forwardKey(state);
  if (isOfNow && forward.loss === null) return { ...pause(state), ...NO_NUMBERS, diverged: true };
  const stopped = state.running && state.setting.stop && forward.solved && isOfNow;
  const known = { ...state, forward, losses: isOfNow ? withFirstLoss(state, forward.loss) : state.losses };
  if (stopped) return { ...pause(known), stopped };
  const stuck = state.running && state.epoch >= 2 * state.stuckAt && seemsStuck(known);
  return stuck ? { ...pause(known), stuck, stuckAt: state.epoch } : known;
}

/** @param {State} state @param {number | null} loss of its params @returns {State["losses"]} with that of the first epoch, if training has not begun */
function withFirstLoss({ epoch, losses, setting: { before } }, loss) {
  return epoch === 0 && loss !== null ? [...losses.filter((at) => at.epoch < before), { epoch: before, loss }] : losses;
}

/** @param {State} state @param {number} index of a start that was tried @param {string} reason why it is stuck @param {string} meaning of the reason @returns {State} */
export function keepReason(state, index, reason, meaning) {
  if (!state.tried) return state;
  const starts = state.tried.starts.map((/** @type {any} */ start) => (start.index === index ? { ...start, reason, meaning } : start));
  return { ...state, tried: { ...state.tried, starts } };
}

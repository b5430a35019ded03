/** What the learner can do, as functions that the parts of the page call. */

import { DEFAULT_SETTING, readAddress } from "./address.js";
import { LESSON } from "./lesson.js";
import { LIMITS } from "./limits.js";
import { asFloat32, placeOf, withValue } from "./params.js";
import { nearestRow } from "./derived.js";
import * as to from "./state.js";
import { remember, undo } from "./undo.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./types.js").Setting} Setting */

/** @param {Store} store */
export function makeActions(store) {
  const change = store.change;
  return {
    ...playing(store),
    ...drawing(store),
    show: (/** @type {Partial<Setting>} */ changes) => change((state) => to.show(state, changes)),
    keep: (/** @type {Partial<import("./state.js").State>} */ found) => change((state) => ({ ...state, ...found })),
    keepReason: (/** @type {number} */ index, /** @type {string} */ reason, /** @type {string} */ meaning) => change((state) => to.keepReason(state, index, reason, meaning)),
    hover: (/** @type {string | null} */ name) => change((state) => (state.hovered === name ? state : { ...state, hovered: name })),
    choose: (/** @type {any} */ item) =>
      change((state) => {
        if (item.place) return to.show(state, { select: item.name, panel: "nudge" });
        return to.show(state, { show: state.setting.show === item.unit ? null : item.unit });
      }),
    moveStep: (/** @type {number} */ by) =>
      change((state) => {
        const last = (state.trace?.steps.length ?? 1) - 1;
        return to.show(state, { step: Math.max(0, Math.min(last, state.setting.step + by)) });
      }),
    edit: (/** @type {string} */ name, /** @type {number} */ value) => change((state) => to.editParameter(state, name, value)),
    startAnew: (/** @type {Partial<Setting>} */ changes) => change((state) => to.startAnew(state, changes)),
    changeTraining: (/** @type {Partial<Setting>} */ changes) => change((state) => to.changeTraining(state, changes)),
    applyUpdates: (/** @type {[string, number][]} */ updates) =>
      change((state) => {
        if (!state.params) return state;
        const params = updates.reduce((all, [name, value]) => {
          const place = placeOf(name);
          return place ? withValue(all, place, asFloat32(value)) : all;
        }, state.params);
        return to.applyUpdate(remember(state, "update"), params);
      }),
    applyFinding: (/** @type {any} */ finding) =>
      change((state) => {
        const known = remember(state, "change");
        const rated = finding.learning_rate === null ? known : to.changeTraining(known, { rate: finding.learning_rate });
        return to.run(finding.params ? to.takeParams(rated, finding.params) : rated);
      }),
    takeStart: (/** @type {Setting} */ tried, /** @type {any} */ start) =>
      change((state) => {
        const { table, hidden, activation, seed, init, optimizer, rate, epochs } = tried;
        return to.startAnew(state, { table, hidden, activation, seed, init, optimizer, rate, epochs, start: start.index });
      }),
    takeCheckpoint: (/** @type {any} */ found, /** @type {number[]} */ params) =>
      change((state) => {
        const { network, training, epoch } = found;
        return to.startAnew(state, {
          table: found.table ?? state.setting.table, hidden: network.sizes.slice(1, -1), activation: network.activation, optimizer: training.optimizer,
          rate: training.learning_rate, params, before: epoch, row: DEFAULT_SETTING.row, drawn: [0, 1], select: null, show: null,
        });
      }),
    lesson: (/** @type {number | null} */ number) => {
      const step = number === null ? null : LESSON[number - 1];
      if (!step) return change((state) => to.show(state, { lesson: null }));
      const { setting, problem } = readAddress(step.address);
      return change((state) => to.open(state, { ...setting, lesson: number }, problem));
    },
  };
}

/** @param {Store} store */
function playing({ change }) {
  return {
    run: () => change(to.run),
    pause: () => change((state) => (state.running ? to.pause(state) : state)),
    step: () => change(to.stepOnce),
    reset: () => change((state) => to.reset(state)),
    undo: () => change(undo),
    speed: (/** @type {string} */ speed) => change((state) => ({ ...state, speed })),
    retry: () => change((state) => ({ ...state, halted: false, problem: null, turn: state.turn + 1 })),
    goOn: () => change((state) => to.run(to.show(state, { stop: false }))),
    calm: () => change((state) => to.reset(state, { rate: Math.max(LIMITS.learning_rate[0], Number((state.setting.rate / 10).toPrecision(12))) })),
  };
}

/** @param {Store} store */
function drawing({ change }) {
  return {
    probe: (/** @type {any} */ probe) =>
      change((state) => (JSON.stringify(probe) === JSON.stringify(state.probe) ? state : { ...state, probe })),
    chooseTable: (/** @type {import("./types.js").TableSpec} */ table) => change((state) => to.chooseTable(state, table)),
    changeTable: (/** @type {Partial<import("./types.js").NamedTable>} */ changes) =>
      change((state) => ("name" in state.setting.table ? to.chooseTable(state, { ...state.setting.table, ...changes }) : state)),
    drawClass: (/** @type {number} */ drawClass) => change((state) => ({ ...state, drawClass })),
    addPoint: (/** @type {number[]} */ point) => change((state) => to.addPoint(state, point, state.drawClass)),
    drawPoints: (/** @type {import("./types.js").GivenTable} */ table) => change((state) => to.drawPoints(state, table)),
    chooseNearest: (/** @type {number[]} */ point) => change((state) => to.show(state, { row: nearestRow(state, point), step: 0 })),
  };
}

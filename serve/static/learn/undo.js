/** One step back: what there was before the last change by hand, and the way back to it. */

/** @typedef {import("./state.js").State} State */
/** @typedef {{what: string, of: string | null} & Pick<State, "setting" | "params" | "optState" | "epoch" | "losses" | "diverged" | "stopped">} Undo */

/**
 * @param {State} state before the change
 * @param {string} what the change is called
 * @param {string | null} of the parameter that it changes; further changes to this one are the same change
 * @returns {State} which remembers how it is
 */
export function remember(state, what, of = null) {
  const same = of !== null && state.undo?.of === of && state.epoch === 0;
  if (same || !state.params) return state;
  const { setting, params, optState, epoch, losses, diverged, stopped } = state;
  return { ...state, undo: { what, of, setting, params, optState, epoch, losses, diverged, stopped } };
}

/** @param {State} state @returns {State} as it was before the last change by hand; what is shown stays */
export function undo(state) {
  if (!state.undo) return state;
  const { setting, params, optState, epoch, losses, diverged, stopped } = state.undo;
  const { panel, select, epsilon, row, step, show, drawn, class: drawnClass, scale, lesson, stop } = state.setting;
  const shown = { panel, select, epsilon, row, step, show, drawn, class: drawnClass, scale, lesson, stop };
  return {
    ...state, params, optState, epoch, losses, diverged, stopped, setting: { ...setting, ...shown }, undo: null,
    running: false, halted: false, problem: null, turn: state.turn + 1, version: state.version + 1,
    ...(diverged ? { forward: null, surface: null, gradients: null, trace: null } : {}),
  };
}

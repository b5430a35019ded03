/** What follows from the state: the network, and what each answer must have been computed for to be of now. */

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./types.js").Network} Network */

/** @param {State} state @returns {Network} */
export function networkOf(state) {
  const { table, setting } = state;
  const classes = table?.classes?.length ?? 2;
  const task = table?.task ?? "binary";
  const outputs = task === "multiclass" ? classes : 1;
  return { sizes: [table?.columns.length ?? 2, ...setting.hidden, outputs], activation: setting.activation, task };
}

/** @param {State} state */
export function trainingOf(state) {
  return { optimizer: state.setting.optimizer, learning_rate: state.setting.rate };
}

/** @param {State} state */
export function forwardKey(state) {
  return String(state.version);
}

/** @param {State} state */
export function surfaceKey(state) {
  return `${state.version} ${state.setting.drawn} ${isPlane(state) ? "" : state.setting.row}`;
}

/** @param {State} state */
export function gradientsKey(state) {
  return `${state.version} ${state.setting.select} ${state.setting.epsilon}`;
}

/** @param {State} state */
export function traceKey(state) {
  return `${state.version} ${state.setting.row} ${state.setting.optimizer} ${state.setting.rate}`;
}

/** @param {State} state @returns {boolean} whether the first answers are still on their way */
export function isLoading(state) {
  return !state.forward && !state.diverged && !state.problem && state.table?.y.length !== 0;
}

/** @param {State} state @returns {boolean} whether the two drawn columns are all there are */
export function isPlane(state) {
  return (state.table?.columns.length ?? 2) <= 2;
}

/** @param {State} state @param {number[]} point of the two drawn columns @returns {number} the row that is nearest */
export function nearestRow(state, point) {
  const { low, high } = { low: state.table?.lows ?? [], high: state.table?.highs ?? [] };
  const distances = (state.table?.x ?? []).map((row) =>
    state.setting.drawn.reduce((sum, column, axis) => {
      const span = (high[column] ?? 1) - (low[column] ?? 0) || 1;
      return sum + (((row[column] ?? 0) - (point[axis] ?? 0)) / span) ** 2;
    }, 0),
  );
  return Math.max(0, distances.indexOf(Math.min(...distances)));
}

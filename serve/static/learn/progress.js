/** What the losses say of the training: that it is stuck, or that the learning rate is too large. */

/** @typedef {import("./state.js").State} State */

// Before so many epochs nobody calls a network stuck; after them, if the loss has fallen by less than this share since
// half as many epochs.
const PATIENCE = 2000;
const FALL = 0.05;

/**
 * @param {Pick<State, "losses" | "forward" | "table" | "setting">} state
 * @returns {boolean} whether the loss has hardly fallen over the last half of the epochs, and some row is wrong
 */
export function seemsStuck({ losses, forward, table, setting }) {
  const last = losses.at(-1);
  if (!last || !forward || forward.solved || !table?.classes) return false;
  const epochs = last.epoch - setting.before;
  if (epochs < PATIENCE) return false;
  const half = losses.findLast((at) => at.epoch <= setting.before + epochs / 2);
  return half !== undefined && half.loss - last.loss < FALL * half.loss;
}

// So many losses are looked at, and at least so many are needed.
const RECENT = 40;
const FEWEST = 8;
// A loss that is so many times what it was at the start is far above it; a rise by such a share is no chance, and such a
// share of rises is too many.
const FAR = 4;
const RISE = 1.02;
const RISES = 0.25;

/**
 * @param {Pick<State, "losses" | "setting">} state
 * @returns {boolean} whether the losses jump instead of falling: they are far above the first one, or rise again and again
 */
export function jumpsAbout({ losses, setting }) {
  const own = losses.filter((at) => at.epoch >= setting.before).map((at) => at.loss);
  const recent = own.slice(-RECENT);
  if (recent.length < FEWEST) return false;
  const sorted = [...recent].sort((one, other) => one - other);
  const usual = sorted[sorted.length >> 1] ?? 0;
  const rises = recent.filter((loss, index) => index > 0 && loss > RISE * (recent[index - 1] ?? loss)).length;
  return usual > FAR * (own[0] ?? Infinity) || rises > RISES * recent.length;
}

/** The address bar: it follows the setting, and the page follows it. */

import { readAddress, writeAddress } from "./address.js";
import { open, show } from "./state.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./types.js").Setting} Setting */

// The address follows after so many milliseconds; browsers refuse to change it much more often.
const AFTER = 400;

// What the page has read or written last. Another address in the bar is one that somebody has just put there.
let known = "";
let waiting = 0;
/** @type {Setting | null} */
let last = null;

/** @param {Store} store */
export function openAddress(store) {
  known = location.hash;
  const { setting, problem } = readAddress(known);
  last = setting;
  store.change((state) => (state.params && !problem && isSameNetwork(state.setting, setting) ? show(state, setting) : open(state, setting, problem)));
}

/**
 * Writes the setting into the bar, a little later. A choice makes a new entry of the history at once, so that Back undoes
 * it; training does not. An address of which a part was wrong stays as it is until the learner changes something.
 * @param {Store} store
 */
export function followSetting(store) {
  const { setting, problem } = store.state;
  if (problem || !last) return;
  const left = last;
  last = setting;
  if (choiceOf(left) !== choiceOf(setting) && location.hash === known) {
    write(left, "replaceState");
    write(setting, "pushState");
  }
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = 0;
    if (location.hash === known && !store.state.problem) write(store.state.setting, "replaceState");
  }, AFTER);
}

/** @param {Setting} setting @returns {string} what of it makes an entry of the history */
function choiceOf({ table, hidden, activation, seed, start, init, panel, lesson }) {
  return JSON.stringify(["name" in table ? table : [table.drawn, table.columns, table.target], hidden, activation, seed, start, init, panel, lesson]);
}

/** @param {Setting} one @param {Setting} other @returns {boolean} whether they differ in what is shown at most */
function isSameNetwork(one, other) {
  const made = (/** @type {Setting} */ { table, hidden, activation, seed, start, init, params, before, optimizer, rate, epochs, run }) =>
    JSON.stringify([table, hidden, activation, seed, start, init, params, before, optimizer, rate, epochs, run]);
  return made(one) === made(other);
}

/** @param {Setting} setting @param {"pushState" | "replaceState"} method */
function write(setting, method) {
  const address = writeAddress(setting);
  if (address === location.hash) return;
  history[method](null, "", address);
  known = location.hash;
}

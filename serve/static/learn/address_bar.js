/** The address bar: it follows the setting, and the page follows it. */

import { readAddress, writeAddress } from "./address.js";
import { open } from "./state.js";

/** @typedef {import("./store.js").Store} Store */

// The address follows after so many milliseconds; browsers refuse to change it much more often.
const AFTER = 400;

// What the page has read or written last. Another address in the bar is one that somebody has just put there.
let known = "";
let waiting = 0;

/** @param {Store} store */
export function openAddress(store) {
  known = location.hash;
  const { setting, problem } = readAddress(known);
  store.change((state) => open(state, setting, problem));
}

/** Writes the setting into the bar, a little later. @param {Store} store */
export function followSetting(store) {
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = 0;
    if (location.hash === known) write(store, "replaceState");
  }, AFTER);
}

/** Writes the setting into the bar as a new entry of the history. @param {Store} store */
export function pushAddress(store) {
  write(store, "pushState");
}

/** @param {Store} store @param {"pushState" | "replaceState"} method */
function write(store, method) {
  const address = writeAddress(store.state.setting);
  if (address === location.hash) return;
  history[method](null, "", address);
  known = location.hash;
}

/** The one place that holds the state, and tells who listens when it changes. */

/** @typedef {import("./state.js").State} State */
/** @typedef {{state: State, change: (update: (state: State) => State) => void, listen: (listener: () => void) => void}} Store */

/** @param {State} state @returns {Store} */
export function makeStore(state) {
  /** @type {(() => void)[]} */
  const listeners = [];
  const store = {
    state,
    /** @param {(state: State) => State} update */
    change(update) {
      const next = update(store.state);
      if (next === store.state) return;
      store.state = next;
      for (const listener of listeners) listener();
    },
    /** @param {() => void} listener */
    listen: (listener) => void listeners.push(listener),
  };
  return store;
}

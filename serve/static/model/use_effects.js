/** What the columns do to the prediction: tried anew after each change of the row, one request at a time. */

import { useCallback, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { RequestError } from "../shared/request.js";
import { freeColumns, tryColumn, tryColumns } from "./effects.js";
import { Latest } from "./latest.js";
import { asSentence } from "./sentences.js";

/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Row} Row */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").Point} Point */
/** @typedef {{model: Description, row: Row, watched: number, chosen: string, isAll: boolean}} Asked */
/**
 * @typedef {object} Found
 * @property {Row | null} row of which all is known; null while it is being found out.
 * @property {number} watched the index of the class that was watched.
 * @property {Effect[]} effects
 * @property {{name: string, points: Point[]} | null} curve
 * @property {boolean} isBusy
 * @property {string} fault
 */

const PAUSE = 150;
/** @type {Found} */
const NOTHING = { row: null, watched: 0, effects: [], curve: null, isBusy: false, fault: "" };

/**
 * @param {Description} model
 * @param {Row | null} row null while there is no prediction of it.
 * @param {number} watched the index of the class that is watched; below 0 while it is not known.
 * @param {string} chosen the name of the column in detail; empty for the one that moves the prediction most.
 * @returns {Found & {isCurrent: boolean, tryAll: () => void}} whether all that was asked for is known.
 */
export function useEffects(model, row, watched, chosen) {
  const [found, setFound] = useState(NOTHING);
  const latest = useRef(/** @type {Latest<Asked> | null} */ (null));
  latest.current ??= new Latest((asked) => tryAsked(asked, /** @type {Latest<Asked>} */ (latest.current), setFound), PAUSE);
  const isReady = row !== null && (watched >= 0 || !model.classes.length);
  useEffect(() => {
    if (row && isReady) latest.current?.ask({ model, row, watched, chosen, isAll: false });
  }, [model, row, watched, chosen, isReady]);
  const tryAll = useCallback(() => {
    if (row && isReady) latest.current?.ask({ model, row, watched, chosen, isAll: true });
  }, [model, row, watched, chosen, isReady]);
  const isCurrent = found.row === row && found.watched === watched && (!chosen || found.curve?.name === chosen);
  return { ...found, isCurrent: isCurrent || found.fault !== "", tryAll };
}

/**
 * @param {Asked} asked
 * @param {Latest<Asked>} latest
 * @param {(change: (before: Found) => Found) => void} setFound
 */
async function tryAsked(asked, latest, setFound) {
  const { model, row, watched, chosen, isAll } = asked;
  const columns = isAll ? model.columns : model.columns.slice(0, freeColumns(model, row));
  setFound((before) => ({ ...before, row: null, isBusy: true, fault: "" }));
  try {
    /** @type {Effect[]} */
    let effects = [];
    await tryColumns(model, row, columns, watched, () => latest.isOutdated, (known) => {
      effects = known;
      if (isAll) setFound((before) => ({ ...before, watched, effects: known }));
    });
    if (latest.isOutdated) return;
    const name = chosen || strongest(effects);
    const column = model.columns.find((each) => each.name === name);
    const points = column ? await tryColumn(model, row, column, watched) : [];
    setFound(() => ({ row, watched, effects, curve: column ? { name, points } : null, isBusy: false, fault: "" }));
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const fault = asSentence(error.message);
    setFound((before) => ({ ...before, row, isBusy: false, fault }));
  }
}

/**
 * @param {Effect[]} effects
 * @returns {string} the name of the column that moves the prediction most; empty without columns.
 */
function strongest(effects) {
  const [first, ...rest] = effects;
  if (!first) return "";
  const size = (/** @type {Effect} */ effect) => effect.high - effect.low;
  return rest.reduce((most, effect) => (size(effect) > size(most) ? effect : most), first).column.name;
}

/** The prediction of the row in the form: asked for shortly after each change, one request at a time. */

import { useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { RequestError, postJson } from "../shared/request.js";
import { Latest } from "./latest.js";
import { faultOf } from "./sentences.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Row} Row */
/** @typedef {{answer: Answer | null, answeredRow: Row | null, fault: import("./sentences.js").Fault | null}} State */

const PAUSE = 80;

/**
 * @param {Description} model
 * @param {Row} row
 * @returns {State} the last answer, the row that was asked for last, and what was wrong with it.
 */
export function usePrediction(model, row) {
  const [state, setState] = useState(/** @type {State} */ ({ answer: null, answeredRow: null, fault: null }));
  const latest = useRef(/** @type {Latest<{model: Description, row: Row}> | null} */ (null));
  latest.current ??= new Latest(async (asked) => {
    try {
      const answer = await postJson(`/models/${encodeURIComponent(asked.model.name)}/predict`, asked.row);
      setState({ answer, answeredRow: asked.row, fault: null });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const fault = faultOf(error.message, asked.model.columns);
      setState((before) => ({ ...before, answeredRow: asked.row, fault }));
    }
  }, PAUSE);
  useEffect(() => latest.current?.ask({ model, row }), [model, row]);
  return state;
}

/** A question whose answer takes long: what is being done, what went wrong, and a way to stop it. */

import { useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { sentenceOf } from "./conversation.js";

/**
 * @returns {{busy: string, problem: string, perform: (what: string, work: (signal: AbortSignal) => Promise<void>) => Promise<void>, stop: () => void}}
 * busy: what is being done, empty if nothing is
 */
export function useLongQuestion() {
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState("");
  const asking = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => asking.current?.abort(), []);
  const perform = async (/** @type {string} */ what, /** @type {(signal: AbortSignal) => Promise<void>} */ work) => {
    const control = new AbortController();
    asking.current = control;
    setBusy(what);
    setProblem("");
    try {
      await work(control.signal);
    } catch (error) {
      if (!control.signal.aborted) setProblem(sentenceOf(error));
    }
    setBusy("");
  };
  return { busy, problem, perform, stop: () => asking.current?.abort() };
}

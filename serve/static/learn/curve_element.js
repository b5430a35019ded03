/** A curve as an element of the page. */

import { html, useEffect, useLayoutEffect, useRef } from "../vendor/preact-htm.js";
import { Curve } from "../shared/curve.js";

/**
 * @typedef {object} CurveProps
 * @property {import("../shared/curve.js").CurveOptions} options which stay the same
 * @property {number[]} xs
 * @property {(number | null)[]} ys
 * @property {boolean} [logY]
 * @property {number | null} [mark]
 */

/** @param {CurveProps} props */
export function CurveElement({ options, xs, ys, logY, mark = null }) {
  const parent = useRef(/** @type {any} */ (null));
  const curve = useRef(/** @type {Curve | null} */ (null));
  useLayoutEffect(() => {
    curve.current = new Curve(parent.current, { ...options, ...(logY === undefined ? {} : { logY }) });
    return () => curve.current?.destroy();
  }, []);
  useEffect(() => curve.current?.setData(xs, ys), [xs, ys]);
  useEffect(() => {
    if (logY !== undefined && curve.current && curve.current.options.logY !== logY) curve.current.setScales({ logY });
  }, [logY]);
  useEffect(() => curve.current?.setMark(mark), [mark]);
  return html`<div class="curve-holder" ref=${parent}></div>`;
}

/** Small elements that all parts of the page use. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact-htm.js";
import { formatCount, formatNumber } from "../shared/numbers.js";
import { rangeInWords } from "./limits.js";
import { onColours, paint } from "./surfaces.js";

/**
 * A number, rounded to be read, and in full for who asks for it.
 * @param {{name: string, value: number | null | undefined, digits?: number}} props
 */
export function Value({ name, value, digits = 4 }) {
  return html`<span class="number" data-name=${name} data-value=${String(value)}>${formatNumber(value, digits)}</span>`;
}

/** What stands where numbers would, when the loss is not a number. */
export function NotNumbers() {
  return html`<p class="note not-numbers">The loss is not a number any more, so there is nothing to show here. Take a smaller learning rate, and reset.</p>`;
}

/**
 * A picture of a surface.
 * @param {{values: ArrayLike<number>, size: number, range: import("./surfaces.js").Range, class?: string}} props
 */
export function SurfaceCanvas({ values, size, range, class: className = "" }) {
  const canvas = useRef(null);
  const [scheme, setScheme] = useState(0);
  useEffect(() => onColours(() => setScheme((/** @type {number} */ count) => count + 1)), []);
  useLayoutEffect(() => {
    if (canvas.current) paint(canvas.current, values, size, range);
  }, [values, size, range.low, range.middle, range.high, scheme]);
  return html`<canvas class=${className} ref=${canvas} width="2" height="2" aria-hidden="true"></canvas>`;
}

/** @param {any} ref of an element @param {number} initial @returns {number} its width */
export function useWidth(ref, initial) {
  const [width, setWidth] = useState(initial);
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (ref.current);
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? initial)));
    observer.observe(element);
    setWidth(Math.round(element.clientWidth));
    return () => observer.disconnect();
  }, []);
  return width;
}

/**
 * A choice among a few, as a native select.
 * @param {{label: string, value: string, options: [string, string][], change: (value: string) => void, id: string}} props
 */
export function Choice({ label, value, options, change, id }) {
  return html`<label class="field" for=${id}
    ><span>${label}</span
    ><select id=${id} value=${value} onChange=${(/** @type {any} */ event) => change(event.currentTarget.value)}>
      ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
    </select></label
  >`;
}

/**
 * A number that one types. It is taken when it is allowed. Until then it stays as it was typed, a sentence says what is
 * allowed, and the last good number stays in use.
 * @param {{label: any, value: number, low: number, high: number, whole?: boolean, inline?: boolean, step?: number | string, change: (value: number) => void, judge?: (isAllowed: boolean) => void, id: string}} props
 */
export function NumberField({ label, value, low, high, whole = false, step = "any", inline = false, change, judge, id }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const problem = text === null ? "" : problemOf(text, value, low, high, whole);
  useEffect(() => {
    if (text !== null && !isSame(Number(text), value, whole)) setText(null);
  }, [value]);
  useEffect(() => judge?.(!problem), [problem]);
  const typed = (/** @type {any} */ event) => {
    const written = event.currentTarget.value;
    setText(written);
    if (!problemOf(written, value, low, high, whole)) change(Number(written));
  };
  return html`<label class=${inline ? "field inline" : "field"} for=${id}
    ><span>${label}</span
    ><input
      id=${id}
      type="number"
      inputmode=${whole ? "numeric" : "decimal"}
      min=${low}
      max=${high}
      step=${whole ? 1 : step}
      value=${text ?? String(value)}
      aria-invalid=${problem ? "true" : undefined}
      aria-describedby=${problem ? `${id}-problem` : undefined}
      onInput=${typed}
      onBlur=${() => problem || setText(null)}
    />${problem ? html`<small class="field-problem" id=${`${id}-problem`} role="status">${problem}</small>` : null}</label
  >`;
}

/** @param {number} typed @param {number} value @param {boolean} whole @returns {boolean} whether a value is what was typed, perhaps in float32 */
function isSame(typed, value, whole) {
  return typed === value || (!whole && Math.fround(typed) === Math.fround(value));
}

/** @param {string} text @param {number} value that is in use @param {number} low @param {number} high @param {boolean} whole */
function problemOf(text, value, low, high, whole) {
  const typed = text.trim() === "" ? NaN : Number(text);
  if (typed >= low && typed <= high && (!whole || Number.isInteger(typed))) return "";
  const format = (/** @type {number} */ number) => (whole ? formatCount(number) : formatNumber(number));
  return `Only a ${whole ? "whole " : ""}number ${rangeInWords(low, high, format)} is allowed; ${format(value)} is still in use.`;
}

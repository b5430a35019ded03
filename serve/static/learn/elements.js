/** Small elements that all parts of the page use. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { onColours, paint } from "./surfaces.js";

/**
 * A number, rounded to be read, and in full for who asks for it.
 * @param {{name: string, value: number | null | undefined, digits?: number}} props
 */
export function Value({ name, value, digits = 4 }) {
  return html`<span class="number" data-name=${name} data-value=${String(value)}>${formatNumber(value, digits)}</span>`;
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
 * A number that one types; it is taken when it is complete and allowed, and a sentence says what is allowed otherwise.
 * @param {{label: any, value: number, low: number, high: number, whole?: boolean, inline?: boolean, step?: number | string, change: (value: number) => void, id: string}} props
 */
export function NumberField({ label, value, low, high, whole = false, step = "any", inline = false, change, id }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const shown = text ?? String(value);
  const problem = text === null ? "" : problemOf(text, low, high, whole);
  const typed = (/** @type {any} */ event) => {
    const written = event.currentTarget.value;
    setText(written);
    if (!problemOf(written, low, high, whole)) change(Number(written));
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
      value=${shown}
      aria-invalid=${problem ? "true" : undefined}
      aria-describedby=${problem ? `${id}-problem` : undefined}
      onInput=${typed}
      onBlur=${() => setText(null)}
    />${problem ? html`<small class="field-problem" id=${`${id}-problem`}>${problem}</small>` : null}</label
  >`;
}

/** @param {string} text @param {number} low @param {number} high @param {boolean} whole */
function problemOf(text, low, high, whole) {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= low && value <= high && (!whole || Number.isInteger(value))) return "";
  return `A ${whole ? "whole " : ""}number from ${formatNumber(low)} to ${formatNumber(high)}, please.`;
}

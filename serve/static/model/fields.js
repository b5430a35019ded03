/** The fields of a form: for each column what one types, slides or chooses. */

import { html } from "../vendor/preact-htm.js";
import { formatCount, formatNumber } from "../shared/numbers.js";
import { dateText } from "./dates.js";
import { positionOf, stepOf, valueAt } from "./row.js";

/** @typedef {import("./types.js").Column} Column */
/** @typedef {import("./row.js").Entry} Entry */
/**
 * @typedef {object} FieldProps
 * @property {Column} column
 * @property {number} index of the column, for the ids of its elements.
 * @property {Entry} entry
 * @property {string} fault what is wrong with the value; empty if nothing is.
 * @property {(entry: Entry) => void} change
 */

// More categories than these are found by typing.
const MAX_OPTIONS = 20;
const OTHER = "\u0000other";

/**
 * The field of a column.
 *
 * @param {FieldProps} props
 */
export function Field(props) {
  const { column, index, entry, fault, change } = props;
  const id = `column-${index}`;
  const takes = (/** @type {string} */ text) => change({ text, isMissing: false });
  return html`<div class=${`field ${fault ? "at-fault" : ""}`} data-column=${column.name}>
    <div class="field-head">
      <label for=${id}>${column.name}${column.unit ? html` <small>(${column.unit})</small>` : ""}</label>
      ${column.takes_missing &&
      html`<label class="missing-choice"
        ><input
          type="checkbox"
          aria-label=${`${column.name} is missing`}
          checked=${entry.isMissing}
          onChange=${(/** @type {Event} */ event) =>
            change({ ...entry, isMissing: /** @type {HTMLInputElement} */ (event.target).checked })}
        />
        missing</label
      >`}
    </div>
    ${column.kind === "category"
      ? html`<${Choice} ...${props} id=${id} takes=${takes} />`
      : html`<${Amount} ...${props} id=${id} takes=${takes} />`}
    ${fault && html`<p class="fault" id=${`${id}-fault`}>${fault}</p>`}
  </div>`;
}

/**
 * A number or a date: a field to type in, and a slider.
 *
 * @param {FieldProps & {id: string, takes: (text: string) => void}} props
 */
function Amount({ column, entry, fault, id, takes }) {
  const { low = 0, high = 0 } = column;
  const position = typedPosition(column, entry.text);
  const isTimed = column.has_times && column.style === "day";
  return html`<div class="amount">
      <input
        id=${id}
        ...${typedInput(column)}
        value=${isTimed ? entry.text.replace(" ", "T") : entry.text}
        disabled=${entry.isMissing}
        aria-invalid=${fault ? "true" : "false"}
        aria-describedby=${fault ? `${id}-fault` : `${id}-range`}
        onInput=${(/** @type {Event} */ event) => takes(isTimed ? valueOf(event).replace("T", " ") : valueOf(event))}
      />
      ${high > low && html`<${Slider} column=${column} entry=${entry} position=${position} takes=${takes} />`}
    </div>
    <p class="range-note" id=${`${id}-range`}>
      <${RangeNote} column=${column} isOutside=${!entry.isMissing && (position < low || position > high)} />
    </p>`;
}

/** @param {{column: Column, entry: Entry, position: number, takes: (text: string) => void}} props */
function Slider({ column, entry, position, takes }) {
  const { low = 0, high = 0 } = column;
  return html`<input
    type="range"
    aria-label=${`${column.name}, slider`}
    aria-valuetext=${entry.text}
    min=${low}
    max=${high}
    step=${column.is_whole || column.kind === "date" ? stepOf(column) : "any"}
    value=${Number.isNaN(position) ? (low + high) / 2 : position}
    disabled=${entry.isMissing}
    onInput=${(/** @type {Event} */ event) => takes(String(valueAt(column, Number(valueOf(event)))))}
  />`;
}

/** @param {{column: Column, isOutside: boolean}} props */
function RangeNote({ column, isOutside }) {
  const ends = [column.low ?? 0, column.high ?? 0];
  const [low, high] = ends.map((end) => (column.kind === "date" ? dateText(column, end) : formatNumber(end, 7)));
  if (low === high) return `always ${low} in training`;
  if (!column.is_known) return `${low} to ${high}, a guess: the model does not say`;
  if (!isOutside) return `${low} to ${high}`;
  return html`<span class="outside">Training had only ${low} to ${high}, so this is a guess.</span>`;
}

/**
 * @param {Column} column
 * @param {string} text
 * @returns {number} where it lies on the range; NaN if it is not written plainly.
 */
function typedPosition(column, text) {
  if (text.trim() === "") return NaN;
  return positionOf(column, column.kind === "date" ? text : Number(text));
}

/**
 * @param {Column} column
 * @returns {Record<string, string>} the kind of input that suits its values.
 */
function typedInput(column) {
  if (column.kind === "number") return { type: "text", inputmode: "decimal", autocomplete: "off" };
  if (column.style === "time") return { type: "time" };
  if (column.style === "month") return { type: "month" };
  return { type: column.has_times ? "datetime-local" : "date" };
}

/**
 * One of some categories, or any text if the column takes others.
 *
 * @param {FieldProps & {id: string, takes: (text: string) => void}} props
 */
function Choice({ column, entry, fault, id, takes }) {
  const { values } = column;
  const described = { "aria-invalid": fault ? "true" : "false", ...(fault && { "aria-describedby": `${id}-fault` }) };
  if (values.length > MAX_OPTIONS) {
    return html`<input
        id=${id}
        type="text"
        list=${`${id}-choices`}
        autocomplete="off"
        value=${entry.text}
        disabled=${entry.isMissing}
        ...${described}
        onFocus=${(/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).select()}
        onInput=${(/** @type {Event} */ event) => takes(valueOf(event))}
      />
      <datalist id=${`${id}-choices`}>${values.map((value) => html`<option value=${value} />`)}</datalist>
      <p class="range-note">One of ${formatCount(values.length)} texts. Type a part of one to find it.</p>`;
  }
  const isOther = !values.includes(entry.text);
  const choose = (/** @type {Event} */ event) => takes(valueOf(event) === OTHER ? "" : valueOf(event));
  return html`<select id=${id} value=${isOther ? OTHER : entry.text} disabled=${entry.isMissing} ...${described} onChange=${choose}>
      ${values.map((value) => html`<option value=${value}>${value}</option>`)}
      ${(column.takes_others || isOther) && html`<option value=${OTHER}>another text …</option>`}
    </select>
    ${isOther &&
    html`<input
      type="text"
      class="other-text"
      aria-label=${`${column.name}, another text`}
      value=${entry.text}
      disabled=${entry.isMissing}
      onInput=${(/** @type {Event} */ event) => takes(valueOf(event))}
    />`}`;
}

/**
 * @param {Event} event
 * @returns {string}
 */
function valueOf(event) {
  return /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value;
}

/** The form: a field for each column. Of very many columns it shows those that one looks for. */

import { html, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { Field } from "./fields.js";

/** @typedef {import("./types.js").Column} Column */
/** @typedef {import("./row.js").Entries} Entries */
/** @typedef {import("./row.js").Entry} Entry */

// More columns than these have a field to find them, and are shown so many at a time.
const MANY = 12;
const SHOWN = 40;

/**
 * @param {object} props
 * @param {Column[]} props.columns
 * @param {Entries} props.entries
 * @param {{column: string, sentence: string} | null} props.fault what is wrong with a value.
 * @param {(name: string, entry: Entry) => void} props.change
 * @param {() => void} props.reset
 */
export function Form({ columns, entries, fault, change, reset }) {
  const [sought, setSought] = useState("");
  const [limit, setLimit] = useState(SHOWN);
  const matching = columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => column.name.toLowerCase().includes(sought.trim().toLowerCase()));
  const atFault = matching.filter(({ column }, place) => place >= limit && column.name === fault?.column);
  const shown = [...matching.slice(0, limit), ...atFault];
  return html`<section class="panel form-panel" aria-labelledby="form-title">
    <div class="panel-head">
      <h2 id="form-title">Try a row</h2>
      <button type="button" class="plain" onClick=${reset}>Usual values</button>
    </div>
    <p class="soft">Change a value: the prediction follows.</p>
    ${columns.length > MANY &&
    html`<div class="finder">
      <label for="find-column">Find a column</label>
      <input
        id="find-column"
        type="search"
        value=${sought}
        onInput=${(/** @type {Event} */ event) => setSought(/** @type {HTMLInputElement} */ (event.target).value)}
      />
      <p class="soft" role="status">${countText(matching.length, columns.length)}</p>
    </div>`}
    <div class="fields">
      ${shown.map(
        ({ column, index }) =>
          html`<${Field}
            key=${column.name}
            column=${column}
            index=${index}
            entry=${entries[column.name]}
            fault=${fault?.column === column.name ? fault.sentence : ""}
            change=${(/** @type {Entry} */ entry) => change(column.name, entry)}
          />`,
      )}
    </div>
    ${matching.length > limit &&
    html`<button type="button" onClick=${() => setLimit(limit + SHOWN)}>
      Show ${Math.min(SHOWN, matching.length - limit)} more of ${formatCount(matching.length)} columns
    </button>`}
  </section>`;
}

/**
 * @param {number} matching
 * @param {number} all
 * @returns {string}
 */
function countText(matching, all) {
  if (matching === all) return `${formatCount(all)} columns`;
  return `${formatCount(matching)} of ${formatCount(all)} columns ${matching === 1 ? "matches" : "match"}`;
}

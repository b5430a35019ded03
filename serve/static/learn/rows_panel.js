/** 'Rows': what the network says of every row, and how often it is right. */

import { html, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { NotNumbers, Value } from "./elements.js";
import { isRight } from "./surface_points.js";

/** @typedef {import("./state.js").State} State */

const SHOWN = 50;

/** @param {{state: State, act: any}} props */
export function RowsPanel({ state, act }) {
  const { table, forward } = state;
  const [shown, setShown] = useState(SHOWN);
  if (state.diverged) return html`<${NotNumbers} />`;
  if (!table?.y.length || !forward || forward.losses.length !== table.y.length) return html`<p class="note">There are no rows yet.</p>`;
  return html`<div class="rows">
    ${table.classes ? html`<${Confusion} state=${state} />` : null}
    <div class="table-scroller" tabindex="0" role="region" aria-label="All rows"><table>
      <caption>Every row, with what the network predicts</caption>
      <thead><tr><th scope="col">row</th>${table.columns.map((name) => html`<th key=${name} scope="col" title=${name}><span class="long-name">${name}</span></th>`)}<th scope="col" title=${table.target}><span class="long-name">${table.target}</span></th><th scope="col">prediction</th>${table.classes ? html`<th scope="col">label</th>` : null}<th scope="col">loss</th></tr></thead>
      <tbody>${table.y.slice(0, shown).map((_, row) => html`<${Row} key=${row} state=${state} row=${row} act=${act} />`)}</tbody>
    </table></div>
    ${shown < table.y.length ? html`<button type="button" onClick=${() => setShown(shown + 200)}>Show more rows</button>` : null}
  </div>`;
}

/** @param {{state: State, row: number, act: any}} props */
function Row({ state, row, act }) {
  const { table, forward, setting } = state;
  if (!table || !forward) return null;
  const predictions = [forward.predictions[row]].flat();
  const right = isRight(state, row);
  return html`<tr class=${row === setting.row ? "current" : ""}>
    <th scope="row"><button type="button" class="plain" aria-pressed=${row === setting.row} onClick=${() => act.show({ row, step: 0 })} aria-label=${`Choose row ${row}`}>${row}</button></th>
    ${table.x[row]?.map((value, column) => html`<td key=${column}><${Value} name=${`table x[${row},${column}]`} value=${value} digits=${4} /></td>`)}
    <td>${table.classes ? table.classes[table.y[row] ?? 0] : html`<${Value} name=${`table y[${row}]`} value=${table.y[row]} digits=${4} />`}</td>
    <td>${predictions.map((value, output) => html`${predictions.length > 1 ? html`<span class="class-name" title=${table.classes?.[output]}>${table.classes?.[output]}</span> ` : null}<${Value} key=${output} name=${`table prediction[${row},${output}]`} value=${value} digits=${4} /> `)}</td>
    ${table.classes ? html`<td>${String(forward.labels[row])} ${right ? "" : html`<b class="wrong-mark">wrong</b>`}</td>` : null}
    <td><${Value} name=${`table loss[${row}]`} value=${forward.losses[row]} digits=${4} /></td>
  </tr>`;
}

/** @param {{state: State}} props how often each class got each label */
function Confusion({ state }) {
  const { table, forward } = state;
  const classes = table?.classes ?? [];
  if (!table || !forward) return null;
  const count = (/** @type {number} */ is, /** @type {string} */ said) => table.y.filter((target, row) => target === is && String(forward.labels[row]) === String(said)).length;
  return html`<div class="table-scroller" tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion">
    <caption>Confusion matrix: <span data-name="rows right" data-value=${String(forward.right)}>${formatCount(forward.right ?? 0)}</span> of ${formatCount(table.y.length)} rows are right</caption>
    <thead><tr><th scope="col">it is \\ it says</th>${classes.map((label) => html`<th key=${label} scope="col">${label}</th>`)}</tr></thead>
    <tbody>${classes.map((label, is) => html`<tr key=${label}><th scope="row">${label}</th>${classes.map((said, output) => {
      const number = count(is, said);
      return html`<td key=${said} class=${is === output ? "right" : number ? "wrong" : ""}><span data-name=${`confusion[${is},${output}]`} data-value=${String(number)}>${formatCount(number)}</span></td>`;
    })}</tr>`)}</tbody>
  </table></div>`;
}

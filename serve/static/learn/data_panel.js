/** Where the data comes from: truth tables, sets of points, points that one draws, and a file of one's own. */

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { send } from "../shared/request.js";
import { DEFAULT_POINTS, DRAWN, POINT_SETS, TRUTH_TABLES } from "./address.js";
import { sentenceOf } from "./conversation.js";
import { Choice, NumberField } from "./elements.js";
import { LIMITS } from "./limits.js";
import { isScaled } from "./own_units.js";

/** @typedef {import("./state.js").State} State */

const MOST_BYTES = 2 * 1024 * 1024;

/** @param {{state: State, act: any}} props */
export function DataPanel({ state, act }) {
  const spec = state.setting.table;
  const kind = "name" in spec ? spec.name : spec.drawn ? "drawn" : "own";
  const choose = (/** @type {string} */ name) => {
    if (TRUTH_TABLES.includes(name)) act.chooseTable({ name });
    else if (POINT_SETS.includes(name)) act.chooseTable({ name, ...DEFAULT_POINTS });
    else if (name === "drawn") act.chooseTable({ ...DRAWN, x: [], y: [] });
    else document.getElementById("csv")?.focus();
  };
  /** @type {[string, string][]} */
  const options = [
    ...TRUTH_TABLES.map((name) => /** @type {[string, string]} */ ([name, `${name.toUpperCase()}: a truth table`])),
    ...POINT_SETS.map((name) => /** @type {[string, string]} */ ([name, `${name.slice(0, 1).toUpperCase()}${name.slice(1)}: points`])),
    ["drawn", "Points that I draw"],
    ...(kind === "own" ? [/** @type {[string, string]} */ (["own", "My file"])] : []),
  ];
  return html`<section class="data" aria-labelledby="data-title">
    <h2 id="data-title">Data</h2>
    <${Choice} id="table" label="Table" value=${kind} options=${options} change=${choose} />
    ${"name" in spec && POINT_SETS.includes(spec.name) ? html`<${PointSet} spec=${spec} act=${act} />` : null}
    ${kind === "drawn" ? html`<${Drawing} state=${state} act=${act} />` : null}
    <${Larger} state=${state} act=${act} />
    <${OwnFile} state=${state} act=${act} />
    <${DrawnColumns} state=${state} act=${act} />
  </section>`;
}

/** @param {{state: State, act: any}} props a network that suits points, to be taken or not: another table changes no network */
function Larger({ state, act }) {
  const { table, hidden } = state.setting;
  const isTruthTable = "name" in table && TRUTH_TABLES.includes(table.name);
  if (isTruthTable || hidden.reduce((sum, units) => sum + units, 0) >= 4) return null;
  return html`<p class="note">Your network is as it was. It is small for this data.</p>
    <div class="buttons"><button type="button" onClick=${() => act.startAnew({ hidden: [8], activation: "tanh", optimizer: "adam" })}>Take 8 tanh units, and Adam</button></div>`;
}

/** @param {any} props */
function PointSet({ spec, act }) {
  const change = act.changeTable;
  return html`<div class="fields">
    <${NumberField} id="points-rows" label="Points" value=${spec.rows} low=${LIMITS.rows[0]} high=${LIMITS.rows[1]} whole change=${(/** @type {number} */ rows) => change({ rows })} />
    <${NumberField} id="points-noise" label="Noise" value=${spec.noise} low=${LIMITS.noise[0]} high=${LIMITS.noise[1]} step=${0.05} change=${(/** @type {number} */ noise) => change({ noise })} />
    <${NumberField} id="points-seed" label="Seed of the points" value=${spec.seed} low=${LIMITS.seed[0]} high=${LIMITS.seed[1]} whole change=${(/** @type {number} */ seed) => change({ seed })} />
  </div>`;
}

/** @param {{state: State, act: any}} props points by the pointer, or typed */
function Drawing({ state, act }) {
  const spec = /** @type {import("./types.js").GivenTable} */ (state.setting.table);
  const [at, setAt] = useState([0, 0]);
  const typed = (/** @type {number} */ axis) => (/** @type {number} */ value) => setAt((/** @type {number[]} */ old) => old.with(axis, value));
  const [allowed, setAllowed] = useState([true, true]);
  const judged = (/** @type {number} */ axis) => (/** @type {boolean} */ isAllowed) => setAllowed((/** @type {boolean[]} */ old) => (old[axis] === isAllowed ? old : old.with(axis, isAllowed)));
  return html`<div class="drawing">
    <fieldset class="classes">
      <legend>Class of the next point</legend>
      ${spec.classes?.map((label, index) => html`<label key=${label}><input type="radio" name="draw-class" checked=${state.drawClass === index} onChange=${() => act.drawClass(index)} /><span class=${`point ${index ? "yes" : "no"}`} aria-hidden="true"></span> ${label}</label>`)}
    </fieldset>
    <p class="note">Click into the large picture, or type a place:</p>
    <div class="fields">
      <${NumberField} id="draw-x" label="x1" value=${at[0]} low=${-1.5} high=${1.5} step=${0.1} change=${typed(0)} judge=${judged(0)} />
      <${NumberField} id="draw-y" label="x2" value=${at[1]} low=${-1.5} high=${1.5} step=${0.1} change=${typed(1)} judge=${judged(1)} />
    </div>
    <div class="buttons">
      <button type="button" disabled=${allowed.includes(false)} onClick=${() => act.addPoint(at)}>Add point</button>
      <button type="button" disabled=${!spec.y.length} onClick=${() => act.drawPoints({ ...spec, x: spec.x.slice(0, -1), y: spec.y.slice(0, -1) })}>Undo</button>
      <button type="button" disabled=${!spec.y.length} onClick=${() => act.drawPoints({ ...spec, x: [], y: [] })}>Clear</button>
    </div>
    <p class="note" aria-live="polite">${formatCount(spec.y.length)} points</p>
  </div>`;
}

/** @param {{state: State, act: any}} props a CSV file, and which of its columns is the target */
function OwnFile({ state, act }) {
  const [file, setFile] = useState(/** @type {{name: string, text: Blob, targets: string[], notes: string[]} | null} */ (null));
  const [problem, setProblem] = useState("");
  const input = useRef(/** @type {any} */ (null));
  const read = async (/** @type {Blob} */ blob, /** @type {string} */ name, /** @type {string | null} */ target) => {
    try {
      if (blob.size > MOST_BYTES) throw new Error("The file should have at most 2 MiB. Take fewer rows of it.");
      const query = target === null ? "" : `?target=${encodeURIComponent(target)}`;
      const headers = { "Content-Type": "text/csv" };
      const answer = await (await send(`/learn/csv${query}`, { method: "POST", headers, body: await blob.arrayBuffer() })).json();
      const { columns, classes, task, x, y, numeric, notes, encoding } = answer;
      setFile({ name, text: blob, targets: answer.targets, notes });
      setProblem("");
      act.chooseTable({ columns, target: answer.target, classes: classes.length ? classes.map(String) : null, task, x, y, numeric, encoding });
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  const chosen = () => {
    const blob = input.current.files?.[0];
    if (blob) void read(blob, blob.name, null);
    input.current.value = "";
  };
  const own = !("name" in state.setting.table) && !state.setting.table.drawn;
  const target = "target" in state.setting.table ? state.setting.table.target : "";
  return html`<div class="own">
    <label class="field" for="csv"><span>A file of your own (CSV)</span><input id="csv" type="file" accept=".csv,text/csv" ref=${input} onChange=${chosen} aria-describedby=${problem ? "csv-problem" : undefined} /></label>
    ${problem ? html`<p class="field-problem" id="csv-problem" role="alert">${problem}</p>` : null}
    ${isScaled(state.setting.table) ? html`<p class="note">Numbers of a file are scaled: the middle of each column becomes 0, and its other numbers become small. A target that is a number is scaled, too.</p>` : null}
    ${own && file
      ? html`<p class="note">${file.name}: ${formatCount(state.table?.y.length ?? 0)} rows</p>
          <${Choice} id="csv-target" label="What to predict" value=${target} options=${file.targets.map((name) => [name, name])} change=${(/** @type {string} */ name) => void read(file.text, file.name, name)} />
          ${file.notes.length ? html`<ul class="notes">${file.notes.map((note) => html`<li key=${note}>${note}</li>`)}</ul>` : null}`
      : null}
  </div>`;
}

/** @param {{state: State, act: any}} props which two columns the pictures draw, and which class */
function DrawnColumns({ state, act }) {
  const { table, setting } = state;
  if (!table) return null;
  const numeric = ("numeric" in setting.table && setting.table.numeric) || table.columns.map((_, index) => index);
  const shown = numeric.length >= 2 ? numeric : table.columns.map((_, index) => index);
  const options = shown.map((index) => /** @type {[string, string]} */ ([String(index), table.columns[index]]));
  const pick = (/** @type {number} */ axis) => (/** @type {string} */ index) => act.show({ drawn: setting.drawn.with(axis, Number(index)) });
  return html`${table.columns.length > 2
    ? html`<div class="fields">
        <${Choice} id="across" label="Across" value=${String(setting.drawn[0])} options=${options} change=${pick(0)} />
        <${Choice} id="upwards" label="Upwards" value=${String(setting.drawn[1])} options=${options} change=${pick(1)} />
      </div>`
    : null}
  ${table.task === "multiclass"
    ? html`<${Choice} id="class" label="Class that is drawn" value=${String(setting.class)} options=${(table.classes ?? []).map((label, index) => [String(index), label])} change=${(/** @type {string} */ index) => act.show({ class: Number(index) })} />`
    : null}`;
}

/** 'Step through': one row forwards through the network and backwards, number by number. */

import { html, useLayoutEffect, useRef } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { NotNumbers, NumberField, Value } from "./elements.js";
import { parameterName } from "./params.js";
import { forwardKey, traceKey, trainingOf } from "./derived.js";
import { PHASES, phaseOf, titleOf } from "./trace_steps.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./types.js").TraceStep} TraceStep */

/** @param {{state: State, act: any}} props */
export function TracePanel({ state, act }) {
  const { trace, table, setting } = state;
  if (!table?.y.length) return html`<p class="note">There is no row yet.</p>`;
  if (state.diverged) return html`<${NotNumbers} />`;
  if (state.running) return html`<p class="note">Pause to step through a row. <button type="button" onClick=${act.pause}>Pause</button></p>`;
  return html`<div class="trace">
    ${trace && trace.row === setting.row ? html`<${Steps} state=${state} act=${act} />` : html`<${RowChoice} state=${state} act=${act} /><p class="note">Computing …</p>`}
  </div>`;
}

/** @param {{state: State, act: any}} props */
export function RowChoice({ state, act }) {
  const { table, setting } = state;
  if (!table) return null;
  const last = table.y.length - 1;
  const choose = (/** @type {number} */ row) => act.show({ row, step: 0 });
  const target = table.classes ? table.classes[table.y[setting.row] ?? 0] : null;
  return html`<div class="row-choice">
    <${NumberField} id="row" inline label="Row" value=${setting.row} low=${0} high=${last} whole change=${choose} />
    <span class="row-text">${table.columns.map((name, column) => html`<span key=${name}>${name} = <${Value} name=${`row x[${column}]`} value=${table.x[setting.row]?.[column]} digits=${3} /></span>`)}
      <span><b>${table.target}</b> is ${target ?? html`<${Value} name="row y" value=${table.y[setting.row]} digits=${4} />`}</span></span>
  </div>`;
}

/** @param {{state: State, act: any}} props */
function Steps({ state, act }) {
  const trace = /** @type {import("./types.js").Trace} */ (state.trace);
  const { steps } = trace;
  const index = Math.min(state.setting.step, steps.length - 1);
  const step = steps[index];
  if (!step) return null;
  const go = (/** @type {number} */ to) => act.show({ step: Math.max(0, Math.min(steps.length - 1, to)) });
  const phases = PHASES.map((name) => ({ name, first: steps.findIndex((each) => phaseOf(each) === name) }));
  const phase = phaseOf(step);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.target instanceof HTMLElement && event.target.matches("input, select")) return;
    if (event.key === "ArrowRight") act.moveStep(1);
    else if (event.key === "ArrowLeft") act.moveStep(-1);
    else return;
    event.preventDefault();
  };
  return html`<div class="steps" onKeyDown=${onKeyDown}>
    <div class="step-top"><${RowChoice} state=${state} act=${act} />
    <div class="phases" role="group" aria-label="Where in the computation">
      ${phases.map(({ name, first }) => html`<button key=${name} type="button" aria-pressed=${name === phase} disabled=${first < 0} onClick=${() => go(first)}>${name}</button>`)}
    </div></div>
    <div class="step-buttons">
      <button type="button" disabled=${index === 0} onClick=${() => act.moveStep(-1)}>‹ Back</button>
      <input type="range" aria-label="Step" min="0" max=${steps.length - 1} value=${index} aria-valuetext=${`step ${index + 1} of ${steps.length}: ${titleOf(state, step)}`} onInput=${(/** @type {any} */ event) => go(Number(event.currentTarget.value))} />
      <button type="button" class="primary" disabled=${index === steps.length - 1} onClick=${() => act.moveStep(1)}>Next number ›</button>
    </div>
    <article class=${`step ${phase.toLowerCase()}`} aria-live="polite" aria-atomic="true">
      <p class="step-count">Step <span data-name="step" data-value=${String(index)}>${formatCount(index + 1)}</span> of ${formatCount(steps.length)}: <b>${titleOf(state, step)} = <${Value} name="step result" value=${step.result} digits=${6} /></b></p>
      <p class="sentence" data-name="step sentence">${step.sentence}</p>
      <div class="formulas">
        <${Symbols} symbols=${trace.symbols ?? []} columns=${state.table?.columns ?? []} />
        <${MathText} markup=${step.formula} text="" />
        <${MathText} markup=${step.numbers} text=${step.text} />
      </div>
    </article>
    <${Update} state=${state} act=${act} trace=${trace} steps=${steps} phase=${phase} />
    <${AllSteps} steps=${steps} index=${index} go=${go} />
  </div>`;
}

/** @param {{symbols: string[], columns: string[]}} props which input a symbol of the formulas is, where they differ */
function Symbols({ symbols, columns }) {
  const other = symbols.flatMap((symbol, index) => (symbol === columns[index] ? [] : [`${symbol} is ${columns[index]}`]));
  return other.length ? html`<p class="note symbols">In the formulas, ${other.join(", ")}.</p>` : null;
}

/** @param {{markup: string, text: string}} props MathML, which the browser draws; the plain text if it cannot be read */
function MathText({ markup, text }) {
  const box = useRef(/** @type {any} */ (null));
  useLayoutEffect(() => {
    const parsed = new window.DOMParser().parseFromString(markup, "text/html").body.firstElementChild;
    box.current.replaceChildren(parsed?.localName === "math" ? document.importNode(parsed, true) : text);
  }, [markup]);
  return html`<div class="math" ref=${box} tabindex="0" role="group" aria-label="Formula"></div>`;
}

/** @param {any} props what the update would do, with a button that does it */
function Update({ state, act, trace, steps, phase }) {
  const training = trainingOf(state);
  const apply = () => {
    if (state.trace?.key !== traceKey(state)) return;
    const updates = steps.filter((/** @type {TraceStep} */ step) => step.kind === "update");
    act.applyUpdates(updates.map((/** @type {TraceStep} */ step) => [parameterName({ layer: step.layer ?? 0, input: step.input, unit: step.unit ?? 0 }), step.result]));
  };
  const { applied, forward } = state;
  const isApplied = applied && applied.key === forwardKey(state) && forward?.key === applied.key;
  const other = phase === "Update" ? OTHER_STEPS[training.optimizer] : undefined;
  return html`${other ? html`<p class="note">These are steps of plain gradient descent. Run trains with ${other}, whose steps have other lengths.</p>` : null}<div class="update">
    <p>Loss of this row: <${Value} name="trace loss" value=${trace.loss} digits=${6} />. After one update with learning rate ${training.learning_rate}: <${Value} name="loss after" value=${trace.loss_after} digits=${6} />. This update is for one row alone. It may raise the loss of the other rows.</p>
    <button type="button" onClick=${apply}>Apply this update</button>
    ${isApplied ? html`<p role="status">Loss of all rows: it was <${Value} name="all rows before" value=${applied.before} digits=${6} /> before your update, and is <${Value} name="all rows after" value=${forward.loss} digits=${6} /> after it. Your update counts as one epoch.</p>` : null}
  </div>`;
}

/** @type {Record<string, string>} */
const OTHER_STEPS = { momentum: "momentum", adam: "Adam" };

/** @param {any} props */
function AllSteps({ steps, index, go }) {
  return html`<details class="numbers">
    <summary>All ${formatCount(steps.length)} steps</summary>
    <ol class="all-steps">
      ${steps.map((/** @type {TraceStep} */ step, /** @type {number} */ at) => html`<li key=${at} aria-current=${at === index ? "step" : undefined}><button type="button" class="plain" onClick=${() => go(at)}>${step.text}</button></li>`)}
    </ol>
  </details>`;
}

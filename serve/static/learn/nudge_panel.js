/** 'Nudge it': one weight or bias, its gradient by four derivations, and the error of the nudge. */

import { html, useMemo } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { CurveElement } from "./curve_element.js";
import { NotNumbers, NumberField, Value } from "./elements.js";
import { parameterLabel, parameterName, placeOf, places, valueAt } from "./params.js";
import { selectedExists } from "./questions.js";
import { networkOf } from "./derived.js";
import { SlopesTable } from "./slopes_table.js";

/** @typedef {import("./state.js").State} State */

const DIGITS = 9;
// So many digits tell any two float64 apart.
const ALL_DIGITS = 17;
const SLIDER_ENDS = 6;

/** @param {{state: State, act: any}} props */
export function NudgePanel({ state, act }) {
  const { setting } = state;
  if (!state.params) return null;
  if (state.diverged) return html`<${NotNumbers} />`;
  const network = networkOf(state);
  const names = places(network).map((place) => /** @type {[string, string]} */ ([parameterName(place), parameterLabel(network, state.table, place)]));
  const chosen = selectedExists(state) ? setting.select : null;
  return html`<div class="nudge">
    <div class="edit-parameter">
      <label class="field" for="parameter"
        ><span>Weight or bias</span
        ><select id="parameter" value=${chosen ?? ""} onChange=${(/** @type {any} */ event) => act.show({ select: event.currentTarget.value })}>
          ${chosen ? null : html`<option value="" selected>choose one …</option>`}
          ${names.map(([name, label]) => html`<option key=${name} value=${name} selected=${name === chosen}>${label}</option>`)}
        </select></label
      >
      ${chosen ? html`<${ByHand} state=${state} act=${act} name=${chosen} />` : null}
    </div>
    ${chosen ? html`<${Parameter} state=${state} act=${act} name=${chosen} />` : html`<${Invitation} /><${SlopesTable} state=${state} act=${act} />`}
  </div>`;
}

function Invitation() {
  return html`<div class="invitation">
    <p><strong>Press Run,</strong> and watch the network learn: the colours of the picture should come to match the points.</p>
    <p><strong>Click a line of the network.</strong> Each line is a weight: a number that multiplies what flows along it. Thick lines have large values. Blue dashed lines are negative, orange ones positive.</p>
    <p>Here you can then nudge it, and see how the loss answers. That answer, divided by the nudge, is the gradient.</p>
  </div>`;
}

/** @param {{state: State, act: any, name: string}} props its value, to be typed or dragged */
function ByHand({ state, act, name }) {
  const place = placeOf(name);
  const value = place && state.params ? (valueAt(state.params, place) ?? 0) : 0;
  const end = Math.max(SLIDER_ENDS, Math.ceil(Math.abs(value) / SLIDER_ENDS) * SLIDER_ENDS);
  const edit = (/** @type {number} */ changed) => act.edit(name, changed);
  return html`<${NumberField} id="parameter-value" label="Its value" value=${value} low=${-1e6} high=${1e6} step=${0.1} change=${edit} />
      <label class="field drag" for="parameter-drag"><span>Drag it</span>
        <input id="parameter-drag" type="range" min=${-end} max=${end} step=${0.01} value=${value} aria-valuetext=${formatNumber(value, 4)} onInput=${(/** @type {any} */ event) => edit(Number(event.currentTarget.value))} />
      </label>`;
}

/** @param {{state: State, act: any, name: string}} props */
function Parameter({ state, act, name }) {
  const found = state.gradients?.parameter?.name === name ? state.gradients.parameter : null;
  if (state.running) return html`<p class="note">Pause to see its gradient.</p>`;
  if (found) return html`<${Derivations} state=${state} found=${found} act=${act} />`;
  return state.table?.y.length ? html`<p class="note">Computing …</p>` : null;
}

/** @type {[string, string, string][]} */
const WAYS = [
  ["nudge", "nudge", "up by ε, down by ε, compare the losses"],
  ["jvp", "jvp", "carry its slope forwards"],
  ["chain_rule", "chain rule", "backwards from the loss, by hand"],
  ["grad", "jax.grad", "backwards from the loss, by JAX"],
];

/** @param {{state: State, found: any, act: any}} props found: the gradient of one parameter */
function Derivations({ state, found, act }) {
  return html`
    <p class="verdict" data-name="sentence">${found.sentence}</p>
    <table class="derivations">
      <caption class="unseen">The same gradient, derived in four ways</caption>
      <thead class="unseen"><tr><th scope="col">way</th><th scope="col">gradient</th><th scope="col">how</th></tr></thead>
      <tbody>
        ${WAYS.map(([key, label, how]) => html`<tr key=${key}><th scope="row">${label}</th><td><${Compared} name=${`gradient ${key}`} value=${found[key]} exact=${found.grad} /></td><td class="how">${how}</td></tr>`)}
      </tbody>
    </table>
    <h3>How large should the nudge be?</h3>
    <div class="two sizes">
      <div>
        <label class="field" for="epsilon"><span>ε = <${Value} name="epsilon" value=${found.epsilon} digits=${3} /></span>
          <input id="epsilon" type="range" min="-12" max="-1" step="0.25" value=${Math.log10(state.setting.epsilon)} aria-valuetext=${`epsilon ${formatNumber(state.setting.epsilon, 3)}`} onInput=${(/** @type {any} */ event) => act.show({ epsilon: epsilonAt(Number(event.currentTarget.value)) })} />
        </label>
        <p class="slider-ends"><span>tiny</span><span>large</span></p>
        <${NudgeArithmetic} found=${found} />
      </div>
      <${ErrorCurve} found=${found} />
    </div>
    <p class="at-epsilon" data-name="at epsilon">${found.at_epsilon}</p>
    <div class="two reasons">
      <p><strong>Left: too small.</strong> <span data-name="small reason">${found.small_reason}</span></p>
      <p><strong>Right: too large.</strong> <span data-name="large reason">${found.large_reason}</span></p>
    </div>
  `;
}

/** @param {number} exponent @returns {number} the power of ten, to three digits */
function epsilonAt(exponent) {
  return Number(Math.min(0.1, 10 ** exponent).toPrecision(3));
}

/** @param {{found: import("./types.js").ParameterGradients}} props the nudge with its two losses */
function NudgeArithmetic({ found }) {
  return html`<dl class="arithmetic">
      <div><dt>loss with ε more</dt><dd><${Value} name="loss above" value=${found.loss_above} digits=${ALL_DIGITS} /></dd></div>
      <div><dt>loss with ε less</dt><dd><${Value} name="loss below" value=${found.loss_below} digits=${ALL_DIGITS} /></dd></div>
      <div><dt>difference / (2ε)</dt><dd><${Value} name="nudge" value=${found.nudge} digits=${DIGITS} /></dd></div>
      <div><dt>its error</dt><dd><${Value} name="error" value=${found.error} digits=${3} /></dd></div>
    </dl>
    ${found.kink ? html`<p class="kink">The loss has a kink within this nudge: on its two sides the slopes differ.</p>` : null}`;
}

/** @param {any} props a number whose digits are marked from the first one that differs from the exact one */
function Compared({ name, value, exact }) {
  const text = formatNumber(value, DIGITS);
  const other = formatNumber(exact, DIGITS);
  let same = 0;
  while (same < text.length && text[same] === other[same]) same++;
  const whole = text === other;
  return html`<span class="number" data-name=${name} data-value=${String(value)}>${whole ? text : html`${text.slice(0, same)}<mark>${text.slice(same)}</mark>`}</span>`;
}

const ERROR_OPTIONS = {
  label: "Error of the nudge by its size",
  xName: "nudge ε",
  yName: "error of the nudge",
  lines: [{ name: "error", colour: "--accent" }],
  height: 180,
  cursorAtRest: false,
  logX: true,
  logY: true,
  formatX: (/** @type {number} */ value) => formatNumber(value, 3),
  formatY: (/** @type {number} */ value) => formatNumber(value, 3),
};

/** @param {{found: import("./types.js").ParameterGradients}} props */
function ErrorCurve({ found }) {
  const [xs, ys] = useMemo(() => {
    const points = [...found.curve].sort((one, other) => one.epsilon - other.epsilon);
    return [points.map((point) => point.epsilon), points.map((point) => (point.error === null ? null : Math.abs(point.error)))];
  }, [found.curve]);
  if (ys.every((error) => error === 0)) return html`<p class="note" data-name="no error">The error of the nudge is exactly 0 at every ε, so there is no curve to draw.</p>`;
  return html`<div class="error-curve">
    <${CurveElement} options=${ERROR_OPTIONS} xs=${xs} ys=${ys} mark=${found.epsilon} />
  </div>`;
}

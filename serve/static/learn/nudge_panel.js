/** 'Nudge it': one weight or bias, its gradient by four derivations, and the error of the nudge. */

import { html, useMemo } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { CurveElement } from "./curve_element.js";
import { NumberField, Value } from "./elements.js";
import { parameterLabel, parameterName, placeOf, places, valueAt } from "./params.js";
import { selectedExists } from "./questions.js";
import { networkOf } from "./state.js";

/** @typedef {import("./state.js").State} State */

const DIGITS = 9;
const SLIDER_ENDS = 6;

/** @param {{state: State, act: any}} props */
export function NudgePanel({ state, act }) {
  const { setting } = state;
  if (!state.params) return null;
  const network = networkOf(state);
  const names = places(network).map((place) => /** @type {[string, string]} */ ([parameterName(place), parameterLabel(network, state.table, place)]));
  const chosen = selectedExists(state) ? setting.select : null;
  return html`<div class="nudge">
    <div class="choose-parameter">
      <label class="field" for="parameter"
        ><span>Weight or bias</span
        ><select id="parameter" value=${chosen ?? ""} onChange=${(/** @type {any} */ event) => act.show({ select: event.currentTarget.value })}>
          ${chosen ? null : html`<option value="" selected>choose one …</option>`}
          ${names.map(([name, label]) => html`<option key=${name} value=${name} selected=${name === chosen}>${label}</option>`)}
        </select></label
      >
    </div>
    ${chosen ? html`<${Parameter} state=${state} act=${act} name=${chosen} />` : html`<${Invitation} />`}
  </div>`;
}

function Invitation() {
  return html`<div class="invitation">
    <p><strong>Click a line of the network.</strong> Each line is a weight: a number that multiplies what flows along it. Thick lines are large. Blue dashed lines are negative, orange ones positive.</p>
    <p>Then nudge the weight a little, and see how the loss answers. That answer, divided by the nudge, is the gradient.</p>
  </div>`;
}

/** @param {{state: State, act: any, name: string}} props */
function Parameter({ state, act, name }) {
  const place = placeOf(name);
  const value = place && state.params ? (valueAt(state.params, place) ?? 0) : 0;
  const found = state.gradients?.parameter?.name === name ? state.gradients.parameter : null;
  const end = Math.max(SLIDER_ENDS, Math.ceil(Math.abs(value) / SLIDER_ENDS) * SLIDER_ENDS);
  const edit = (/** @type {number} */ changed) => act.edit(name, changed);
  return html`
    <div class="edit-parameter">
      <${NumberField} id="parameter-value" label="Its value" value=${value} low=${-1e6} high=${1e6} step=${0.1} change=${edit} />
      <label class="field drag" for="parameter-drag"><span>Drag it</span>
        <input id="parameter-drag" type="range" min=${-end} max=${end} step=${0.01} value=${value} aria-valuetext=${formatNumber(value, 4)} onInput=${(/** @type {any} */ event) => edit(Number(event.currentTarget.value))} />
      </label>
    </div>
    ${state.running ? html`<p class="note">Pause to see its gradient.</p>` : found ? html`<${Derivations} state=${state} found=${found} act=${act} />` : state.table?.y.length ? html`<p class="note">Computing …</p>` : null}
  `;
}

/** @param {{state: State, found: import("./types.js").ParameterGradients, act: any}} props */
function Derivations({ state, found, act }) {
  const exact = found.grad;
  return html`
    <p class="verdict" data-name="sentence">${found.sentence}</p>
    <div class="two">
      <div>
        <h3>The same gradient, four ways</h3>
        <table class="derivations">
          <tbody>
            ${[
              ["nudge", "nudge it, and look", found.nudge],
              ["jvp", "forward mode (jvp)", found.jvp],
              ["chain_rule", "chain rule, by hand", found.chain_rule],
              ["grad", "backward mode (jax.grad)", exact],
            ].map(([key, label, value]) => html`<tr key=${key}><th scope="row">${label}</th><td><${Compared} name=${`gradient ${key}`} value=${value} exact=${exact} /></td></tr>`)}
          </tbody>
        </table>
        <${NudgeArithmetic} found=${found} />
      </div>
      <div>
        <h3 id="epsilon-title">How large a nudge?</h3>
        <label class="field" for="epsilon"><span>ε = <${Value} name="epsilon" value=${found.epsilon} digits=${3} /></span>
          <input id="epsilon" type="range" min="-12" max="-1" step="0.25" value=${Math.log10(state.setting.epsilon)} aria-valuetext=${`epsilon ${formatNumber(state.setting.epsilon, 3)}`} onInput=${(/** @type {any} */ event) => act.show({ epsilon: epsilonAt(Number(event.currentTarget.value)) })} />
        </label>
        <p class="ends"><span>10⁻¹²: tiny</span><span>large: 0.1</span></p>
        <p class="at-epsilon" data-name="at epsilon">${found.at_epsilon}</p>
      </div>
    </div>
    <${ErrorCurve} found=${found} />
  `;
}

/** @param {number} exponent @returns {number} the power of ten, to two digits */
function epsilonAt(exponent) {
  return Number(Math.min(0.1, 10 ** exponent).toPrecision(3));
}

/** @param {{found: import("./types.js").ParameterGradients}} props the nudge with its two losses */
function NudgeArithmetic({ found }) {
  return html`<div class="arithmetic" role="group" aria-label="The arithmetic of the nudge">
    <p>loss with ε more: <${Value} name="loss above" value=${found.loss_above} digits=${12} /></p>
    <p>loss with ε less: <${Value} name="loss below" value=${found.loss_below} digits=${12} /></p>
    <p>their difference, divided by 2ε: <${Value} name="nudge" value=${found.nudge} digits=${DIGITS} /></p>
    <p>error of the nudge: <${Value} name="error" value=${found.error} digits=${3} /></p>
    ${found.kink ? html`<p class="kink">There is a kink of the loss within this nudge: on its two sides the slopes differ.</p>` : null}
  </div>`;
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
  yName: "error",
  lines: [{ name: "error", colour: "--accent" }],
  height: 190,
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
  return html`<div class="error-curve">
    <h3>The error of the nudge, from tiny to large</h3>
    <${CurveElement} options=${ERROR_OPTIONS} xs=${xs} ys=${ys} mark=${found.epsilon} />
    <div class="two reasons">
      <p><strong>Too small, on the left.</strong> <span data-name="small reason">${found.small_reason}</span></p>
      <p><strong>Too large, on the right.</strong> <span data-name="large reason">${found.large_reason}</span></p>
    </div>
  </div>`;
}

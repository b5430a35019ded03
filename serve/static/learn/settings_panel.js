/** The settings of the network, of its start, and of its training. */

import { html } from "../vendor/preact-htm.js";
import { Choice, NumberField } from "./elements.js";
import { LIMITS } from "./limits.js";

/** @typedef {import("./state.js").State} State */

/** @type {[string, string][]} */
const ACTIVATIONS = [["relu", "ReLU"], ["tanh", "tanh"], ["sigmoid", "sigmoid"], ["gelu", "GELU"]];
/** @type {[string, string][]} */
const INITS = [["normal", "normal"], ["he", "He"]];
/** @type {[string, string][]} */
const OPTIMIZERS = [["sgd", "gradient descent"], ["momentum", "momentum"], ["adam", "Adam"]];

/** @param {{state: State, act: any}} props */
export function SettingsPanel({ state, act }) {
  const { setting } = state;
  return html`<section class="settings" aria-labelledby="settings-title">
    <h2 id="settings-title">Network</h2>
    <${HiddenLayers} hidden=${setting.hidden} act=${act} />
    <${Choice} id="activation" label="Activation" value=${setting.activation} options=${ACTIVATIONS} change=${(/** @type {string} */ activation) => act.startAnew({ activation })} />
    <h3>Start</h3>
    ${setting.params ? html`<p class="note">This start was made by hand. Reset leads back to the one of the seed.</p>` : null}
    <div class="fields">
      <${NumberField} id="seed" label="Seed" value=${setting.seed} low=${LIMITS.seed[0]} high=${LIMITS.seed[1]} whole change=${(/** @type {number} */ seed) => act.startAnew({ seed, start: 0 })} />
      <${Choice} id="init" label="Drawn as" value=${setting.init} options=${INITS} change=${(/** @type {string} */ init) => act.startAnew({ init })} />
    </div>
    <div class="buttons"><button type="button" onClick=${() => act.startAnew({ seed: setting.seed + 1, start: 0 })} disabled=${setting.seed >= LIMITS.seed[1]}>Another start</button>${setting.start ? html`<span class="note">start ${setting.start} of this seed</span>` : null}</div>
    <h3>Training</h3>
    <${Choice} id="optimizer" label="Optimizer" value=${setting.optimizer} options=${OPTIMIZERS} change=${(/** @type {string} */ optimizer) => act.changeTraining({ optimizer })} />
    <${NumberField} id="rate" label="Learning rate" value=${setting.rate} low=${LIMITS.learning_rate[0]} high=${LIMITS.learning_rate[1]} change=${(/** @type {number} */ rate) => act.changeTraining({ rate })} />
    <label class="check"><input type="checkbox" checked=${setting.stop} onChange=${(/** @type {any} */ event) => act.show({ stop: event.currentTarget.checked })} /> Stop when every row is right</label>
  </section>`;
}

/** @param {{hidden: number[], act: any}} props */
function HiddenLayers({ hidden, act }) {
  return html`<fieldset class="layers">
    <legend>Hidden layers</legend>
    ${hidden.map((units, layer) => html`<${NumberField} key=${layer} id=${`hidden-${layer}`} inline label=${html`Layer ${layer + 1} <small>units</small>`} value=${units} low=${LIMITS.units[0]} high=${LIMITS.units[1]} whole change=${(/** @type {number} */ count) => act.startAnew({ hidden: hidden.with(layer, count) })} />`)}
    <div class="buttons">
      <button type="button" disabled=${hidden.length >= LIMITS.hidden_layers[1]} onClick=${() => act.startAnew({ hidden: [...hidden, hidden.at(-1) ?? 2] })}>Add layer</button>
      <button type="button" disabled=${!hidden.length} onClick=${() => act.startAnew({ hidden: hidden.slice(0, -1) })}>Remove layer</button>
    </div>
  </fieldset>`;
}

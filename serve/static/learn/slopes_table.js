/** Every weight and bias by the size of its slope: which one matters most now. */

import { html } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { gradientsKey, networkOf } from "./derived.js";
import { Value } from "./elements.js";
import { signOf } from "./network_edge.js";
import { parameterLabel, parameterName, places, valueAt } from "./params.js";

/** @typedef {import("./state.js").State} State */

const MOST = 12;

/** @param {{state: State, act: any}} props */
export function SlopesTable({ state, act }) {
  const { gradients, params } = state;
  if (state.running) return html`<p class="note">Pause to see which weight matters most now.</p>`;
  if (!params || gradients?.key !== gradientsKey(state) || !gradients.grads.grad) return null;
  const slopes = gradients.grads.grad;
  const network = networkOf(state);
  const rows = places(network)
    .map((place) => ({ place, slope: valueAt(slopes, place) ?? 0 }))
    .sort((one, other) => Math.abs(other.slope) - Math.abs(one.slope));
  const largest = Math.abs(rows[0]?.slope ?? 0) || 1;
  return html`<h3>Which weight matters most now?</h3>
    <p class="note">The one with the largest slope: the loss changes most when it is nudged. A thick line has a large value, and need not matter. ${rows.length > MOST ? `The first ${MOST} of ${formatCount(rows.length)}:` : ""}</p>
    <div class="slopes-box" tabindex="0" role="region" aria-label="Weights and biases by their slope"><table class="slopes">
      <thead><tr><th scope="col">weight or bias</th><th scope="col">value</th><th scope="col">slope of the loss</th><td></td></tr></thead>
      <tbody>${rows.slice(0, MOST).map(({ place, slope }) => {
        const name = parameterName(place);
        return html`<tr key=${name}>
          <th scope="row"><button type="button" class="plain" onClick=${() => act.show({ select: name })} title=${parameterLabel(network, state.table, place)}>${parameterLabel(network, state.table, place)}</button></th>
          <td><${Value} name=${`value of ${name}`} value=${valueAt(params, place)} digits=${4} /></td>
          <td><${Value} name=${`slope of ${name}`} value=${slope} digits=${4} /></td>
          <td class="slope-track" aria-hidden="true"><span class=${`slope-bar ${signOf(slope)}`} style=${{ width: `${(100 * Math.abs(slope)) / largest}%` }}></span></td>
        </tr>`;
      })}</tbody>
    </table></div>`;
}

/** 'Why is it stuck?': what is wrong with the network as it is, each reason tried, and a button that mends it. */

import { html } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { postJson } from "../shared/request.js";
import { Value } from "./elements.js";
import { useLongQuestion } from "./long_question.js";
import { largestEpochs, tableBody } from "./questions.js";
import { forwardKey, networkOf, trainingOf } from "./derived.js";
import { jumpsAbout } from "./progress.js";

/** @typedef {import("./state.js").State} State */

export const TRIAL_EPOCHS = 20_000;
// With the change, without it, and after 20 random changes, for each of three suspicions.
const TRIED_NETWORKS = 22 * 3;

/** @param {State} state @returns {any} the question why its network is stuck */
export function stuckQuestion(state) {
  return { network: networkOf(state), params: state.params, table: tableBody(state.setting.table), training: trainingOf(state), epochs: trialEpochs(state) };
}

/** @param {State} state @returns {number} how many epochs each trial takes; fewer for many rows */
export function trialEpochs(state) {
  const rows = state.table?.y.length ?? 4;
  const wanted = Math.max(200, Math.min(TRIAL_EPOCHS, Math.round((TRIAL_EPOCHS * 4) / rows)));
  return Math.min(wanted, largestEpochs(state, TRIED_NETWORKS));
}

/** @param {{state: State, act: any}} props */
export function StuckPanel({ state, act }) {
  const answer = state.diagnosis;
  const { busy, problem, perform, stop } = useLongQuestion();
  const ask = () => {
    act.pause();
    const key = forwardKey(state);
    void perform("Looking, and trying …", async (signal) => {
      act.keep({ diagnosis: { ...(await postJson("/learn/why-stuck", stuckQuestion(state), signal)), key } });
    });
  };
  const ready = state.params && state.table?.y.length && !state.diverged;
  return html`<div class="stuck">
    <p>A network is stuck when more training does not help. This looks for reasons, and tries each one: it changes what seems wrong, trains on, and compares with 20 random changes of the same size.</p>
    <div class="buttons">
      <button type="button" class="primary" disabled=${!ready || busy !== ""} onClick=${ask}>Why is it stuck?</button>
      ${busy ? html`<button type="button" onClick=${stop}>Stop looking</button>` : null}
    </div>
    <${Warning} state=${state} />
    <div role="status">${busy ? html`<p class="note">${busy}</p>` : null}${problem ? html`<p class="message error">${problem}</p>` : null}</div>
    ${answer && !busy ? html`<${Diagnosis} answer=${answer} act=${act} stale=${answer.key !== forwardKey(state)} />` : null}
  </div>`;
}

/** @param {{state: State}} props why the question has no answer now, or one that helps little */
function Warning({ state }) {
  if (state.diverged) {
    return html`<p class="note">This cannot be asked now: the loss is not a number any more. Take a smaller learning rate, and reset.</p>`;
  }
  if (!jumpsAbout(state)) return null;
  return html`<p class="note">The loss jumps about, because the learning rate is too large. First take a smaller one, and reset. What is found here may be only what the large steps have left.</p>`;
}

/** @param {any} props */
function Diagnosis({ answer, act, stale }) {
  const [headline] = answer.text.split("\n");
  const findings = answer.findings.map((/** @type {any} */ finding, /** @type {number} */ index) => ({ finding, index }));
  const [confirmed, others] = [true, false].map((is) => findings.filter((/** @type {any} */ each) => each.finding.confirmed === is));
  const shown = (/** @type {any} */ each) => html`<${Finding} key=${each.index} ...${each} act=${act} stale=${stale} />`;
  return html`${stale ? html`<p class="note">The network has changed since then. Ask again for the network as it is.</p>` : null}
    <p class="verdict" data-name="diagnosis" data-value=${answer.reason}>${headline}</p>
    ${answer.reason === "still_learning" ? null : html`<p data-name="meaning">${answer.meaning}</p>`}
    ${confirmed.length ? html`<ol class="findings">${confirmed.map(shown)}</ol>` : null}
    ${others.length ? html`<details class="numbers"><summary>${others.length === 1 ? "One other suspicion that did not help" : `${formatCount(others.length)} other suspicions that did not help`}</summary><ol class="findings">${others.map(shown)}</ol></details>` : null}`;
}

/** @param {any} props what may be wrong, what came of changing it, and a button that changes it */
function Finding({ finding, index, act, stale }) {
  return html`<li class=${finding.confirmed ? "confirmed" : "unconfirmed"}>
    <p><strong>${finding.proof ? "Shown." : finding.confirmed ? "Confirmed." : "Not confirmed."}</strong> <span data-name=${`finding[${index}]`}>${finding.sentence}</span></p>
    ${finding.proof ? html`<p>${finding.proof}</p><p>What helps: ${finding.remedy}.</p>` : null}
    ${finding.trial ? html`<${Trial} finding=${finding} index=${index} />` : null}
    ${finding.params || finding.learning_rate !== null ? html`<button type="button" disabled=${stale} onClick=${() => act.applyFinding(finding)}>Do this, and train on</button>` : null}
  </li>`;
}

/** @param {any} props what came of trying the change */
function Trial({ finding, index }) {
  const { trial } = finding;
  const outcome = (/** @type {boolean} */ solved, /** @type {number | null} */ loss, /** @type {string} */ name) =>
    solved ? html`<b>solved</b>` : html`loss <${Value} name=${`${name}[${index}]`} value=${loss} />`;
  const smallest = Math.min(...trial.random_losses.filter((/** @type {number | null} */ loss) => loss !== null));
  return html`<p>The change: ${finding.remedy}.</p>
    <table class="trial"><caption>After ${formatCount(trial.epochs)} more epochs</caption><tbody>
      <tr><th scope="row">with the change</th><td>${outcome(trial.solved, trial.loss, "loss with change")}</td></tr>
      <tr><th scope="row">without it</th><td>${outcome(trial.unchanged_solved, trial.unchanged_loss, "loss without change")}</td></tr>
      <tr><th scope="row">${trial.random_losses.length} random changes of this size</th><td>${trial.random_solved} solved it; smallest loss <${Value} name=${`loss random[${index}]`} value=${smallest} /></td></tr>
    </tbody></table>`;
}

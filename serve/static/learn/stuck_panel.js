/** 'Why is it stuck?': what is wrong with the network as it is, each reason tried, and a button that mends it. */

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { postJson } from "../shared/request.js";
import { sentenceOf } from "./conversation.js";
import { Value } from "./elements.js";
import { tableBody } from "./questions.js";
import { forwardKey, networkOf, trainingOf } from "./state.js";

/** @typedef {import("./state.js").State} State */

export const TRIAL_EPOCHS = 20_000;

/** @param {State} state @returns {any} the question why its network is stuck */
export function stuckQuestion(state) {
  return { network: networkOf(state), params: state.params, table: tableBody(state.setting.table), training: trainingOf(state), epochs: trialEpochs(state) };
}

/** @param {State} state @returns {number} how many epochs each trial takes; fewer for many rows */
export function trialEpochs(state) {
  const rows = state.table?.y.length ?? 4;
  return Math.max(200, Math.min(TRIAL_EPOCHS, Math.round((TRIAL_EPOCHS * 4) / rows)));
}

/** @param {{state: State, act: any}} props */
export function StuckPanel({ state, act }) {
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState("");
  const asking = useRef(/** @type {AbortController | null} */ (null));
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    act.pause();
    const question = new AbortController();
    asking.current = question;
    setBusy(true);
    setProblem("");
    try {
      const key = forwardKey(state);
      setAnswer({ ...(await postJson("/learn/why-stuck", stuckQuestion(state), question.signal)), key });
    } catch (error) {
      if (!question.signal.aborted) setProblem(sentenceOf(error));
    }
    setBusy(false);
  };
  const stale = answer && answer.key !== forwardKey(state);
  const ready = state.params && state.table?.y.length && !state.diverged;
  return html`<div class="stuck">
    <p>A network is stuck when more training does not help. This looks for reasons, and tries each one: it changes what seems wrong, trains on, and compares with 20 random changes of the same size.</p>
    <div class="buttons">
      <button type="button" class="primary" disabled=${!ready || busy} onClick=${ask}>Why is it stuck?</button>
      ${busy ? html`<button type="button" onClick=${() => asking.current?.abort()}>Stop looking</button>` : null}
    </div>
    <div role="status">${busy ? html`<p class="note">Looking, and trying …</p>` : null}${problem ? html`<p class="message error">${problem}</p>` : null}</div>
    ${answer && !busy ? html`<div class=${stale ? "stale" : ""}>${stale ? html`<p class="note">The network has changed since then. Ask again for the network as it is.</p>` : null}<${Diagnosis} answer=${answer} act=${act} stale=${stale} /></div>` : null}
  </div>`;
}

/** @param {any} props */
function Diagnosis({ answer, act, stale }) {
  const [headline] = answer.text.split("\n");
  return html`<p class="verdict" data-name="diagnosis" data-value=${answer.reason}>${headline}</p>
    <ol class="findings">
      ${answer.findings.map((/** @type {any} */ finding, /** @type {number} */ index) => html`<li key=${index} class=${finding.confirmed ? "confirmed" : "unconfirmed"}>
        <p><strong>${finding.confirmed ? "Confirmed." : "Not confirmed."}</strong> <span data-name=${`finding[${index}]`}>${finding.sentence}</span></p>
        ${finding.trial ? html`<${Trial} finding=${finding} index=${index} />` : null}
        ${finding.params || finding.learning_rate !== null ? html`<button type="button" disabled=${stale} onClick=${() => act.applyFinding(finding)}>Do this, and train on</button>` : null}
      </li>`)}
    </ol>`;
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

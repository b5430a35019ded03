/** 'Try 64 starts': the same network from many random starts, side by side. */

import { html, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { postJson } from "../shared/request.js";
import { NumberField, SurfaceCanvas, Value } from "./elements.js";
import { useLongQuestion } from "./long_question.js";
import { LIMITS } from "./limits.js";
import { largestEpochs, tableBody } from "./questions.js";
import { networkOf, trainingOf } from "./derived.js";
import { trialEpochs } from "./stuck_panel.js";
import { readFloats } from "./surfaces.js";
import { outputRange } from "./unit_surfaces.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{index: number, params: any, loss: number | null, solved: boolean, surface: Float32Array, reason?: string, meaning?: string}} Start */

const STARTS = 64;
const SIZE = 24;
/** @type {Record<string, string>} */
const WORDS = {
  dead_units: "dead units",
  saturated_units: "saturated units",
  copied_units: "copies",
  straight_layer: "a straight line",
  saturated_outputs: "saturated outputs",
  shared_output: "rows share an output",
  large_learning_rate: "rate too large",
  small_learning_rate: "rate too small",
  flat_minimum: "a flat place",
  no_hidden_layer: "no hidden layer",
  unknown: "unknown",
  still_learning: "still learning",
  "": "",
};

/** @param {{state: State, act: any}} props */
export function StartsPanel({ state, act }) {
  const [chosen, setEpochs] = useState(/** @type {number | null} */ (null));
  const most = largestEpochs(state, STARTS);
  const epochs = Math.min(most, chosen ?? defaultEpochs(state));
  const tried = /** @type {{starts: Start[], setting: any} | null} */ (state.tried);
  const { busy, problem, perform, stop } = useLongQuestion();
  const tryAll = () => {
    act.pause();
    void perform("Training 64 networks …", async (signal) => {
      const { seed, init, table } = state.setting;
      const question = { network: networkOf(state), table: tableBody(table), training: trainingOf(state), seed, init, starts: STARTS, epochs, size: SIZE };
      const answer = await postJson("/learn/starts", question, signal);
      act.keep({ tried: { setting: { ...state.setting, epochs }, starts: answer.starts.map((/** @type {any} */ start) => ({ ...start, surface: readFloats(start.surface) })) } });
    });
  };
  const findReasons = () =>
    void perform("Asking each why it is stuck …", async (signal) => {
      const question = { network: networkOf(state), table: tableBody(state.setting.table), training: trainingOf(state), epochs: trialEpochs(state) };
      for (const start of tried?.starts ?? []) {
        if (start.solved || start.reason !== undefined) continue;
        const { reason, meaning } = await postJson("/learn/why-stuck", { ...question, params: start.params }, signal);
        act.keepReason(start.index, reason, meaning);
      }
    });
  const ready = state.table?.y.length && !busy;
  const unsolved = tried?.starts.some((start) => !start.solved);
  return html`<div class="starts">
    <p>Training begins at random numbers. From some starts it gets stuck. So try many of them, and keep the best.</p>
    <div class="buttons">
      <${NumberField} id="starts-epochs" label="Epochs of each" value=${epochs} low=${LIMITS.epochs[0]} high=${most} whole change=${setEpochs} />
      <button type="button" class="primary" disabled=${!ready} onClick=${tryAll}>Try 64 starts</button>
      ${unsolved ? html`<button type="button" disabled=${!ready} onClick=${findReasons}>Why not? Ask each one</button>` : null}
      ${busy ? html`<button type="button" onClick=${stop}>Stop</button>` : null}
    </div>
    <p class="note">For 64 networks of this size, and ${formatCount(state.table?.y.length ?? 0)} rows, there is time for at most ${formatCount(most)} epochs of each.</p>
    <div role="status">${busy ? html`<p class="note">${busy}</p>` : null}${problem ? html`<p class="message error">${problem}</p>` : null}</div>
    ${tried ? html`<${Tried} tried=${tried} state=${state} act=${act} />` : null}
  </div>`;
}

/** @param {{tried: {starts: Start[], setting: any}, state: State, act: any}} props */
function Tried({ tried, state, act }) {
  const { starts, setting } = tried;
  const solved = starts.filter((start) => start.solved).length;
  return html`<p class="verdict"><span data-name="starts solved" data-value=${String(solved)}>${formatCount(solved)}</span> of ${starts.length} starts solved it after ${formatCount(setting.epochs)} epochs. Click one to take it.</p>
    <${Reasons} starts=${starts} />
    <ul class="start-list">${starts.map((start) => html`<${StartPicture} key=${start.index} start=${start} state=${state} take=${() => act.takeStart(setting, start)} />`)}</ul>`;
}

/** @param {{starts: Start[]}} props how often each reason was found */
function Reasons({ starts }) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  /** @type {Map<string, string>} */
  const meanings = new Map();
  for (const { reason, meaning } of starts) {
    if (!reason) continue;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    meanings.set(reason, meaning ?? "");
  }
  if (!counts.size) return null;
  const sorted = [...counts].sort((one, other) => other[1] - one[1]);
  return html`<p>Why the others are stuck:</p>
    <ul class="reasons" data-name="reasons">${sorted.map(([reason, count]) => html`<li key=${reason}><b>${WORDS[reason] ?? reason}: ${count}.</b> ${meanings.get(reason)}</li>`)}</ul>`;
}

/** @param {State} state @returns {number} of each start */
function defaultEpochs(state) {
  const wanted = Math.max(500, Math.min(50_000, Math.round(200_000 / (state.table?.y.length || 4))));
  return Math.min(wanted, largestEpochs(state, STARTS));
}

/** @param {{start: Start, state: State, take: () => void}} props */
function StartPicture({ start, state, take }) {
  const reason = start.reason === undefined ? "" : (WORDS[start.reason] ?? start.reason);
  const chosen = state.setting.params === null && state.setting.start === start.index;
  return html`<li>
    <button type="button" class=${`start${start.solved ? " solved" : ""}`} aria-pressed=${chosen} onClick=${take}>
      <span class="unseen">Start ${start.index}: </span>
      <${SurfaceCanvas} values=${start.surface} size=${SIZE} range=${outputRange(state)} />
      <span class="start-text">${start.solved ? html`<b>✓ solved</b>` : html`loss <${Value} name=${`start loss[${start.index}]`} value=${start.loss} digits=${2} />`}</span>
      ${reason ? html`<span class="reason" data-name=${`start reason[${start.index}]`} data-value=${start.reason}>${reason}</span>` : null}
    </button>
  </li>`;
}

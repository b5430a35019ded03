/** The bar with which one trains, and how far it has come. */

import { html } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { Choice, Value } from "./elements.js";
import { forwardKey, isLoading } from "./derived.js";
import { jumpsAbout, seemsStuck } from "./progress.js";

/** @typedef {import("./state.js").State} State */

/** @type {[string, string][]} */
const SPEEDS = [
  ["auto", "faster and faster"],
  ["1", "1 epoch a frame"],
  ["10", "10 a frame"],
  ["100", "100 a frame"],
  ["1000", "1,000 a frame"],
  ["full", "as fast as it can"],
];

/** @param {{state: State, act: any}} props */
export function PlayBar({ state, act }) {
  const { running } = state;
  const ready = Boolean(state.params && state.table?.y.length) && !state.diverged;
  return html`<section class="play" aria-label="Train">
    <div class="buttons">
      <button type="button" class="primary run" disabled=${!ready} onClick=${running ? act.pause : act.run}>
        <span class=${running ? "icon pause" : "icon go"} aria-hidden="true"></span>${running ? "Pause" : "Run"}
      </button>
      <button type="button" disabled=${!ready} onClick=${act.step} title="Train one epoch">Step</button>
      <button type="button" onClick=${act.reset} title="Back to epoch 0 of this start">Reset</button>
      ${state.undo ? html`<button type="button" onClick=${act.undo}>Undo the ${state.undo.what}</button>` : null}
    </div>
    <${Progress} state=${state} />
    <${Choice} id="speed" label="Speed" value=${state.speed} options=${SPEEDS} change=${act.speed} />
  </section>`;
}

/** @param {{state: State}} props how far it has come */
function Progress({ state }) {
  const { setting, forward, table } = state;
  const rows = table?.y.length ?? 0;
  const epoch = setting.before + state.epoch;
  return html`<dl class="progress">
      <div><dt>Epoch</dt><dd><span data-name="epoch" data-value=${String(epoch)}>${formatCount(epoch)}</span></dd></div>
      <div><dt>Loss</dt><dd>${rows && !isLoading(state) ? html`<${Value} name="loss" value=${lossOf(state)} digits=${4} />` : "–"}</dd></div>
      ${table?.classes && forward && rows ? html`<${Right} forward=${forward} rows=${rows} />` : null}
    </dl>`;
}

/** @param {State} state @returns {number | null} null if it is not a number */
function lossOf(state) {
  const { diverged, losses, forward } = state;
  if (diverged) return null;
  const isOfNow = forward?.key === forwardKey(state);
  return (isOfNow ? forward?.loss : losses.at(-1)?.loss) ?? null;
}

/** @param {{forward: import("./types.js").Forward, rows: number}} props how many rows are right */
function Right({ forward, rows }) {
  const right = forward.right ?? 0;
  return html`<div><dt>Right</dt><dd><span data-name="right" data-value=${String(right)}>${formatCount(right)}</span> of ${formatCount(rows)}${forward.solved ? html` <span class="solved-mark">✓</span>` : null}</dd></div>`;
}

/** @param {{state: State, act: any}} props what happened, in one sentence */
export function Message({ state, act }) {
  return html`<div class="messages" role="status">${messageOf(state, act)}</div>`;
}

/** @param {{act: any}} props */
function Calmer({ act }) {
  return html`<button type="button" class="small" onClick=${act.calm}>Divide the learning rate by 10, and reset</button>`;
}

/** @param {State} state @param {any} act */
function messageOf(state, act) {
  if (isLoading(state)) return html`<p class="message">Loading the network …</p>`;
  if (state.problem) {
    const again = state.halted ? html`<button type="button" class="small" onClick=${act.retry}>Try again</button>` : null;
    return html`<p class="message problem">${state.problem} ${again}</p>`;
  }
  if (state.diverged) {
    return html`<p class="message problem"><strong>It has diverged: the numbers grew too large, and became NaN, “not a number”.</strong> The learning rate is too large for this network. Take a smaller one, and reset. <${Calmer} act=${act} /></p>`;
  }
  if (state.stopped) {
    return html`<p class="message good"><strong>Solved: every row is right.</strong> The run has stopped. Press Run to make it surer still. <button type="button" class="small" onClick=${act.goOn}>Run on without stopping</button></p>`;
  }
  if (jumpsAbout(state)) {
    return html`<p class="message problem"><strong>The learning rate is too large: the loss jumps about instead of falling.</strong> Each step goes too far. Take a smaller one, and reset. <${Calmer} act=${act} /></p>`;
  }
  if (state.stuck || seemsStuck(state)) {
    const open = (/** @type {string} */ panel) => act.show({ panel });
    return html`<p class="message"><strong>The loss hardly falls any more, and not every row is right.</strong> It seems stuck.
      <button type="button" class="small" onClick=${() => open("stuck")}>Why is it stuck?</button> <button type="button" class="small" onClick=${() => open("starts")}>Try 64 starts</button></p>`;
  }
  if (state.table && !state.table.y.length) return html`<p class="message">There is no point yet. Draw some in the large picture, of both classes. Then press Run.</p>`;
  return null;
}

/** The loss, epoch by epoch. */

import { html, useMemo } from "../vendor/preact-htm.js";
import { formatCount, formatNumber } from "../shared/numbers.js";
import { CurveElement } from "./curve_element.js";

/** @typedef {import("./state.js").State} State */

const OPTIONS = {
  label: "Loss by epoch",
  xName: "epoch",
  yName: "loss",
  lines: [{ name: "loss", colour: "--accent" }],
  height: 150,
  fromZero: true,
  formatX: (/** @type {number} */ epoch) => (Number.isInteger(epoch) ? formatCount(epoch) : formatNumber(epoch, 4)),
  formatY: (/** @type {number} */ loss) => formatNumber(loss, 4),
};

/** @param {{state: State, act: any}} props */
export function LossCurve({ state, act }) {
  const { losses, setting } = state;
  const [xs, ys] = useMemo(() => [losses.map((at) => at.epoch), losses.map((at) => at.loss)], [losses]);
  const log = setting.scale === "log";
  return html`<section class="loss" aria-labelledby="loss-title">
    <div class="title-row">
      <h2 id="loss-title">The loss</h2>
      <label class="check"><input type="checkbox" checked=${log} onChange=${() => act.show({ scale: log ? "linear" : "log" })} /> logarithmic</label>
    </div>
    <${CurveElement} options=${OPTIONS} xs=${xs} ys=${ys} logY=${log} />
  </section>`;
}

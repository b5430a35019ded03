/** The prediction in a few words at the foot of the window, while its panel is out of sight. */

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { predictionText, watchedNumber } from "./watched.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Description} Description */

/**
 * It repeats what the panel says, so that screen readers leave it out.
 *
 * @param {object} props
 * @param {Description} props.model
 * @param {Answer | null} props.answer
 * @param {string} props.fault
 * @param {{current: HTMLElement | null}} props.panel the panel of the prediction.
 */
export function SummaryBar({ model, answer, fault, panel }) {
  const [isNeeded, setNeeded] = useState(false);
  useEffect(() => {
    if (!panel.current) return undefined;
    const observer = new IntersectionObserver((entries) => setNeeded(!entries.at(-1)?.isIntersecting), { threshold: 0.3 });
    observer.observe(panel.current);
    return () => observer.disconnect();
  }, []);
  if (!answer || !isNeeded) return null;
  return html`<p class="summary-bar" aria-hidden="true">${fault || html`${model.target}: <strong>${headlineOf(model, answer)}</strong>`}</p>`;
}

/**
 * @param {Description} model
 * @param {Answer} answer
 * @returns {string}
 */
function headlineOf(model, answer) {
  if (!model.classes.length) return predictionText(model, Number(answer.prediction));
  const index = model.classes.indexOf(answer.label ?? null);
  return `${model.class_names[index]}, ${predictionText(model, watchedNumber(model, answer, index))}`;
}

/** The lesson beside the page: each step sets the page up by its address. */

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { steps } from "./lesson_steps.js";

/** @typedef {{title: string, text: string[], address: string, question?: string, answer?: string}} LessonStep */

export const LESSON = /** @type {LessonStep[]} */ (steps);

/** @param {{number: number, act: any}} props number: of the step, from 1 */
export function Lesson({ number, act }) {
  const title = useRef(/** @type {any} */ (null));
  const shown = useRef(number);
  const at = Math.min(number, LESSON.length);
  const step = LESSON[at - 1];
  useEffect(() => {
    if (shown.current !== number) title.current?.focus();
    shown.current = number;
  }, [number]);
  if (!step) return null;
  return html`<aside class="lesson panel" aria-labelledby="lesson-title">
    <div class="title-row"><p class="lesson-count">Lesson, ${at} of ${LESSON.length}</p><button type="button" class="plain" onClick=${() => act.lesson(null)}>Close</button></div>
    <h2 id="lesson-title" tabindex="-1" ref=${title}>${step.title}</h2>
    ${step.text.map((paragraph) => html`<p key=${paragraph}>${paragraph}</p>`)}
    ${step.question ? html`<p class="question">${step.question}</p>` : null}
    ${step.answer ? html`<details key=${at}><summary>The answer</summary><p>${step.answer}</p></details>` : null}
    <div class="buttons">
      <button type="button" disabled=${at === 1} onClick=${() => act.lesson(at - 1)}>Step before</button>
      <button type="button" onClick=${() => act.lesson(at)}>Set up again</button>
      <button type="button" class="primary" disabled=${at === LESSON.length} onClick=${() => act.lesson(at + 1)}>Next step of the lesson</button>
    </div>
  </aside>`;
}

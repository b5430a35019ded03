/** The mark of each class in the pictures: a shape and a colour of its own. */

import { html } from "../vendor/preact-htm.js";

/** @typedef {import("./types.js").Table} Table */

// Eight colours that colour-blind people tell apart (Okabe and Ito 2008), each with another shape.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#ffffff"];
const SHAPES = [
  "M2 2H18V18H2Z",
  "M10 1A9 9 0 1 1 10 19A9 9 0 1 1 10 1Z",
  "M10 1L19 18H1Z",
  "M10 0L20 10L10 20L0 10Z",
  "M1 2H19L10 19Z",
  "M7 1H13V7H19V13H13V19H7V13H1V7H7Z",
  "M10 0L13 7L20 7L15 12L17 20L10 15L3 20L5 12L0 7L7 7Z",
  "M5 1H15L20 10L15 19H5L0 10Z",
];

/** @param {{table: Table, label: number, class?: string, style?: object}} props the mark of a row whose class has this index */
export function ClassMark({ table, label, class: className = "", style = {} }) {
  if (table.task !== "multiclass") return html`<span class=${`point ${label === 1 ? "yes" : "no"}${className}`} style=${style}></span>`;
  const index = label % SHAPES.length;
  return html`<svg class=${`point mark${className}`} style=${style} viewBox="-2 -2 24 24"><path d=${SHAPES[index]} style=${{ fill: COLOURS[index] }} /></svg>`;
}

/** @param {{table: Table | null}} props which mark stands for which class */
export function ClassKey({ table }) {
  if (!table?.classes) return null;
  return html`<p class="class-key"><span class="class-target" title=${table.target}>${table.target}:</span> ${table.classes.map((name, label) => html`<span key=${name} class="class-entry" title=${name}><${ClassMark} table=${table} label=${label} /> ${name}</span>`)}</p>`;
}

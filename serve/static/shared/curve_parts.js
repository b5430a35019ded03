/** What a curve has on the page besides its picture: a slider, what is read, and a table of its numbers. */

import { formatCount } from "./numbers.js";

const MAX_TABLE_ROWS = 40;

/**
 * Make the parts of a curve.
 *
 * @param {HTMLElement} parent the element that they fill.
 * @param {string} label what the curve shows.
 */
export function makeParts(parent, label) {
  const figure = document.createElement("figure");
  figure.className = "curve";
  const plot = document.createElement("div");
  plot.className = "curve-plot";
  plot.setAttribute("aria-hidden", "true");
  const reader = document.createElement("input");
  reader.type = "range";
  reader.className = "curve-reader";
  reader.min = reader.max = reader.value = "0";
  reader.setAttribute("aria-label", `${label}: read a point`);
  const readout = document.createElement("output");
  readout.className = "curve-readout";
  readout.dataset.name = "read point";
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "The numbers of this curve";
  const scroller = document.createElement("div");
  scroller.className = "table-scroller";
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", `The numbers of: ${label}`);
  const table = document.createElement("table");
  scroller.append(table);
  details.append(summary, scroller);
  figure.append(plot, reader, readout, details);
  parent.append(figure);
  return { figure, plot, reader, readout, details, table };
}

/**
 * Fill a table with the points of a curve, or with some of them if there are many.
 *
 * @param {HTMLTableElement} table
 * @param {string} label what the curve shows.
 * @param {string[]} head the names of the columns.
 * @param {number} count how many points there are.
 * @param {(index: number) => string[]} rowAt the texts of a point.
 */
export function fillTable(table, label, head, count, rowAt) {
  const rows = Math.min(count, MAX_TABLE_ROWS);
  const caption = document.createElement("caption");
  caption.textContent = rows < count ? `${label}: ${rows} of ${formatCount(count)} points` : label;
  const body = document.createElement("tbody");
  for (let row = 0; row < rows; row++) {
    body.append(tableRow("td", rowAt(rows === 1 ? 0 : Math.round((row * (count - 1)) / (rows - 1)))));
  }
  const top = document.createElement("thead");
  top.append(tableRow("th", head));
  table.replaceChildren(caption, top, body);
}

/**
 * @param {"td" | "th"} kind
 * @param {string[]} texts
 * @returns {HTMLTableRowElement}
 */
function tableRow(kind, texts) {
  const row = document.createElement("tr");
  for (const text of texts) {
    const cell = document.createElement(kind);
    if (kind === "th") /** @type {HTMLTableCellElement} */ (cell).scope = "col";
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}

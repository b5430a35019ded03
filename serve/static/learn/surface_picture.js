/** The large picture: what the network predicts everywhere, or what one unit hands on, with the data on top. */

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { ClassKey } from "./class_marks.js";
import { drawnSurface } from "./drawn_surface.js";
import { SurfaceCanvas, Value } from "./elements.js";
import { ownUnits } from "./own_units.js";
import { rangeOf } from "./questions.js";
import { isPlane } from "./derived.js";
import { Points } from "./surface_points.js";
import { contour } from "./surfaces.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./drawn_surface.js").DrawnSurface} DrawnSurface */

/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** @param {{state: State, act: any}} props */
export function SurfacePicture({ state, act }) {
  const drawn = drawnSurface(state);
  const [byKeys, setByKeys] = useState(false);
  const { table, setting } = state;
  const [across, up] = setting.drawn;
  const axes = [table?.columns[across] ?? "x1", table?.columns[up] ?? "x2"];
  return html`<section class="surface" aria-labelledby="surface-title">
    <div class="title-row">
      <h2 id="surface-title">${drawn.title}</h2>
      ${setting.show ? html`<button type="button" class="small" onClick=${() => act.show({ show: null })}>The prediction</button>` : null}
    </div>
    <div class="plot">
      <${Frame} ...${{ state, act, drawn, axes, setByKeys }} />
      <${Axes} state=${state} axes=${axes} />
    </div>
    ${table ? html`<${ClassKey} table=${table} />` : null}
    <div class="colour-scale">
      <span class="bar" aria-hidden="true"></span>
      <span class="ends"><span>${formatNumber(drawn.range.low, 3)}</span><span class="scale-name" title=${drawn.scale}>${drawn.scale}</span><span>${formatNumber(drawn.range.high, 3)}</span></span>
    </div>
    <p class="readout" aria-live=${byKeys ? "polite" : "off"}><${Readout} ...${{ state, axes, drawn }} /></p>
    ${"encoding" in setting.table ? html`<p class="note">The axes show the numbers of the file. The network gets them scaled.</p>` : null}
    ${isPlane(state) ? null : html`<p class="note">The other inputs are those of row ${setting.row}.</p>`}
    <${SurfaceNumbers} ...${{ state, axes, drawn }} />
  </section>`;
}

/** @param {{state: State, act: any, drawn: DrawnSurface, axes: string[], setByKeys: (by: boolean) => void}} props */
function Frame({ state, act, drawn, axes, setByKeys }) {
  const frame = useRef(/** @type {any} */ (null));
  const { surface, probe } = state;
  const canDraw = "drawn" in state.setting.table;
  const { values, range } = drawn;
  const size = surface?.size ?? 0;
  const label = `${drawn.title}, over ${axes[0]} and ${axes[1]}. Arrow keys move a pointer whose value is read out.${canDraw ? " Enter draws a point." : ""}`;
  const sharesAt = (/** @type {PointerEvent} */ event) => {
    const box = frame.current.getBoundingClientRect();
    const inside = (/** @type {number} */ share) => Math.max(0, Math.min(0.9999, share));
    return /** @type {[number, number]} */ ([inside((event.clientX - box.left) / box.width), inside(1 - (event.clientY - box.top) / box.height)]);
  };
  const point = (/** @type {PointerEvent} */ event) => {
    if (!surface) return;
    const [column, line] = sharesAt(event);
    setByKeys(false);
    act.probe({ column: Math.floor(column * size), line: Math.floor(line * size) });
  };
  const press = (/** @type {PointerEvent} */ event) => {
    const { low, high } = rangeOf(state);
    const [x, y] = sharesAt(event);
    const at = [low[0] + x * (high[0] - low[0]), low[1] + y * (high[1] - low[1])];
    if (canDraw) act.addPoint(at);
    else act.chooseNearest(at);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!surface) return;
    const at = probe ?? { column: size >> 1, line: size >> 1 };
    const move = MOVES[event.key];
    const inside = (/** @type {number} */ index) => Math.max(0, Math.min(size - 1, index));
    if (move) {
      setByKeys(true);
      act.probe({ column: inside(at.column + move[0]), line: inside(at.line + move[1]) });
    } else if (event.key === "Escape") act.probe(null);
    else if (event.key === "Enter" && canDraw) act.addPoint([surface.xs[at.column], surface.ys[at.line]]);
    else return;
    event.preventDefault();
  };
  return html`<div
    class=${canDraw ? "frame drawing" : "frame"}
    ref=${frame}
    tabindex="0"
    role="application"
    aria-roledescription="picture"
    aria-label=${label}
    onPointerMove=${point}
    onPointerLeave=${() => act.probe(null)}
    onBlur=${() => act.probe(null)}
    onClick=${press}
    onKeyDown=${onKeyDown}
  >
    ${values ? html`<${SurfaceCanvas} values=${values} size=${size} range=${range} />` : null}
    ${values ? html`<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path class="boundary" d=${contour(values, size, range.middle)} /></svg>` : null}
    <${Points} state=${state} />
    ${probe && size ? html`<span class="crosshair" style=${{ left: `${(100 * (probe.column + 0.5)) / size}%`, bottom: `${(100 * (probe.line + 0.5)) / size}%` }}></span>` : null}
  </div>`;
}

/** @param {{state: State, axes: string[]}} props */
function Axes({ state, axes }) {
  const { low, high } = rangeOf(state);
  const { table } = state.setting;
  const isTruthTable = "name" in table && table.rows === undefined;
  const marks = (/** @type {0 | 1} */ axis) =>
    (isTruthTable ? [0, 1] : [low[axis], high[axis]]).map((value) => ({ value, at: `${(100 * (value - low[axis])) / (high[axis] - low[axis] || 1)}%` }));
  const inFile = (/** @type {0 | 1} */ axis, /** @type {number} */ value) => {
    const own = ownUnits(table, state.setting.drawn[axis]);
    return formatNumber(own ? own(value) : value, own ? 3 : 2);
  };
  return html`<div class="axis across" aria-hidden="true">${marks(0).map(({ value, at }) => html`<span key=${value} style=${{ left: at }}>${inFile(0, value)}</span>`)}<b title=${axes[0]}>${axes[0]}</b></div>
    <div class="axis up" aria-hidden="true">${marks(1).map(({ value, at }) => html`<span key=${value} style=${{ bottom: at }}>${inFile(1, value)}</span>`)}<b title=${axes[1]}>${axes[1]}</b></div>`;
}

/** @param {{state: State, axes: string[], drawn: DrawnSurface}} props the value under the pointer, or what one can do */
function Readout({ state, axes, drawn }) {
  const { probe, surface, setting } = state;
  if (probe && surface && drawn.values) {
    return html`${axes[0]} = <${Place} state=${state} axis=${0} name="pointer x" value=${surface.xs[probe.column]} />, ${axes[1]} = <${Place} state=${state} axis=${1} name="pointer y" value=${surface.ys[probe.line]} />
      ${" → "}${drawn.name} = <${Value} name="pointer value" value=${drawn.values[probe.line * surface.size + probe.column]} digits=${4} />`;
  }
  if (state.diverged) return "The predictions are not numbers, so there is nothing to draw.";
  return "drawn" in setting.table ? "Click to draw a point." : "Point to read a value. Click to choose a row.";
}

/** @param {any} props where the pointer is on an axis, and for a file first in its own units */
function Place({ state, axis, name, value }) {
  const own = ownUnits(state.setting.table, state.setting.drawn[axis]);
  const scaled = html`<${Value} name=${name} value=${value} digits=${3} />`;
  return own ? html`<${Value} name=${`${name} in the file`} value=${own(value)} digits=${3} /> (scaled ${scaled})` : scaled;
}

/** @param {{state: State, axes: string[], drawn: DrawnSurface}} props the picture as a table of five by five numbers */
function SurfaceNumbers({ state, axes, drawn }) {
  const { surface } = state;
  const [open, setOpen] = useState(false);
  const { values, name } = drawn;
  if (!surface || !values) return null;
  const at = [0, 1, 2, 3, 4].map((index) => Math.round((index * (surface.size - 1)) / 4));
  const cell = (/** @type {number} */ line, /** @type {number} */ column) =>
    html`<td key=${column}><${Value} name=${`surface[${line},${column}]`} value=${values[line * surface.size + column]} digits=${3} /></td>`;
  return html`<details class="numbers" onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
    <summary>This picture in numbers</summary>
    ${open
      ? html`<div class="table-scroller" tabindex="0" role="region" aria-label="The picture in numbers"><table>
          <caption>${name} at places of ${axes[0]} (across) and ${axes[1]} (down)</caption>
          <thead><tr><th scope="col">${axes[1]} \\ ${axes[0]}</th>${at.map((column) => html`<th key=${column} scope="col">${formatNumber(surface.xs[column], 2)}</th>`)}</tr></thead>
          <tbody>${at.toReversed().map((line) => html`<tr key=${line}><th scope="row">${formatNumber(surface.ys[line], 2)}</th>${at.map((column) => cell(line, column))}</tr>`)}</tbody>
        </table></div>`
      : null}
  </details>`;
}

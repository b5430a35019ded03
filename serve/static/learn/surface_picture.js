/** The large picture: what the network predicts everywhere, or what one unit hands on, with the data on top. */

import { html, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { SurfaceCanvas, Value } from "./elements.js";
import { outputRange } from "./network_picture.js";
import { unitName, unitNamed } from "./params.js";
import { rangeOf } from "./questions.js";
import { isPlane, networkOf } from "./state.js";
import { colourAt, contour, place, rangeAround } from "./surfaces.js";

/** @typedef {import("./state.js").State} State */

const MOST_POINTS = 600;

/** @param {{state: State, act: any}} props */
export function SurfacePicture({ state, act }) {
  const drawn = drawnSurface(state);
  const [byKeys, setByKeys] = useState(false);
  const frame = useRef(/** @type {any} */ (null));
  const { table, surface, probe, setting } = state;
  const canDraw = "drawn" in setting.table;
  const axes = setting.drawn.map((column) => table?.columns[column] ?? `x${column + 1}`);

  const cellAt = (/** @type {PointerEvent} */ event) => {
    const box = frame.current.getBoundingClientRect();
    const share = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    return share.map((each) => Math.max(0, Math.min(0.9999, each)));
  };
  const point = (/** @type {PointerEvent} */ event) => {
    if (!surface) return;
    const [column, line] = cellAt(event).map((share) => Math.floor(share * surface.size));
    setByKeys(false);
    act.probe({ column, line });
  };
  const press = (/** @type {PointerEvent} */ event) => {
    const { low, high } = rangeOf(state);
    const shares = cellAt(event);
    if (canDraw) act.addPoint(shares.map((share, axis) => low[axis] + share * (high[axis] - low[axis])));
    else act.chooseNearest(shares.map((share, axis) => low[axis] + share * (high[axis] - low[axis])));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!surface) return;
    const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const at = probe ?? { column: surface.size >> 1, line: surface.size >> 1 };
    if (event.key in moves) {
      const [right, up] = moves[/** @type {keyof typeof moves} */ (event.key)];
      const inside = (/** @type {number} */ index) => Math.max(0, Math.min(surface.size - 1, index));
      setByKeys(true);
      act.probe({ column: inside(at.column + right), line: inside(at.line + up) });
    } else if (event.key === "Escape") act.probe(null);
    else if (event.key === "Enter" && canDraw) act.addPoint([surface.xs[at.column], surface.ys[at.line]]);
    else return;
    event.preventDefault();
  };

  return html`<section class="surface" aria-labelledby="surface-title">
    <h2 id="surface-title">${drawn.title}</h2>
    ${state.setting.show ? html`<button type="button" class="small" onClick=${() => act.show({ show: null })}>Show the prediction again</button>` : null}
    <div class="plot">
      <div
        class=${`frame${canDraw ? " drawing" : ""}`}
        ref=${frame}
        tabindex="0"
        role="application"
        aria-roledescription="picture"
        aria-label=${`${drawn.title}, over ${axes[0]} and ${axes[1]}. Arrow keys move a pointer whose value is read out.${canDraw ? " Enter draws a point." : ""}`}
        onPointerMove=${point}
        onPointerLeave=${() => act.probe(null)}
        onBlur=${() => act.probe(null)}
        onClick=${press}
        onKeyDown=${onKeyDown}
      >
        ${drawn.values ? html`<${SurfaceCanvas} values=${drawn.values} size=${surface?.size ?? 0} range=${drawn.range} />` : null}
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          ${drawn.values ? html`<path class="boundary" d=${contour(drawn.values, surface?.size ?? 0, drawn.range.middle)} />` : null}
        </svg>
        <${Points} state=${state} />
        ${probe && surface ? html`<span class="crosshair" style=${{ left: `${(100 * (probe.column + 0.5)) / surface.size}%`, bottom: `${(100 * (probe.line + 0.5)) / surface.size}%` }}></span>` : null}
      </div>
      <${Axes} state=${state} axes=${axes} />
    </div>
    <${ColourScale} range=${drawn.range} label=${drawn.scale} />
    <p class="readout" aria-live=${byKeys ? "polite" : "off"}><${Readout} state=${state} axes=${axes} values=${drawn.values} name=${drawn.name} /></p>
    ${isPlane(state) ? null : html`<p class="note">The other inputs are those of row ${setting.row}.</p>`}
    <${SurfaceNumbers} state=${state} values=${drawn.values} axes=${axes} name=${drawn.name} />
  </section>`;
}

/** @param {State} state */
function drawnSurface(state) {
  const { surface, setting, table } = state;
  const network = networkOf(state);
  const unit = unitNamed(network, setting.show);
  if (unit) {
    const values = surface?.units[unit.layer - 1]?.[unit.unit] ?? null;
    return { values, range: rangeAround(values ?? []), title: `What ${setting.show} hands on`, scale: setting.show ?? "", name: setting.show ?? "" };
  }
  const classed = network.task === "multiclass";
  const output = classed ? setting.class : 0;
  const values = surface?.outputs[output] ?? null;
  const name = unitName(network, table, network.sizes.length - 1, output);
  if (network.task === "regression") return { values, range: outputRange(state), title: `What it predicts: ${table?.target ?? ""}`, scale: table?.target ?? "", name };
  const label = table?.classes?.[classed ? output : 1] ?? "1";
  return { values, range: outputRange(state), title: "What it predicts", scale: `probability of ${table?.target ?? "y"} = ${label}`, name };
}

/** @param {{state: State}} props the rows of the table: circles for the one class, squares for the others */
function Points({ state }) {
  const { table, setting } = state;
  const { low, high } = rangeOf(state);
  const [first, second] = setting.drawn;
  const marks = useMemo(() => {
    const rows = table?.y.length ?? 0;
    const every = Math.max(1, Math.ceil(rows / MOST_POINTS));
    return Array.from({ length: rows }, (_, row) => row).filter((row) => row % every === 0);
  }, [table]);
  if (!table) return null;
  const small = marks.length > 60 ? " many" : "";
  return html`<div class=${`points${small}`} aria-hidden="true">
    ${marks.map((row) => {
      const at = [table.x[row][first], table.x[row][second] ?? 0].map((value, axis) => (100 * (value - low[axis])) / (high[axis] - low[axis] || 1));
      const yes = table.task === "binary" ? table.y[row] === 1 : table.y[row] === setting.class;
      const wrong = state.forward && table.classes && state.forward.labels[row] !== undefined && !isRight(state, row);
      const kind = table.task === "regression" ? "number" : yes ? "yes" : "no";
      const style = { left: `${at[0]}%`, bottom: `${at[1]}%`, ...(kind === "number" ? { background: `rgb(${colourAt(place(table.y[row], outputRange(state))).join(" ")})` } : {}) };
      return html`<span key=${row} class=${`point ${kind}${row === setting.row ? " current" : ""}${wrong ? " wrong" : ""}`} style=${style}></span>`;
    })}
  </div>`;
}

/** @param {State} state @param {number} row @returns {boolean} whether the label of a row is that of the table */
export function isRight(state, row) {
  const { table, forward } = state;
  const label = forward?.labels[row];
  return label === table?.y[row] || String(label) === table?.classes?.[table.y[row]];
}

/** @param {{state: State, axes: string[]}} props */
function Axes({ state, axes }) {
  const { low, high } = rangeOf(state);
  const truth = "name" in state.setting.table && !("rows" in state.setting.table);
  const ends = truth ? [0, 1] : null;
  const marks = (/** @type {number} */ axis) => (ends ?? [low[axis], high[axis]]).map((value) => ({ value, at: (100 * (value - low[axis])) / (high[axis] - low[axis] || 1) }));
  return html`<div class="axis across" aria-hidden="true">${marks(0).map(({ value, at }) => html`<span key=${value} style=${{ left: `${at}%` }}>${formatNumber(value, 2)}</span>`)}<b>${axes[0]}</b></div>
    <div class="axis up" aria-hidden="true">${marks(1).map(({ value, at }) => html`<span key=${value} style=${{ bottom: `${at}%` }}>${formatNumber(value, 2)}</span>`)}<b>${axes[1]}</b></div>`;
}

/** @param {{range: import("./surfaces.js").Range, label: string}} props */
function ColourScale({ range, label }) {
  return html`<div class="colour-scale">
    <span class="bar" aria-hidden="true"></span>
    <span class="ends"><span>${formatNumber(range.low, 3)}</span><span>${label}</span><span>${formatNumber(range.high, 3)}</span></span>
  </div>`;
}

/** @param {any} props */
function Readout({ state, axes, values, name }) {
  const { probe, surface, table, setting } = state;
  if (probe && surface && values) {
    const value = values[probe.line * surface.size + probe.column];
    return html`${axes[0]} = <${Value} name="pointer x" value=${surface.xs[probe.column]} digits=${3} />, ${axes[1]} = <${Value} name="pointer y" value=${surface.ys[probe.line]} digits=${3} />
      ${" → "}${name} = <${Value} name="pointer value" value=${value} digits=${4} />`;
  }
  if (!table?.y.length) return "Click into the picture to draw a point.";
  if ("drawn" in setting.table) return "Click to draw a point.";
  return "Point to read a value. Click to choose a row.";
}

/** @param {any} props the picture as a table of five by five numbers */
function SurfaceNumbers({ state, values, axes, name }) {
  const { surface } = state;
  const [open, setOpen] = useState(false);
  if (!surface || !values) return null;
  const at = [0, 1, 2, 3, 4].map((index) => Math.round((index * (surface.size - 1)) / 4));
  return html`<details class="numbers" onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
    <summary>This picture in numbers</summary>
    ${open
      ? html`<div class="scroll"><table>
          <caption>${name} at places of ${axes[0]} (across) and ${axes[1]} (down)</caption>
          <thead><tr><th scope="col">${axes[1]} \\ ${axes[0]}</th>${at.map((column) => html`<th key=${column} scope="col">${formatNumber(surface.xs[column], 2)}</th>`)}</tr></thead>
          <tbody>${at.toReversed().map((line) => html`<tr key=${line}><th scope="row">${formatNumber(surface.ys[line], 2)}</th>${at.map((column) => html`<td key=${column}><${Value} name=${`surface[${line},${column}]`} value=${values[line * surface.size + column]} digits=${3} /></td>`)}</tr>`)}</tbody>
        </table></div>`
      : null}
  </details>`;
}

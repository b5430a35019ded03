/**
 * A curve, drawn by uPlot. One reads numbers off it with the pointer, or with a slider below it and the keyboard.
 * Its numbers are there as a table, too.
 */

import uPlot from "../vendor/uplot.js";
import { onSchemeChange, variable } from "./colours.js";
import { fillTable, makeParts } from "./curve_parts.js";
import { powers } from "./logarithmic_axis.js";
import { formatNumber } from "./numbers.js";

/**
 * @typedef {object} Line
 * @property {string} name such as "loss".
 * @property {string} colour a variable of pages.css, such as "--accent".
 * @property {number[]} [dash] lengths of strokes and gaps, so that lines differ without their colours.
 */

/**
 * @typedef {object} CurveOptions
 * @property {string} label what the curve shows, such as "Loss by epoch".
 * @property {string} xName such as "epoch".
 * @property {string} yName such as "loss".
 * @property {Line[]} lines at least one.
 * @property {number} [height] in pixels.
 * @property {boolean} [logX] whether its scale is logarithmic. Numbers up to 0 are then left out.
 * @property {boolean} [logY] the same.
 * @property {boolean} [fromZero] whether a vertical scale that is not logarithmic begins at 0.
 * @property {boolean} [cursorAtRest] whether the point that is read is shown when the pointer is elsewhere, too.
 * @property {[number, number] | null} [yRange] the ends of its scale; null for those of the numbers.
 * @property {number} [xSpace] pixels between two numbers of the horizontal axis, at least.
 * @property {(x: number) => string} [formatX]
 * @property {(y: number) => string} [formatY]
 * @property {(y: number) => string} [formatTick] of the vertical axis; by default as the numbers.
 * @property {(index: number) => void} [onRead] is called when another point is read.
 */

/** @typedef {(number | null)[]} Column */

const HEIGHT = 220;
// In pixels; pages.css puts the slider below the curve by them.
const [AXIS_SIZE, LABEL_SIZE, RIGHT_MARGIN] = [58, 18, 26];
const DOT_SIZE = 9;
const FONT = '12px system-ui, "Segoe UI", sans-serif';

/** A curve in an element of the page. */
export class Curve {
  /**
   * @param {HTMLElement} parent the element that it fills.
   * @param {CurveOptions} options
   */
  constructor(parent, options) {
    this.options = { height: HEIGHT, logX: false, logY: false, fromZero: false, cursorAtRest: true, yRange: null, xSpace: 50, ...options };
    this.formatX = options.formatX ?? formatNumber;
    this.formatY = options.formatY ?? formatNumber;
    /** @type {number[]} */
    this.xs = [];
    /** @type {Column[]} */
    this.columns = options.lines.map(() => []);
    /** @type {number | null} */
    this.marked = null;
    this.index = 0;
    this.parts = makeParts(parent, options.label);
    this.plot = this.#makePlot();
    this.parts.reader.addEventListener("input", () => this.#read(Number(this.parts.reader.value), true));
    this.parts.details.addEventListener("toggle", () => this.#fillTable());
    this.resizing = new ResizeObserver(() => this.#fit());
    this.resizing.observe(this.parts.figure);
    this.endSchemeChange = onSchemeChange(() => this.#makeAgain());
  }

  /**
   * Show other numbers.
   *
   * @param {number[]} xs in ascending order.
   * @param {...Column} columns for each line its numbers, null where there is none.
   */
  setData(xs, ...columns) {
    const wasAtEnd = this.index >= this.xs.length - 1;
    this.xs = xs;
    this.columns = columns;
    this.plot.setData(this.#visibleData());
    this.parts.reader.max = String(Math.max(0, xs.length - 1));
    this.#read(wasAtEnd ? xs.length - 1 : Math.min(this.index, xs.length - 1), false);
    this.#fillTable();
  }

  /**
   * Change the scales.
   *
   * @param {{logX?: boolean, logY?: boolean, yRange?: [number, number] | null}} scales
   */
  setScales(scales) {
    Object.assign(this.options, scales);
    this.#makeAgain();
  }

  /**
   * Mark a place on the horizontal axis by a line.
   *
   * @param {number | null} x null for no mark.
   */
  setMark(x) {
    this.marked = x;
    this.plot.redraw(false);
  }

  /**
   * Read the point with an index, as a reader would.
   *
   * @param {number} index
   */
  read(index) {
    this.#read(index, true);
  }

  /** Remove it from the page. */
  destroy() {
    this.endSchemeChange();
    this.resizing.disconnect();
    this.plot.destroy();
    this.parts.figure.remove();
  }

  #makeAgain() {
    this.plot.destroy();
    this.plot = this.#makePlot();
    this.#showCursor();
  }

  #makePlot() {
    const { options, parts } = this;
    const axis = {
      font: FONT,
      labelFont: FONT,
      labelSize: LABEL_SIZE,
      stroke: variable("--text-soft"),
      grid: { stroke: variable("--line"), width: 1 },
      ticks: { stroke: variable("--line"), width: 1, size: 4 },
    };
    const texts = (/** @type {(value: number) => string} */ format) => (/** @type {uPlot} */ _, /** @type {number[]} */ splits) =>
      splits.map((value) => (value === null ? "" : format(value)));
    return new uPlot(
      {
        width: Math.max(120, parts.plot.clientWidth),
        height: options.height,
        legend: { show: false },
        padding: [8, RIGHT_MARGIN, 0, 0],
        cursor: { drag: { x: false, y: false }, points: { size: DOT_SIZE }, y: false },
        scales: {
          x: { time: false, distr: options.logX ? 3 : 1 },
          y: { distr: options.logY ? 3 : 1, ...this.#range() },
        },
        axes: [
          { ...axis, label: options.xName, size: 30, space: options.xSpace, values: texts(this.formatX), ...(options.logX && { splits: powers }) },
          { ...axis, label: options.yName, size: AXIS_SIZE, values: texts(options.formatTick ?? this.formatY), ...(options.logY && { splits: powers }) },
        ],
        series: [
          {},
          ...options.lines.map((line) => ({
            label: line.name,
            stroke: variable(line.colour),
            width: 2,
            ...(line.dash && { dash: line.dash }),
            points: { show: (/** @type {uPlot} */ plot) => (plot.data[0]?.length ?? 0) < 2 },
          })),
        ],
        hooks: {
          setCursor: [(/** @type {uPlot} */ plot) => this.#follow(plot)],
          draw: [(/** @type {uPlot} */ plot) => this.#drawMark(plot), (/** @type {uPlot} */ plot) => this.#showCursor(plot)],
        },
      },
      this.#visibleData(),
      parts.plot,
    );
  }

  /** @returns {{range?: (plot: uPlot, low: number, high: number) => [number, number]}} the ends of the vertical scale, unless they are those of the numbers. */
  #range() {
    const { yRange, fromZero, logY } = this.options;
    if (yRange) return { range: () => yRange };
    return fromZero && !logY ? { range: (_, low, high) => [Math.min(0, low), 1.1 * Math.max(high, 0) || 1] } : {};
  }

  /** @returns {uPlot.AlignedData} without what a logarithmic scale cannot show. */
  #visibleData() {
    const { logX, logY } = this.options;
    const isHidden = (/** @type {number} */ index) => logX && (this.xs[index] ?? 0) <= 0;
    const columns = this.columns.map((column) =>
      column.map((y, index) => (y === null || isHidden(index) || (logY && y <= 0) ? null : y)),
    );
    return [this.xs, ...columns];
  }

  /** @param {uPlot} plot whose cursor the pointer has moved. */
  #follow(plot) {
    const index = plot.cursor.idx;
    const isPointer = plot.cursor.event instanceof MouseEvent;
    if (isPointer && typeof index === "number" && index !== this.index) this.#read(index, true);
  }

  /**
   * @param {number} index
   * @param {boolean} isReader whether the reader has chosen it.
   */
  #read(index, isReader) {
    this.index = Math.max(0, index);
    const { reader, readout } = this.parts;
    const text = this.#textAt(this.index);
    reader.value = String(this.index);
    reader.setAttribute("aria-valuetext", text);
    readout.textContent = text;
    readout.dataset.x = String(this.xs[this.index] ?? "");
    readout.dataset.value = String(this.columns[0]?.[this.index] ?? "");
    this.#showCursor();
    if (isReader) this.options.onRead?.(this.index);
  }

  /** @param {number} index @returns {string} */
  #textAt(index) {
    const x = this.xs[index];
    if (x === undefined) return "no numbers yet";
    const values = this.options.lines.map((line, place) => `${line.name} = ${this.#yText(this.columns[place]?.[index])}`);
    return `${this.options.xName} = ${this.formatX(x)}: ${values.join(", ")}`;
  }

  /** @param {number | null | undefined} y @returns {string} */
  #yText(y) {
    return y === null || y === undefined ? "not a number" : this.formatY(y);
  }

  /** @param {uPlot} plot which may not have drawn its numbers yet; when it has, this is called again. */
  #showCursor(plot = this.plot) {
    const x = this.xs[this.index];
    const y = this.columns[0]?.[this.index];
    if (!this.options.cursorAtRest || x === undefined || typeof y !== "number" || plot.cursor.event instanceof MouseEvent) return;
    plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.valToPos(y, "y") }, false);
  }

  #fit() {
    const width = Math.max(120, this.parts.plot.clientWidth);
    if (width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
    this.#showCursor();
  }

  /** @param {uPlot} plot */
  #drawMark(plot) {
    if (this.marked === null) return;
    const place = Math.round(plot.valToPos(this.marked, "x", true));
    const { left, width, top, height } = plot.bbox;
    if (!(place >= left && place <= left + width)) return;
    const context = plot.ctx;
    context.save();
    context.strokeStyle = variable("--text");
    context.lineWidth = devicePixelRatio;
    context.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    context.beginPath();
    context.moveTo(place, top);
    context.lineTo(place, top + height);
    context.stroke();
    this.#drawDot(plot, this.marked, place);
    context.restore();
  }

  /**
   * A dot on the curve where the mark crosses it, if the curve has a number there.
   *
   * @param {uPlot} plot
   * @param {number} x
   * @param {number} place of x, in pixels of the canvas.
   */
  #drawDot(plot, x, place) {
    const index = this.xs.findIndex((each) => Math.abs(each - x) <= 0.01 * Math.abs(x));
    const y = /** @type {Column[]} */ (plot.data.slice(1))[0]?.[index];
    if (this.options.cursorAtRest || typeof y !== "number") return;
    const context = plot.ctx;
    context.fillStyle = variable(this.options.lines[0]?.colour ?? "--accent");
    context.beginPath();
    context.arc(place, plot.valToPos(y, "y", true), (DOT_SIZE / 2) * devicePixelRatio, 0, 2 * Math.PI);
    context.fill();
  }

  #fillTable() {
    const { details, table } = this.parts;
    if (!details.open) return;
    const { label, xName, lines } = this.options;
    const head = [xName, ...lines.map((line) => line.name)];
    const rowAt = (/** @type {number} */ index) => {
      const values = this.columns.map((column) => this.#yText(column[index]));
      return [this.formatX(this.xs[index] ?? 0), ...values];
    };
    fillTable(table, label, head, this.xs.length, rowAt);
  }
}

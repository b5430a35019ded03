/**
 * The address of the page: the whole setting, in the fragment behind the #, so that a link brings everybody to the same
 * numbers. A key that is left out has its default, so `#` alone is the page as it opens.
 *
 *     #table=xor&hidden=2&activation=relu&seed=7&optimizer=sgd&rate=0.01&epochs=20000&panel=nudge&select=0.weight[0,1]
 *
 * The table:
 * - table=xor            xor, and, or, nand, nor, xnor; or circles, moons, spirals, gaussians, with
 *   rows=200 noise=0.1 draw=0     how many points, how much noise, and the seed of the points;
 * - table=drawn          points that somebody drew: x= and y= hold them, base64 of float32;
 * - table=own            a table from a file: columns=a,b (names, each percent-encoded), target=y, classes=no,yes (left
 *                        out for numbers), task=binary, multiclass or regression, x= and y= as above.
 *
 * The network and where it starts:
 * - hidden=2             units of each hidden layer: 2, or 4,3, or none (also if nothing is there)
 * - activation=relu      relu, tanh, sigmoid or gelu
 * - seed=0 start=0       start number `start` of this seed, as in 'Try 64 starts'
 * - init=normal          normal or he
 * - params=…             only after a change by hand: every weight and bias, base64 of float32, layer by layer, the
 *                        weight before the bias; then seed, start and init say where Reset leads to
 * - before=0             how many epochs were trained before these params
 *
 * The training from that start:
 * - optimizer=sgd        sgd, momentum or adam
 * - rate=0.01            the learning rate
 * - epochs=0             how many epochs; the page trains them when it opens
 * - stop=1               1: a run stops when every row is right; 0: it goes on
 * - run=1                the page runs on from there; never written, for lessons
 *
 * What is shown:
 * - panel=nudge          nudge, trace (step through), stuck, starts, rows or take (take it along)
 * - select=0.weight[0,1] the weight or bias in the panel 'nudge': layer, then [input,unit]; a bias is 0.bias[1]
 * - epsilon=0.0001       the nudge
 * - row=2 step=0         the row, counted from 0, and the step in the panel 'trace'
 * - show=h1              the unit in the large picture, such as h1; left out for the prediction
 * - drawn=0,1            the two columns that the pictures draw
 * - class=1              of several classes, the one whose probability is drawn
 * - scale=linear         of the loss curve: linear or log
 * - lesson=1             the step of the lesson beside the page, counted from 1; left out without the lesson
 */

import { AddressError, decodeFloats, encodeFloats, matching, number, oneOf, whole, wholes } from "./address_values.js";
import { LIMITS } from "./limits.js";

/** @typedef {import("./types.js").Setting} Setting */
/** @typedef {import("./types.js").TableSpec} TableSpec */

export const TRUTH_TABLES = ["xor", "and", "or", "nand", "nor", "xnor"];
export const POINT_SETS = ["circles", "moons", "spirals", "gaussians"];
export const DEFAULT_POINTS = Object.freeze({ rows: 200, noise: 0.1, seed: 0 });
export const PANELS = ["nudge", "trace", "stuck", "starts", "rows", "take"];

export const DEFAULT_SETTING = Object.freeze(/** @type {Setting} */ ({
  table: { name: "xor" },
  hidden: [2],
  activation: "relu",
  seed: 0,
  start: 0,
  init: "normal",
  params: null,
  before: 0,
  optimizer: "sgd",
  rate: 0.01,
  epochs: 0,
  stop: true,
  run: false,
  panel: "nudge",
  select: null,
  epsilon: 1e-4,
  row: 2,
  step: 0,
  show: null,
  drawn: [0, 1],
  class: 1,
  scale: "linear",
  lesson: null,
}));

/**
 * The setting that an address names. What cannot be read of it has its default; all the rest is kept.
 * @param {string} fragment with or without its #
 * @returns {{setting: Setting, problem: string | null}} problem: which parts were wrong, and what is used instead
 */
export function readAddress(fragment) {
  /** @type {string[]} */
  const wrong = [];
  const attempt = (/** @type {() => void} */ read, /** @type {() => string} */ instead) => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof AddressError || error instanceof URIError)) throw error;
      const reason = error instanceof AddressError ? error.message : "it has a % without two digits behind it.";
      wrong.push(`${reason} ${instead()}`);
    }
  };
  const given = /** @type {Map<string, string>} */ (new Map());
  for (const pair of fragment.replace(/^#/, "").split("&").filter(Boolean)) {
    attempt(() => given.set(...readPair(pair)), () => "It is left out.");
  }
  const setting = { ...DEFAULT_SETTING };
  attempt(() => Object.assign(setting, { table: readTable(given, attempt) }), () => "XOR is used instead.");
  for (const [key, text] of given) attempt(() => readInto(setting, key, text), () => insteadOf(key));
  return { setting, problem: wrong.length ? `Not all of the address could be read: ${wrong.join(" And ")}` : null };
}

/** @typedef {(read: () => void, instead: () => string) => void} Attempt reads a part, or notes what is used instead */

/** @param {string} key @returns {string} what is used instead of a value that cannot be read */
function insteadOf(key) {
  if (!(key in READERS)) return "It is left out.";
  const value = DEFAULT_SETTING[/** @type {keyof Setting} */ (key)];
  return value === null ? "It is left out." : `${typeof value === "boolean" ? Number(value) : value} is used instead.`;
}

/**
 * The address of a setting, with what differs from the default.
 * @param {Setting} setting
 * @returns {string} from its # on
 */
export function writeAddress(setting) {
  const pairs = tablePairs(setting.table);
  /** @type {[keyof Setting, (value: any) => string][]} */
  const keys = [
    ["hidden", (sizes) => (sizes.length ? sizes.join(",") : "none")],
    ["activation", String],
    ["seed", String],
    ["start", String],
    ["init", String],
    ["params", encodeFloats],
    ["before", String],
    ["optimizer", String],
    ["rate", String],
    ["epochs", String],
    ["stop", (on) => (on ? "1" : "0")],
    ["panel", String],
    ["select", String],
    ["epsilon", String],
    ["row", String],
    ["step", String],
    ["show", String],
    ["drawn", (columns) => columns.join(",")],
    ["class", String],
    ["scale", String],
    ["lesson", String],
  ];
  for (const [key, write] of keys) {
    const value = setting[key];
    if (value !== null && JSON.stringify(value) !== JSON.stringify(DEFAULT_SETTING[key])) pairs.push([key, write(value)]);
  }
  return `#${pairs.map(([key, text]) => `${key}=${text}`).join("&")}`;
}

/** @param {string} pair @returns {[string, string]} */
function readPair(pair) {
  const middle = pair.indexOf("=");
  if (middle < 1) throw new AddressError(`'${pair.slice(0, 40)}' should be a name, = and a value.`);
  return [pair.slice(0, middle), pair.slice(middle + 1)];
}

/** @type {Record<string, (text: string) => any>} */
const READERS = {
  hidden: (text) => (text === "none" || text === "" ? [] : wholes("hidden", text, ...LIMITS.units, LIMITS.hidden_layers[1])),
  activation: (text) => oneOf("activation", text, ["relu", "tanh", "sigmoid", "gelu"]),
  seed: (text) => whole("seed", text, ...LIMITS.seed),
  start: (text) => whole("start", text, 0, 1_000_000),
  init: (text) => oneOf("init", text, ["normal", "he"]),
  params: (text) => decodeFloats("params", text),
  before: (text) => whole("before", text, 0, 1e9),
  optimizer: (text) => oneOf("optimizer", text, ["sgd", "momentum", "adam"]),
  rate: (text) => number("rate", text, ...LIMITS.learning_rate),
  epochs: (text) => whole("epochs", text, 0, 1e9),
  stop: (text) => oneOf("stop", text, ["0", "1"]) === "1",
  run: (text) => oneOf("run", text, ["0", "1"]) === "1",
  panel: (text) => oneOf("panel", text, PANELS),
  select: (text) => matching("select", decodeURIComponent(text), /^\d+\.(weight\[\d+,\d+\]|bias\[\d+\])$/, "0.weight[0,1]"),
  epsilon: (text) => number("epsilon", text, ...LIMITS.epsilon),
  row: (text) => whole("row", text, 0, LIMITS.rows[1] - 1),
  step: (text) => whole("step", text, 0, 10_000),
  show: (text) => matching("show", text, /^h\d+$/, "h1"),
  drawn: (text) => twoColumns(text),
  class: (text) => whole("class", text, 0, 7),
  scale: (text) => oneOf("scale", text, ["linear", "log"]),
  lesson: (text) => whole("lesson", text, 1, 99),
};

/** @param {Setting} setting @param {string} key @param {string} text */
function readInto(setting, key, text) {
  const read = READERS[key];
  if (read) Object.assign(setting, { [key]: read(text) });
  else if (!TABLE_KEYS.includes(key)) throw new AddressError(`it has no key '${key.slice(0, 40)}'.`);
}

/** @param {string} text */
function twoColumns(text) {
  const columns = wholes("drawn", text, 0, 15, 2);
  if (columns.length !== 2) throw new AddressError("drawn should be two columns, such as 0,1.");
  return columns;
}

const TABLE_KEYS = ["table", "rows", "noise", "draw", "columns", "target", "classes", "task", "x", "y"];

/** @param {Map<string, string>} given @param {Attempt} attempt @returns {TableSpec} */
function readTable(given, attempt) {
  const name = oneOf("table", given.get("table") ?? "xor", [...TRUTH_TABLES, ...POINT_SETS, "drawn", "own"]);
  if (TRUTH_TABLES.includes(name)) return { name };
  if (POINT_SETS.includes(name)) {
    const points = { name, ...DEFAULT_POINTS };
    const read = (/** @type {keyof typeof DEFAULT_POINTS} */ key, /** @type {string} */ written, /** @type {(text: string) => number} */ reader) => {
      const text = given.get(written);
      if (text !== undefined) attempt(() => Object.assign(points, { [key]: reader(text) }), () => `${DEFAULT_POINTS[key]} is used instead.`);
    };
    read("rows", "rows", (text) => whole("rows", text, ...LIMITS.rows));
    read("noise", "noise", (text) => number("noise", text, ...LIMITS.noise));
    read("seed", "draw", (text) => whole("draw", text, ...LIMITS.seed));
    return points;
  }
  return readGivenTable(given, name === "drawn");
}

/** @param {Map<string, string>} given @param {boolean} drawn @returns {TableSpec} */
function readGivenTable(given, drawn) {
  const columns = drawn ? DRAWN.columns : names("columns", given);
  const flat = decodeFloats("x", given.get("x") ?? "");
  const y = decodeFloats("y", given.get("y") ?? "");
  if (flat.length !== y.length * columns.length) {
    throw new AddressError(`x should hold ${y.length * columns.length} numbers, one for each row and column, not ${flat.length}.`);
  }
  const x = y.map((_, row) => flat.slice(row * columns.length, (row + 1) * columns.length));
  if (drawn) return { ...DRAWN, x, y };
  const task = oneOf("task", given.get("task") ?? "binary", ["binary", "multiclass", "regression"]);
  const classes = task === "regression" ? null : names("classes", given);
  return { columns, target: decodeURIComponent(given.get("target") ?? "y"), classes, task, x, y };
}

/** What every table of drawn points has. */
export const DRAWN = Object.freeze({
  drawn: true,
  columns: ["x1", "x2"],
  target: "class",
  classes: ["0", "1"],
  task: "binary",
});

/** @param {TableSpec} table @returns {[string, string][]} */
function tablePairs(table) {
  if ("name" in table) {
    if (TRUTH_TABLES.includes(table.name)) return [["table", table.name]];
    const { name, rows, noise, seed } = table;
    return [["table", name], ["rows", String(rows)], ["noise", String(noise)], ["draw", String(seed)]];
  }
  const data = /** @type {[string, string][]} */ ([["x", encodeFloats(table.x.flat())], ["y", encodeFloats(table.y)]]);
  if (table.drawn) return [["table", "drawn"], ...data];
  return [
    ["table", "own"],
    ["columns", table.columns.map(encodeURIComponent).join(",")],
    ["target", encodeURIComponent(table.target)],
    ...(table.classes ? /** @type {[string, string][]} */ ([["classes", table.classes.map(encodeURIComponent).join(",")]]) : []),
    ["task", table.task],
    ...data,
  ];
}

/** @param {string} name @param {Map<string, string>} given */
function names(name, given) {
  const text = given.get(name);
  if (!text) throw new AddressError(`a table of one's own needs ${name}.`);
  return text.split(",").map(decodeURIComponent);
}

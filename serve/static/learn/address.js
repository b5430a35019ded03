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
 * - hidden=2             units of each hidden layer: 2, or 4,3, or none
 * - activation=relu      relu, tanh, sigmoid or gelu
 * - seed=0 start=0       start number `start` of this seed, as in 'Try 64 starts'
 * - init=normal          normal or he
 * - params=…             only after a change by hand: every weight and bias, base64 of float32, layer by layer, the
 *                        weight before the bias; then seed, start and init say nothing
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
 * - row=0 step=0         the row, counted from 0, and the step in the panel 'trace'
 * - show=h1              the unit in the large picture, such as h1; left out for the prediction
 * - drawn=0,1            the two columns that the pictures draw
 * - class=1              of several classes, the one whose probability is drawn
 * - scale=linear         of the loss curve: linear or log
 * - lesson=1             the step of the lesson beside the page, counted from 1; left out without the lesson
 */

import { asFloat32 } from "./params.js";

/** @typedef {import("./types.js").Setting} Setting */
/** @typedef {import("./types.js").TableSpec} TableSpec */

export const TRUTH_TABLES = ["xor", "and", "or", "nand", "nor", "xnor"];
export const POINT_SETS = ["circles", "moons", "spirals", "gaussians"];
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
  row: 0,
  step: 0,
  show: null,
  drawn: [0, 1],
  class: 1,
  scale: "linear",
  lesson: null,
}));

/** A part of the address that cannot be read; its message is a sentence. */
class AddressError extends Error {}

/**
 * The setting that an address names.
 * @param {string} fragment with or without its #
 * @returns {{setting: Setting, problem: string | null}} a broken address gives the default, and a sentence that says why
 */
export function readAddress(fragment) {
  try {
    const given = new Map(fragment.replace(/^#/, "").split("&").filter(Boolean).map(readPair));
    return { setting: readSetting(given), problem: null };
  } catch (error) {
    if (!(error instanceof AddressError || error instanceof URIError)) throw error;
    const reason = error instanceof AddressError ? error.message : "it has a % without two digits behind it.";
    return { setting: { ...DEFAULT_SETTING }, problem: `The address could not be read: ${reason} The page starts anew.` };
  }
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
    ...(setting.params ? [] : /** @type {[keyof Setting, (value: any) => string][]} */ ([
      ["seed", String],
      ["start", String],
      ["init", String],
    ])),
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

/** @param {Map<string, string>} given @returns {Setting} */
function readSetting(given) {
  const setting = { ...DEFAULT_SETTING, table: readTable(given) };
  /** @type {Record<string, (text: string) => any>} */
  const readers = {
    hidden: (text) => (text === "none" ? [] : wholes("hidden", text, 1, 8, 3)),
    activation: (text) => oneOf("activation", text, ["relu", "tanh", "sigmoid", "gelu"]),
    seed: (text) => whole("seed", text, 0, 2 ** 32 - 1),
    start: (text) => whole("start", text, 0, 1_000_000),
    init: (text) => oneOf("init", text, ["normal", "he"]),
    params: (text) => decodeFloats("params", text),
    before: (text) => whole("before", text, 0, 1e9),
    optimizer: (text) => oneOf("optimizer", text, ["sgd", "momentum", "adam"]),
    rate: (text) => number("rate", text, 0, 1e6),
    epochs: (text) => whole("epochs", text, 0, 1e9),
    stop: (text) => oneOf("stop", text, ["0", "1"]) === "1",
    run: (text) => oneOf("run", text, ["0", "1"]) === "1",
    panel: (text) => oneOf("panel", text, PANELS),
    select: (text) => matching("select", decodeURIComponent(text), /^\d+\.(weight\[\d+,\d+\]|bias\[\d+\])$/, "0.weight[0,1]"),
    epsilon: (text) => number("epsilon", text, 1e-12, 1),
    row: (text) => whole("row", text, 0, 1999),
    step: (text) => whole("step", text, 0, 10_000),
    show: (text) => matching("show", text, /^h\d+$/, "h1"),
    drawn: (text) => wholes("drawn", text, 0, 15, 2),
    class: (text) => whole("class", text, 0, 7),
    scale: (text) => oneOf("scale", text, ["linear", "log"]),
    lesson: (text) => whole("lesson", text, 1, 99),
  };
  for (const [key, text] of given) {
    const read = readers[key];
    if (read) Object.assign(setting, { [key]: read(text) });
    else if (!TABLE_KEYS.includes(key)) throw new AddressError(`it has no key '${key.slice(0, 40)}'.`);
  }
  if (setting.drawn.length !== 2) throw new AddressError("drawn should be two columns, such as 0,1.");
  return setting;
}

const TABLE_KEYS = ["table", "rows", "noise", "draw", "columns", "target", "classes", "task", "x", "y"];

/** @param {Map<string, string>} given @returns {TableSpec} */
function readTable(given) {
  const name = oneOf("table", given.get("table") ?? "xor", [...TRUTH_TABLES, ...POINT_SETS, "drawn", "own"]);
  if (TRUTH_TABLES.includes(name)) return { name };
  if (POINT_SETS.includes(name)) {
    return {
      name,
      rows: whole("rows", given.get("rows") ?? "200", 1, 2000),
      noise: number("noise", given.get("noise") ?? "0.1", 0, 10),
      seed: whole("draw", given.get("draw") ?? "0", 0, 2 ** 32 - 1),
    };
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

/** @param {number[]} values @returns {string} base64 of their float32, little-endian, with the letters that addresses take */
export function encodeFloats(values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @param {string} name @param {string} text @returns {number[]} */
function decodeFloats(name, text) {
  let bytes = "";
  try {
    bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new AddressError(`${name} is not base64.`);
  }
  if (bytes.length % 4) throw new AddressError(`${name} is cut off in the middle of a number.`);
  const values = [...new Float32Array(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0)).buffer)];
  if (!values.every(Number.isFinite)) throw new AddressError(`${name} holds something that is not a finite number.`);
  return values.map(asFloat32);
}

/** @param {string} name @param {Map<string, string>} given */
function names(name, given) {
  const text = given.get(name);
  if (!text) throw new AddressError(`a table of one's own needs ${name}.`);
  return text.split(",").map(decodeURIComponent);
}

/** @param {string} name @param {string} text @param {string[]} choices */
function oneOf(name, text, choices) {
  if (!choices.includes(text)) throw new AddressError(`${name} should be one of ${choices.join(", ")}, not '${text.slice(0, 40)}'.`);
  return text;
}

/** @param {string} name @param {string} text @param {RegExp} pattern @param {string} example */
function matching(name, text, pattern, example) {
  if (!pattern.test(text)) throw new AddressError(`${name} should be like ${example}, not '${text.slice(0, 40)}'.`);
  return text;
}

/** @param {string} name @param {string} text @param {number} low @param {number} high */
function number(name, text, low, high) {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!(value >= low && value <= high)) throw new AddressError(`${name} should be a number from ${low} to ${high}, not '${text.slice(0, 40)}'.`);
  return value;
}

/** @param {string} name @param {string} text @param {number} low @param {number} high */
function whole(name, text, low, high) {
  const value = number(name, text, low, high);
  if (!Number.isInteger(value)) throw new AddressError(`${name} should be a whole number, not '${text.slice(0, 40)}'.`);
  return value;
}

/** @param {string} name @param {string} text @param {number} low @param {number} high @param {number} most */
function wholes(name, text, low, high, most) {
  const values = decodeURIComponent(text).split(",").map((part) => whole(name, part, low, high));
  if (values.length > most) throw new AddressError(`${name} should have at most ${most} numbers.`);
  return values;
}

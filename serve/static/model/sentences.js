/** The sentences of the service, as a page shows them. */

/** @typedef {import("./types.js").Column} Column */
/** @typedef {{column: string, sentence: string, whole: string}} Fault what is wrong, and with which column, if with one. */

/**
 * A sentence of the service, which begins with a small letter and has no full stop.
 *
 * @param {string} text
 * @returns {string} with a capital letter and a full stop.
 */
export function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
}

/**
 * What an error says of a row.
 *
 * @param {string} message of the service, such as "column a: a number was expected, and 'x' was found".
 * @param {Column[]} columns
 * @returns {Fault}
 */
export function faultOf(message, columns) {
  const names = columns.map((column) => column.name).filter((name) => message.startsWith(`column ${name}: `));
  const column = names.sort((one, other) => other.length - one.length)[0] ?? "";
  const rest = column ? message.slice(`column ${column}: `.length) : message;
  return { column, sentence: asSentence(rest), whole: column ? `${column}: ${asSentence(rest)}` : asSentence(message) };
}

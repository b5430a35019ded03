/** The values in an address: how each is read, and what is said of one that cannot be read. */

import { rangeInWords } from "./limits.js";
import { asFloat32 } from "./params.js";

/** A part of the address that cannot be read; its message is a sentence. */
export class AddressError extends Error {}

/** @param {number[]} values @returns {string} base64 of their float32, little-endian, with the letters that addresses take */
export function encodeFloats(values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @param {string} name @param {string} text @returns {number[]} */
export function decodeFloats(name, text) {
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

/** @param {string} name @param {string} text @param {string[]} choices */
export function oneOf(name, text, choices) {
  if (!choices.includes(text)) throw new AddressError(`${name} should be one of ${choices.join(", ")}, not '${text.slice(0, 40)}'.`);
  return text;
}

/** @param {string} name @param {string} text @param {RegExp} pattern @param {string} example */
export function matching(name, text, pattern, example) {
  if (!pattern.test(text)) throw new AddressError(`${name} should be like ${example}, not '${text.slice(0, 40)}'.`);
  return text;
}

/** @param {string} name @param {string} text @param {number} low @param {number} high */
export function number(name, text, low, high) {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!(value >= low && value <= high)) throw new AddressError(`${name} should be a number ${rangeInWords(low, high, String)}, not '${text.slice(0, 40)}'.`);
  return value;
}

/** @param {string} name @param {string} text @param {number} low @param {number} high */
export function whole(name, text, low, high) {
  const value = number(name, text, low, high);
  if (!Number.isInteger(value)) throw new AddressError(`${name} should be a whole number, not '${text.slice(0, 40)}'.`);
  return value;
}

/** @param {string} name @param {string} text @param {number} low @param {number} high @param {number} most */
export function wholes(name, text, low, high, most) {
  const values = decodeURIComponent(text).split(",").map((part) => whole(name, part, low, high));
  if (values.length > most) throw new AddressError(`${name} should have at most ${most} numbers.`);
  return values;
}

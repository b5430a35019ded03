/**
 * Numbers as text. They are rounded as Python rounds them: the exact value of the float64, and half to even.
 * JavaScript's own functions are exact too, but round every half up.
 */

const MINUS = "\u2212";
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
// Both functions of JavaScript give at most so many digits.
const MAX_DIGITS = 100;

/**
 * A number with at most so many significant digits, as Python's `format(value, ".6g")`, with a true minus sign.
 *
 * @param {number | null | undefined} value null stands for a number that is not finite, as in JSON.
 * @param {number} [digits] 1 to 20.
 * @returns {string} such as "0.9995", "−3.171", "1.5·10⁻⁷" or "not a number".
 */
export function formatNumber(value, digits = 6) {
  const special = specialText(value);
  if (special !== null) return special;
  const size = Math.abs(Number(value));
  const [mantissa, exponent] = roundedScientific(size, digits);
  if (size !== 0 && (exponent < -4 || exponent >= digits)) {
    return withSign(Number(value), `${withoutZeros(mantissa)}·10${raised(exponent)}`);
  }
  return withSign(Number(value), withoutZeros(shifted(mantissa, exponent)));
}

/**
 * A number with exactly so many decimals, as Python's `format(value, ".3f")`, with a true minus sign.
 *
 * @param {number | null | undefined} value null stands for a number that is not finite, as in JSON.
 * @param {number} decimals 0 to 20.
 * @returns {string} such as "−3.171" or "0.000".
 */
export function formatFixed(value, decimals) {
  const special = specialText(value);
  return special !== null ? special : withSign(Number(value), roundedFixed(Math.abs(Number(value)), decimals));
}

/**
 * A share as percent, with exactly so many decimals.
 *
 * @param {number | null | undefined} share 0.973 is 97.3 %.
 * @param {number} [decimals] 0 to 18.
 * @returns {string} such as "97.3 %", with a space that breaks no line.
 */
export function formatPercent(share, decimals = 1) {
  const special = specialText(share);
  if (special !== null) return special;
  const text = roundedFixed(Math.abs(Number(share)), decimals + 2);
  const [whole = "0", fraction = ""] = text.split(".");
  const percent = `${whole}${fraction.slice(0, 2)}`.replace(/^0+(?=\d)/, "");
  return `${withSign(Number(share), decimals ? `${percent}.${fraction.slice(2)}` : percent)}\u00a0%`;
}

/**
 * A whole number with commas between thousands.
 *
 * @param {number} value a whole number.
 * @returns {string} such as "100,000".
 */
export function formatCount(value) {
  return withSign(value, String(Math.abs(value)).replace(/\B(?=(\d{3})+$)/g, ","));
}

/**
 * @param {number | null | undefined} value
 * @returns {string | null} the text of what is not a finite number.
 */
function specialText(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "not a number";
  return Number.isFinite(value) ? null : withSign(value, "∞");
}

/**
 * @param {number} exponent
 * @returns {string} in small digits above the line.
 */
function raised(exponent) {
  return (exponent < 0 ? "⁻" : "") + String(Math.abs(exponent)).replace(/\d/g, (digit) => RAISED[Number(digit)] ?? "");
}

/**
 * @param {number} value
 * @param {string} text of its size.
 * @returns {string} the text with the sign; what is rounded to 0 has none.
 */
function withSign(value, text) {
  const isZero = !/[1-9∞]/.test(text);
  return value < 0 && !isZero ? MINUS + text : text;
}

/**
 * @param {number} size at least 0.
 * @param {number} digits
 * @returns {[string, number]} the mantissa, such as "1.50", and the exponent of ten.
 */
function roundedScientific(size, digits) {
  const [rounded = "", roundedExponent = "0"] = size.toExponential(digits - 1).split("e");
  const [exact = "", exponent = "0"] = size.toExponential(MAX_DIGITS).split("e");
  const kept = keptOfHalf(exact, digits - 1);
  return kept === null ? [rounded, Number(roundedExponent)] : [kept, Number(exponent)];
}

/**
 * @param {number} size at least 0.
 * @param {number} decimals
 * @returns {string}
 */
function roundedFixed(size, decimals) {
  if (size >= 1e21) {
    // toFixed would use an exponent. So large a number is whole.
    return BigInt(size).toString() + (decimals ? `.${"0".repeat(decimals)}` : "");
  }
  return keptOfHalf(size.toFixed(MAX_DIGITS), decimals) ?? size.toFixed(decimals);
}

/**
 * The digits that stay if the rest is exactly one half and the last of these digits is even. null in all other cases,
 * in which JavaScript rounds as Python does.
 *
 * @param {string} exact all digits.
 * @param {number} decimals how many stay after the point.
 * @returns {string | null}
 */
function keptOfHalf(exact, decimals) {
  const point = exact.indexOf(".");
  const kept = exact.slice(0, decimals ? point + 1 + decimals : point);
  const rest = exact.slice(point + 1 + decimals);
  return /^50*$/.test(rest) && /[02468]$/.test(kept) ? kept : null;
}

/**
 * @param {string} mantissa such as "1.50".
 * @param {number} exponent
 * @returns {string} without an exponent.
 */
function shifted(mantissa, exponent) {
  const digits = mantissa.replace(".", "");
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1);
  return digits.length > whole.length ? `${whole}.${digits.slice(exponent + 1)}` : whole;
}

/**
 * @param {string} text
 * @returns {string} without zeros at the end of its decimals.
 */
function withoutZeros(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

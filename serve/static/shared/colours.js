/**
 * The colours of numbers: blue for what is below zero, orange for what is above, and a neutral colour between them.
 * People who see no red or no green tell blue from orange. The colours are those of pages.css, in the light and dark.
 */

/** @typedef {[number, number, number]} Colour red, green and blue, 0 to 255. */
/** @typedef {(share: number) => Colour} Scale from −1 to 1. */

const darkness = matchMedia("(prefers-color-scheme: dark)");

/**
 * The scale of the page as it looks now.
 *
 * @returns {Scale} −1 is the lowest colour, 0 the neutral one, 1 the highest.
 */
export function divergingScale() {
  const [low, neutral, high] = ["--low", "--neutral", "--high"].map((name) => toOklab(readColour(name)));
  if (!low || !neutral || !high) throw new Error("unreachable");
  return (share) => {
    const bounded = Math.max(-1, Math.min(1, Number.isNaN(share) ? 0 : share));
    return fromOklab(mix(neutral, bounded < 0 ? low : high, Math.abs(bounded)));
  };
}

/**
 * @param {Colour} colour
 * @returns {string} for CSS.
 */
export function cssColour([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/**
 * The value of a variable of pages.css, such as "--text", as it is now.
 *
 * @param {string} name
 * @returns {string}
 */
export function variable(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Call a function whenever the page changes between light and dark, so that pictures can be drawn again.
 *
 * @param {() => void} change
 * @returns {() => void} ends it.
 */
export function onSchemeChange(change) {
  darkness.addEventListener("change", change);
  return () => darkness.removeEventListener("change", change);
}

/**
 * @param {string} name
 * @returns {Colour}
 */
function readColour(name) {
  const [, red, green, blue] = /^#(..)(..)(..)$/.exec(variable(name)) ?? [];
  if (!red || !green || !blue) throw new Error(`${name}: expected a colour such as #1f6fb2 in pages.css`);
  return [parseInt(red, 16), parseInt(green, 16), parseInt(blue, 16)];
}

/**
 * @param {Colour} first
 * @param {Colour} second
 * @param {number} share of the second.
 * @returns {Colour}
 */
function mix(first, second, share) {
  const between = (/** @type {0 | 1 | 2} */ index) => first[index] + (second[index] - first[index]) * share;
  return [between(0), between(1), between(2)];
}

/**
 * Oklab, in which steps of the same size look the same (Ottosson 2020, "A perceptual color space").
 *
 * @param {Colour} colour
 * @returns {Colour} lightness, and two axes of colour.
 */
function toOklab([red, green, blue]) {
  const [r, g, b] = [toLinear(red), toLinear(green), toLinear(blue)];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/**
 * @param {Colour} colour
 * @returns {Colour}
 */
function fromOklab([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    fromLinear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    fromLinear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    fromLinear(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** @param {number} value @returns {number} */
function toLinear(value) {
  const share = value / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}

/** @param {number} value @returns {number} */
function fromLinear(value) {
  const share = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.max(0, Math.min(1, share)));
}

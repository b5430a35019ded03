/** Dates and times of columns: texts such as "2024-01-31 12:30", and seconds since 1970 or since midnight. */

/** @typedef {import("./types.js").Column} Column */

const DAY = 86_400;

/**
 * The seconds of a text.
 *
 * @param {string} text
 * @returns {number} NaN if it is no date and no time.
 */
export function secondsOf(text) {
  const [, year, month = "1", day = "1"] = /^(\d{4})-(\d\d)(?:-(\d\d))?/.exec(text) ?? [];
  const [, hour = "0", minute = "0", second = "0"] = /(\d\d):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  const clock = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  if (year) return Date.UTC(Number(year), Number(month) - 1, Number(day)) / 1000 + clock;
  return /^\d\d:\d\d/.test(text) ? clock : NaN;
}

/**
 * The text of a point in time, as a column is written.
 *
 * @param {Column} column of dates.
 * @param {number} seconds
 * @returns {string}
 */
export function dateText(column, seconds) {
  const iso = new Date(Math.round(seconds) * 1000).toISOString();
  const clock = iso.slice(11, iso.slice(17, 19) === "00" ? 16 : 19);
  if (column.style === "time") return clock;
  if (column.style === "month") return iso.slice(0, 7);
  return column.has_times ? `${iso.slice(0, 10)} ${clock}` : iso.slice(0, 10);
}

/**
 * The smallest step of a column, in seconds.
 *
 * @param {Column} column of dates.
 * @returns {number}
 */
export function dateStep(column) {
  return column.style === "time" || column.has_times ? 60 : DAY;
}

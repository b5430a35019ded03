/** The numbers of a file in its own units: the inverse of the scaling that model/tables gives them. */

/** @typedef {import("./types.js").TableSpec} TableSpec */

/**
 * @param {TableSpec} table
 * @param {number} column the index of an input
 * @returns {((value: number | undefined) => number) | null} from the scaled number to that of the file; null if it is not known
 */
export function ownUnits(table, column) {
  if (!("encoding" in table) || !table.encoding) return null;
  const specs = /** @type {any} */ (table.encoding).column_specs.filter((/** @type {any} */ spec) => spec.type !== "category");
  const spec = specs[table.numeric?.indexOf(column) ?? -1];
  if (spec?.type !== "number") return null;
  const { center, scale, knee } = spec;
  return (value = 0) => center + scale * (knee ? knee * Math.sinh(value / knee) : value);
}

/** @param {TableSpec} table @returns {boolean} whether it comes from a file, whose numbers are scaled */
export function isScaled(table) {
  return !("name" in table || table.drawn);
}

/**
 * What the service says of models, as JSON: see serve/descriptions.py and serve/column_description.py.
 *
 * @typedef {string | number | boolean | null} JsonValue
 * @typedef {Record<string, JsonValue>} Row by the names of columns.
 *
 * @typedef {object} Column
 * @property {string} name
 * @property {"number" | "date" | "category"} kind
 * @property {boolean} takes_missing whether a value may be missing.
 * @property {number | string} usual the most usual value.
 * @property {(number | string)[]} values usual values, or all categories.
 * @property {number} [low] the lower end of the range, of numbers and dates.
 * @property {number} [high]
 * @property {boolean} [is_known] whether the range is that of training.
 * @property {boolean} [is_whole] whether all numbers seem to be whole.
 * @property {string} [unit]
 * @property {"day" | "month" | "time"} [style] of dates.
 * @property {boolean} [has_times]
 * @property {boolean} [takes_others] whether a category may be any text.
 * @property {number[]} [shares] how frequent each category was in training.
 *
 * @typedef {object} Metric
 * @property {string} name
 * @property {number} value
 * @property {[number, number] | null} interval
 * @property {number | null} baseline
 *
 * @typedef {object} Training
 * @property {string} table
 * @property {number} rows
 * @property {number} held_out
 * @property {string} split
 * @property {number} dropped
 * @property {number} epoch
 * @property {number} epochs
 * @property {number} restarts
 * @property {number} solved
 * @property {number} seed
 * @property {number} loss
 * @property {string} optimizer
 * @property {number} learning_rate
 * @property {boolean} is_file
 * @property {{sizes: number[], activation: string, count: number, sees_bins: boolean}[]} networks
 *
 * @typedef {object} Description
 * @property {string} name
 * @property {string} version
 * @property {boolean} is_default
 * @property {boolean} has_learning
 * @property {string} loaded_at
 * @property {"binary" | "multiclass" | "regression"} task
 * @property {string} target
 * @property {[number, number] | null} target_range
 * @property {JsonValue[]} classes
 * @property {string[]} class_names
 * @property {number | null} threshold
 * @property {boolean} has_spread
 * @property {boolean} has_interval
 * @property {Column[]} columns
 * @property {Metric[]} metrics
 * @property {Training} training
 * @property {boolean} needs_key
 * @property {{rows: number, bytes: number}} limits
 *
 * @typedef {object} Answer
 * @property {number | Record<string, number>} prediction
 * @property {JsonValue} [label]
 * @property {number} [spread]
 * @property {[number, number]} [interval]
 * @property {string[]} [notes]
 * @property {string} model
 * @property {string} version
 *
 * @typedef {object} Summary
 * @property {string} name
 * @property {"ready" | "loading" | "broken"} state
 * @property {boolean} is_default
 * @property {string} [failure]
 * @property {string} [version]
 * @property {string} [task]
 * @property {string} [target]
 * @property {number} [columns]
 * @property {JsonValue[]} [classes]
 */

export {};

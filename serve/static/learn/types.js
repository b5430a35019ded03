/**
 * The shapes of data on this page, for the type checker and for readers. This module does nothing.
 *
 * @typedef {{name: string, rows?: number, noise?: number, seed?: number}} NamedTable
 * @typedef {{drawn?: boolean, columns: string[], target: string, classes: string[] | null, task: string, x: number[][], y: number[], numeric?: number[], encoding?: object}} GivenTable
 * @typedef {NamedTable | GivenTable} TableSpec
 * @typedef {{columns: string[], target: string, classes: string[] | null, task: string, x: number[][], y: number[], lows: number[], highs: number[]}} Table
 * @typedef {{weight: number[][], bias: number[]}} Layer
 * @typedef {Layer[]} Params
 * @typedef {{sizes: number[], activation: string, task: string}} Network
 *
 * @typedef {object} Setting what the address holds
 * @property {TableSpec} table
 * @property {number[]} hidden units of each hidden layer
 * @property {string} activation
 * @property {number} seed
 * @property {number} start which start of the seed
 * @property {string} init
 * @property {number[] | null} params the start, if it is one made by hand: every parameter, flat
 * @property {number} before epochs that were trained before these params
 * @property {string} optimizer
 * @property {number} rate the learning rate
 * @property {number} epochs since the start
 * @property {boolean} stop whether a run stops when every row is right
 * @property {boolean} run whether the page runs when it opens
 * @property {string} panel
 * @property {string | null} select a parameter's name
 * @property {number} epsilon
 * @property {number} row
 * @property {number} step
 * @property {string | null} show the unit in the large picture
 * @property {[number, number]} drawn the two columns that pictures draw
 * @property {number} class
 * @property {string} scale
 * @property {number | null} lesson
 *
 * @typedef {{preactivations: number[][][], activations: number[][][], predictions: any[], labels: any[], losses: number[], loss: number | null, right: number | null, solved: boolean}} Forward
 * @typedef {{size: number, xs: number[], ys: number[], units: Float32Array[][], outputs: Float32Array[]}} Surface
 * @typedef {{epsilon: number, nudge: number, error: number}} CurvePoint
 * @typedef {object} ParameterGradients
 * @property {string} name
 * @property {number} value
 * @property {number} epsilon
 * @property {number} loss_above
 * @property {number} loss_below
 * @property {number} nudge
 * @property {number} error
 * @property {number} jvp
 * @property {number} chain_rule
 * @property {number} grad
 * @property {CurvePoint[]} curve
 * @property {string} large_reason
 * @property {string} small_reason
 * @property {string} at_epsilon
 * @property {boolean} kink
 * @property {string} sentence
 *
 * @typedef {{loss: number, grads: Record<string, Params>, parameter: ParameterGradients | null}} Gradients
 * @typedef {{name: string, symbol: string, kind: string, layer: number | null, unit: number | null, input: number | null, result: number, formula: string, numbers: string, text: string, sentence: string}} TraceStep
 * @typedef {{row: number, target: number, prediction: any, symbols?: string[], loss: number, loss_after: number, steps: TraceStep[]}} Trace
 */

export {};

"""The equations of a trace as text that fits a terminal."""

from __future__ import annotations

from typing import NamedTuple

import jax
import msgspec
import numpy as np

from model.explaining.arithmetic import change_texts, equation_parts, formula, number_text
from model.explaining.equations import Equation, Equations
from model.explaining.expressions import Number, Sum, numbers_in, shorten
from model.messages import align_columns
from model.network import parameter_count
from model.pytrees import flatten

# Sums with more terms are shortened. Of layers with more units, of more rows and of more parameters, some are shown.
MAX_TERMS, MAX_UNITS, MAX_ROWS, MAX_PARAMETERS = 5, 6, 4, 20

Row = list[str]


class Labels(NamedTuple):
    """What rows, inputs and outputs are called.

    Attributes:
        symbols: of the inputs in formulas.
        inputs: what each input stands for; empty if the symbols say it.
        rows: a sentence about each row.
        outputs: the class of each output; empty if there is only one output.
    """

    symbols: tuple[str, ...]
    inputs: tuple[str, ...]
    rows: tuple[str, ...]
    outputs: tuple[str, ...]


def explanation_text(equations: Equations, labels: Labels) -> str:
    """A trace for people: forwards, backwards, and the step.

    Args:
        equations: of the trace.
        labels: what rows, inputs and outputs are called.

    Returns:
        The text. Of wide networks and of many rows a part is shown, and a note says so.
    """
    shown = _Shown(equations, labels)
    sections = [shown.row_section(row) for row in shown.rows]
    if equations.operands.terms > 1:
        sections.append(shown.loss_line())
    sections.append(f"{shown.parameter_section()}\n{_outcome(equations)}")
    return "\n\n".join(sections) + "".join(f"\nNote: {note}." for note in shown.notes())


class _Shown:
    """The part of the equations that is shown.

    Args:
        equations: all of them.
        labels: what rows, inputs and outputs are called.
    """

    def __init__(self, equations: Equations, labels: Labels) -> None:
        self.equations, self.labels = equations, labels
        traced = equations.trace
        self.rows = _largest(traced.losses.sum(axis=1), MAX_ROWS)
        self.units = [_largest(np.abs(delta).max(axis=0), MAX_UNITS) for delta in traced.deltas]
        self.parameters = list(equations.parameters())
        if parameter_count(traced.network) > MAX_PARAMETERS:
            slopes = np.abs(flatten(jax.tree.leaves(traced.grads)))
            self.parameters = [self.parameters[index] for index in _largest(slopes, MAX_PARAMETERS)]
        self.has_long_sums = False

    def _shorten(self, equation: Equation) -> Equation:
        shortened = shorten(equation.expression, MAX_TERMS)
        self.has_long_sums |= shortened != equation.expression
        return msgspec.structs.replace(equation, expression=shortened)

    def _cells(self, equation: Equation) -> Row:
        """What is computed, the arithmetic, and the result."""
        text, result = equation_parts(self._shorten(equation))
        return [equation.of, f"= {text}", f"= {result}"]

    def _cells_with_formula(self, equation: Equation) -> Row:
        """What is computed, the formula, the arithmetic unless it is the result, and the result."""
        of, text, result = self._cells(equation)
        expression = self._shorten(equation).expression
        return [of, f"= {formula(expression)}", "" if isinstance(expression, Number) else text, result]

    def loss_line(self) -> str:
        """The mean of several losses."""
        return " ".join(self._cells_with_formula(self.equations.loss()))

    def row_section(self, row: int) -> str:
        """A row forwards and backwards."""
        network = self.equations.trace.network
        hidden = f"where h is the {network.activation} of z" if len(network.sizes) > 2 else "to the loss"
        lines = [self.labels.rows[row], f"Forwards, {hidden}:"]
        if self.labels.inputs:
            lines.append(align_columns(self._inputs(row)))
        lines += [align_columns(self._sums(row)), *self._losses(row), ""]
        lines += ["Backwards, where δ is how fast the loss grows with z:", align_columns(self._deltas(row))]
        return "\n".join(lines)

    def _inputs(self, row: int) -> list[Row]:
        """The inputs that are in what is shown."""
        x, symbols = self.equations.trace.inputs[0][row], set[str]()
        for unit in self.units[0]:
            equation = self._shorten(self.equations.preactivation(row, 0, unit))
            symbols |= {number.symbol for number in numbers_in(equation.expression)}
        sources = {source for layer, _, source in self.parameters if layer == 0 and source is not None}
        names = zip(self.labels.symbols, self.labels.inputs, strict=True)
        return [
            [symbol, f"= {number_text(float(x[index]))}", name]
            for index, (symbol, name) in enumerate(names)
            if symbol in symbols or index in sources
        ]

    def _sums(self, row: int) -> list[Row]:
        """Every z, and what becomes of it."""
        equations, rows = self.equations, list[Row]()
        for layer, units in enumerate(self.units):
            for unit in units:
                *cells, result = self._cells(equations.preactivation(row, layer, unit))
                end = self._after(row, layer, unit)
                rows.append([*cells, f"{result}," if end else result, end])
        if equations.operands.task.output_per_class:
            names = self.labels.outputs
            rows += [[*self._cells(equations.prediction(row, unit)), names[unit]] for unit in self.units[-1]]
        return rows

    def _after(self, row: int, layer: int, unit: int) -> str:
        """The activation of a hidden unit, or the prediction of an output that has its own."""
        equations = self.equations
        if layer < len(self.units) - 1:
            activation = equations.activation(row, layer, unit)
            return f"{equations.trace.network.activation} → {number_text(activation.result)}"
        if equations.operands.task.output_per_class:
            return ""
        prediction = equations.prediction(row, unit)
        via = "sigmoid → " if equations.operands.task.has_classes else ""
        return f"{via}{prediction.of} = {number_text(prediction.result)}"

    def _losses(self, row: int) -> list[str]:
        count = self.equations.trace.losses.shape[1]
        outputs = range(count) if count == 1 else self.units[-1]
        return [" ".join(self._cells_with_formula(self.equations.row_loss(row, output))) for output in outputs]

    def _deltas(self, row: int) -> list[Row]:
        layers = reversed(list(enumerate(self.units)))
        places = [(layer, unit) for layer, units in layers for unit in units]
        return [self._cells_with_formula(self.equations.delta(row, *place)) for place in places]

    def parameter_section(self) -> str:
        """The gradients and the step."""
        rate = number_text(float(self.equations.trace.learning_rate))
        rows = [["parameter", "gradient", f"step of −{rate}·gradient"]]
        for place in self.parameters:
            gradient = self.equations.gradient(*place)
            name, *parts = self._cells_with_formula(gradient)
            if self.equations.rows > 1 and isinstance(gradient.expression, Sum):
                parts[0] = f"= Σ {formula(gradient.expression.terms[0])}"
            parameter, updated = self.equations.operands.parameter(*place), self.equations.operands.updated(*place)
            change = " → ".join(change_texts(parameter.value, updated.value))
            rows.append([name, " ".join(filter(None, parts)), change])
        return align_columns([[cell.removeprefix("= ") for cell in row] for row in rows])

    def notes(self) -> list[str]:
        """What is left out, and why a number is not finite."""
        traced, notes = self.equations.trace, []
        if len(self.rows) < self.equations.rows:
            notes.append(f"{len(self.rows)} of {self.equations.rows:,} rows are shown, those with the largest losses")
        for layer, units in enumerate(self.units):
            if len(units) < (count := traced.network.sizes[layer + 1]):
                notes.append(
                    f"{len(units)} of {count:,} units of layer {layer + 1} are shown, those with the largest δ"
                )
        if len(self.parameters) < (count := parameter_count(traced.network)):
            shown = len(self.parameters)
            notes.append(f"{shown} of {count:,} parameters are shown, those with the largest gradients")
        if self.has_long_sums:
            notes.append("[9 more: 0.5] stands for nine smaller terms of a sum, which are 0.5 together")
        if notes:
            notes.append("nothing is left out with --json")
        if not all(np.isfinite(leaf).all() for leaf in (*traced.preactivations, *traced.deltas, traced.loss_after)):
            notes.append("∞ and NaN appear where a number is too large for float32")
        return notes


def _outcome(equations: Equations) -> str:
    """What the step does to the loss."""
    whose = "The loss of this row" if equations.rows == 1 else "The loss of these rows"
    before, after = float(equations.trace.loss), float(equations.trace.loss_after)
    first, second = change_texts(before, after)
    if first == second:
        return f"{whose} stays at {first}."
    return f"{whose} {'falls' if after < before else 'rises' if after > before else 'goes'} from {first} to {second}."


def _largest(sizes: np.ndarray, count: int) -> list[int]:
    """The indices of the largest sizes, in ascending order; NaN is the largest."""
    order = np.argsort(-np.nan_to_num(sizes, nan=np.inf), kind="stable")
    return sorted(order[:count].tolist())

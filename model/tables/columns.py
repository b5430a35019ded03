"""How each column of a table becomes inputs of the network, in the same way for training, scoring and serving.

A value takes two steps. `model.tables.parsing` turns it, as it is written, into a float64: a number, the index of a
category, or NaN if it is missing. `encode` turns those into the float32 inputs. An open column also takes values of a
kind that training never saw: a text that is not one of its categories, or a missing value although training had none.
In a text column, the inputs of such a value are the averages of the column's inputs in training. But if rare texts
share an input, such a text has that input. In a column of numbers or dates, all inputs of such a value are 0.
"""

from __future__ import annotations

import msgspec
import numpy as np
from jaxtyping import Bool, Float

from model.tables.date_columns import DateColumn
from model.tables.rare_texts import is_packed
from model.tables.spelling import PLAIN_NUMBER, PLAIN_NUMBERS, NumberSpelling

# float32 holds numbers below this one: the largest of them and half a unit of its last place.
BEYOND_FLOAT32 = 2.0**128 - 2.0**103
# Not all whole numbers beyond this one are in float64.
EXACT_WHOLE_NUMBERS = 2**53
FLOAT32_NUMBERS = "numbers within ±3.4e38"


class NumericColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="number"):
    """A column of numbers, of which the network sees z = (value - center) / scale, or knee · asinh(z / knee).

    The latter is close to z below the knee, and grows like a logarithm above it.

    Attributes:
        center: the median of the values in training; of a target, their mean.
        scale: their interquartile range, or their standard deviation if the quartiles are the same; of a target, their
            standard deviation. It is 0 if all values are the same, and then the network always sees 0.
        knee: the size from which larger numbers are drawn together; 0 if none are.
        edges: of the bins in ascending order, as the network sees them: quantiles of the values in training. Equal ones
            are merged.
        minimum: the smallest value in training; None if there was no value.
        maximum: the largest.
        missing: whether values were missing. If so, a missing value counts as the center, and a second input is 1 for
            it and 0 for others.
        spelling: how the numbers may be written. They may always be written as in JSON, too.
        is_open: whether a missing value is accepted although `missing` is False.
    """

    center: float = 0.0
    scale: float = 1.0
    knee: float = 0.0
    edges: tuple[float, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    missing: bool = False
    spelling: NumberSpelling = PLAIN_NUMBERS
    is_open: bool = False

    @property
    def input_count(self) -> int:
        """How many inputs the column has."""
        return 2 if self.missing else 1

    @property
    def unknown_inputs(self) -> Float[np.ndarray, " inputs"]:
        """The inputs of a missing value if none was missing in training, in float32."""
        return np.zeros(self.input_count, np.float32)

    def without_sentinels(self, values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The values, with NaN for numbers that stand for a missing value, such as -999."""
        marks = [float(text) for text in self.spelling.absent if PLAIN_NUMBER.fullmatch(text)]
        if not marks:
            return values
        return np.where(np.isin(values.astype(np.float32), np.array(marks, np.float32)), np.nan, values)

    def scaled(self, values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The values as the network sees them, in float64."""
        if not self.scale:
            return np.zeros_like(values)
        return bend((values - self.center) / self.scale, self.knee)

    def unscale(self, scaled: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """The values of what the network sees, in float64: the inverse of `scaled`."""
        z = np.asarray(scaled, np.float64)
        return (self.knee * np.sinh(z / self.knee) if self.knee else z) * self.scale + self.center


class CategoricalColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="category"):
    """A column of texts. The network sees one input for each category: 1 for the category of the row, 0 for the others.

    Attributes:
        categories: the texts in training, sorted.
        missing: whether values were missing. If so, missing is a category of its own, the last.
        boolean: whether the texts are true and false, in upper or lower case.
        is_folded: whether texts that differ only in case are the same.
        is_pooled: whether all other texts share one more category, the next after `categories`.
        rare: the texts in training that share this category, as `pack_texts` packs them.
        is_open: whether other texts are accepted although `is_pooled` is False, and missing values although `missing`
            is False.
        absent: texts that stand for a missing value in this column, besides the usual ones.
        frequencies: for each input, the share of the rows in training in which it was 1. If this is empty, the shares
            are unknown and count as 0.
    """

    categories: tuple[str, ...]
    missing: bool = False
    boolean: bool = False
    is_folded: bool = False
    is_pooled: bool = False
    rare: bytes = b""
    is_open: bool = False
    absent: tuple[str, ...] = ()
    frequencies: tuple[float, ...] = ()

    @property
    def input_count(self) -> int:
        """How many inputs the column has."""
        return len(self.categories) + self.is_pooled + self.missing

    @property
    def unseen_index(self) -> int:
        """The index of all texts that training never saw."""
        return len(self.categories) + self.is_pooled

    def index_of_other(self, text: str) -> float | None:
        """The index of a text that is not among `categories`; None if the column does not accept it."""
        if self.is_pooled and is_packed(text, self.rare):
            return float(len(self.categories))
        return float(self.unseen_index) if self.is_pooled or self.is_open else None

    @property
    def unknown_inputs(self) -> Float[np.ndarray, " inputs"]:
        """The inputs of a value that training never saw, in float32."""
        return np.asarray(self.frequencies or np.zeros(self.input_count), np.float32)


ColumnSpec = NumericColumn | CategoricalColumn | DateColumn
ColumnSpecs = tuple[ColumnSpec, ...]

# A column of numbers that the network sees as they are.
IDENTITY = NumericColumn()


def bend(z: Float[np.ndarray, "*shape"], knee: float | Float[np.ndarray, " columns"]) -> Float[np.ndarray, "*shape"]:
    """Knee · asinh(z / knee): about z below the knee, and a logarithm above it.

    Args:
        z: any numbers; with several knees, [rows, columns].
        knee: of all numbers, or of each column; 0 leaves them as they are.

    Returns:
        Of the same shape.

    Example:
        >>> bend(np.array([[0.1, 1e6]]), np.array([3.0, 0.0])).round(3).tolist()
        [[0.1, 1000000.0]]
    """
    if np.all(knee):
        bent: np.ndarray = knee * np.arcsinh(z / knee)
        return bent
    return np.where(knee, bend(z, np.where(knee, knee, 1.0)), z) if np.any(knee) else z


def count_inputs(column_specs: ColumnSpecs) -> int:
    """How many inputs the columns have together.

    Args:
        column_specs: one for each column.

    Returns:
        The number of the network's inputs.

    Example:
        >>> count_inputs((NumericColumn(), CategoricalColumn(("no", "yes"), missing=True)))
        4
    """
    return sum(column.input_count for column in column_specs)


def fits_float32(values: Float[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Which numbers float32 can hold as finite numbers.

    Args:
        values: any float64 numbers.

    Returns:
        Of the same shape; False for numbers beyond ±3.4e38, infinities and NaN.

    Example:
        >>> fits_float32(np.array([1e38, 1e39, np.nan])).tolist()
        [True, False, False]
    """
    within: np.ndarray = np.abs(values) < BEYOND_FLOAT32
    return within

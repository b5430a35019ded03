"""Targets: the task that a column's values make, and the class or number of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from model.messages import quote
from model.tables.columns import EXACT_WHOLE_NUMBERS, FLOAT32_NUMBERS, IDENTITY, NumericColumn
from model.tables.errors import CHOOSE_TARGET, OptionNote, TableError
from model.tables.parsing import MISSING, ParseError, one_of
from model.tables.series_parsing import bare_series, parse_series
from model.tables.target_scaling import fit_target_scaling
from model.tasks import TASKS

if TYPE_CHECKING:
    import polars

Class = int | float | str | bool

# A target of at most so many different whole numbers, each in so many rows on average, is one of classes.
MAX_NUMERIC_CLASSES, ROWS_PER_NUMERIC_CLASS = 20, 5
MAX_CLASSES = 1_000
# A target of more different whole numbers is not likely to hold classes.
MAX_NOTED_NUMBERS = 50
# What to do if a file has another target.
ANOTHER_TARGET = "name a file with the same target"


class FittedTarget(NamedTuple):
    """What a target's column holds.

    Attributes:
        task: binary, multiclass or regression.
        classes: what a target of 0, 1, … stands for; empty in a regression.
        scaling: how the numbers of a regression are scaled.
        y: [rows] float32, as `loss` takes it.
        note: which task was chosen and why, if another task is possible; otherwise None.
    """

    task: str
    classes: tuple[Class, ...]
    scaling: NumericColumn
    y: Float[np.ndarray, " rows"]
    note: str | None = None


def single_classes(series: polars.Series, task: str | None) -> tuple[polars.Series | None, str | None]:
    """The rows whose class has no other row. Such a class cannot be both learned and held out.

    Args:
        series: the target, with a value in at least one row.
        task: as in `fit_target`.

    Returns:
        For each row whether its class has no other row, and a note on these rows. None for both if there are no such
        rows, if the task is not multiclass, or if fewer than two classes would be left.

    Example:
        >>> import polars as pl
        >>> is_single, note = single_classes(pl.Series("y", ["a", "b"] * 4 + ["d"]), None)
        >>> is_single.arg_true().to_list(), note
        ([8], "left out 'd' in row 9, because a class of y needs two rows")
    """
    target, series = series.name, series.alias("")
    present = series.drop_nulls()
    unique = present.n_unique()
    inferred = task or _infer_task(present, unique, series.dtype.is_numeric())
    if not TASKS[inferred].output_per_class or 2 * unique > len(present):
        return None, None
    is_single = (series.is_unique() & series.is_not_null()).fill_null(False)
    rows = [int(row) for row in is_single.arg_true()]
    if not rows or unique - len(rows) < 2:
        return None, None
    named = ", ".join(f"{quote(series[row])} in row {row + 1:,}" for row in rows[:3])
    named += f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
    note = f"left out {named}, because a class of {target} needs two rows"
    return is_single, note


def fit_target(series: polars.Series, task: str | None) -> FittedTarget:
    """What the target's column holds, from its values.

    Args:
        series: the column, without missing values, at least one row.
        task: binary, multiclass or regression; None to infer it as `read_table` says.

    Returns:
        The task, the classes or the scaling, and y.

    Raises:
        TableError: if a network cannot learn to predict these values.
    """
    name, series = series.name, series.alias("")  # polars would take a name for a pattern, even a series' own
    unique = series.n_unique()
    if unique == 1:
        raise TableError(
            f"two different values of {name} or more",
            f"{quote(series[0])} alone",
            "name another --target",
            without_options=CHOOSE_TARGET,
        )
    numeric = series.dtype.is_numeric()
    note = _task_note(series, name, unique) if numeric and task is None else None
    task = task or _infer_task(series, unique, numeric)
    if not TASKS[task].has_classes:
        if not numeric:
            raise TableError(f"numbers in {name} for a regression", quote(series[0]), "leave --task out")
        return _fit_numbers(series, name)._replace(note=note)
    if not TASKS[task].output_per_class and unique != 2:
        raise TableError(f"two values of {name} for a binary task", f"{unique:,}", "try --task multiclass")
    most = min(MAX_CLASSES, len(series) // 2)
    if unique > most and unique > 2:
        remedy = "try --task regression" if numeric else "name another --target"
        expected = f"at most {most:,} classes of {name} in {len(series):,} rows"
        raise TableError(expected, f"{unique:,}", remedy, without_options=CHOOSE_TARGET)
    if numeric and (series.cast(float).abs() >= EXACT_WHOLE_NUMBERS).any():
        found = f"{series.min()!r} to {series.max()!r}"
        raise TableError(f"classes of {name} within ±2^53", found, "make them texts")
    classes = _sorted_classes(series)
    y = encode_target(series.alias(name), classes).astype(np.float32)
    return FittedTarget(task, classes, IDENTITY, y, note)


def encode_target(
    series: polars.Series,
    classes: Sequence[Class],
    scaling: NumericColumn = IDENTITY,
    skips_others: bool = False,
    first: int = 0,
) -> Float[np.ndarray, " rows"]:
    """The target of each row, of a column that may have missing values.

    Args:
        series: the target's column, typed or as texts.
        classes: what a target of 0, 1, … stands for; empty in a regression.
        scaling: of the target of a regression, with the spelling of its numbers.
        skips_others: whether a value that is not a class counts as missing.
        first: how many rows of the file come before the series.

    Returns:
        [rows] float64: the index of each row's class, or the number in a regression; NaN where it is missing.

    Raises:
        TableError: if a value is not missing and is not a class, or not a number in a regression.
    """
    import polars as pl

    name, series = series.name, series.alias("")
    if not classes:
        return _encode_numbers(series, name, scaling, first)
    present = series.drop_nulls()
    unique = present.unique(maintain_order=True)
    indices, wrong = _class_indices(unique, classes)
    if wrong.any() and not skips_others:
        other = unique[int(wrong.arg_max() or 0)]
        row = first + int((series == other).arg_max() or 0)
        raise TableError(f"{one_of(classes)} in {name}", f"{quote(other)} in row {row + 1:,}", ANOTHER_TARGET)
    found = np.full(len(series), np.nan)
    found[series.is_not_null().to_numpy()] = present.replace_strict(unique, indices, return_dtype=pl.Float64).to_numpy()
    return found


def _class_indices(unique: polars.Series, classes: Sequence[Class]) -> tuple[polars.Series, polars.Series]:
    """The index of the class of each value, NaN for a missing value; and which values are neither."""
    import polars as pl

    texts = bare_series(unique.cast(pl.String))
    absent = texts.is_in(list(MISSING)) & ~texts.is_in([str(value) for value in classes])
    if isinstance(classes[0], str):
        found = pl.Series([_class_index(classes, text) for text in texts], dtype=pl.Float64)
    else:
        if bool in map(type, classes) and unique.dtype == pl.String:
            unique = texts.str.to_lowercase().replace_strict({"false": 0.0, "true": 1.0}, default=None)
        typed = (texts if unique.dtype == pl.String else unique).cast(pl.Float64, strict=False)
        numbers = [float(value) for value in classes]
        found = typed.replace_strict(numbers, list(range(len(classes))), default=None, return_dtype=pl.Float64)
    return found.fill_null(float("nan")), found.is_null() & ~absent


def _encode_numbers(series: polars.Series, name: str, scaling: NumericColumn, first: int) -> Float[np.ndarray, " rows"]:
    try:
        return parse_series(msgspec.structs.replace(scaling, missing=True), series, first)
    except ParseError as error:
        raise TableError(f"numbers in {name}", f"{error.found} in row {error.row:,}", ANOTHER_TARGET) from None


def _class_index(classes: Sequence[Class], text: str) -> float | None:
    """The index of a class; None if there is none. The case of letters is ignored if only one class fits then."""
    if text in classes:
        return float(classes.index(text))
    alike = [index for index, name in enumerate(classes) if str(name).casefold() == text.casefold()]
    return float(alike[0]) if len(alike) == 1 else None


def _infer_task(series: polars.Series, unique: int, numeric: bool) -> str:
    if unique == 2:
        return "binary"
    few = unique <= MAX_NUMERIC_CLASSES and unique * ROWS_PER_NUMERIC_CLASS <= len(series)
    return "multiclass" if not numeric or (few and _are_whole(series)) else "regression"


def _task_note(series: polars.Series, name: str, unique: int) -> str | None:
    """A note on the task that is chosen for numbers; None if another task is unlikely."""
    task = _infer_task(series, unique, numeric=True)
    if not _are_whole(series) or (task == "binary" and {series.min(), series.max()} == {0, 1}):
        return None
    whole = f"{unique:,} different whole numbers in {len(series):,} rows"
    if task != "regression":
        classes = f"{name} is predicted as classes ({task}), because it has {whole}"
        return OptionNote(classes, "--task regression predicts a number")
    if unique > MAX_NOTED_NUMBERS or 2 * unique > len(series):
        return None
    number = f"{name} is predicted as a number (regression), because it has {whole}"
    return OptionNote(number, "--task multiclass predicts classes")


def _are_whole(series: polars.Series) -> bool:
    return series.dtype.is_integer() or bool((series.round() == series).all())


def _sorted_classes(series: polars.Series) -> tuple[Class, ...]:
    values = series.unique().sort()
    if series.dtype.is_float() and _are_whole(series):
        return tuple(int(value) for value in values)
    return tuple(values)


def _fit_numbers(series: polars.Series, name: str) -> FittedTarget:
    import polars as pl

    values = series.cast(pl.Float64).to_numpy()
    try:
        scaling = fit_target_scaling(values)
    except ValueError:
        found = f"{series.min()!r} to {series.max()!r}"
        remedy = "name another --target"
        raise TableError(f"{FLOAT32_NUMBERS} in {name}", found, remedy, without_options=CHOOSE_TARGET) from None
    return FittedTarget("regression", (), scaling, scaling.scaled(values).astype(np.float32))

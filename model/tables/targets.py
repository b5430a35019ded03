"""Targets: what task a column's values make, and which class or number each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from model.messages import shown
from model.tables.columns import PLAIN, WITHIN, Number, number
from model.tables.files import File, refusal
from model.tables.parsing import MISSING, known

if TYPE_CHECKING:
    import polars

Class = int | float | str | bool

# A target of at most so many different whole numbers, each in so many rows on average, is one of classes.
FEW_NUMBERS, ROWS_EACH = 20, 5
MOST_CLASSES = 1_000
# Up to here float64 has every whole number.
EXACT = 2**53


def target_of(
    series: polars.Series, path: File, task: str | None
) -> tuple[str, tuple[Class, ...], Number, Float[np.ndarray, " rows"]]:
    """The task, the classes, the unit, and y, of a target without missing values; as `read_table` says.

    Raises TableError where it cannot be learnt. path: named in it.
    """
    name, series = series.name, series.alias("")  # polars takes a name as a pattern, in a series too
    different = series.n_unique()
    if different == 1:
        raise refusal(
            path, f"two different values of {name} or more", f"{shown(series[0])} alone", "name another --target"
        )
    numeric = series.dtype.is_numeric()
    task = task or _inferred(series, different, numeric)
    if task == "regression":
        if not numeric:
            raise refusal(path, f"numbers in {name} for a regression", shown(series[0]), "leave --task out")
        return task, (), *_numbers(series, name, path)
    if task == "binary" and different != 2:
        raise refusal(path, f"two values of {name} for a binary task", f"{different:,}", "try --task multiclass")
    most = min(MOST_CLASSES, len(series) // 2)
    if different > most and different > 2:
        remedy = "try --task regression" if numeric else "name another --target"
        raise refusal(path, f"at most {most:,} classes of {name} in {len(series):,} rows", f"{different:,}", remedy)
    if numeric and (series.cast(float).abs() >= EXACT).any():
        raise refusal(
            path, f"classes of {name} within ±2^53", f"{series.min()!r} to {series.max()!r}", "make them texts"
        )
    classes = _classes(series)
    return task, classes, PLAIN, targets(series.alias(name), classes, path).astype(np.float32)


def targets(series: polars.Series, classes: Sequence[Class], path: File) -> Float[np.ndarray, " rows"]:
    """The index of each row's class, or where there are no classes its number; NaN where it is missing.

    Raises TableError where it is none of them. path: named in it.
    """
    import polars as pl

    name, series = series.name, series.alias("")
    texts = series.cast(pl.String).str.strip_chars()
    absent = texts.is_null() | (texts.is_in(list(MISSING)) & ~texts.is_in([str(value) for value in classes]))
    if series.dtype == pl.String and not any(isinstance(value, str) for value in classes):
        series = texts
        if bool in map(type, classes):
            series = texts.str.to_lowercase().replace_strict({"false": 0.0, "true": 1.0}, default=None)
    if not classes:
        found, expected = series.cast(pl.Float64, strict=False), f"numbers in {name}"
    else:
        exact = isinstance(classes[0], str)
        typed = series.cast(pl.String if exact else pl.Float64, strict=False)
        values = list(classes) if exact else [float(value) for value in classes]
        found = typed.replace_strict(values, list(range(len(classes))), default=None, return_dtype=pl.Float64)
        expected = f"{known(classes)} in {name}"
    wrong = found.is_null() & ~absent
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise refusal(path, expected, f"{shown(series[row])} in row {row + 1:,}", "name a file with the same target")
    return found.fill_null(float("nan")).to_numpy()


def _inferred(series: polars.Series, different: int, numeric: bool) -> str:
    if different == 2:
        return "binary"
    few = different <= FEW_NUMBERS and different * ROWS_EACH <= len(series)
    return "multiclass" if not numeric or (few and _whole(series)) else "regression"


def _whole(series: polars.Series) -> bool:
    return series.dtype.is_integer() or bool((series.round() == series).all())


def _classes(series: polars.Series) -> tuple[Class, ...]:
    values = series.unique().sort()
    if series.dtype.is_float() and _whole(series):
        return tuple(int(value) for value in values)
    return tuple(values)


def _numbers(series: polars.Series, name: str, path: File) -> tuple[Number, np.ndarray]:
    import polars as pl

    values = series.cast(pl.Float64).to_numpy()
    try:
        unit = number(values)
    except ValueError:
        found = f"{series.min()!r} to {series.max()!r}"
        raise refusal(path, f"{WITHIN} in {name}", found, "name another --target") from None
    return unit, unit.scaled(values).astype(np.float32)

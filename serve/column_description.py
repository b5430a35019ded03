"""What a page is told about the columns of a model, so that it can make a form of them and try their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.date_columns import SECONDS_PER_DAY, DateColumn
from model.tables.date_spelling import describe_date
from model.tables.truth_tables import TRUTH_TABLES
from serve.loaded_model import Model

Description = dict[str, Any]
# Numbers in a checkpoint are in float32, which has seven digits.
DIGITS = 6
# If the values in training are not known, the range is as many scales to both sides of the center.
UNKNOWN_SCALES = 2.0


def describe_columns(model: Model) -> list[Description]:
    """The columns of a model, each with its kind, its values in training and the most usual one.

    Args:
        model: the model.

    Returns:
        For each column a dict. All have `name`, `kind` (number, date or category), `usual` (the most usual value as
        JSON), `values` (values to try, as JSON) and `takes_missing`. Numbers and dates have `low` and `high`, the ends
        of their range, `is_known`, whether these are the ends in training, and `is_whole`. Dates have `style`, and
        their numbers are seconds since 1970. Categories have `takes_others`, whether other texts are accepted.
    """
    checkpoint = model.checkpoint
    is_gate = not checkpoint.training.table_digest and checkpoint.training.table in TRUTH_TABLES
    return [
        {"name": name, "takes_missing": spec.missing or spec.is_open, **_describe(spec, is_gate)}
        for name, spec in zip(checkpoint.columns, checkpoint.column_specs, strict=True)
    ]


def _describe(spec: ColumnSpec, is_gate: bool) -> Description:
    if isinstance(spec, CategoricalColumn):
        return _category(spec)
    if isinstance(spec, DateColumn):
        return _date(spec)
    return _number(spec, is_gate)


def _number(spec: NumericColumn, is_gate: bool) -> Description:
    is_known = True
    if spec.minimum is not None and spec.maximum is not None:
        low, high, values = spec.minimum, spec.maximum, _rounded(spec.unscale(np.array(spec.edges)))
    elif is_gate:
        low, high, values = 0.0, 1.0, [0.0, 1.0]
    else:
        is_known, reach = False, UNKNOWN_SCALES * spec.scale
        low, high = spec.center - reach, spec.center + reach
        values = _rounded(np.linspace(low, high, 9))
    return {
        "kind": "number",
        "low": low,
        "high": high,
        "is_known": is_known,
        "is_whole": is_known
        and not is_gate
        and all(value.is_integer() for value in (*values, low, high, 2 * spec.center)),
        "usual": _rounded(np.array([spec.center]))[0],
        "values": _inner(values),
        "unit": spec.spelling.suffix or spec.spelling.prefix or ("seconds" if spec.spelling.is_duration else ""),
    }


def _date(spec: DateColumn) -> Description:
    low = spec.mean if spec.minimum is None else spec.minimum
    high = spec.mean if spec.maximum is None else spec.maximum
    has_times = "hour" in spec.parts or spec.style == "time"
    seconds = np.array(spec.edges, np.float64) * (spec.scale or 1.0) + spec.mean
    unit = 1 if has_times else SECONDS_PER_DAY
    whole = np.clip(np.round(seconds / unit) * unit, low, high)
    values = _inner(list(dict.fromkeys(whole.tolist()))) or [low]
    return {
        "kind": "date",
        "style": "time" if spec.style == "time" else "month" if spec.style == "ym" else "day",
        "has_times": has_times,
        "low": low,
        "high": high,
        "is_known": spec.minimum is not None,
        "usual": date_text(spec.style, values[len(values) // 2]),
        "values": [date_text(spec.style, value) for value in values],
    }


def _category(spec: CategoricalColumn) -> Description:
    shares = spec.frequencies[: len(spec.categories)]
    usual = spec.categories[int(np.argmax(shares))] if shares else next(iter(spec.categories), "")
    return {
        "kind": "category",
        "takes_others": spec.is_pooled or spec.is_open,
        "usual": usual,
        "values": list(spec.categories),
        "shares": [round(share, DIGITS) for share in shares],
    }


def date_text(style: str, seconds: float) -> str:
    """A point in time as a request may say it.

    Args:
        style: of the column.
        seconds: since 1970, or since midnight.

    Returns:
        Such as 2024-01-31, 2024-01-31 12:30, 2024-01 or 12:30.

    Example:
        >>> date_text("dmy", 86400.0), date_text("ym", 86400.0)
        ('1970-01-02', '1970-01')
    """
    text = describe_date(seconds, style)
    return text[:7] if style == "ym" else text


def _rounded(values: np.ndarray) -> list[float]:
    """The values with as many digits as float32 has, each once."""
    return list(dict.fromkeys(float(f"{value:.{DIGITS}g}") for value in values.tolist()))


def _inner(values: list[float]) -> list[float]:
    """The values without the first and the last of many, which may be far from all others."""
    return values[1:-1] if len(values) > 8 else values

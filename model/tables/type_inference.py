"""Columns of any type -> Float64, Int64, Boolean or String, and which of them cannot be learned from."""

from __future__ import annotations

from model.messages import as_option, listed
from model.tables.files import File, refusal
from model.tables.frames import pl
from model.tables.parsing import MISSING

DATES = "dates or times"
_NESTED = "nested or binary values"
# Dates, times of day with seconds, and both together, as most programs write them.
_DATE = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})"
_TIME = r"\d{1,2}:\d{2}:\d{2}([.,]\d+)?"
_ZONE = r" ?(Z|UTC|[+-]\d{2}:?\d{2})"
_WHEN = rf"^({_DATE}([T ]+\d{{1,2}}:\d{{2}}(:\d{{2}}([.,]\d+)?)?({_ZONE})?)?|{_TIME})$"


def clean(column: pl.Series) -> pl.Series:
    """The column as Float64, Int64, Boolean or String, null where a value is missing.

    It has no name on the way: polars takes one such as ^a$ for a pattern.

    >>> clean(pl.Series([" 1", "?", "2.5"])).to_list()
    [1.0, None, 2.5]
    """
    return _cleaned(column.alias("")).alias(column.name)


def _cleaned(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype in (pl.Categorical, pl.Enum, pl.Null):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        return _typed(column)
    if dtype.is_integer():
        fitting = column.cast(pl.Int64, strict=False)
        return fitting if fitting.null_count() == column.null_count() else column.cast(pl.Float64)
    if dtype.is_numeric():
        column = column.cast(pl.Float64)
        return column.fill_nan(None) if column.is_nan().any() else column
    return column


def _typed(text: pl.Series) -> pl.Series:
    """The texts as numbers or truth values where all that are there spell such, spaces around them aside."""
    frame = pl.DataFrame({"text": text, "bare": text.str.strip_chars()})
    frame = frame.select(pl.when(~pl.col("bare").is_in(MISSING)).then(pl.all()))
    bare = frame.get_column("bare")
    for convert in (_integers, _floats, _truths):
        # The first ones tell of most columns that they are none.
        for part in (bare.drop_nulls().head(100), bare):
            values = convert(part)
            if values.null_count() > part.null_count() or not values.count():
                break
        else:
            return _cleaned(values)
    return frame.get_column("text")


def _integers(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Int64, strict=False)


def _floats(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Float64, strict=False)


def _truths(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    )


def are_dates(column: pl.Series) -> bool:
    """Whether all texts of a column that are there, at least one, spell dates or times.

    >>> are_dates(pl.Series(["2024-01-31", None])), are_dates(pl.Series(["12:30"]))
    (True, False)
    """
    if column.dtype != pl.String or not column.count():
        return False
    texts = column.alias("").drop_nulls()
    return all(part.str.strip_chars().str.contains(_WHEN).all() for part in (texts.head(100), texts))


def kind_of(dtype: pl.DataType) -> str | None:
    """What a column of a type that cannot be learned from holds; None where it can be.

    >>> kind_of(pl.Date()), kind_of(pl.Int8())
    ('dates or times', None)
    """
    if dtype.is_temporal():
        return DATES
    known = dtype.is_numeric() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum, pl.Null)
    return None if known else _NESTED


def check_kinds(path: File, kinds: dict[str, str]) -> None:
    """Raise TableError where there are columns of such kinds. kinds: what each such column holds, by its name."""
    if kinds:
        found = " and ".join(
            f"{kind} in {listed([name for name in kinds if kinds[name] == kind])}"
            for kind in dict.fromkeys(kinds.values())
        )
        remedy = f"leave them out with `--drop {as_option(list(kinds))}`"
        raise refusal(path, "numbers, texts or truth values", found, remedy)


def check_finite(path: File, column: pl.Series) -> None:
    """Raise TableError at the first value of a column that is infinite."""
    infinite = column.alias("").is_infinite() if column.dtype == pl.Float64 else pl.Series([False])
    if infinite.any():
        row = int(infinite.arg_max() or 0)
        found = f"{column[row]} in the column {column.name!r}, row {row + 1}"
        raise refusal(path, "finite numbers", found, "mend it or leave the field empty")

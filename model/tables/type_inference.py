"""Columns of any type -> Float64, Int64, Boolean or String, and which columns cannot be learned from."""

from __future__ import annotations

from model.messages import join_names, quote_names
from model.tables.codes import are_codes, why_ids
from model.tables.doubtful_points import may_be_thousands
from model.tables.errors import TableError
from model.tables.frames import pl
from model.tables.parsing import MISSING
from model.tables.row_places import ONE_FILE, RowPlaces
from model.tables.series_parsing import bare_series

# Values of a column that are tried before all of them are.
SAMPLED_ROWS = 100
_NESTED = "nested or binary values"


def infer_type(column: pl.Series, doubts_points: bool = False) -> pl.Series:
    """A column as Float64, Int64, Boolean or String.

    Texts become numbers or truth values if all of them spell such values. Blanks around them do not count. Codes and
    ids stay texts.

    Args:
        column: of numbers, texts or truth values.
        doubts_points: whether texts such as 20.000 stay texts if all of them may be in thousands.

    Returns:
        The column, null where a value is missing.

    Example:
        >>> infer_type(pl.Series([" 1", "?", "2.5"])).to_list()
        [1.0, None, 2.5]
    """
    # polars would take a name such as ^a$ for a pattern
    return _inferred(column.alias(""), doubts_points).alias(column.name)


def _inferred(column: pl.Series, doubts_points: bool = False) -> pl.Series:
    dtype = column.dtype
    if dtype in (pl.Categorical, pl.Enum, pl.Null):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        return _inferred_from_text(column, doubts_points)
    if dtype.is_integer():
        fitting = column.cast(pl.Int64, strict=False)
        return fitting if fitting.null_count() == column.null_count() else column.cast(pl.Float64)
    if dtype.is_numeric():
        column = column.cast(pl.Float64)
        return column.fill_nan(None) if column.is_nan().any() else column
    return column


def bare_texts(texts: pl.Series) -> pl.Series:
    """Texts as in `bare_text`, without those that stand for a missing value.

    Args:
        texts: any texts.

    Returns:
        The texts, in a series without a name, null where one stands for a missing value.

    Example:
        >>> bare_texts(pl.Series([" a ", "NA"])).to_list()
        ['a', None]
    """
    frame = pl.DataFrame({"bare": bare_series(texts.alias(""))})
    return frame.select(pl.when(~pl.col("bare").is_in(MISSING)).then(pl.all())).get_column("bare").alias("")


def _inferred_from_text(text: pl.Series, doubts_points: bool) -> pl.Series:
    bare = bare_texts(text)
    if doubts_points and may_be_thousands(bare):
        return bare
    if are_codes(bare) or why_ids(bare) is not None:
        return bare
    for convert in (_to_integers, _to_floats, _to_booleans):
        # Most columns show in their first rows that they are not of this type.
        for part in (bare.drop_nulls().head(SAMPLED_ROWS), bare):
            values = convert(part)
            if values.null_count() > part.null_count() or not values.count():
                break
        else:
            return _inferred(values)
    return bare


def _to_integers(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Int64, strict=False)


def _to_floats(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Float64, strict=False)


def _to_booleans(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    )


def unlearnable_kind(dtype: pl.DataType) -> str | None:
    """What a column of a type that cannot be learned from holds.

    Args:
        dtype: the column's type.

    Returns:
        Words for a message; None if the type can be learned from.

    Example:
        >>> unlearnable_kind(pl.Binary()), unlearnable_kind(pl.Date())
        ('nested or binary values', None)
    """
    learnable = (
        dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum, pl.Null)
    )
    return None if learnable else _NESTED


def check_kinds(kinds: dict[str, str]) -> None:
    """Check that no column holds what cannot be learned from.

    Args:
        kinds: what each column that cannot be learned from holds, by the column's name.

    Raises:
        TableError: if there is one.
    """
    if kinds:
        found = " and ".join(
            f"{kind} in {join_names([name for name in kinds if kinds[name] == kind])}"
            for kind in dict.fromkeys(kinds.values())
        )
        remedy = f"leave them out with `--drop {quote_names(list(kinds))}`"
        told = "leave these columns out of the file"
        raise TableError("numbers, texts, dates or truth values", found, remedy, without_options=told)


def infinity_errors(column: pl.Series, places: RowPlaces = ONE_FILE) -> list[TableError]:
    """The error for a column that has infinite numbers.

    Args:
        column: of any type.
        places: in which file each row is.

    Returns:
        One error, which names the first such number; no error if all numbers are finite or missing.

    Example:
        >>> infinity_errors(pl.Series("a", [1.0, None])), infinity_errors(pl.Series("a", [float("inf")]))[0].found
        ([], "inf in the column 'a', row 1")
    """
    infinite = column.alias("").is_infinite() if column.dtype == pl.Float64 else pl.Series([False])
    if not infinite.any():
        return []
    row = int(infinite.arg_max() or 0)
    found = f"{column[row]} in the column {column.name!r}, {places.place(row)}"
    return [TableError("finite numbers", found, "mend it or leave the field empty")]

"""The types of columns, from their values."""

import math
from datetime import date

import polars as pl
import pytest

from model import TableError
from model.tables.type_inference import check_kinds, infer_type, infinity_errors, unlearnable_kind


@pytest.mark.parametrize(
    ("series", "dtype", "values"),
    [
        (pl.Series(["1", " 2", None]), pl.Int64, [1, 2, None]),
        (pl.Series(["1", "?", "2.5"]), pl.Float64, [1.0, None, 2.5]),
        (pl.Series(["TRUE", "NA", "false "]), pl.Boolean, [True, None, False]),
        (pl.Series(["1", "x", ""]), pl.String, ["1", "x", None]),
        (pl.Series(["true", "1"]), pl.String, ["true", "1"]),
        (pl.Series(["", None]), pl.String, [None, None]),
        (pl.Series([1, None], dtype=pl.UInt8), pl.Int64, [1, None]),
        (pl.Series([1, 2**64 - 1], dtype=pl.UInt64), pl.Float64, [1.0, 2.0**64]),
        (pl.Series([1.5, math.nan]), pl.Float64, [1.5, None]),
        (pl.Series(["x", "1"], dtype=pl.Categorical), pl.String, ["x", "1"]),
        (pl.Series([None], dtype=pl.Null), pl.String, [None]),
    ],
)
def test_a_column_becomes_floats_integers_booleans_or_texts(
    series: pl.Series, dtype: type[pl.DataType], values: list[object]
) -> None:
    inferred = infer_type(series.alias("^a.*$"))
    assert (inferred.name, inferred.dtype, inferred.to_list()) == ("^a.*$", dtype, values)


def test_a_late_value_of_another_type_counts() -> None:
    assert infer_type(pl.Series(["1"] * 1000 + ["x"])).dtype == pl.String
    assert infer_type(pl.Series(["1"] * 1000 + ["0.5"])).dtype == pl.Float64


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (pl.Date(), None),
        (pl.Duration(), None),
        (pl.List(pl.Int64), "nested or binary values"),
        (pl.Binary(), "nested or binary values"),
        (pl.Decimal(10, 2), None),
        (pl.Categorical(), None),
    ],
)
def test_only_numbers_texts_and_booleans_can_be_learned_from(dtype: pl.DataType, kind: str | None) -> None:
    assert unlearnable_kind(dtype) == kind


def test_columns_that_cannot_be_learned_from_are_refused_together() -> None:
    check_kinds({})
    with pytest.raises(TableError) as caught:
        check_kinds({"the day": "dates or times", "list": "nested or binary values", "at": "dates or times"})
    assert str(caught.value) == (
        "expected numbers, texts, dates or truth values, "
        "found dates or times in the day, at and nested or binary values in list; "
        "leave them out with `--drop 'the day,list,at'`"
    )


def test_an_infinite_number_is_refused() -> None:
    for finite in (pl.Series([1.0, None]), pl.Series(["inf"]), pl.Series([date(2024, 1, 31)])):
        assert infinity_errors(finite) == []
    (error,) = infinity_errors(pl.Series("a", [1.0, None, -math.inf, math.inf]))
    assert str(error).endswith("found -inf in the column 'a', row 3; mend it or leave the field empty")

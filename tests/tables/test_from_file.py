"""From a file to the table that a network learns from."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model import CategoricalColumn, NumericColumn, TableError, encode, read_table
from model.tables.column_fitting import TextOptions
from model.tables.from_file import table_from_frame
from model.tables.parsing import parse_text
from model.tables.rare_texts import pack_texts
from model.tables.series_parsing import parse_series
from model.tables.unseen import closed
from tests.tables.examples import scaled_by_hand, write_table

CONTENT = "size,color,wild,price\n1,red,true,10\n2,NA,false,20\n3,blue,true,\n?,red,true,60\n"

# How a network sees a number that is one interquartile range above the median, in float32.
SCALED_1 = float(np.float32(3 * math.asinh(1 / 3)))


def test_a_file_becomes_scaled_and_encoded_columns(tmp_path: Path) -> None:
    table = read_table(write_table(tmp_path, CONTENT), "price")
    assert (table.columns, table.target, table.task, table.classes) == (
        ("size", "color", "wild"),
        "price",
        "regression",
        (),
    )
    assert table.column_specs == (
        NumericColumn(1.0, 1.0, 3.0, (0.0, SCALED_1), 1.0, 2.0, missing=True, is_open=True),
        CategoricalColumn(("red",), missing=True, is_open=True, frequencies=(2 / 3, 1 / 3)),
        CategoricalColumn(("false", "true"), boolean=True, is_open=True, frequencies=(1 / 3, 2 / 3)),
    )
    strict = read_table(write_table(tmp_path, CONTENT), "price", strict=True)
    assert strict.column_specs == closed(table.column_specs)
    assert strict.x.tobytes() == table.x.tobytes()
    assert table.x.tolist() == [
        [0.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        [SCALED_1, 0.0, 0.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
    ]
    np.testing.assert_allclose(table.target_scaling.unscale(table.y), [10.0, 20.0, 60.0], rtol=1e-6)
    assert (table.dropped, table.complete) == (1, False)


def test_columns_are_chosen_and_dropped(tmp_path: Path) -> None:
    path = write_table(tmp_path, CONTENT)
    assert read_table(path, "price", columns=["wild", "size"]).columns == ("wild", "size")
    assert read_table(path, "wild", drop=["size", "price"]).columns == ("color",)


def test_a_long_frame_is_encoded_in_parts() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=40_000), "y": rng.integers(0, 2, 40_000)})
    table = table_from_frame(frame, "y")
    a = frame["a"].to_numpy()
    np.testing.assert_allclose(table.x[:, 0], scaled_by_hand(a, a), rtol=1e-5, atol=1e-6)
    assert table.y.tolist() == frame["y"].to_list()


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (CONTENT, {"target": "price", "columns": []}, "expected columns to learn from, found none; "),
        (CONTENT, {"target": "price", "drop": ["price"]}, "expected price only as the target, found price among "),
        (CONTENT, {"target": "weight"}, "expected a column 'weight', found the columns size, color, wild, price; "),
        ("a,y\n1,\n2,\n", {"target": "y"}, "expected a value of y in some row, found none; "),
        ("y\n1\n0\n", {"target": "y"}, "expected a column beside the target, found none; "),
        ("a,y\n1,0\n1e39,1\n", {"target": "y"}, "expected numbers within ±3.4e38 in a, found 1.0 to 1e+39; "),
    ],
)
def test_a_file_that_makes_no_table_is_refused(
    tmp_path: Path, content: str, options: dict[str, Any], message: str
) -> None:
    path = write_table(tmp_path, content)
    with pytest.raises(TableError) as caught:
        read_table(path, **options)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_an_unknown_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="task must be one of binary, multiclass, regression, not 'ranking'"):
        read_table(write_table(tmp_path, CONTENT), "price", task="ranking")


@pytest.mark.parametrize(
    ("rows", "texts", "note"),
    [
        (100, 100, "left out the name: it has 100 different texts in 100 rows; --keep takes it anyway"),
        (100, 51, "left out the name: none of its 51 texts occurs in 5 rows; --keep takes it anyway"),
        (100, 50, None),
        (20, 20, None),
        (502, 251, "left out the name: none of its 251 texts occurs in 5 rows; --keep takes it anyway"),
        (502, 250, None),
    ],
)
def test_a_column_in_which_nearly_each_row_has_its_own_text_is_left_out(
    rows: int, texts: int, note: str | None
) -> None:
    names = [f"name {index % texts}" for index in range(rows)]
    frame = pl.DataFrame({"x": [index % 7 for index in range(rows)], "the name": names, "y": [0, 1] * (rows // 2)})
    table = table_from_frame(frame, "y")
    assert table.columns == (("x", "the name") if note is None else ("x",))
    assert table.notes == (() if note is None else (note,))
    if note is None:
        assert len(table.column_specs[1].categories) == texts  # type: ignore[union-attr]
    kept = table_from_frame(frame, "y", texts=TextOptions(kept=["the name"]))
    assert kept.columns == ("x", "the name")


def test_rare_texts_are_one_category_together() -> None:
    names = [f"rare {index}" for index in range(60)] + ["common"] * 30 + ["other"] * 10
    table = table_from_frame(pl.DataFrame({"name": names, "y": [0, 1] * 50}), "y")
    (column,) = table.column_specs
    assert column == CategoricalColumn(
        ("common", "other"),
        is_pooled=True,
        rare=pack_texts(names[:60]),
        is_open=True,
        frequencies=(0.3, 0.1, 0.6),
    )
    assert table.notes == ("2 of the 62 texts of name have an input each, and the others share one",)
    assert table.x[0].tolist() == [0, 0, 1]
    assert table.x[60].tolist() == [1, 0, 0]
    assert (parse_text(column, "never seen"), parse_text(column, "rare 3")) == (3, 2)
    assert parse_series(column, pl.Series(["other", "never seen", "rare 3"])).tolist() == [1, 3, 2]
    assert encode((column,), [np.array([3.0, 2.0])]).tolist() == [[0, 0, 1]] * 2


def test_a_column_that_is_kept_has_its_most_common_texts_though_they_are_rare() -> None:
    names = [f"name {index:03}" for index in range(350)] + ["name 349"]
    frame = pl.DataFrame({"name": names, "y": [0, 1] * 175 + [0]})
    table = table_from_frame(frame, "y", texts=TextOptions(kept=["name"]))
    (column,) = table.column_specs
    assert isinstance(column, CategoricalColumn)
    assert column.categories == (*(f"name {index:03}" for index in range(249)), "name 349")
    assert column.is_pooled
    inputs = "have an input each, and the others share one, although none occurs in 5 rows"
    assert table.notes == (f"250 of the 350 texts of name {inputs}",)


def test_a_column_of_several_units_is_said_to_be_one() -> None:
    fuel = [f"{index} {'kWh' if index % 3 else 'gal'}" for index in range(60)]
    table = table_from_frame(pl.DataFrame({"fuel": fuel, "x": [1, 0, 2] * 20, "y": [0, 1] * 30}), "y")
    units = "its texts are numbers of several units, such as 0 gal and 1 kWh"
    assert table.notes == (f"left out fuel: {units}; --keep takes it anyway",)


def test_a_table_without_a_column_to_learn_from_is_refused() -> None:
    frame = pl.DataFrame({"name": [f"name {index}" for index in range(100)], "y": [0, 1] * 50})
    with pytest.raises(TableError, match=r"expected a column to learn from, found none \(left out name: it has"):
        table_from_frame(frame, "y")

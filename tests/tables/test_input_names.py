"""What the inputs of a network stand for."""

import msgspec
import numpy as np

from model import CategoricalColumn, NumericColumn, encode
from model.ensembles import bin_inputs
from model.tables.bins import make_bins
from model.tables.columns import ColumnSpecs
from model.tables.date_columns import fit_date
from model.tables.input_names import input_names, row_text
from tests.examples import COLUMN_SPECS, COLUMNS

DATE = fit_date(np.array([0.0, 40 * 86400.0, 800 * 86400.0, np.nan]), "ymd")
NUMBER = NumericColumn(10.0, 2.0, edges=(-1.0, 0.0, 2.0), missing=True)
TEXT = CategoricalColumn(("blue", "red"), missing=True, is_pooled=True)
SPECS: ColumnSpecs = (NUMBER, TEXT, DATE, NumericColumn(edges=(0.0, 1.0)))
NAMES = ("size", "colour", "day", "plain")


def inputs_that_are_one(row: list[float]) -> list[str]:
    x = encode(SPECS, np.array([row]))
    return [name for name, value in zip(input_names(NAMES, SPECS), x[0], strict=True) if value == 1]


def test_there_is_a_different_name_for_every_input() -> None:
    for columns, specs in ((NAMES, SPECS), (COLUMNS, COLUMN_SPECS)):
        names = input_names(columns, specs)
        assert len(set(names)) == len(names) == encode(specs, np.zeros((1, len(columns)))).shape[1]


def test_a_category_has_the_input_that_is_1_in_its_rows() -> None:
    assert inputs_that_are_one([10.0, 1.0, 0.0, 0.0])[:1] == ["colour = red"]
    assert inputs_that_are_one([np.nan, np.nan, np.nan, 1.0]) == [
        "size is missing",
        "colour is missing",
        "day is missing",
        "plain",
    ]
    assert "colour = (rare texts)" in inputs_that_are_one([10.0, 2.0, 0.0, 0.0])


def test_a_date_has_its_time_and_a_sine_and_a_cosine_of_each_part() -> None:
    names = [name for name in input_names(NAMES, SPECS) if "day" in name and name != "day is missing"]
    values = dict(zip(names, encode((DATE,), np.array([[40 * 86400.0]]))[0], strict=False))
    assert names[0] == "day"
    assert values["cosine of the month of day"] == np.float32(np.cos(2 * np.pi * 1 / 12))
    assert values["sine of the day of day"] == np.float32(np.sin(2 * np.pi * 9 / 31))
    assert "the year of day" in values


def test_a_bin_is_named_by_its_ends_in_the_units_of_the_column() -> None:
    """A value in the middle of a bin is half in it; the bins below are full, and those above are empty."""
    bins, names = make_bins(SPECS), input_names(NAMES, SPECS, sees_bins=True)
    assert bins is not None
    assert len(names) == len(bins.source)
    x = bin_inputs(encode(SPECS, np.array([[12.0, 0.0, 0.0, 0.0]])), bins)
    values = dict(zip(names, x[0].tolist(), strict=True))
    assert values["size from 8 to 10"] == 1
    assert values["size from 10 to 14"] == 0.5
    assert "plain" in names  # which has too few edges


def test_a_bin_of_dates_is_named_by_its_days() -> None:
    dates = msgspec.structs.replace(DATE, mean=86400.0, scale=86400.0, edges=(-1.0, 0.0, 2.0))
    assert input_names(("day",), (dates,), sees_bins=True)[:2] == [
        "day from 1970-01-01 to 1970-01-02",
        "day from 1970-01-02 to 1970-01-04",
    ]


def test_a_row_in_words_names_a_few_columns() -> None:
    row = np.array([1234.5, 0.0, 86400.0, np.nan])
    assert row_text(NAMES, SPECS, row, 4) == "size = 1234.5, colour = blue, day = 1970-01-02, plain = (missing)"
    assert row_text(NAMES, SPECS, row, 2) == "size = 1234.5, colour = blue and 2 more columns"

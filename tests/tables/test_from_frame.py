"""From a frame to a table: the same as from a file with the same content."""

import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import CategoricalColumn, NumericColumn, Table, TableError, read_table, table_from
from model.tables.frame_columns import frame_columns
from model.tables.pandas_columns import column_of_pandas
from model.tables.value_columns import column_of_array, column_of_objects
from tests.conftest import ROOT
from tests.tables.carriers import CARRIERS, ArrowOnly, pa
from tests.tables.examples import write_table

needs_pyarrow = pytest.mark.skipif(pa is None, reason="pyarrow is not installed")

Texts = Mapping[str, list[str | None]]

# What people write in a file: decimal commas, dates, words for missing values, upper and lower case, codes.
WRITTEN: Texts = {
    "price": ["1,5", "20,01", None, "3,25", "7,5", "?"],
    "born": ["31.1.2024", "1.2.2024", "28.2.2023", "", None, "5.6.2021"],
    "color": ["red", "blue ", "NA", "red", None, "green"],
    "wild": ["true", "False", "TRUE", "false", "true", None],
    "member": ["Yes", "yes", "NO", "no", "yes", "yes"],
    "code": ["02139", "10001", "94103", "02139", "10001", "10001"],
    "count": ["1", "2", " 3", "4", "5", "6"],
    "y": ["a", "b", "a", None, "b", "a"],
}


def same_table(first: Table, second: Table) -> bool:
    """Whether two tables are the same to the bit, with all that they say of themselves."""
    named = ("columns", "target", "classes", "task", "column_specs", "target_scaling", "dropped", "complete", "notes")
    alike = all(repr(getattr(first, name)) == repr(getattr(second, name)) for name in named)
    return alike and first.x.tobytes() == second.x.tobytes() and first.y.tobytes() == second.y.tobytes()


def as_csv(columns: Texts) -> str:
    rows = zip(*columns.values(), strict=True)
    return "\n".join(",".join(f'"{cell or ""}"' for cell in row) for row in [columns, *rows]) + "\n"


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("options", [{}, {"drop": ["born"], "columns": None}, {"columns": ["wild", "price"]}])
def test_texts_are_read_as_those_of_a_file(tmp_path: Path, carrier: str, options: dict[str, Any]) -> None:
    expected = read_table(write_table(tmp_path, as_csv(WRITTEN)), "y", **options)
    assert expected.dropped == 1
    assert same_table(table_from(CARRIERS[carrier](WRITTEN), "y", **options), expected)


@pytest.mark.parametrize("as_categories", [lambda frame: frame.astype("category"), pl.DataFrame])
def test_categories_are_read_as_the_texts_that_they_are(tmp_path: Path, as_categories: Callable[..., Any]) -> None:
    expected = read_table(write_table(tmp_path, as_csv(WRITTEN)), "y")
    frame = as_categories(pd.DataFrame(WRITTEN) if as_categories is not pl.DataFrame else WRITTEN)
    if isinstance(frame, pl.DataFrame):
        frame = frame.cast(pl.Categorical)
    assert same_table(table_from(frame, "y"), expected)


def test_the_options_are_those_of_a_file(tmp_path: Path) -> None:
    columns = {"id": [f"id {index}" for index in range(30)], "at": ["1/2/2024", "3/4/2024"] * 15, "y": ["0", "1"] * 15}
    path = write_table(tmp_path, as_csv(columns))
    options: dict[str, Any] = {"keep": ["id"], "dates": "dmy", "task": "multiclass"}
    assert same_table(table_from(columns, "y", **options), read_table(path, "y", **options))
    assert table_from(columns, "y", **options).columns == ("id", "at")
    with pytest.raises(ValueError, match="task must be one of binary, multiclass, regression, not 'ranking'"):
        table_from(columns, "y", task="ranking")


# Columns of every type that can be learned from, with a missing value where the type has one.
TYPED: dict[str, pl.Series] = {
    "f": pl.Series([1.5, math.nan, -2.25, None]),
    "g": pl.Series([0.1, 0.2, 0.3, None], dtype=pl.Float32),
    "i": pl.Series([1, None, 3, 2**60]),
    "u": pl.Series([1, 2, 3, 255], dtype=pl.UInt8),
    "b": pl.Series([True, None, False, True]),
    "t": pl.Series(["x", "y", None, "x"]),
    "day": pl.Series([date(2024, 1, 31), None, date(2023, 2, 1), date(1969, 12, 31)]),
    "at": pl.Series([datetime(2024, 1, 31, 12, 30), None, datetime(2023, 2, 1), datetime(1969, 12, 31, 23, 59)]),
    "zoned": pl.Series([datetime(2024, 1, 31, 12, tzinfo=timezone(timedelta(hours=hours))) for hours in (0, 2, 5, -8)]),
    "long": pl.Series([timedelta(hours=1), None, timedelta(milliseconds=1), timedelta(days=-1)]),
    "y": pl.Series([0.5, 1.5, 2.5, 1.0]),
}


@pytest.mark.parametrize(
    "carrier",
    [
        pl.DataFrame,
        lambda columns: ArrowOnly(pl.DataFrame(columns)),
        dict,
        lambda columns: {name: column.to_list() for name, column in columns.items()},
        lambda columns: {name: column.to_numpy() for name, column in columns.items()},
        lambda columns: pd.DataFrame({name: column.to_list() for name, column in columns.items()}),
        lambda columns: pd.DataFrame({name: column.to_list() for name, column in columns.items()}).convert_dtypes(),
    ],
    ids=["polars", "Arrow", "dict", "lists", "arrays", "pandas", "pandas best"],
)
def test_typed_columns_are_read_as_those_of_a_parquet_file(tmp_path: Path, carrier: Callable[..., Any]) -> None:
    columns = {name: column for name, column in TYPED.items() if name != "g"}  # lists have no float32
    path = tmp_path / "table.parquet"
    pl.DataFrame(columns).write_parquet(path)
    assert same_table(table_from(carrier(columns), "y"), read_table(path, "y"))


@needs_pyarrow
def test_all_types_of_arrow_are_read_as_those_of_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    columns = TYPED | {
        "d": pl.Series([Decimal("1.25"), None, Decimal(2), Decimal(3)]),
        "c": TYPED["t"].cast(pl.Categorical),
    }
    pl.DataFrame(columns).write_parquet(path)
    expected = read_table(path, "y")
    for frame in (
        pl.DataFrame(columns).to_arrow(),
        pl.DataFrame(columns).to_arrow().to_pandas(types_mapper=pd.ArrowDtype),
    ):
        assert same_table(table_from(frame, "y"), expected)


CELLS = (
    st.none()
    | st.sampled_from(["1", "2.5", "1,5", "x", "NA", "true", "2024-01-31", "007", ""])
    | st.text("ab1. -", max_size=4)
)


@given(st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["p", "q", None])), min_size=2, max_size=30))
def test_any_texts_are_read_or_refused_as_those_of_a_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, ...]]
) -> None:
    columns = {name: [row[index] for row in rows] for index, name in enumerate("aby")}
    path = write_table(tmp_path_factory.mktemp("table"), as_csv(columns))
    found: list[Any] = []
    for read in (
        lambda: read_table(path, "y"),
        lambda: table_from(columns, "y"),
        lambda: table_from(pd.DataFrame(columns), "y"),
    ):
        try:
            found.append(read())
        except TableError as error:
            found.append((error.expected, error.found, error.remedy))
    if isinstance(found[0], Table):
        assert same_table(found[0], found[1])
        assert same_table(found[0], found[2])
    else:
        assert found[0] == found[1] == found[2]


NAT, NA = pd.NaT, pd.NA


@pytest.mark.parametrize(
    ("column", "dtype", "values"),
    [
        (pd.Series([1, None], dtype="Int64"), pl.Int64, [1, None]),
        (pd.Series([1.5, None], dtype="Float64"), pl.Float64, [1.5, None]),
        (pd.Series([True, None], dtype="boolean"), pl.Boolean, [True, None]),
        (pd.Series(["a", None], dtype="string"), pl.String, ["a", None]),
        (pd.Series([1, "a", None, math.nan, NA], dtype=object), pl.String, ["1", "a", None, None, None]),
        (pd.Series([1, None, NAT], dtype=object), pl.Int64, [1, None, None]),
        (pd.Series([True, NA], dtype=object), pl.Boolean, [True, None]),
        (pd.Series([3, None, 1], dtype="category"), pl.Categorical, ["3", None, "1"]),
        (pd.Series([2.0, 0.5], dtype="category"), pl.Categorical, ["2", "0.5"]),
        (pd.Series(["b", None, "b"], dtype=pd.CategoricalDtype(["c", "b"])), pl.Categorical, ["b", None, "b"]),
        (pd.Series([0, 1, 0], dtype=pd.SparseDtype(int)), pl.Int64, [0, 1, 0]),
        (pd.Series(pd.period_range("2024-01", periods=2, freq="M")), pl.String, ["2024-01", "2024-02"]),
        (pd.Series([1.5, None], dtype=">f8"), pl.Float64, [1.5, math.nan]),
        (pd.Series([Decimal("1.5"), None]), pl.Float64, [1.5, None]),
        (pd.Series([1, 2**70], dtype=object), pl.Float64, [1.0, 2.0**70]),
        (pd.Series([time(1, 30), None]), pl.Time, [time(1, 30), None]),
        (pd.Series([date(2024, 1, 31), None]), pl.Date, [date(2024, 1, 31), None]),
        (
            pd.Series([datetime(2024, 1, 31, tzinfo=UTC), None], dtype=object),
            pl.Datetime("us"),
            [datetime(2024, 1, 31), None],
        ),
    ],
)
def test_a_column_of_pandas_has_the_type_of_its_values(
    column: pd.Series, dtype: pl.DataType, values: list[Any]
) -> None:
    found = column_of_pandas(column)
    assert found.dtype == dtype
    assert repr(found.to_list()) == repr(values)


def test_a_zone_of_pandas_is_taken_off() -> None:
    moments = pd.Series(pd.to_datetime(["2024-01-31 01:00", None])).dt.tz_localize("Europe/Rome")
    assert column_of_pandas(moments).to_list() == [datetime(2024, 1, 31), None]
    assert column_of_pandas(moments.astype(object)).to_list() == [datetime(2024, 1, 31), None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1.5], np.longdouble), [1.5]),
        (np.array(["2024-01", "NaT"], "datetime64[M]"), [datetime(2024, 1, 1), None]),
        (np.array([90, "NaT"], "timedelta64[m]"), [timedelta(minutes=90), None]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.ma.masked_array([1, 2], [False, True]), [1, None]),
        ((1, 2.5), [1.0, 2.5]),
        ([np.datetime64("2024-01-31"), None], [datetime(2024, 1, 31), None]),
        ([10**400, 1], [str(10**400), "1"]),
        ([date(2024, 1, 31), datetime(2024, 1, 31, 5)], ["2024-01-31", "2024-01-31 05:00:00"]),
    ],
)
def test_arrays_and_lists_have_the_type_of_their_values(values: Any, expected: list[Any]) -> None:
    assert frame_columns({"a": values}).convert(0).to_list() == expected


def test_names_that_are_no_texts_become_texts() -> None:
    frame = pd.DataFrame({0: [1, 2, 3], ("a", 1): ["x", "y", "x"], 7: [0.5, 1.5, 2.5]})
    table = table_from(frame, 7, columns=[("a", 1), 0], keep=[0])
    assert (table.columns, table.target) == (("('a', 1)", "0"), "7")
    assert table_from(frame, "7", drop=[0]).columns == ("('a', 1)",)


OTHER_FRAME = (
    "expected a DataFrame of pandas or polars, an Arrow table, or a dict of columns, found an object of the class "
)
NESTED = (
    "expected numbers, texts, dates or truth values, found nested or binary values in a; leave them out with `--drop a`"
)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "y"]), "expected different names of columns, found a more than"),
        (pd.DataFrame([[1, 2, 3]], columns=[1, "1", "y"]), "expected different names of columns, found 1 more than"),
        (pd.DataFrame([[1, 2]], columns=[None, "y"]), "expected a name for each column, found none for column 1 of"),
        (pd.DataFrame({"a": [], "y": []}), "expected rows and columns, found 0 rows of 2 columns; "),
        ({}, "expected rows and columns, found no columns; take another frame"),
        ({"a": [[1], [2]], "y": [0, 1]}, NESTED),
        ({"a": np.zeros((2, 2)), "y": [0, 1]}, NESTED),
        ({"a": np.array([1j, 2]), "y": [0, 1]}, NESTED),
        ({"a": [b"x", None], "y": [0, 1]}, NESTED),
        ({"a": pd.Series([("x", 1)], dtype="category"), "y": [0]}, NESTED),
        ({"a": [1, 2, 3], "y": [0, 1]}, "expected the same number of rows in each column, found 2 in y and 3 in a; "),
        ({"a": 1, "y": [0, 1]}, "expected the values of the column 'a', found a single int; put them in a list"),
        ({"a": "xy", "y": [0, 1]}, "expected the values of the column 'a', found a single str; put them in a list"),
        ({"a": [1, math.inf], "y": [0, 1]}, "expected finite numbers, found inf in the column 'a', row 2; "),
        ({0: [1, 2], 1: [1, 2]}, "expected a column 'y', found the columns 0, 1; name one of them"),
        ([[1, 2]], f"{OTHER_FRAME}list; make one of it"),
        (pl.Series([1, 2]), f"{OTHER_FRAME}Series; make one of it"),
        (pd.Series([1, 2]), f"{OTHER_FRAME}Series; make one of it"),
        (pl.LazyFrame({"y": [1]}), f"{OTHER_FRAME}LazyFrame; make one of it"),
        (ArrowOnly(pl.Series([1, 2])), "expected columns of Arrow that polars can read, found others: "),
    ],
)  # fmt: skip
def test_a_frame_that_makes_no_table_is_refused_in_one_sentence(frame: Any, message: str) -> None:
    with pytest.raises(TableError) as caught:
        table_from(frame, "y")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@needs_pyarrow
def test_a_table_of_arrow_with_a_name_twice_is_refused() -> None:
    with pytest.raises(TableError, match="expected different names of columns, found one more than once; rename"):
        table_from(pa.table([[1], [2]], names=["a", "a"]), "a")


def test_columns_that_are_not_asked_for_may_hold_anything() -> None:
    table = table_from({"a": [1, 2], "b": [[1], [2]], "y": [0, 1]}, "y", drop=["b"])
    (spec,) = table.column_specs
    assert isinstance(spec, NumericColumn)
    assert (spec.center, spec.scale, spec.minimum, spec.maximum, spec.is_open) == (1.0, 1.0, 1.0, 2.0, True)


def test_a_frame_is_not_changed() -> None:
    frame = pd.DataFrame({"a": [1.0, math.nan, 3.0], "c": pd.Categorical(["x", None, "y"]), "y": ["0", "1", "0"]})
    before = frame.copy(deep=True)
    table = table_from(frame, "y")
    pd.testing.assert_frame_equal(frame, before)
    assert table.column_specs[1] == CategoricalColumn(
        ("x", "y"), missing=True, is_open=True, frequencies=(1 / 3, 1 / 3, 1 / 3)
    )


WITHOUT_MODULES = """
import sys
from model import table_from

class Absent:
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

"""


@pytest.mark.parametrize(
    ("absent", "frame"),
    [
        (("pandas", "pyarrow"), "{'a': [1, 2, None], 'y': ['0', '1', '0']}"),
        (("pandas", "pyarrow"), "__import__('polars').DataFrame({'a': [1, 2, None], 'y': ['0', '1', '0']})"),
        (("pyarrow",), "__import__('pandas').DataFrame({'a': [1, 2, None], 'y': ['0', '1', '0']}, dtype='string')"),
        (("pyarrow",), "__import__('pandas').DataFrame({'a': [1, 2, None], 'y': ['0', '1', '0']}, dtype='category')"),
    ],
)
def test_neither_pandas_nor_pyarrow_is_needed(absent: tuple[str, ...], frame: str) -> None:
    program = f"{WITHOUT_MODULES}sys.meta_path.insert(0, Absent({absent!r}))\nprint(table_from({frame}, 'y').x.shape)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout == "(3, 2)\n"


def test_columns_without_any_value_are_texts() -> None:
    assert column_of_objects([None, math.nan]).dtype == pl.Boolean
    assert column_of_array(np.array([None, None])).null_count() == 2

"""CSV files: what is read, what is refused, and in which words."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import TableError
from model.tables import csv_bytes, csv_files
from model.tables.batches import read_batches
from model.tables.parsing import BLANKS, MISSING
from model.tables.reading import read_frame, read_names
from tests.tables.examples import refusal_of, write_table

DTYPES = {int: pl.Int64, float: pl.Float64, bool: pl.Boolean, str: pl.String}

# The content of a file, and what is read from it.
READ: list[tuple[str | bytes, dict[str, list[Any]]]] = [
    ("a,b\n1,x\n2,y\n", {"a": [1, 2], "b": ["x", "y"]}),
    ("a,b\n1,x\n2,y", {"a": [1, 2], "b": ["x", "y"]}),
    ("a,b\r\n1,x\r\n2,y\r\n", {"a": [1, 2], "b": ["x", "y"]}),
    ("\ufeffa,b\n1,2\n", {"a": [1], "b": [2]}),
    ('\ufeff"a","b"\n1,2\n', {"a": [1], "b": [2]}),
    ("a;b\n1;x,y\n2;z\n", {"a": [1, 2], "b": ["x,y", "z"]}),
    ("a\tb\n1\tx\n", {"a": [1], "b": ["x"]}),
    ("a|b\n1|x\n", {"a": [1], "b": ["x"]}),
    ('"a;1";b\n"2;3";4\n', {"a;1": ["2;3"], "b": [4]}),
    ('a,b\n"x,y",1\n"two\nlines",2\n"a ""word""",3\n', {"a": ["x,y", "two\nlines", 'a "word"'], "b": [1, 2, 3]}),
    ('a,b\n"1","2.5"\n"3",""\n', {"a": [1, 3], "b": [2.5, None]}),
    ("a,b,c\n 1, 2.5, true\n2 ,3 ,False\n", {"a": [1, 2], "b": [2.5, 3.0], "c": [True, False]}),
    ("a,b\nTRUE,yes\nfalse,no\n,\n", {"a": [True, False, None], "b": ["yes", "no", None]}),
    ("a,b\n1,1\n1e3,.5\n-2.,+3\n", {"a": [1.0, 1000.0, -2.0], "b": [1.0, 0.5, 3.0]}),
    ("a,b\n1,1\n\n2,2\n\n\n", {"a": [1, 2], "b": [1, 2]}),
    ('a,b\n"x\n\ny",1\n\r\nz,2\n', {"a": ["x\n\ny", "z"], "b": [1, 2]}),
    ("a\n1\n\n2\n", {"a": [1, None, 2]}),
    ("a,b\n9223372036854775807,1\n1,9223372036854775808\n", {"a": [2**63 - 1, 1], "b": [1.0, 2.0**63]}),
    ("a,b\n,NA\n ? ,x\n", {"a": [None, None], "b": [None, "x"]}),
    ("a,ü\n1,é\n", {"a": [1], "ü": ["é"]}),
    ("^a.*$,*\n1,2\n", {"^a.*$": [1], "*": [2]}),
    ("a,b\n1.2.3,12:30\n10.20.30,3:1\n", {"a": ["1.2.3", "10.20.30"], "b": ["12:30", "3:1"]}),
    ("a,b\n2024-01-01,1\nnever,2\n", {"a": ["2024-01-01", "never"], "b": [1, 2]}),
]


@pytest.mark.parametrize(("content", "expected"), READ)
def test_a_csv_file_is_read(tmp_path: Path, content: str, expected: dict[str, list[Any]]) -> None:
    path = write_table(tmp_path, content)
    frame = read_frame(path).frame
    assert frame.to_dict(as_series=False) == expected
    for name, values in expected.items():
        first = next((value for value in values if value is not None), "")
        assert frame[name].dtype == DTYPES[type(first)]
    assert read_names(path) == list(expected)


# The content of a file, and with which words it is refused.
REFUSED: list[tuple[str | bytes, str]] = [
    ("", "a table, found an empty file; "),
    ("a,b\n", "rows below the header, found none; "),
    ("a,b", "rows below the header, found none; "),
    ("a,b\n\n\r\n", "rows below the header, found none; "),
    ("a,b\n1,2\n3\n4,5\n", "2 fields in each row, as in the header, found 1 in line 3; "),
    ("a,b\n1,2\n3,4,5\n", "2 fields in each row, as in the header, found 3 in line 3; "),
    ("a,b\n1,2,3\n4\n", "2 fields in each row, as in the header, found 3 in line 2; "),
    ("a,b\n1\n2,3,4\n", "2 fields in each row, as in the header, found 1 in line 2; "),
    ('a,b\n"x\ny",2\n\n3\n', "2 fields in each row, as in the header, found 1 in line 5; "),
    ('a,b\n"x,2\n3,4\n', "a closing quote for each opening one, found none for that in line 2; close it"),
    ('a,b\n1,x\n5" pipe,4\n', "quotes around whole fields, found one inside a field in line 3; "),
    ('a,b\n1,x\n"5"" pipe" new,4\n', "quotes around whole fields, found one inside a field in line 3; "),
    ("ü,ö,é\n1,2,ñ\n".encode() + b"3,4,\xe4\n", "text in UTF-8, found the byte 0xe4 in line 3; "),
    (b"\x1f\x8b\x08\x00", "a whole gzip archive, found a broken one; write it again"),
    (b"\x28\xb5\x2f\xfd\x00", "a whole zstd archive, found a broken one; write it again"),
    (zstandard.compress(b"a,b\n1,2\n")[:-2], "a whole zstd archive, found a broken one; write it again"),
    (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "a whole gzip archive, found a broken one; write it again"),
    (gzip.compress(b"", mtime=0), "a table, found an empty archive; "),
    (b"\xff\xfea", "text in UTF-16, found other bytes; "),
    (b"%PDF-1.7\n1,2\n", "a table as CSV or Parquet, found a PDF document; "),
    (b"a,b\n1,\x00\n", "a table as CSV or Parquet, found a binary file, with a NUL byte in line 2; "),
    (b"\x89PNG\r\n\x1a\n\x00\x00", "a table as CSV or Parquet, found a picture; "),
    (b"PK\x03\x04\x14\x00", "a table as CSV or Parquet, found a zip archive or a spreadsheet; "),
    ("a,b\n1,2\ninf,3\n", "finite numbers, found inf in the column 'a', row 2; "),
    ("a,b\n1,2\n3,-1e999\n", "finite numbers, found -inf in the column 'b', row 2; "),
    (b"PAR1", "a whole Parquet file, found a broken one; "),
    (b"PAR1" + bytes(100) + b"PAR1", "a whole Parquet file, found a broken one; "),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_a_file_that_is_not_a_table_is_refused(
    tmp_path: Path, content: str | bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal_of(write_table(tmp_path, content))
    assert capfd.readouterr() == ("", "")


def test_a_row_of_another_length_is_found_even_if_few_columns_are_read(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b,c\n1,2,3\n1,2,3,4\n1,2\n")
    assert "3 fields in each row, as in the header, found 4 in line 3; " in refusal_of(path, columns=["a"])


def test_later_rows_correct_the_types_that_the_first_rows_suggest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(csv_files, "SAMPLED_ROWS", 10)
    rows = [[i, i, i, "true", "", f"{i:03}"] for i in range(1000)]
    rows[500][1], rows[600][2], rows[700][3], rows[800][4] = 0.5, "none", "maybe", 7
    rows[900][5], rows[901][0] = "x", str(2**63)
    lines = "".join(",".join(map(str, row)) + "\n" for row in rows)
    frame = read_frame(write_table(tmp_path, "a,b,c,d,e,f\n" + lines)).frame
    assert frame.dtypes == [pl.Float64, pl.Float64, pl.Float64, pl.String, pl.Int64, pl.Float64]
    assert frame["b"].to_list() == [row[1] for row in rows]
    assert frame["c"].to_list() == [None if row[2] == "none" else row[2] for row in rows]
    assert frame["e"].drop_nulls().to_list() == [7]
    assert frame["f"][7] == 7
    path = write_table(tmp_path, "a,b\n" + "1,2\n" * 900 + "1,2,3\n")
    assert "2 fields in each row, as in the header, found 3 in line 902; " in refusal_of(path)


def test_a_long_line_or_an_open_quote_is_found_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(csv_bytes, "MAX_ROW_BYTES", 1 << 12)
    long_field, rows = "x" * 3000, "1,2\n" * 400
    assert read_frame(write_table(tmp_path, f"a,b\n{long_field},1\n")).frame["a"][0] == long_field
    too_long = "lines of at most 4.1 kB, found a longer one in line "
    assert f"{too_long}402; " in refusal_of(write_table(tmp_path, "a,b\n" + rows + "x" * 9999))
    assert f"{too_long}1; " in refusal_of(write_table(tmp_path, "x" * 9999 + "\n1\n"))
    assert "found none for that in line 402; " in refusal_of(write_table(tmp_path, "a,b\n" + rows + '"x,' + rows * 4))
    lines = "two\nlines" * 200
    assert read_frame(write_table(tmp_path, f'a,b\n"{lines}",1\n')).frame["a"][0] == lines


@given(st.binary(max_size=300), st.integers(0, 5))
def test_a_byte_is_quoted_after_an_odd_number_of_quotes(data: bytes, copies: int) -> None:
    array = np.frombuffer(data + b'x"y,\n' * copies * 20, np.uint8)
    assert csv_bytes.quoted(array).tolist() == np.logical_xor.accumulate(array == ord('"')).tolist()


def test_batches_are_the_text_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    rows = [(f"{i:04}", "" if i % 3 else "NA", f'say "{i}",\n') for i in range(1000)]
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "c"), *rows])
    batches = read_batches(path, rows=300)
    parts, done = [], []
    for part in batches:
        parts.append(part)
        done.append(batches.done)
    assert [part.height for part in parts] == [300, 300, 300, 100]
    assert pl.concat(parts).rows() == rows
    assert done == sorted(done)
    assert done[-1] == batches.total == path.stat().st_size


def test_a_wrong_row_ends_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    batches = read_batches(write_table(tmp_path, "a,b\n" + "1,2\n" * 1000 + "3\n"), rows=100)
    assert next(batches).height == 100
    with pytest.raises(TableError, match=r"table\.csv: expected 2 fields .* found 1 in line 1002; "):
        list(batches)


@given(st.lists(st.sampled_from([*'ab1.,;\n\r" -', "\n1,2", "é", "inf", "NA", "true", "2024-01-01"]), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_text_is_a_table_or_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], parts: list[str]) -> None:
    path = write_table(tmp_path, "a,b\n1,2" + "".join(parts))
    try:
        frame = read_frame(path).frame
    except TableError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some texts are tables
    else:
        assert frame.columns == ["a", "b"]
    assert capfd.readouterr() == ("", "")


# Values that are read back as they are written. A text begins with t, so that it spells no number and no missing value.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6).map(
    lambda name: name.strip(BLANKS)
)
TEXTS = NAMES.map(lambda text: f"t{text}".strip(BLANKS)).filter(
    lambda text: text.strip().lower() not in ("true", "false")
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x or 0.5).filter(lambda x: x % 1 != 0)
VALUES = st.sampled_from([TEXTS, FLOATS, st.integers(-(10**11), 10**11 - 1), st.booleans()])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Columns with values of one type each, of which all but the first may be missing."""
    names = draw(st.lists(NAMES.filter(str.strip), min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(1, 6))
    types = [draw(VALUES) for _ in names]
    return {
        name: [draw(values), *(draw(st.none() | values) for _ in range(rows - 1))]
        for name, values in zip(names, types, strict=True)
    }


@given(
    table=tables(),
    separator=st.sampled_from(csv_bytes.SEPARATORS),
    newline=st.sampled_from(["\n", "\r\n"]),
    data=st.data(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_that_the_csv_module_writes_is_read_back(
    tmp_path: Path, table: dict[str, list[Any]], separator: str, newline: str, data: st.DataObject
) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=newline, quoting=csv.QUOTE_ALL)
        writer.writerow(table)
        if data.draw(st.booleans()) and len(table) > 1:
            writer = csv.writer(file, delimiter=separator, lineterminator=newline)
        missing = st.sampled_from(MISSING)
        for row in zip(*table.values(), strict=True):
            writer.writerow([data.draw(missing) if value is None else value for value in row])
    assert read_frame(path).frame.to_dict(as_series=False) == table

"""Files as tables: what is read, what is refused and in which words."""

import csv
import math
import os
import re
import resource
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.tables import csv_bytes, csv_files, memory
from model.tables.errors import TableError
from model.tables.memory import available_memory
from model.tables.parsing import MISSING
from model.tables.reading import read_batches, read_frame, read_names

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and say where it is."""

    def write(content: str | bytes, name: str = "table.csv") -> Path:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / name

    return write


def refusal(path: Path, **choice: Any) -> str:
    """What is said of a file, which is one sentence that begins with its name."""
    with pytest.raises(TableError) as error:
        read_frame(path, **choice)
    text = str(error.value)
    assert text.startswith(f"{path}: expected ")
    assert "\n" not in text
    assert re.search(", found .+; .+", text)
    return text.removeprefix(f"{path}: ")


# What a file holds -> what is read from it.
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
def test_a_csv_file_is_read(write: Write, content: str, expected: dict[str, list[Any]]) -> None:
    frame = read_frame(write(content))
    assert frame.to_dict(as_series=False) == expected
    kinds = {int: pl.Int64, float: pl.Float64, bool: pl.Boolean, str: pl.String}
    for name, values in expected.items():
        assert frame[name].dtype == next((kinds[type(value)] for value in values if value is not None), pl.String)
    assert read_names(write(content)) == list(expected)


# The content of a file -> what is said of it.
REFUSED: list[tuple[str | bytes, str]] = [
    ("", "a table, found an empty file; "),
    ("a,b\n", "rows below the header, found none; "),
    ("a,b", "rows below the header, found none; "),
    ("a,b\n\n\r\n", "rows below the header, found none; "),
    ("\na,b\n1,2\n", "the names of the columns in line 1, found a blank line; "),
    ("a,b,a,c,b\n1,2,3,4,5\n", "different names of columns, found a, b more than once; "),
    ("a,,c\n1,2,3\n", "a name for each column, found none for column 2 of 3; "),
    ("a,b\n1,2\n3\n4,5\n", "2 fields in each row, as in the header, found 1 in line 3; "),
    ("a,b\n1,2\n3,4,5\n", "2 fields in each row, as in the header, found 3 in line 3; "),
    ("a,b\n1,2,3\n4\n", "2 fields in each row, as in the header, found 3 in line 2; "),
    ("a,b\n1\n2,3,4\n", "2 fields in each row, as in the header, found 1 in line 2; "),
    ('a,b\n"x\ny",2\n\n3\n', "2 fields in each row, as in the header, found 1 in line 5; "),
    ('a,b\n"x,2\n3,4\n', "a closing quote for each opening one, found none for that in line 2; close it"),
    ('a,b\n1,x\n5" pipe,4\n', "quotes around whole fields, found one inside a field in line 3; "),
    ('a,b\n1,x\n"5"" pipe" new,4\n', "quotes around whole fields, found one inside a field in line 3; "),
    ("a,b\n1,2\n3,ä\n".encode("latin-1"), "text in UTF-8, found the byte 0xe4 in line 3; "),
    ("ä,b\n1,2\n".encode("latin-1"), "text in UTF-8, found the byte 0xe4 in line 1; "),
    ("a,b\n1,2\n".encode("utf-16"), "a table as CSV or Parquet, found text in UTF-16; "),
    (b"a,b\n1,\x00\n", "a table as CSV or Parquet, found a binary file, with a NUL byte; "),
    (b"\x89PNG\r\n\x1a\n\x00\x00", "a table as CSV or Parquet, found a picture; "),
    (b"PK\x03\x04\x14\x00", "a table as CSV or Parquet, found a zip archive or a spreadsheet; "),
    (b"\x1f\x8b\x08\x00", "a table as CSV or Parquet, found a gzip archive; unpack it"),
    ("a,b\r1,2\r3,4\r", "lines that end in newlines, found carriage returns alone; "),
    ("a,b\n1,2\ninf,3\n", "finite numbers, found inf in the column 'a', row 2; "),
    ("a,b\n1,2\n3,-1e999\n", "finite numbers, found -inf in the column 'b', row 2; "),
    (
        "x,when,born,at\n1,2024-01-31T10:00:00Z,31.12.1999,12:30:00\n2,,1/2/2000,\n",
        "numbers, texts or truth values, found dates or times in when, born, at; "
        "leave them out with `--drop when,born,at`",
    ),
    ("x,the day\n1,2024-01-31\n", "dates or times in the day; leave them out with `--drop 'the day'`"),
    (b"PAR1", "a whole Parquet file, found a broken one; "),
    (b"PAR1" + bytes(100) + b"PAR1", "a whole Parquet file, found a broken one; "),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_what_is_no_table_is_refused(
    write: Write, content: str | bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(write(content))
    assert capfd.readouterr() == ("", "")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "a table, found no file; " in refusal(tmp_path / "none.csv")
    assert "a table, found a directory; " in refusal(tmp_path)
    assert "a regular file, found a pipe or a device; " in refusal(tmp_path / "fifo")
    assert "a regular file, found a pipe or a device; " in refusal(Path("/dev/zero"))
    assert "a readable file, found embedded null byte; " in refusal(Path("a\0b"))
    assert "a readable file, found file name too long; " in refusal(tmp_path / ("a" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_refused(write: Write) -> None:
    path = write("a,b\n1,2\n")
    path.chmod(0)
    assert "a readable file, found permission denied; " in refusal(path)


def test_columns_are_chosen(write: Write) -> None:
    path = write("when,a,b,c\n2024-01-01,1,2,x\n2024-01-02,3,4,y\n")
    assert read_frame(path, ["c", "a", "c"]).rows() == [("x", 1), ("y", 3)]
    assert read_frame(path, ["b"], target="c").rows() == [(2, "x"), (4, "y")]
    assert read_frame(path, target="a", drop=["when"]).rows() == [(1, 2, "x"), (3, 4, "y")]
    assert refusal(path, columns=["a", "z"]).startswith("expected a column 'z', found the columns when, a, b, c; ")
    assert refusal(path, drop=["z"]).startswith("expected a column 'z', found the columns when, a, b, c; ")
    assert refusal(path, columns=[]).startswith("expected a column to read, found none; ")
    path = write(",".join(f"c{index}" for index in range(13)) + "\n" + ",".join("1" * 13) + "\n")
    assert "found the columns c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 3 more; " in refusal(path, target="z")
    pl.DataFrame({"a": [1], "b": [[1]], "c": ["x"]}).write_parquet(path)
    assert read_frame(path, ["c", "a"]).rows() == [("x", 1)]
    assert refusal(path, columns=["z"]).startswith("expected a column 'z', found the columns a, b, c; ")


def test_rows_of_other_lengths_are_found_where_few_columns_are_read(write: Write) -> None:
    path = write("a,b,c\n1,2,3\n1,2,3,4\n1,2\n")
    assert "3 fields in each row, as in the header, found 4 in line 3; " in refusal(path, columns=["a"])


def test_later_rows_belie_the_types_of_the_first(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(csv_files, "SAMPLED_ROWS", 10)
    rows = [[i, i, i, "true", "", f"{i:03}"] for i in range(1000)]
    rows[500][1], rows[600][2], rows[700][3], rows[800][4] = 0.5, "none", "maybe", 7
    rows[900][5], rows[901][0] = "x", str(2**63)
    path = write("a,b,c,d,e,f\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    frame = read_frame(path)
    assert frame.dtypes == [pl.Float64, pl.Float64, pl.String, pl.String, pl.Int64, pl.String]
    assert frame["b"].to_list() == [row[1] for row in rows]
    assert frame["c"].to_list() == [str(row[2]) for row in rows]
    assert frame["e"].drop_nulls().to_list() == [7]
    assert frame["f"][7] == "007"
    assert "2024" not in refusal(write("a,b\n" + "1,2\n" * 900 + "1,2,3\n"))
    assert "2 fields in each row, as in the header, found 3 in line 902; " in refusal(path)


def test_long_lines_and_open_quotes_are_found_early(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(csv_bytes, "MAX_ROW_BYTES", 1 << 12)
    assert read_frame(write("a,b\n" + "x" * 3000 + ",1\n"))["a"][0] == "x" * 3000
    row = "1,2\n" * 400
    assert "lines of at most 4.1 kB, found a longer one in line 402; " in refusal(write("a,b\n" + row + "x" * 9999))
    assert "lines of at most 4.1 kB, found a longer one in line 1; " in refusal(write("x" * 9999 + "\n1\n"))
    assert "found none for that in line 402; " in refusal(write("a,b\n" + row + '"x,' + row * 4))
    quoted = 'a,b\n"' + "two\nlines " * 200 + '",1\n'
    assert read_frame(write(quoted * 1))["a"][0] == "two\nlines " * 200


@given(st.binary(max_size=300), st.integers(0, 5))
def test_quotes_are_told_apart_from_the_rest(data: bytes, copies: int) -> None:
    array = np.frombuffer(data + b'x"y,\n' * copies * 20, np.uint8)
    assert csv_bytes.quoted(array).tolist() == np.logical_xor.accumulate(array == ord('"')).tolist()


def test_a_file_beyond_the_memory_is_refused(write: Write) -> None:
    path = write("a,b\n1,2\n")
    os.truncate(path, 5 * 10**12)
    assert re.search(r"at most the .+B of memory that are available, found a file of 5.0 TB; ", refusal(path))
    path = write("a,b\n" + "1,2\n" * 1000)
    assert "at most the 10.0 kB of memory that are available, found about 1,000 rows of 16.0 kB; " in refusal(
        path, memory=10_000
    )
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    assert "at most the 7.0 kB of memory that are available, found 1,000 rows of 8.0 kB; " in refusal(
        path, memory=7_000
    )


def test_the_least_of_the_limits_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def group(folder: Path, **files: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)

    group(tmp_path, cgroup="4:cpu:/\n3:memory:/one\n0::/two/three\n")
    group(tmp_path / "two" / "three", memory__max="max\n", memory__current="5\n")
    group(tmp_path / "two", memory__max="1000\n", memory__current="700\n", memory__stat="anon 1\ninactive_file 50\n")
    names = {"memory__limit_in_bytes": "2000\n", "memory__usage_in_bytes": "100\n", "memory__stat": "inactive_file 9\n"}
    group(tmp_path / "memory" / "one", **names)
    assert list(memory._left_by_control_groups(f"{tmp_path}/cgroup", str(tmp_path))) == [1900, 350]
    assert list(memory._left_by_control_groups(f"{tmp_path}/none", str(tmp_path))) == []
    before = available_memory()
    assert 0 < before < 1 << 50
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1, 1))
    assert available_memory() == 0


def test_a_parquet_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "[table]*.csv"
    frame = pl.DataFrame(
        {
            "f": pl.Series([1.5, math.nan, None], dtype=pl.Float32),
            "i": pl.Series([1, None, 3], dtype=pl.UInt8),
            "u": pl.Series([1, 2, 2**64 - 1], dtype=pl.UInt64),
            "d": pl.Series(["1.25", "2", None]).cast(pl.Decimal(10, 2)),
            "b": [True, None, False],
            "c": pl.Series(["x", "y", "NA"], dtype=pl.Categorical),
            "e": pl.Series(["x", "y", "x"], dtype=pl.Enum(["x", "y"])),
            "n": pl.Series([None] * 3, dtype=pl.Null),
            "t": ["1", " 2.5", "?"],
        }
    )
    frame.write_parquet(path)
    expected = {
        "f": [1.5, None, None],
        "i": [1, None, 3],
        "u": [1.0, 2.0, 2.0**64],
        "d": [1.25, 2.0, None],
        "b": [True, None, False],
        "c": ["x", "y", None],
        "e": ["x", "y", "x"],
        "n": [None] * 3,
        "t": [1.0, 2.5, None],
    }
    read = read_frame(path)
    assert read.to_dict(as_series=False) == expected
    kinds = [pl.Float64, pl.Int64, pl.Float64, pl.Float64, pl.Boolean, pl.String, pl.String, pl.String, pl.Float64]
    assert read.dtypes == kinds
    assert read_names(path) == frame.columns
    batches = read_batches(path, rows=2)
    parts = list(batches)
    assert (batches.rows, batches.done, batches.total, [part.height for part in parts]) == (3, 3, 3, [2, 1])
    assert pl.concat(parts).equals(frame)


def test_parquet_that_is_no_table_of_values_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.parquet"
    frame = pl.DataFrame(
        {
            "day": [date(2024, 1, 1)],
            "a": [1],
            "list": [[1]],
            "at": [time(1)],
            "struct": [{"x": 1}],
            "bytes": [b"x"],
            "long": [timedelta(1)],
        }
    )
    frame.write_parquet(path)
    assert refusal(path) == (
        "expected numbers, texts or truth values, "
        "found dates or times in day, at, long and nested or binary values in list, struct, bytes; "
        "leave them out with `--drop day,list,at,struct,bytes,long`"
    )
    assert read_frame(path, ["a"]).rows() == [(1,)]
    frame.clear().write_parquet(path)
    assert "rows and columns, found 0 rows of 7 columns; " in refusal(path)
    pl.DataFrame({"a": [1.0, math.inf]}).write_parquet(path)
    assert "finite numbers, found inf in the column 'a', row 2; " in refusal(path)
    pl.DataFrame({"a": range(9999)}).write_parquet(path)
    data = path.read_bytes()
    for size in (4, 12, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert "a whole Parquet file, found a broken one; write it again" in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_a_broken_parquet_file_is_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": range(50), "b": ["x", "y"] * 25}).write_parquet(path, compression="uncompressed")
    data = path.read_bytes()
    random = np.random.default_rng(0)
    for place in random.integers(4, len(data) - 8, 200):
        path.write_bytes(data[:place] + random.bytes(1) + data[place + 1 :])
        try:
            read_frame(path)
        except TableError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most of them are read
    assert capfd.readouterr() == ("", "")


def test_batches_are_the_text_of_a_csv_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    rows = [(f"{i:04}", "" if i % 3 else "NA", f'say "{i}",\n') for i in range(1000)]
    path = write("")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "c"), *rows])
    batches = read_batches(path, rows=300)
    parts, done = [], []
    for part in batches:
        parts.append(part)
        done.append(batches.done)
    assert batches.rows is None
    assert [part.height for part in parts] == [300, 300, 300, 100]
    assert pl.concat(parts).rows() == rows
    assert done == sorted(done)
    assert done[-1] == batches.total == path.stat().st_size
    batches = read_batches(write("a,b\n" + "1,2\n" * 1000 + "3\n"), rows=100)
    assert next(batches).height == 100
    with pytest.raises(TableError, match="found 1 in line 1002; "):
        list(batches)


@given(st.lists(st.sampled_from([*'ab1.,;\n\r" -', "\n1,2", "é", "inf", "NA", "true", "2024-01-01"]), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_text_is_a_table_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], parts: list[str]) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2" + "".join(parts), newline="")
    try:
        frame = read_frame(path)
    except TableError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some are read
    else:
        assert frame.columns == ["a", "b"]
    assert capfd.readouterr() == ("", "")


plain = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)
texts = plain.map(lambda text: f"t{text}").filter(lambda text: text.strip().lower() not in ("true", "false"))
numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value or 0.5).filter(lambda v: v % 1 != 0)
columns = st.sampled_from([texts, numbers, st.integers(-(2**63), 2**63 - 1), st.booleans()])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Columns of one kind of value each, the first of which is not missing."""
    names = draw(st.lists(plain.filter(str.strip), min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(1, 6))
    values = [draw(columns) for _ in names]
    return {
        name: [draw(kind), *(draw(st.none() | kind) for _ in range(rows - 1))]
        for name, kind in zip(names, values, strict=True)
    }


@given(
    table=tables(), separator=st.sampled_from(csv_bytes.SEPARATORS), end=st.sampled_from(["\n", "\r\n"]), data=st.data()
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_csv_module_writes_is_read_back(
    tmp_path: Path, table: dict[str, list[Any]], separator: str, end: str, data: st.DataObject
) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerow(table)
        if data.draw(st.booleans()) and len(table) > 1:
            writer = csv.writer(file, delimiter=separator, lineterminator=end)
        missing = st.sampled_from(MISSING)
        for row in zip(*table.values(), strict=True):
            writer.writerow([data.draw(missing) if value is None else value for value in row])
    assert read_frame(path).to_dict(as_series=False) == table

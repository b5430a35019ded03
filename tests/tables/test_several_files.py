"""Several files of one schema are read as if they had been one."""

import gzip
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zstandard

from model import Table, TableError, read_table
from model.tables import csv_bytes, csv_files
from model.tables.batches import read_batches
from model.tables.from_file import read_columns
from model.tables.reading import read_frame, read_names

HEADER = "size,price,when,code,grade,left,y"


def rows(count: int, first: int = 0) -> list[str]:
    """Rows with whole numbers, decimal numbers, dates, codes, texts, missing values and a target."""
    day = date(2024, 1, 1)
    return [
        f"{i % 7},{i * 0.37:.2f},{day + timedelta(i)},{i:05},{'low' if i % 3 else 'high'},{'' if i % 5 else i},{i % 2}"
        for i in range(first, first + count)
    ]


def write(path: Path, lines: Sequence[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def encodings(text: str) -> dict[str, bytes]:
    """The same text as people store it."""
    return {
        "plain.csv": text.encode(),
        "compressed.csv.gz": gzip.compress(text.encode(), mtime=0),
        "small.csv.zst": zstandard.compress(text.encode()),
        "utf16.csv": text.encode("utf-16"),
        "semicolons.csv": text.replace(",", ";").encode(),
        "tabs.txt": text.replace(",", "\t").encode(),
    }


def assert_same(found: Table, expected: Table) -> None:
    """To the bit, but for the notes."""
    assert found.digest == expected.digest
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)
    assert (found.columns, found.column_specs) == (expected.columns, expected.column_specs)
    assert (found.classes, found.task, found.dropped) == (expected.classes, expected.task, expected.dropped)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Ninety rows in three files."""
    return [write(tmp_path / f"part-{each}.csv", rows(30, 30 * each)) for each in range(3)]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The same rows in one file."""
    return write(tmp_path / "whole.csv", rows(90))


def test_three_files_are_the_table_of_one(parts: list[Path], whole: Path, tmp_path: Path) -> None:
    expected = read_table(whole, "y", keep=["code"])
    found = read_table(parts, "y", keep=["code"])
    assert_same(found, expected)
    assert found.notes == (f"read 3 files as one table, from {parts[0]} to {parts[2]}", *expected.notes)
    assert_same(read_table(str(tmp_path / "part-*.csv"), "y", keep=["code"]), expected)
    assert_same(read_table([tmp_path / "part-[01].csv", parts[2]], "y", keep=["code"]), expected)
    assert read_columns(parts)[0] == read_columns(whole)[0]
    assert read_names(parts) == HEADER.split(",")


def test_one_file_in_a_list_is_read_as_it_is(whole: Path) -> None:
    assert_same(read_table([whole], "y"), read_table(whole, "y"))
    assert read_table([whole], "y").notes == read_table(whole, "y").notes


def test_files_may_differ_in_how_they_are_stored(tmp_path: Path) -> None:
    for index in range(6):
        text = "\n".join([HEADER, *rows(20, 20 * index)]) + "\n"
        name, content = list(encodings(text).items())[index]
        (tmp_path / f"{index}-{name}").write_bytes(content)
    found = read_table(tmp_path / "[0-5]-*", "y")
    expected = read_table(write(tmp_path / "whole.csv", rows(120)), "y")
    assert_same(found, expected)
    assert f"in {tmp_path / '1-compressed.csv.gz'}: uncompressed with gzip" in found.notes
    assert f"in {tmp_path / '3-utf16.csv'}: read as UTF-16" in found.notes


def test_a_note_that_holds_for_all_files_is_told_once(parts: list[Path], tmp_path: Path) -> None:
    for part in parts:
        (tmp_path / f"{part.name}.gz").write_bytes(gzip.compress(part.read_bytes(), mtime=0))
    assert read_table(f"{tmp_path}/*.gz", "y").notes[1:2] == ("uncompressed with gzip",)


def test_the_columns_may_come_in_another_order(parts: list[Path], whole: Path) -> None:
    pl.read_csv(parts[1], infer_schema=False).select(*reversed(HEADER.split(","))).write_csv(parts[1])
    assert_same(read_table(parts, "y"), read_table(whole, "y"))
    assert pl.concat(read_batches(parts)).equals(pl.concat(read_batches(whole)))


# What one column holds in each of two files. The first rows of the first file suggest another type.
COLUMNS = [
    (["12139", "10001"], ["02139", "90210"]),
    (["1", "2"], ["3.5", "4"]),
    (["1", "2"], ["low", "high"]),
    (["true", "false"], ["TRUE", "no"]),
    (["true", "false"], ["1", "0"]),
    (["1", "2"], ["1,5", "2,5"]),
    (["1", "2"], ["7 kg", "8 kg"]),
    (["", ""], ["5", "6"]),
    (["5", "6"], ["", "NA"]),
    (["13/4/2024", "14/4/2024"], ["1/2/2024", "2/3/2024"]),
    (["1/2/2024", "2/3/2024"], ["13/4/2024", "14/4/2024"]),
    (["Yes", "no"], ["yes", "NO"]),
    (["9223372036854775807", "1"], ["9223372036854775808", "2"]),
    (["0.1", "1e22"], ["3", "x"]),
]


@pytest.mark.parametrize(("first", "second"), COLUMNS)
def test_types_and_spellings_are_told_from_all_rows(tmp_path: Path, first: list[str], second: list[str]) -> None:
    header = "v;y"
    one = write(tmp_path / "one.csv", [f"{text};{index}" for index, text in enumerate(first)], header)
    two = write(tmp_path / "two.csv", [f"{text};{index}" for index, text in enumerate(second)], header)
    both = write(
        tmp_path / "both.csv",
        [f"{text};{index}" for values in (first, second) for index, text in enumerate(values)],
        header,
    )
    for files, reference in (([one, two], both), ([two, one], None)):
        found = read_frame(files)
        if reference is None:
            reordered = [f"{text};{index}" for values in (second, first) for index, text in enumerate(values)]
            reference = write(tmp_path / "both.csv", reordered, header)
        expected = read_frame(reference)
        assert found.frame.equals(expected.frame)
        assert found.frame.dtypes == expected.frame.dtypes
        assert found.notes[1:] == expected.notes
        assert found[2:] == expected[2:]


def test_types_are_told_from_all_rows_of_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(csv_files, "SAMPLED_ROWS", 10)
    lines = rows(900)
    lines[250], lines[650] = lines[250].replace("low", "7", 1), "7,many," + lines[650].split(",", 2)[2]
    parts = [write(tmp_path / f"{index}.csv", lines[300 * index : 300 * (index + 1)]) for index in range(3)]
    expected = read_frame(write(tmp_path / "whole.csv", lines))
    found = read_frame(parts)
    assert found.frame.equals(expected.frame)
    assert found.frame.dtypes == expected.frame.dtypes
    assert pl.concat(read_batches(parts, rows=70)).equals(pl.concat(read_batches(tmp_path / "whole.csv")))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("a,c,y", "expected the columns of {0}, found no 'b' but 'c'; give all files the same columns"),
        ("a,y", "expected the columns of {0}, found no 'b'; give all files the same columns"),
        ("a,b,y,c", "expected the columns of {0}, found also 'c'; give all files the same columns"),
        (
            "1,2,3",
            "expected the columns of {0}, found no 'a' but '1'; give all files the same columns, with their names "
            "in the first line",
        ),
    ],
)
@pytest.mark.parametrize("read", [read_frame, lambda paths: list(read_batches(paths))])
def test_other_columns_are_refused(tmp_path: Path, header: str, message: str, read: Callable[[Any], Any]) -> None:
    row = ",".join("1" for _ in header.split(","))
    files = [write(tmp_path / "one.csv", ["1,2,3"], "a,b,y"), write(tmp_path / "two.csv", [row, row], header)]
    with pytest.raises(TableError) as caught:
        read(files)
    assert str(caught.value) == f"{files[1]}: {message.format(files[0])}"


def test_a_column_that_is_left_out_may_be_missing_elsewhere(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", ["0,1,2,", "1,3,4,"], ",a,y,")
    two = write(tmp_path / "two.csv", ["5,6", "7,8"], "a,y")
    assert read_frame([one, two]).frame.rows() == [(1, 2), (3, 4), (5, 6), (7, 8)]
    with pytest.raises(TableError, match=r"two\.csv: expected the columns of .*one\.csv, found no 'row'; "):
        read_frame([one, two], ["row", "a"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("inf,1", "expected finite numbers, found inf in the column 'a', row 2 of {1}; "),
        ("none,1", "'none' in a is read as missing, in row 2 of {1}"),
        ("1,2,3", "{1}: expected 2 fields in each row, as in the header, found 3 in line 3; "),
        ('5" pipe,1', "{1}: expected quotes around whole fields, found one inside a field in line 3; "),
    ],
)
def test_a_message_names_the_file_and_the_row_in_it(tmp_path: Path, bad: str, message: str) -> None:
    one = write(tmp_path / "one.csv", [f"{index},1" for index in range(100)], "a,y")
    two = write(tmp_path / "two.csv", ["1,1", bad, "2,1"], "a,y")
    try:
        told = "\n".join(read_frame([one, two]).notes)
    except TableError as error:
        told = str(error)
    assert message.format(one, two).replace("is read", "does not fit, and is read") in told


def test_a_message_about_all_files_names_the_first_and_their_number(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"part-0\.csv and 2 more: expected numbers or classes in when, found dates"):
        read_table(parts, "when")
    with pytest.raises(TableError, match=r"/part-\*\.csv: expected numbers or classes in when, found dates"):
        read_table(tmp_path / "part-*.csv", "when")
    with pytest.raises(TableError, match=r"part-0\.csv: expected a column 'z', found the columns size, "):
        read_table(parts, "z")


def test_files_that_do_not_fit_into_the_memory_are_refused(parts: list[Path]) -> None:
    size = sum(part.stat().st_size for part in parts)
    with pytest.raises(TableError, match="memory that are available, found files of "):
        read_frame(parts, memory=size - 1)


# What one column holds in each of two Parquet files, and what both are together.
PARQUET: list[tuple[pl.Series, pl.Series, pl.DataType, list[Any]]] = [
    (pl.Series([1, 2]), pl.Series([2.5, None]), pl.Float64(), [1.0, 2.0, 2.5, None]),
    (pl.Series([1, 2], dtype=pl.UInt8), pl.Series([-3, 4]), pl.Int64(), [1, 2, -3, 4]),
    (pl.Series([1, 2], dtype=pl.UInt64), pl.Series([-3, 4]), pl.Int64(), [1, 2, -3, 4]),
    (pl.Series([1, 2]), pl.Series(["3", "4"]), pl.Int64(), [1, 2, 3, 4]),
    (pl.Series([10001, 2]), pl.Series(["02139", "x"]), pl.String(), ["10001", "2", "02139", "x"]),
    (pl.Series([0.1, 1e22]), pl.Series(["3", "1e-7"]), pl.Float64(), [0.1, 1e22, 3.0, 1e-7]),
    (pl.Series([True, None]), pl.Series([1, 0]), pl.String(), ["true", None, "1", "0"]),
    (pl.Series([None, None]), pl.Series([1, 0]), pl.Int64(), [None, None, 1, 0]),
    (
        pl.Series(["a", "b"]).cast(pl.Enum(["a", "b"])),
        pl.Series(["c", "a"]).cast(pl.Categorical),
        pl.String(),
        [*"abca"],
    ),
    (
        pl.Series([date(1970, 1, 2), None]),
        pl.Series([date(1970, 1, 3), date(1970, 1, 1)]).cast(pl.Datetime("ms")),
        pl.Float64(),
        [86400.0, None, 172800.0, 0.0],
    ),
    (
        pl.Series([date(1970, 1, 2), None]),
        pl.Series(["1970-01-03", "?"]),
        pl.Float64(),
        [86400.0, None, 172800.0, None],
    ),
]


@pytest.mark.parametrize(("one", "two", "dtype", "values"), PARQUET)
def test_parquet_files_of_different_types_have_one_that_holds_both(
    tmp_path: Path, one: pl.Series, two: pl.Series, dtype: pl.DataType, values: list[Any]
) -> None:
    pl.DataFrame({"v": one, "y": [1, 2]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"y": [3, 4], "v": two}).write_parquet(tmp_path / "2.parquet")
    frame = read_frame(f"{tmp_path}/*.parquet").frame
    assert frame["v"].dtype == dtype
    assert frame.to_dict(as_series=False) == {"v": values, "y": [1, 2, 3, 4]}
    batches = read_batches(f"{tmp_path}/*.parquet", rows=1)
    frames = list(batches)
    assert len({tuple(each.schema.items()) for each in frames}) == 1
    assert pl.concat(frames)["y"].to_list() == [1, 2, 3, 4]
    assert (batches.done, batches.total) == (4, 4)


def test_types_that_no_type_holds_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"v": [timedelta(1)]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"v": ["1 day"]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(TableError, match=r"1\.parquet: expected one type of v in all files, found Duration.*; write"):
        read_frame([tmp_path / "1.parquet", tmp_path / "2.parquet"])


def test_text_and_parquet_are_not_mixed(tmp_path: Path, whole: Path) -> None:
    pl.read_csv(whole).write_parquet(tmp_path / "1.parquet")
    for read in (read_frame, read_batches):
        with pytest.raises(TableError) as caught:
            read([whole, tmp_path / "1.parquet"])
        assert str(caught.value) == (
            f"{tmp_path / '1.parquet'}: expected a file of text, as {whole} is, found a Parquet file; "
            "give all files in one format"
        )


def test_batches_follow_the_files(parts: list[Path], whole: Path) -> None:
    batches = read_batches(parts, rows=20)
    seen = [(batches.path, batches.first, frame.height, batches.done) for frame in batches]
    sizes = [part.stat().st_size for part in parts]
    assert [each[:3] for each in seen] == [
        (part, first, height) for part in parts for first, height in ((0, 20), (20, 10))
    ]
    assert [each[3] for each in seen[1::2]] == np.cumsum(sizes).tolist()
    assert pl.concat(read_batches(parts)).equals(pl.concat(read_batches(whole)))


def test_batches_tell_how_each_file_is_read_once_it_is_open(parts: list[Path], tmp_path: Path) -> None:
    for part in parts[1:]:
        part.write_bytes(gzip.compress(part.read_bytes(), mtime=0))
    batches = read_batches(parts)
    assert batches.notes == (f"read 3 files as one table, from {parts[0]} to {parts[2]}",)
    list(batches)
    assert batches.notes[1:] == (f"in {parts[1]}: uncompressed with gzip",)


def test_copies_of_several_files_are_deleted(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for part in parts:
        part.write_bytes(gzip.compress(part.read_bytes(), mtime=0))
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1 << 8)
    read_frame(parts)
    batches = read_batches(parts, rows=5)
    for part in parts:
        while batches.path != part or not batches.first:
            next(batches)
        assert len(list(folder.iterdir())) == 1
    del batches
    assert list(folder.iterdir()) == []

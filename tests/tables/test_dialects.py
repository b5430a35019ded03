"""CSV files as people have them: what is read, and what is said about how it was read."""

import gzip
from pathlib import Path
from typing import Any

import pytest
import zstandard

from model.tables.batches import read_batches
from model.tables.reading import read_frame, read_names
from tests.tables.examples import refusal_of, write_table

EMPTY = ["left out an empty last column; --columns empty reads that column anyway"]
BLANKS, WINDOWS = ["runs of blanks are read as separators"], ["read as Windows-1252"]
TABLE = {"x": [1.5, 2.5, 3.0], "z": [7, 8, 9], "ok": ["yes", "no", "yes"]}
PLAIN = "x,z,ok\n1.5,7,yes\n2.5,8,no\n3.0,9,yes\n"
NUMBERED = ",x,ok\n0,1.5,yes\n1,2.5,no\n2,3.5,yes\n"

# The content of a file that holds TABLE, and the notes.
SAME: dict[str, tuple[str | bytes, list[str]]] = {
    "plain": (PLAIN, []),
    "a mark": ("\ufeff" + PLAIN, []),
    "gzip": (gzip.compress(PLAIN.encode()), ["uncompressed with gzip"]),
    "gzip in two parts": (
        gzip.compress(PLAIN[:20].encode()) + gzip.compress(PLAIN[20:].encode()),
        ["uncompressed with gzip"],
    ),
    "zstd": (zstandard.compress(PLAIN.encode()), ["uncompressed with zstd"]),
    "UTF-16": (PLAIN.encode("utf-16"), ["read as UTF-16"]),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), ["read as UTF-16"]),
    "UTF-16, the other way, without a mark": (PLAIN.encode("utf-16-be"), ["read as UTF-16"]),
    "UTF-32": (PLAIN.encode("utf-32"), ["read as UTF-32"]),
    "UTF-16 in gzip": (gzip.compress(PLAIN.encode("utf-16")), ["uncompressed with gzip", "read as UTF-16"]),
    "carriage returns": (PLAIN.replace("\n", "\r"), ["carriage returns are read as ends of lines"]),
    "both": (PLAIN.replace("\n", "\r\n"), []),
    "tabs": (PLAIN.replace(",", "\t"), []),
    "semicolons": (PLAIN.replace(",", ";"), []),
    "bars": (PLAIN.replace(",", "|"), []),
    "blanks": (PLAIN.replace(",", " "), BLANKS),
    "runs of blanks": (PLAIN.replace(",", "    "), BLANKS),
    "blanks before each row": (
        "  " + PLAIN.replace(",", "   ").replace("\n", "\n  ").rstrip(" "),
        BLANKS,
    ),
    "blanks and a tab": (
        "x  z\tok\n1.5  7\tyes\n2.5  8\tno\n3.0  9\tyes\n",
        BLANKS,
    ),
    "blanks around values": (PLAIN.replace(",", " ,  "), []),
    "blanks that do not break": (PLAIN.replace(",", ",\u00a0"), []),
    "blank lines above": ("\n\n" + PLAIN, []),
    "blank lines between": (PLAIN.replace("\n", "\n\n"), []),
    "a comment": ("# made by a tool\n" + PLAIN, ["left out what is above line 2"]),
    "comments with commas": ("# a, b\n# c\n" + PLAIN, ["left out what is above line 3"]),
    "comments with as many commas": ("# a, b, c\n#d,e,f\n" + PLAIN, ["left out what is above line 3"]),
    "a comment before the names": ("# " + PLAIN, ["left out # before the names"]),
    "single quotes": (
        "'x','z','ok'\n1.5,'7','yes'\n2.5,'8','no'\n3.0,'9','yes'\n",
        ["single quotes are read as quotes"],
    ),
    "single quotes and semicolons": (
        "'x';'z';'ok'\n'1.5';'7';'yes'\n'2.5';'8';'no'\n'3.0';'9';'yes'\n",
        ["single quotes are read as quotes"],
    ),
    "a title": ("Report of 2024\n" + PLAIN, ["left out what is above line 2"]),
    "a title and a blank line": ("Report of 2024\n\n" + PLAIN, ["left out what is above line 3"]),
    "a title with commas": ("Report of 2024,,\n,,\n" + PLAIN, ["left out what is above line 3"]),
    "commas at the ends": (
        PLAIN.replace("\n", ",\n"),
        EMPTY,
    ),
    "commas at the ends of the rows": (
        "x,z,ok\n" + PLAIN.split("\n", 1)[1].replace("\n", ",\n"),
        EMPTY,
    ),
    "row numbers": (
        ",x,z,ok\n0,1.5,7,yes\n1,2.5,8,no\n2,3.0,9,yes\n",
        ["left out row numbers; --columns row reads that column anyway"],
    ),
    "row numbers twice": (
        "Unnamed: 0,x,z,ok\n0,1.5,7,yes\n1,2.5,8,no\n2,3.0,9,yes\n",
        ["left out row numbers; --columns 'Unnamed: 0' reads that column anyway"],
    ),
    "row names": (
        'x,z,ok\n"Ann",1.5,7,yes\n"Bob",2.5,8,no\n"Eve",3.0,9,yes\n',
        ["left out row names; --columns row reads that column anyway"],
    ),
}

# Other tables: the content, what is read, and the notes.
OTHERS: list[tuple[str | bytes, dict[str, list[Any]], list[str]]] = [
    (
        "ville,x\nMontréal,1\nQuébec,2\n".encode("cp1252"),
        {"ville": ["Montréal", "Québec"], "x": [1, 2]},
        WINDOWS,
    ),
    (
        "année,x\n2000,“a”\n2001,€\n".encode("cp1252"),
        {"année": [2000, 2001], "x": ["“a”", "€"]},
        WINDOWS,
    ),
    (
        "Made on,2024-01-01,,,\na,b,c,d,e\n1,2,3,4,5\n",
        {"a": [1], "b": [2], "c": [3], "d": [4], "e": [5]},
        ["left out what is above line 2"],
    ),
    (b"a,b\n\x81,1\n", {"a": ["\x81"], "b": [1]}, WINDOWS),
    (
        "x,x,y\n1,2,3\n4,5,6\n",
        {"x": [1, 4], "x_2": [2, 5], "y": [3, 6]},
        ["column 2 is called 'x_2', because another is called 'x'"],
    ),
    (
        "x,x_2,x\n1,2,3\n",
        {"x": [1], "x_2": [2], "x_3": [3]},
        ["column 3 is called 'x_3', because another is called 'x'"],
    ),
    ("x,,y\n1,a,3\n4,b,6\n", {"x": [1, 4], "c2": ["a", "b"], "y": [3, 6]}, ["column 2 has no name, and is called c2"]),
    (",x\na,1\nb,2\n", {"c1": ["a", "b"], "x": [1, 2]}, ["column 1 has no name, and is called c1"]),
    ("x,\n1,a\n2,b\n", {"x": [1, 2], "c2": ["a", "b"]}, ["column 2 has no name, and is called c2"]),
    ("#id,x\n1,2\n3,4\n", {"#id": [1, 3], "x": [2, 4]}, []),
    ("#,x\n1,2\n3,4\n", {"#": [1, 3], "x": [2, 4]}, []),
    ("'a','b'\n'it''s','x;\"y'\n", {"a": ["it's"], "b": ['x;"y']}, ["single quotes are read as quotes"]),
    ("'a','b'\n'tis,5\n", {"'a'": ["'tis"], "'b'": [5]}, []),
    ("a b\n1\n2\n", {"a b": [1, 2]}, []),
    ('"a,1";b\n"x;y";2\n', {"a,1": ["x;y"], "b": [2]}, []),
    (
        'm  name\n1  "ford pinto"\n2  "vw rabbit"\n',
        {"m": [1, 2], "name": ["ford pinto", "vw rabbit"]},
        BLANKS,
    ),
]


@pytest.mark.parametrize("name", SAME)
def test_the_same_table_is_read_from_each_dialect(tmp_path: Path, name: str) -> None:
    content, notes = SAME[name]
    path = write_table(tmp_path, content)
    found = read_frame(path)
    assert found.frame.to_dict(as_series=False) == TABLE
    assert list(found.notes) == notes
    assert read_names(path) == list(TABLE)
    batches = read_batches(path)
    rows = [row for part in batches for row in part.select(*TABLE).rows()]
    assert [[text.strip("\u00a0 ") for text in row] for row in rows] == [
        ["1.5", "7", "yes"],
        ["2.5", "8", "no"],
        ["3.0", "9", "yes"],
    ]
    assert list(batches.notes) == [note for note in notes if "--columns" not in note]
    assert batches.done == batches.total


@pytest.mark.parametrize(("content", "expected", "notes"), OTHERS)
def test_other_tables_are_read(
    tmp_path: Path, content: str | bytes, expected: dict[str, list[Any]], notes: list[str]
) -> None:
    found = read_frame(write_table(tmp_path, content))
    assert found.frame.to_dict(as_series=False) == expected
    assert list(found.notes) == notes


def test_a_header_that_is_repeated_is_no_row(tmp_path: Path) -> None:
    lines = PLAIN.splitlines(keepends=True)
    path = write_table(tmp_path, "".join([*lines[:3], lines[0], lines[0], lines[3]]))
    found = read_frame(path)
    assert found.frame.to_dict(as_series=False) == TABLE
    assert found.notes == ("left out the header where it is repeated, in row 3, 4",)
    assert [row for part in read_batches(path) for row in part.rows()][2:] == [("3.0", "9", "yes")]
    assert read_frame(write_table(tmp_path, "x\nx\ny\n")).frame["x"].to_list() == ["x", "y"]


def test_a_column_that_is_left_out_is_read_if_it_is_asked_for(tmp_path: Path) -> None:
    path = write_table(tmp_path, NUMBERED.replace(",x", "Unnamed: 0,x", 1))
    assert read_frame(path).frame.columns == ["x", "ok"]
    assert read_frame(path, ["Unnamed: 0", "x"]).frame.columns == ["Unnamed: 0", "x"]
    assert read_frame(path, ["Unnamed: 0", "x"]).notes == ()
    assert read_frame(path, target="Unnamed: 0").frame.columns == ["x", "ok", "Unnamed: 0"]


@pytest.mark.parametrize(
    ("header", "row", "other", "message"),
    [
        ("x,", "1,", "2,late", "expected an empty last column, as in the first rows, found 'late' in row 301 of"),
        (",x", "7,1", "last,2", "expected row numbers, as in the first rows, found 'last' in row 301 of"),
    ],
)
def test_a_column_is_not_left_out_if_a_later_row_has_something_else(
    tmp_path: Path, header: str, row: str, other: str, message: str
) -> None:
    path = write_table(tmp_path, f"{header}\n" + f"{row}\n" * 300 + f"{other}\n")
    assert refusal_of(path).startswith(message)


def test_a_file_without_a_header_has_columns_by_their_positions(tmp_path: Path) -> None:
    path = write_table(tmp_path, "\ufeff1.5,7,yes\n2.5,8,no\n")
    assert read_frame(path, has_header=False).frame.to_dict(as_series=False) == {
        "c1": [1.5, 2.5],
        "c2": [7, 8],
        "c3": ["yes", "no"],
    }
    assert "or read the first row as values with --no-header" in refusal_of(path, target="ok")
    path = write_table(tmp_path, "1,,,,2\n" + "1,2,3,4,5\n" * 9)
    assert read_frame(path, has_header=False).frame.height == 10


def test_copies_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = write_table(tmp_path, gzip.compress(PLAIN.replace(",", " ").encode("utf-16")))
    read_frame(path)
    batches = read_batches(path, rows=1)
    next(batches)
    assert len(list(folder.iterdir())) > 0
    del batches
    assert list(folder.iterdir()) == []


def test_a_lack_of_room_for_a_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    message = refusal_of(write_table(tmp_path, gzip.compress(PLAIN.encode())))
    assert message.startswith(f"expected room for a copy in {tmp_path / 'none'}, found no such file or directory; ")

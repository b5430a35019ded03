"""Sheets of .xlsx files are read as files of text are."""

import builtins
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import polars as pl
import pytest

from model import TableError, read_table
from model.tables.batches import read_batches
from model.tables.readable_text import Hints
from model.tables.reading import read_frame, read_names
from tests.tables.examples import refusal_of, write_table

ROWS: list[list[Any]] = [
    ["size", "color", "wild", "when", "at", "code", "y"],
    [1, "red", True, date(2024, 1, 31), time(12, 30), "02139", 0.1],
    [2.5, "blue, dark", False, datetime(2024, 2, 1, 6, 30), time(0, 5), "10001", 1e22],
    [None, 'a "big" one', True, date(2024, 2, 29), time(23, 59, 59), "90210", -3],
]
READ = {
    "size": [1.0, 2.5, None],
    "color": ["red", "blue, dark", 'a "big" one'],
    "wild": [True, False, True],
    "when": [1706659200.0, 1706769000.0, 1709164800.0],
    "at": [45000.0, 300.0, 86399.0],
    "code": ["02139", "10001", "90210"],
    "y": [0.1, 1e22, -3.0],
}


def write_book(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]], merged: Sequence[str] = ()) -> Path:
    """Write an .xlsx file with these sheets. merged: ranges of the first one."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    for cells in merged:
        book.worksheets[0].merge_cells(cells)
    book.save(path)
    return path


def as_csv(rows: Sequence[Sequence[Any]]) -> str:
    """The rows as a person would write them into a CSV file."""
    return "".join(
        ",".join("" if value is None else '"{}"'.format(str(value).replace('"', '""')) for value in row) + "\n"
        for row in rows
    )


def test_the_cells_of_a_sheet_are_read(tmp_path: Path) -> None:
    path = write_book(tmp_path / "table.xlsx", {"Sheet": ROWS})
    found = read_frame(path)
    assert found.frame.to_dict(as_series=False) == READ
    assert found.notes[0] == "read the sheet 'Sheet'"
    assert read_names(path) == list(READ)


def test_a_sheet_is_the_table_of_a_csv_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows: list[list[Any]] = [["size", "price", "color", "when", "y"]]
    for index in range(200):
        size = None if index % 9 == 0 else round(float(rng.normal()), 6)
        color = rng.choice(["red", "green, light", "NA"])
        rows.append([size, int(rng.integers(1000)), str(color), date(2024, 1, 1) + timedelta(index), index % 2])
    expected = read_table(write_table(tmp_path, as_csv(rows)), "y")
    found = read_table(write_book(tmp_path / "table.xlsx", {"Sheet": rows}), "y")
    assert found.digest == expected.digest
    assert found.notes == ("read the sheet 'Sheet'", *expected.notes)
    batches = read_batches(tmp_path / "table.xlsx", rows=70)
    frame = pl.concat(batches)
    assert frame.equals(pl.concat(read_batches(tmp_path / "table.csv")))
    assert batches.done == batches.total


def test_it_is_a_spreadsheet_whatever_its_name_is(tmp_path: Path) -> None:
    assert read_frame(write_book(tmp_path / "table.csv", {"Sheet": ROWS})).frame.to_dict(as_series=False) == READ


PLAIN: list[list[Any]] = [["a", "b", "y"], [1, "x", 2], [3, "z", 4]]
TABLE = {"a": [1, 3], "b": ["x", "z"], "y": [2, 4]}

# Sheets that hold TABLE, and the notes besides that of the sheet.
SAME: dict[str, tuple[list[list[Any]], list[str]]] = {
    "plain": (PLAIN, []),
    "empty rows and columns around": (
        [[], [], *([None, None, *row, None] for row in PLAIN), [], [None, " "]],
        [],
    ),
    "empty rows between": ([PLAIN[0], [], PLAIN[1], [None] * 3, PLAIN[2]], []),
    "a title": ([["Report"], [], *PLAIN], ["left out what is above line 3"]),
    "a title in the middle": ([[None, "Report"], *PLAIN], ["left out what is above line 2"]),
    "line breaks in cells": ([["a", "b", "y"], [1, "x", 2], [3, "z\r\n", 4]], []),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_table_is_found_on_each_sheet(tmp_path: Path, name: str) -> None:
    rows, notes = SAME[name]
    found = read_frame(write_book(tmp_path / "table.xlsx", {"Sheet": rows}))
    assert found.frame.to_dict(as_series=False) == TABLE
    assert list(found.notes) == ["read the sheet 'Sheet'", *notes]


def test_two_cells_above_a_wide_table_are_a_title(tmp_path: Path) -> None:
    rows = [["Made on", date(2024, 1, 1)], [], [*"abcdey"], *([*range(index, index + 6)] for index in range(3))]
    found = read_frame(write_book(tmp_path / "table.xlsx", {"Sheet": rows}))
    assert found.frame.columns == [*"abcdey"]
    assert found.frame.rows() == [tuple(row) for row in rows[3:]]
    assert found.notes[1:] == ("left out what is above line 3",)


def test_errors_and_formulas_without_values_are_missing(tmp_path: Path) -> None:
    rows = [["a", "b", "y"], [1, "#DIV/0!", 2], ["#N/A", 5, "=A2+1"], [3, "#REF!", "=B2"], [4, 6, 7]]
    found = read_frame(write_book(tmp_path / "table.xlsx", {"Sheet": rows}))
    assert found.frame.rows() == [(1, None, 2), (None, 5, None), (3, None, None), (4, 6, 7)]
    assert found.notes[1:] == (
        "cells with an error such as #DIV/0! are read as missing: 3 in all",
        "formulas without a value are missing, 2 in all; save the file in a spreadsheet program to compute them",
    )


def test_the_value_of_a_formula_is_read(tmp_path: Path) -> None:
    path = write_book(tmp_path / "table.xlsx", {"Sheet": [["a", "y"], [1, "=A2+1"], [3, 4]]})
    edit_sheet(
        path, lambda text: text.replace("<v/>", "<v>2</v>").replace("<v />", "<v>2</v>").replace("<v></v>", "<v>2</v>")
    )
    found = read_frame(path)
    assert found.frame.rows() == [(1, 2), (3, 4)]
    assert len(found.notes) == 1


def edit_sheet(path: Path, edit: Callable[[str], str], part: str = "xl/worksheets/sheet1.xml") -> None:
    """Change the text of a part of an .xlsx file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    before = parts[part].decode()
    parts[part] = edit(before).encode()
    assert parts[part].decode() != before
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_cells_that_are_merged_with_one_above_have_its_value(tmp_path: Path) -> None:
    rows = [
        ["Sales of 2024"],
        ["region", "shop", "y"],
        ["north", "a", 1],
        [None, "b", 2],
        ["south", "c", 3],
        [None, "d", 4],
    ]
    path = write_book(tmp_path / "table.xlsx", {"Sheet": rows}, ["A1:C1", "A3:A4", "A5:A6"])
    found = read_frame(path)
    assert found.frame.rows() == [("north", "a", 1), ("north", "b", 2), ("south", "c", 3), ("south", "d", 4)]
    assert found.notes == (
        "read the sheet 'Sheet'",
        "each row of merged cells has the value of the top cell: 2 more cells",
        "left out what is above line 2",
    )


def test_durations_are_seconds(tmp_path: Path) -> None:
    rows = [["long", "y"], [timedelta(hours=30), 1], [timedelta(minutes=1), 2]]
    found = read_frame(write_book(tmp_path / "table.xlsx", {"Sheet": rows}))
    assert found.frame.rows() == [(108000.0, 1), (60.0, 2)]
    assert found.notes[1:] == ("durations are read as seconds",)


def test_the_first_visible_sheet_with_cells_is_read_unless_another_is_named(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {
        "Lists": [["v"], [1]],
        "Empty": [[]],
        "One": PLAIN,
        "Two": [["p", "q"], [5, 6]],
    }
    path = write_book(tmp_path / "table.xlsx", sheets)
    book = openpyxl.load_workbook(path)
    book["Lists"].sheet_state = "hidden"
    book.save(path)
    found = read_frame(path)
    assert found.frame.to_dict(as_series=False) == TABLE
    assert found.notes == ("read the sheet 'One', and not Two, Lists; --sheet chooses another",)
    two = read_frame(path, sheet="Two")
    assert (two.frame.rows(), two.notes) == (
        [(5, 6)],
        ("read the sheet 'Two', and not One, Lists; --sheet chooses another",),
    )
    assert read_names(path, Hints(sheet="Two")) == ["p", "q"]
    assert next(read_batches(path, sheet="Two")).rows() == [("5", "6")]
    assert refusal_of(path, sheet="two") == (
        "expected a sheet 'two', found the sheets Lists, Empty, One, Two; name one of them with --sheet"
    )
    assert refusal_of(path, sheet="Empty") == (
        "expected a sheet with cells, found an empty one; name another file, or another sheet with --sheet"
    )


def test_a_sheet_of_another_file_is_refused(tmp_path: Path) -> None:
    expected = "expected a spreadsheet, because --sheet names a sheet, found a "
    path = write_table(tmp_path, "a,b\n1,2\n")
    assert refusal_of(path, sheet="x") == f"{expected}file of text; leave --sheet out"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    assert refusal_of(path, sheet="x") == f"{expected}Parquet file; leave --sheet out"
    with pytest.raises(TableError, match="found a Parquet file; leave --sheet out"):
        read_batches(path, sheet="x")


def test_a_sheet_and_a_text_can_be_read_together(tmp_path: Path) -> None:
    one = write_book(tmp_path / "one.xlsx", {"Sheet": PLAIN})
    two = write_table(tmp_path, "y;b;a\n6;x;5\n")
    found = read_frame([one, two])
    assert found.frame.rows() == [(1, "x", 2), (3, "z", 4), (5, "x", 6)]
    assert f"in {one}: read the sheet 'Sheet'" in found.notes


def archive_of(parts: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# A book as spreadsheet programs write it: with shared texts, cached values, a style of dates, days from 1904 on, and a
# sheet that says that it has one cell.
WRITTEN_BY_HAND = {
    "[Content_Types].xml": f"""<Types xmlns="{PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KIND}.worksheet+xml"/>
<Override PartName="/xl/styles.xml" ContentType="{KIND}.styles+xml"/>
<Override PartName="/xl/sharedStrings.xml" ContentType="{KIND}.sharedStrings+xml"/></Types>""".encode(),
    "_rels/.rels": f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>""".encode(),
    "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="/xl/worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{OFFICE}/styles" Target="styles.xml"/>
<Relationship Id="rId3" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>""".encode(),
    "xl/workbook.xml": f"""<workbook {MAIN} xmlns:r="{OFFICE}"><workbookPr date1904="1"/>
<sheets><sheet name="A &amp; B" sheetId="1" r:id="rId1"/></sheets></workbook>""".encode(),
    "xl/styles.xml": f"""<styleSheet {MAIN}>
<fonts><font/></fonts><fills><fill><patternFill/></fill></fills>
<borders><border/></borders>
<cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>""".encode(),
    "xl/sharedStrings.xml": f"""<sst {MAIN}><si><t>name</t></si><si><t>when</t></si><si><t>y</t></si>
<si><r><t>Ann</t></r><r><t xml:space="preserve"> Lee</t></r></si><si><t>Bob_x000D_
Ray</t></si></sst>""".encode(),
    "xl/worksheets/sheet1.xml": f"""<worksheet {MAIN}><dimension ref="A1"/><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>
<row r="2"><c r="A2" t="s"><v>3</v></c><c r="B2" s="1"><v>1</v></c>
<c r="C2"><f>1/10+2/10</f><v>0.30000000000000004</v></c></row>
<row r="4"><c r="A4" t="s"><v>4</v></c><c r="B4" s="1"><v>99999999999</v></c>
<c r="C4" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>
<row r="5"><c r="A5" t="str"><f>""</f><v></v></c><c r="C5"><f>1+1</f></c></row>
<row r="6"><c r="B6" s="1"><v>2.5</v></c><c r="C6" t="b"><v>1</v></c></row>
</sheetData></worksheet>""".encode(),
}


def test_a_book_as_spreadsheet_programs_write_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(archive_of(WRITTEN_BY_HAND))
    batches = read_batches(path)
    assert next(batches).rows() == [
        ("Ann Lee", "1904-01-02", "0.30000000000000004"),
        ("Bob Ray", "", ""),
        ("", "1904-01-03 12:00:00", "true"),
    ]
    assert batches.notes == (
        "read the sheet 'A & B'",
        "cells with an error such as #VALUE! are read as missing: 2 in all",
        "formulas without a value are missing, 1 in all; save the file in a spreadsheet program to compute them",
    )


SAVE = "save it again as .xlsx or CSV"
# Files that are not read, and with which words.
OTHERS: dict[str, tuple[bytes, str]] = {
    "old": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        "expected a table as CSV or Parquet, found an old spreadsheet (.xls), or one with a password; "
        "save it without a password as .xlsx or CSV",
    ),
    "open document": (
        archive_of({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"}),
        f"expected an .xlsx file, found an OpenDocument spreadsheet (.ods); {SAVE}",
    ),
    "binary": (
        archive_of({"[Content_Types].xml": b"<x/>", "xl/workbook.bin": b"x"}),
        f"expected an .xlsx file, found a binary spreadsheet (.xlsb); {SAVE}",
    ),
    "another archive": (
        archive_of({"table.csv": b"a,b\n1,2\n"}),
        "expected a table as CSV or Parquet, found a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    ),
    "no content": (
        archive_of({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}),
        f"expected a whole .xlsx file, found a broken one; {SAVE}",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_spreadsheets_and_archives_are_refused(tmp_path: Path, name: str) -> None:
    content, message = OTHERS[name]
    assert refusal_of(write_table(tmp_path, content)) == message


def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_book(tmp_path / "table.xlsx", {"Sheet": ROWS})
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for size in rng.integers(40, len(data) - 1, 30):
        path.write_bytes(data[:size])
        assert refusal_of(path) == f"expected a whole .xlsx file, found a broken one; {SAVE}"
    for position in rng.integers(4, len(data), 150):
        path.write_bytes(data[:position] + rng.bytes(2) + data[position + 2 :])
        try:
            read_frame(path)
        except TableError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some are read
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml"]
)
def test_a_part_that_is_cut_is_refused_in_one_sentence(tmp_path: Path, part: str) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(archive_of(WRITTEN_BY_HAND))
    edit_sheet(path, lambda text: text[: len(text) * 2 // 3], part)
    assert refusal_of(path) == f"expected a whole .xlsx file, found a broken one; {SAVE}"


def test_without_the_extra_one_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "openpyxl":
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **options)

    path = write_book(tmp_path / "table.xlsx", {"Sheet": ROWS})
    monkeypatch.setattr(builtins, "__import__", without)
    assert refusal_of(path) == (
        "expected openpyxl, which reads .xlsx files, found none; "
        "install it with `pip install 'nudge-jax[excel]'`, or save the sheet as CSV"
    )


def test_copies_of_sheets_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_book(tmp_path / "table.xlsx", {"Sheet": ROWS})
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    read_frame(path)
    batches = read_batches(path, rows=1)
    next(batches)
    assert len(list(folder.iterdir())) == 1
    del batches
    assert list(folder.iterdir()) == []

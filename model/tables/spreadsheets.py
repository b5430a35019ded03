"""A sheet of an .xlsx file -> a temporary file of text with commas. This needs the extra `excel`."""

from __future__ import annotations

import csv
import io
import os
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any

from model.messages import DISTRIBUTION, join_names, quote
from model.tables.decoding import PlainText, temporary_file
from model.tables.errors import PathLike, TableError
from model.tables.files import opened
from model.tables.sheet_cells import SheetCells
from model.tables.sheet_marks import read_marks

if TYPE_CHECKING:
    from openpyxl import Workbook

HEAD_BYTES = 1 << 12
ZIP_MAGIC, BOOK = b"PK\x03\x04", "xl/workbook.xml"
SAVE_AGAIN = "save it again as .xlsx or CSV"


def is_spreadsheet(path: PathLike) -> bool:
    """Whether a file is an .xlsx file, whatever its name.

    Args:
        path: the file.

    Returns:
        True if it is; False for any other file that is not refused below.

    Raises:
        TableError: if it is a broken .xlsx file, or a spreadsheet in the format .xlsb or .ods.
    """
    with opened(path) as file:
        head = file.read(HEAD_BYTES)
        if not head.startswith(ZIP_MAGIC):
            return False
        try:
            with zipfile.ZipFile(file) as archive:
                names = set(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError):
            if b"xl/" in head or os.fspath(path).lower().endswith((".xlsx", ".xlsm")):
                raise _broken() from None
            return False
    if "xl/workbook.bin" in names:
        raise TableError("an .xlsx file", "a binary spreadsheet (.xlsb)", SAVE_AGAIN)
    if b"application/vnd.oasis.opendocument.spreadsheet" in head:
        raise TableError("an .xlsx file", "an OpenDocument spreadsheet (.ods)", SAVE_AGAIN)
    return BOOK in names


def _broken() -> TableError:
    return TableError("a whole .xlsx file", "a broken one", SAVE_AGAIN)


def _empty() -> TableError:
    return TableError("a sheet with cells", "an empty one", "name another file, or another sheet with --sheet")


@contextmanager
def sheet_text(path: PathLike, sheet: str | None = None) -> Iterator[PlainText]:
    """A sheet of an .xlsx file as a text.

    Args:
        path: the file.
        sheet: the name of the sheet; by default the first sheet with cells, where hidden sheets come last.

    Yields:
        The text, with commas between the cells; it is deleted at the end. Each row of the sheet is the line of the same
        number. Dates are written as in ISO 8601, and numbers as Python writes them.

    Raises:
        TableError: if the file is broken, if it has no such sheet, if the sheet is empty, or if openpyxl is not
            installed.
    """
    with temporary_file() as copy:
        text = io.TextIOWrapper(copy, encoding="utf-8", errors="replace", newline="", write_through=True)
        notes = _write_sheet(path, sheet, text)
        text.flush()
        size = copy.tell()
        text.detach()
        yield PlainText(copy.name, size, notes)


def _write_sheet(path: PathLike, name: str | None, text: IO[str]) -> tuple[str, ...]:
    """Write the cells of a sheet, and return notes."""
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        spool = io.TextIOWrapper(stack.enter_context(temporary_file()), encoding="utf-8", errors="replace", newline="")
        with _checked():
            book = _load(file)
            stack.callback(book.close)
            sheets = sorted(book.worksheets, key=lambda each: each.sheet_state != "visible")
            filled = [each.title for each in sheets if _has_cells(each)]
            names = [each.title for each in book.worksheets]
        name = _chosen(name, filled, names)
        with _checked(), zipfile.ZipFile(file) as archive:
            marks = read_marks(archive, name)
        cells = SheetCells(marks)
        rows = cells.texts(_rows(book[name]))
        csv.writer(spool, lineterminator="\n").writerows(rows)
        spool.seek(0)
        _write_used(csv.reader(spool), cells, text)
        spool.detach()
    others = [each for each in filled if each != name]
    more = f", and not {join_names(others)}; --sheet chooses another" if others else ""
    return (f"read the sheet {quote(name)}{more}", *cells.notes())


def _load(file: io.FileIO) -> Workbook:
    try:
        import openpyxl
    except ImportError:
        remedy = f"install it with `pip install '{DISTRIBUTION}[excel]'`, or save the sheet as CSV"
        raise TableError("openpyxl, which reads .xlsx files", "none", remedy) from None
    return openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)


@contextmanager
def _checked() -> Iterator[None]:
    """Raise TableError instead of the parser's errors if an .xlsx file is broken, and suppress its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (TableError, MemoryError):
        raise
    except Exception:
        raise _broken() from None


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    """The values of a sheet, row by row from the first. The size that the sheet itself states is ignored."""
    sheet.reset_dimensions()
    rows = sheet.iter_rows(values_only=True)
    while True:
        with _checked():
            row = next(rows, None)
        if row is None:
            return
        yield row


def _has_cells(sheet: Any) -> bool:
    return any(value not in (None, "") for row in _rows(sheet) for value in row)


def _chosen(name: str | None, filled: Sequence[str], names: Sequence[str]) -> str:
    """The name of the sheet to read. filled: the sheets that have cells. names: all sheets."""
    if name is not None and name not in names:
        raise TableError(f"a sheet {quote(name)}", f"the sheets {join_names(names)}", "name one of them with --sheet")
    if not filled or name not in (None, *filled):
        raise _empty()
    return filled[0] if name is None else name


def _write_used(rows: Iterable[Sequence[str]], cells: SheetCells, text: IO[str]) -> None:
    """Write the used columns, without blank rows at the end. All texts are in quotes, so that none is split."""
    width = cells.end - cells.first
    if width < 1:
        raise _empty()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    blank = 0
    for row in rows:
        used = row[cells.first : cells.end]
        if not any(used):
            blank += 1
            continue
        text.write("\n" * blank if width > 1 else "")  # in a single column a blank row is a missing value
        writer.writerow([*used, *[""] * (width - len(used))])
        blank = 0

"""Which cells of a sheet are merged, and how many of its formulas have no value.

Source: ECMA-376, Office Open XML, part 1, 18.3. openpyxl does not give this when it reads row by row.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple
from xml.etree import ElementTree
from zipfile import ZipFile

_RANGE = re.compile(r"([A-Z]+)(\d+):([A-Z]+)(\d+)")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


class SheetMarks(NamedTuple):
    """Which cells of a sheet are merged, and how many of its formulas have no value.

    Attributes:
        merged: the ranges of merged cells within a single column. For the index of a column, from 0, it maps the first
            row of each range to its last row, both from 1.
        empty_formulas: how many formulas have no value, because no program has computed them.
    """

    merged: dict[int, dict[int, int]]
    empty_formulas: int


def read_marks(archive: ZipFile, sheet: str) -> SheetMarks:
    """Find the merged cells and the formulas without a value of a sheet.

    Args:
        archive: the .xlsx file, open.
        sheet: the name of the sheet.

    Returns:
        The merged cells, and the number of formulas without a value.

    Raises:
        KeyError: if the archive lacks a part.
        StopIteration: if there is no such sheet.
        ElementTree.ParseError: if a part is broken.
    """
    merged: dict[int, dict[int, int]] = {}
    empty_formulas = 0
    with archive.open(_sheet_path(archive, sheet)) as file:
        for _, element in ElementTree.iterparse(file):
            kind = element.tag.rpartition("}")[2]
            if kind == "c":
                parts = {part.tag.rpartition("}")[2]: part.text for part in element}
                is_text = element.get("t") == "str"  # which may be empty
                empty_formulas += "f" in parts and not parts.get("v") and not is_text
            elif kind == "row":
                element.clear()
            elif kind == "mergeCell" and (found := _RANGE.fullmatch(element.get("ref", ""))):
                first, top, last, bottom = found.groups()
                if first == last:
                    merged.setdefault(_column_index(first), {})[int(top)] = int(bottom)
    return SheetMarks(merged, empty_formulas)


def _sheet_path(archive: ZipFile, sheet: str) -> str:
    """The name of a sheet's part in the archive."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    relation = next(each.get(_RELATION) for each in book.iter() if each.get("name") == sheet and each.get(_RELATION))
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    target = next(each.get("Target", "") for each in relations if each.get("Id") == relation)
    return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")


def _column_index(letters: str) -> int:
    """The index of a column, from 0: A is 0, Z is 25, AA is 26."""
    index = 0
    for letter in letters:
        index = 26 * index + ord(letter) - ord("A") + 1
    return index - 1

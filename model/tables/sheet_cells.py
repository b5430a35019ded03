"""The values of the cells of a sheet -> texts, as in a file of text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from model.tables.sheet_marks import SheetMarks

# What a cell shows when its formula fails.
ERRORS = frozenset(
    ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!", "#GETTING_DATA")
)
# Ends of lines within a cell; a carriage return may be escaped.
_LINE_ENDS = re.compile(r"(?:[\r\n]|_x000D_)+")


@dataclass
class SheetCells:
    """The cells of a sheet, the columns in which they are, and what the notes say about them.

    Attributes:
        marks: what the sheet says about its cells.
        first: the index of the first column that has a text, from 0.
        end: the index after the last such column; 0 if no text has been found yet.
        errors: how many cells have each error.
        durations: how many cells are durations.
        repeated: how many cells have the value of the cell above, because they are merged with it.
    """

    marks: SheetMarks
    first: int = 1 << 20
    end: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    durations: int = 0
    repeated: int = 0

    def texts(self, rows: Iterable[Sequence[Any]]) -> Iterator[list[str]]:
        """Yield the texts of each row.

        Args:
            rows: the values of the cells, from the first row of the sheet on.

        Yields:
            The texts, empty where a value is missing. Cells that are merged with the cell above have its text.

        Example:
            >>> cells = SheetCells(SheetMarks({0: {1: 2}}, 0))
            >>> list(cells.texts([("a", 1.0, True), (None, date(2024, 1, 31), "#DIV/0!")]))
            [['a', '1.0', 'true'], ['a', '2024-01-31', '']]
        """
        above: dict[int, tuple[int, str]] = {}
        for number, row in enumerate(rows, 1):
            texts = [self._text(value) for value in row]
            for column, (bottom, text) in list(above.items()):
                if number > bottom:
                    del above[column]
                elif text:
                    texts += [""] * (column + 1 - len(texts))
                    texts[column] = text
                    self.repeated += 1
            for column, spans in self.marks.merged.items():
                if number in spans and column < len(texts):
                    above[column] = spans[number], texts[column]
            used = [index for index, text in enumerate(texts) if text]
            if used:
                self.first, self.end = min(self.first, used[0]), max(self.end, used[-1] + 1)
            yield texts

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return repr(value)
        if isinstance(value, datetime):
            return value.isoformat(" ") if value.time() != time() else value.date().isoformat()
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            self.durations += 1
            return repr(value.total_seconds())
        text = _LINE_ENDS.sub(" ", str(value)).strip()
        if text in ERRORS:
            self.errors[text] += 1
            return ""
        return text

    def notes(self) -> tuple[str, ...]:
        """Notes on the cells.

        Returns:
            One sentence each.
        """
        notes = []
        if self.errors:
            example = next(iter(self.errors))
            notes.append(f"cells with an error such as {example} are read as missing: {self.errors.total():,} in all")
        if self.marks.empty_formulas:
            remedy = "save the file in a spreadsheet program to compute them"
            notes.append(f"formulas without a value are missing, {self.marks.empty_formulas:,} in all; {remedy}")
        if self.durations:
            notes.append("durations are read as seconds")
        if self.repeated:
            notes.append(f"each row of merged cells has the value of the top cell: {self.repeated:,} more cells")
        return tuple(notes)

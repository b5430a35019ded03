"""The layout of a CSV file: where its header and its rows are, its separator, and the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from model.messages import quote
from model.tables.column_names import numbered_name
from model.tables.csv_sample import SampledRow, common_width, read_sample
from model.tables.doubtful_points import decimal_mark
from model.tables.errors import PathLike

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
ROW_NUMBER = re.compile(r"\d+", re.ASCII)
# Why a column is left out.
ROW_NUMBERS, ROW_NAMES, EMPTY_LAST = "row numbers", "row names", "an empty last column"
# How pandas names the column of row numbers when it reads its own file.
_UNNAMED = re.compile(r"Unnamed: 0(\.\d+)*")

# How many renamed columns have a note each.
MAX_TOLD_NAMES = 5


@dataclass(frozen=True)
class Layout:
    """The layout of a CSV file.

    Attributes:
        names: the names of the columns, all different.
        separator: the character between two fields.
        start: the position at which the rows begin.
        line: the line at that position, from 1.
        left_out: by the names of columns that are left out unless they are asked for, why they are.
        notes: how the file was read, where that is not obvious; one sentence each.
        decimal: the character before decimals, if 20.000 may be twenty thousand in this file; otherwise empty.
        header: the line of the names, with its newline; empty if there is none, or if it may be a row of values.
    """

    names: tuple[str, ...]
    separator: str
    start: int
    line: int
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    decimal: str = ""
    header: bytes = b""


def layout_of(path: PathLike, has_header: bool = True) -> Layout:
    """The layout of a CSV file.

    Args:
        path: the file.
        has_header: whether the names of the columns are in the file; otherwise they are c1, c2, ….

    Returns:
        The layout. Titles and comments above the header are skipped.

    Raises:
        TableError: if there is no header.
    """
    sample = read_sample(path)
    rows, width = sample.rows, common_width(sample.rows)
    above = _rows_above(rows, width, float(median(map(_filled, rows))) if has_header else 0.0)
    above += _matching_comments(rows[above:], width) if has_header else 0
    header, body = rows[above], rows[above + has_header :]
    notes = [f"left out what is above line {header.first_line + 1}"] if above else []
    if has_header:
        names, left_out = _names(_without_hash(header.fields, body, notes), body, width, notes)
        first = header.next_line
    else:
        names, left_out = [f"c{position}" for position in range(1, 1 + width)], {}
        first = header.first_line
    decimal = decimal_mark([row.fields for row in body if len(row.fields) == width], sample.separator)
    is_certain = has_header and width > 1 and header.next_line == 1 + header.first_line
    is_certain = is_certain and not looks_like_values(names)
    return Layout(
        tuple(names),
        sample.separator,
        start=sample.position(first),
        line=1 + first,
        left_out=left_out,
        notes=tuple(notes),
        decimal=decimal,
        header=sample.line(header.first_line) if is_certain else b"",
    )


def looks_like_values(layout_names: Sequence[str]) -> bool:
    """Whether names of columns look like values, as they do if the file has no header.

    Args:
        layout_names: the names.

    Returns:
        True if one is a number.

    Example:
        >>> looks_like_values(["20.01", "yes"]), looks_like_values(["x1", "2nd"])
        (True, False)
    """
    return any(NUMBER.fullmatch(name) for name in layout_names)


def _rows_above(rows: Sequence[SampledRow], width: int, usual: float) -> int:
    """How many rows of titles and comments are above the header; 0 if there is no other row.

    usual: how many fields of a row usually have a text; 0 if no row is a title because it has fewer.
    """
    below = next((index for index, row in enumerate(rows) if not _is_title(row, width, usual)), 0)
    # In a header of two fields, one name may be missing. Then the next row has values.
    is_header = width == 2 and len(rows[0].fields) == 2 and any(map(NUMBER.fullmatch, rows[below].fields))
    return 0 if is_header else below


def _is_title(row: SampledRow, width: int, usual: float) -> bool:
    """Whether a row is a title or a comment.

    A title has a single field where other rows have several, or less than half of the usual number.
    """
    is_single = width > 1 and (not any(row.fields[1:]) or 2 * _filled(row) < usual)
    is_comment = row.fields[:1] != [] and row.fields[0].startswith("#") and len(row.fields) != width
    return is_single or is_comment


def _matching_comments(rows: Sequence[SampledRow], width: int) -> int:
    """How many comments with the usual number of fields are above the names. The names may be in the last comment."""
    comments = next((index for index, row in enumerate(rows) if not row.fields[0].startswith("#")), 0)
    below = [row.fields for row in rows[comments:] if len(row.fields) == width]
    are_names_below = len(rows[comments].fields) == width and _are_names(below[0], below[1:])
    return comments if are_names_below else max(comments - 1, 0)


def _are_names(fields: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row has no numbers, and some column below it has only numbers."""
    if any(map(NUMBER.fullmatch, fields)) or not below:
        return False
    return any(all(map(NUMBER.fullmatch, column)) for column in zip(*below, strict=True))


def _without_hash(header: Sequence[str], body: Sequence[SampledRow], notes: list[str]) -> list[str]:
    """The names without a # and a blank before them."""
    first = header[0]
    has_values = bool(body) and any(map(NUMBER.fullmatch, body[0].fields))
    if not (has_values and re.match(r"#\s", first)):
        return list(header)
    notes.append("left out # before the names")
    return [first[1:].lstrip(), *header[1:]]


def _filled(row: SampledRow) -> int:
    return sum(map(bool, row.fields))


def _names(
    header: Sequence[str], body: Sequence[SampledRow], width: int, notes: list[str]
) -> tuple[list[str], dict[str, str]]:
    """A name for each column, and why some columns are left out. Notes on renamed columns are added to `notes`."""
    names, left_out = list(header), dict[int, str]()
    columns = [[row.fields[index] for row in body if len(row.fields) == width] for index in range(width)]
    if width == len(names) + 1 and len(columns[0]) == len(body) > 1:
        if not any(columns[-1]):
            names.append("")
        elif len(set(columns[0])) == len(body):
            names.insert(0, "")
            left_out[0] = ROW_NAMES
    if width == len(names):
        first, last = names[0], len(names) - 1
        if (not first or _UNNAMED.fullmatch(first)) and columns[0] and all(map(ROW_NUMBER.fullmatch, columns[0])):
            left_out[0] = ROW_NUMBERS
        if not names[last] and not any(columns[last]):
            left_out[last] = EMPTY_LAST
    for index, why in left_out.items():
        names[index] = names[index] or _free("empty" if why == EMPTY_LAST else "row", set(names))
    names = _distinct(names, notes)
    return names, {names[index]: why for index, why in left_out.items()}


def _distinct(names: Sequence[str], notes: list[str]) -> list[str]:
    """The names, with new ones for those that are blank or occur before."""
    distinct: dict[str, None] = {}
    taken = set(names)
    renamed: list[str] = []
    numbers: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        free = name
        if not name:
            free = _free(f"c{position}", taken)
            renamed.append(f"column {position} has no name, and is called {free}")
        elif name in distinct:
            free, numbers[name] = numbered_name(name, taken, numbers.get(name, 2))
            renamed.append(f"column {position} is called {quote(free)}, because another is called {quote(name)}")
        taken.add(free)
        distinct[free] = None
    notes += renamed[:MAX_TOLD_NAMES]
    if len(renamed) > MAX_TOLD_NAMES:
        notes.append(
            f"{len(renamed) - MAX_TOLD_NAMES:,} more columns are renamed, because their names are missing or repeated"
        )
    return list(distinct)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name

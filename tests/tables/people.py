"""A table as people have it, what a person says of it, and the columns that most of the tables share."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np
import polars as pl

ROWS = 120
_POSITIONS = np.arange(ROWS)
_XS = 20 + 0.137 * ((_POSITIONS * 37) % 113)
_ZS = 2 + 0.029 * ((_POSITIONS * 17) % 103)
_YS = 3 * _XS - 2 * _ZS + np.random.default_rng(0).normal(size=ROWS)
# Two columns of numbers, and a number and a word that follow from them.
XS, ZS, YS = (tuple(f"{value:.2f}" for value in values) for values in (_XS, _ZS, _YS))
OKS = tuple("yes" if value > np.median(_YS) else "no" for value in _YS)
NUMBERS = tuple(float(x) for x in XS)
# A thousand times XS with commas, a hundred times XS with commas and a point, and both with marks as in Germany.
THOUSANDS = tuple(f"{1000 * value:,.0f}" for value in NUMBERS)
MONEY = tuple(f"{100 * value:,.2f}" for value in NUMBERS)
_MARKS = str.maketrans(",.", ".,")
GERMAN_THOUSANDS, GERMAN_MONEY = (tuple(text.translate(_MARKS) for text in texts) for texts in (THOUSANDS, MONEY))


class Column(NamedTuple):
    """What a person says of a column.

    Attributes:
        kinds: number, category, date, left out or refused; any of them will do.
        values: of the first rows if it is of the first kind; None where one is missing, a date as in ISO 8601.
        or_said: whether any kind will do if a note names the column.
    """

    kinds: tuple[str, ...]
    values: tuple[Any, ...] = ()
    or_said: bool = False


@dataclass(frozen=True)
class Case:
    """A file that people have.

    Attributes:
        name: of the case.
        content: of the file.
        target: the column to predict.
        columns: what a person says of the columns, by their names; others may be anything.
        says: for each note that is expected, the words in it.
        refused: words in the sentence with which the file is refused; none if it is read.
        task: that a person has with this target.
        classes: that a person sees in the target.
        targets: the first numbers of the target.
        options: of `read_table`.
        suffix: of the file's name.
    """

    name: str
    content: bytes
    target: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    says: tuple[tuple[str, ...], ...] = ()
    refused: tuple[str, ...] = ()
    task: str = ""
    classes: tuple[Any, ...] = ()
    targets: tuple[float, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ".csv"


def number(*values: float | None) -> Column:
    """A column of numbers."""
    return Column(("number",), values)


def category(*values: str | None) -> Column:
    """A column of few texts."""
    return Column(("category",), values)


def date(*values: str | None) -> Column:
    """A column of dates or times."""
    return Column(("date",), values)


def left_out() -> Column:
    """A column that is of no use."""
    return Column(("left out",))


def not_number() -> Column:
    """A column that must not be read as one of numbers or dates, unless a note says so."""
    return Column(("category", "left out"), (), True)


def or_said(column: Column) -> Column:
    """The same, but another kind will do if a note names the column."""
    return column._replace(or_said=True)


def or_else(column: Column, *kinds: str) -> Column:
    """The same, but these kinds will do too."""
    return column._replace(kinds=column.kinds + kinds)


def repeated(cells: Sequence[object]) -> tuple[str, ...]:
    """The cells again and again, one for each row."""
    return tuple(islice(cycle(map(str, cells)), ROWS))


def mixed(form: str, other: str) -> tuple[str, ...]:
    """XS in a form such as "{} kg", and in another in each second row of four."""
    return tuple((other if row % 4 == 1 else form).format(x) for row, x in enumerate(XS))


def written(columns: Mapping[str, Sequence[object]], separator: str = ",") -> str:
    """A header and rows, with quotes where they are needed."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def case(name: str, content: str | bytes, target: str, **expected: Any) -> Case:
    """A case of any text, in UTF-8."""
    return Case(name, content.encode() if isinstance(content, str) else content, target, **expected)


def words(name: str, cells: Mapping[str, Sequence[object]], separator: str = ",", **expected: Any) -> Case:
    """A case of some columns, with a number x and a target ok."""
    return case(name, written({**cells, "x": XS, "ok": OKS}, separator), "ok", **expected)


def one(
    name: str, cells: Sequence[object], expected: Column, *said: str, header: str = "v", separator: str = ","
) -> Case:
    """A case of one odd column. Its cells are repeated. A note has its name and these words, if there are any."""
    says = ((header, *said),) if said else ()
    text = written({header: repeated(cells), "x": XS, "y": YS}, separator)
    return case(name, text, "y", columns={header: expected, "x": number(*NUMBERS[:3])}, says=says)


def parquet(name: str, frame: Mapping[str, pl.Series], target: str, **expected: Any) -> Case:
    """A case of typed columns."""
    file = io.BytesIO()
    pl.DataFrame(dict(frame)).write_parquet(file)
    return Case(name, file.getvalue(), target, suffix=".parquet", **expected)

"""The words in a column that are read as missing, and when a note says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from model.messages import join_names, quote
from model.tables.csv_blocks import blocks, parse_block
from model.tables.csv_header import Layout
from model.tables.errors import PathLike
from model.tables.frames import pl
from model.tables.parsing import MISSING, SPREADSHEET_ERRORS
from model.tables.series_parsing import bare_series
from model.tables.stored_columns import StoredColumn
from model.tables.text_counts import text_counts

_WORDS = [word for word in MISSING if word]


class MissingWords(NamedTuple):
    """How often words that are read as missing occur in a column.

    Attributes:
        counts: how many cells have each word that occurs.
        rows: how many rows were searched; None if all rows were.
    """

    counts: Mapping[str, int]
    rows: int | None = None


def missing_words(texts: pl.Series, rows: int | None = None) -> MissingWords:
    """The words for missing in a column.

    Args:
        texts: the column as it is written. A column of other types has no such words.
        rows: how many rows these texts are if the column has more rows; otherwise None.

    Returns:
        The words, without empty texts.

    Example:
        >>> missing_words(pl.Series(["red", " NA", "", "NA"])).counts
        {'NA': 2}
    """
    if texts.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return MissingWords({}, rows)
    bare = bare_series(texts.alias("").cast(pl.String))
    return MissingWords(text_counts(bare.filter(bare.is_in(_WORDS))), rows)


def missing_words_of_csv(path: PathLike, layout: Layout, columns: Sequence[StoredColumn]) -> dict[str, MissingWords]:
    """The words for missing in the first rows of a CSV file.

    Args:
        path: the file, as plain text.
        layout: of the file.
        columns: as they were read. A column of numbers with no missing value has no such words.

    Returns:
        The words of all other columns, by the columns' names.
    """
    names = [column.name for column in columns if column.null_count or column.dtype == pl.String]
    if not names:
        return {}
    block = next(blocks(path, layout))
    frame = parse_block(path, block, layout, dict.fromkeys(names, pl.String), raw=True)
    rows = frame.height if frame.height < len(columns[0]) else None
    return {column.name: missing_words(column, rows) for column in frame.get_columns()}


def joined_words(parts: Sequence[Mapping[str, MissingWords] | None]) -> dict[str, MissingWords] | None:
    """The words for missing in several files.

    Args:
        parts: the words of each file.

    Returns:
        The words of all files; None if the words of one file are still in its columns.

    Example:
        >>> joined_words([{"age": MissingWords({"NA": 2})}, {}, {"age": MissingWords({"NA": 1, "?": 1})}])
        {'age': MissingWords(counts=Counter({'NA': 3, '?': 1}), rows=None)}
    """
    joined: dict[str, MissingWords] = {}
    for part in parts:
        if part is None:
            return None
        for name, words in part.items():
            before = joined.get(name, MissingWords({}))
            rows = None if before.rows is words.rows is None else (before.rows or 0) + (words.rows or 0)
            joined[name] = MissingWords(Counter(before.counts) + Counter(words.counts), rows)
    return joined


def missing_notes(name: str, dtype: pl.DataType, words: MissingWords) -> tuple[str, ...]:
    """The note on the words that are read as missing.

    In a column of texts, every such word is named, because it may be meant as a text. In a column of numbers, a single
    word such as NA needs no note.

    Args:
        name: of the column.
        dtype: the type of its values.
        words: the words that occur in it.

    Returns:
        One note, or no note.

    Example:
        >>> missing_notes("veneer", pl.String(), MissingWords({"None": 31}))
        ("'None' in veneer is read as missing, in 31 rows",)
        >>> missing_notes("age", pl.Float64(), MissingWords({"NA": 31}))
        ()
    """
    counts = words.counts
    is_plain = dtype.is_numeric() and len(counts) < 2 and not set(counts) & set(SPREADSHEET_ERRORS)
    if not counts or is_plain:
        return ()
    cells = sum(counts.values())
    place = f"{cells:,} row{'s' if cells > 1 else ''}" + (
        f" of {words.rows:,} that were searched" if words.rows else ""
    )
    verb = "are" if len(counts) > 1 else "is"
    return (f"{join_names([quote(word) for word in counts])} in {name} {verb} read as missing, in {place}",)

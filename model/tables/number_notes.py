"""Notes on a column of numbers as people write them: an example of each unusual spelling."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice

from model.messages import quote
from model.tables.frames import pl
from model.tables.row_places import ONE_FILE, RowPlaces
from model.tables.spelling import SURE_FACTORS, SpelledColumn
from model.tables.written_numbers import DASHES, LIMITS, WrittenNumber, take_apart

# How many texts that are read as missing, and how many marks that are ignored, have a note each.
MAX_TOLD_STRAYS, MAX_TOLD_MARKS = 3, 3
# How many texts are searched for the most unusual one.
SAMPLED_TEXTS = 1_000
_NO_CENTS = re.compile(rf"[0-9][.,][{DASHES}]")


def number_notes(
    name: str, series: pl.Series, counts: Mapping[str, int], found: SpelledColumn, places: RowPlaces = ONE_FILE
) -> list[str]:
    """Notes on how the numbers of a column were read, where that is not obvious.

    Args:
        name: of the column.
        series: its texts.
        counts: how many cells have each text.
        found: what the texts stand for.
        places: in which file each row is.

    Returns:
        One sentence each, without a full stop.

    Example:
        >>> from model.tables.spelling import NumberSpelling
        >>> found = SpelledColumn(NumberSpelling(suffix="kg"), {"5": 5.0, "5 kg": 5.0}, ())
        >>> number_notes("mass", pl.Series(["5", "5 kg"]), {"5": 1, "5 kg": 1}, found)
        ["'5 kg' in mass is read as 5, and 1 of 2 cells have no kg"]
    """
    notes = [_duration_note(name, found)] if found.spelling.is_duration else _spelling_notes(name, counts, found)
    notes += _mark_notes(name, counts, found)
    words = [text for text in found.spelling.absent if text not in found.strays]
    notes += [word_note(name, word, counts[word]) for word in words]
    return notes + stray_notes(name, series, found.strays, places)


def _duration_note(name: str, found: SpelledColumn) -> str:
    text = next(text for text in found.numbers if not text.isdigit() and not math.isnan(found.numbers[text]))
    return f"{quote(text)} in {name} is read as {found.numbers[text]:.12g} seconds"


def _spelling_notes(name: str, counts: Mapping[str, int], found: SpelledColumn) -> list[str]:
    """A note on the most unusual text, and on how many cells lack the unit that others have."""
    texts = (text for text, value in found.numbers.items() if not math.isnan(value))
    written = {text: parts for text in islice(texts, SAMPLED_TEXTS) if (parts := take_apart(text)) is not None}
    oddest = max(written, key=lambda text: _oddity(text, written[text], found))
    if not _oddity(oddest, written[oddest], found):
        return []
    note = f"{quote(oddest)} in {name} is read as {found.numbers[oddest]:.12g}"
    suffix, spelling = found.spelling.suffix, found.spelling
    if spelling.has_factors:
        others = {parts.suffix.casefold(): text for text, parts in written.items() if parts.suffix}
        others.pop(written[oddest].suffix.casefold(), None)
        note += "".join(f", {quote(text)} as {found.numbers[text]:.12g}" for text in others.values())
    if suffix in SURE_FACTORS:
        note += f", and the column counts in {suffix}"
    bare = sum(counts[text] for text in found.numbers if (parts := take_apart(text)) and not parts.suffix)
    if suffix and bare:
        cells = sum(counts[text] for text, value in found.numbers.items() if not math.isnan(value))
        note += f", and {bare:,} of {cells:,} cells have no {suffix}"
        note += " and are read as shares" if spelling.has_shares else ""
    return [note]


def _oddity(text: str, written: WrittenNumber, found: SpelledColumn) -> int:
    """How much a text differs from how Python writes numbers. Marks do not count: they have their own notes."""
    if written.marks or written.suffix in found.spelling.marks:
        return 0
    is_true_minus = text[0] in "−–" and found.spelling.is_plain
    is_odd_sign = written.is_negative and not text.startswith("-") and not is_true_minus
    digits = written.number.strip("0123456789")
    is_odd_number = digits != "" and (not _is_plain_number(written.number) or _NO_CENTS.search(text) is not None)
    return 2 * bool(written.prefix) + 2 * bool(written.suffix) + is_odd_sign + is_odd_number


def _is_plain_number(number: str) -> bool:
    try:
        float(number)
    except ValueError:
        return False
    return True


def _mark_notes(name: str, counts: Mapping[str, int], found: SpelledColumn) -> list[str]:
    """A note on each mark, with an example and the number of cells that have it."""
    if not found.spelling.marks:
        return []
    cells, examples = Counter[str](), dict[str, str]()
    for text, value in found.numbers.items():
        parts = None if math.isnan(value) else take_apart(text)
        if parts is not None:
            flags = (parts.suffix,) if parts.suffix in found.spelling.marks else ()
            for mark in (*parts.marks, *flags):
                cells[mark] += counts[text]
                examples.setdefault(mark, text)
    notes = []
    for mark, count in cells.most_common(MAX_TOLD_MARKS):
        text = examples[mark]
        how = "the limit itself" if mark in LIMITS else f"the mark {quote(mark)} is ignored"
        notes.append(f"{quote(text)} in {name} is read as {found.numbers[text]:.12g}: {how}, in {_cells(count)}")
    if len(cells) > MAX_TOLD_MARKS:
        others = cells.total() - sum(count for _, count in cells.most_common(MAX_TOLD_MARKS))
        notes.append(f"{len(cells) - MAX_TOLD_MARKS:,} more marks in {name} are ignored, in {_cells(others)}")
    return notes


def _cells(count: int) -> str:
    return f"{count:,} cell{'s' if count > 1 else ''}"


def word_note(name: str, word: str, rows: int) -> str:
    """The note that a word stands for a missing value.

    Args:
        name: of the column.
        word: the word.
        rows: how many rows have it.

    Returns:
        A sentence, without a full stop.

    Example:
        >>> word_note("age", "-", 3)
        "'-' in age is read as missing, in 3 rows"
    """
    return f"{quote(word)} in {name} is read as missing, in {rows:,} rows"


def stray_notes(name: str, series: pl.Series, strays: tuple[str, ...], places: RowPlaces = ONE_FILE) -> list[str]:
    """Notes on texts that are read as missing although they are not words for a missing value.

    Args:
        name: of the column.
        series: its texts.
        strays: the texts.
        places: in which file each row is.

    Returns:
        One sentence each, without a full stop.

    Example:
        >>> stray_notes("age", pl.Series(["4", "oops"]), ("oops",))
        ["'oops' in age does not fit, and is read as missing, in row 2"]
    """
    notes = []
    for text in strays[:MAX_TOLD_STRAYS]:
        rows = (series == text).fill_null(False).arg_true().to_list()
        notes.append(f"{quote(text)} in {name} does not fit, and is read as missing, in {places.places(rows)}")
    if len(strays) > MAX_TOLD_STRAYS:
        notes.append(f"{len(strays) - MAX_TOLD_STRAYS:,} more texts in {name} are read as missing")
    return notes

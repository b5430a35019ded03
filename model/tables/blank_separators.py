"""A text whose fields are separated by runs of blanks -> the same with single tabs, in a file of our own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from model.tables.csv_bytes import SEPARATORS
from model.tables.csv_header import NUMBER
from model.tables.csv_sample import SAMPLED_BYTES, SAMPLED_ROWS
from model.tables.decoding import PlainText, temporary_file
from model.tables.files import opened

_FIELD = re.compile(r'"[^"]*"|\S+')
# In how many of the sampled rows there must be as many fields as in most.
MIN_SHARE = 0.95


@contextmanager
def single_separators(text: PlainText) -> Iterator[PlainText]:
    """A text with a single character between two fields.

    Args:
        text: in UTF-8 with newlines.

    Yields:
        The text itself, or a copy, deleted at the end, in which each run of blanks outside of quotes is a tab.
    """
    with opened(text.path) as file:
        sample = file.read(SAMPLED_BYTES)
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    lines = [line for line in whole.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]
    if not are_blank_separated(lines[:SAMPLED_ROWS]):
        yield text
        return
    with open(text.path, encoding="utf-8-sig") as source, temporary_file() as copy:
        length = sum(copy.write(("\t".join(_FIELD.findall(line)) + "\n").encode()) for line in source)
        copy.flush()
        yield PlainText(copy.name, length, (*text.notes, "runs of blanks are read as separators"))


def are_blank_separated(lines: Sequence[str]) -> bool:
    """Whether runs of blanks separate the fields of most lines, and no other character does so better.

    Args:
        lines: the first lines of a text, none of them blank.

    Returns:
        True if nearly all lines have the same number of fields, and most fields below the first line are numbers, or no
        line has another separator.

    Example:
        >>> are_blank_separated(["x  y", "1  2", "3  4"]), are_blank_separated(["x,y", "a b,2"])
        (True, False)
    """
    rows = [_FIELD.findall(line) for line in lines if not line.startswith("#")]
    width, count = max(Counter(map(len, rows)).items(), key=lambda item: item[1], default=(0, 0))
    if width < 2 or len(rows) < 2 or count < MIN_SHARE * len(rows):
        return False
    if any(separator in line for separator in SEPARATORS.replace("\t", "") for line in lines):
        return False
    fields = [field for row in rows[1:] for field in row]
    numbers = sum(NUMBER.fullmatch(field) is not None for field in fields)
    return not any("\t" in line for line in lines) or (
        2 * numbers > len(fields) and any("  " in line for line in lines)
    )

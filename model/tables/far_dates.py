"""Dates such as 9999-12-31 that stand far from all others, and may stand for a missing value."""

from __future__ import annotations

from datetime import date

from model.tables.absent_texts import MIN_WORD_CELLS
from model.tables.date_columns import SECONDS_PER_DAY
from model.tables.date_spelling import describe_date
from model.tables.frames import pl

# Days that programs write for a missing date.
_STAND_INS = (
    *("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"),
    *("2099-12-31", "2999-12-31", "9999-12-31"),
)
_DAYS = tuple(date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal() for day in _STAND_INS)
# How many days such a day must be away from all others. It must also be farther away than they are from each other.
_MIN_DAYS_APART = 5 * 365


def far_date_notes(name: str, seconds: pl.Series) -> tuple[str, ...]:
    """Notes on the dates of a column that may stand for a missing value.

    Args:
        name: of the column.
        seconds: since 1970, null where a value is missing.

    Returns:
        One sentence for each day such as 9999-12-31 that several cells have and that is far from all others.

    Example:
        >>> far_date_notes("until", pl.Series([0.0, 86400.0, *[253402214400.0] * 3]))[0].partition(";")[0]
        '9999-12-31 in until is far from all other dates, in 3 rows'
    """
    days = (seconds.drop_nulls() / SECONDS_PER_DAY).floor().cast(pl.Int64)
    found = days.filter(days.is_in(_DAYS))
    others = days.filter(~days.is_in(_DAYS))
    if not len(found) or not len(others):
        return ()
    low, high = int(others.min() or 0), int(others.max() or 0)  # type: ignore[arg-type]
    notes = []
    for day in _DAYS:
        rows = int((found == day).sum())
        if rows >= MIN_WORD_CELLS and max(low - day, day - high) > max(high - low, _MIN_DAYS_APART):
            written = describe_date(float(SECONDS_PER_DAY * day), "ymd")
            notes.append(
                f"{written} in {name} is far from all other dates, in {rows:,} rows; it is read as a date, and may"
                " stand for a missing value"
            )
    return tuple(notes)

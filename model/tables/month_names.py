"""The names of months and of days of the week, in the languages that tables are often written in."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# From January on: English, German, Austrian, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish, Norwegian.
_MONTHS = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "jänner feber maerz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november december",
    "januar februar mars april mai juni juli august september oktober november desember",
)
# Abbreviations that are not the beginning of a name.
_SHORT_MONTHS = {"mrz": 3, "mrt": 3}
_WEEKDAYS = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "lunes martes miércoles jueves viernes sábado domingo",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "segunda terça quarta quinta sexta sábado domingo",
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "måndag mandag tisdag tirsdag onsdag torsdag fredag lördag lørdag söndag søndag",
)
# The fewest letters of an abbreviation.
_MIN_MONTH, _MIN_WEEKDAY = 3, 2


def _plain(name: str) -> str:
    """A name in lower case, without accents and without a full stop."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).rstrip(".")


def _beginnings(languages: Sequence[str]) -> dict[str, int]:
    """The months that names and their beginnings stand for, if that is the same month in all languages."""
    found: dict[str, set[int]] = {}
    for names in languages:
        for number, name in enumerate(map(_plain, names.split()), 1):
            for length in range(_MIN_MONTH, len(name) + 1):
                found.setdefault(name[:length], set()).add(number)
    return {name: number for name, (number, *others) in found.items() if not others}


_NUMBERS = _beginnings(_MONTHS) | _SHORT_MONTHS
_WEEKDAY_NAMES = tuple(_plain(name) for names in _WEEKDAYS for name in names.split())


@lru_cache(1024)
def month_number(name: str) -> int:
    """The month that a name stands for.

    Args:
        name: of a month, or its beginning of three letters or more, in any case, with or without a full stop.

    Returns:
        From 1 to 12; 0 if it stands for no month, or may stand for two.

    Example:
        >>> [month_number(name) for name in ("Sept.", "MÄRZ", "août", "enero", "jui", "Monday")]
        [9, 3, 8, 1, 0, 0]
    """
    return _NUMBERS.get(_plain(name), 0)


@lru_cache(1024)
def is_weekday(name: str) -> bool:
    """Whether a name stands for a day of the week.

    Args:
        name: of such a day, or its beginning of two letters or more, in any case, with or without a full stop.

    Returns:
        True if so.

    Example:
        >>> is_weekday("Tue"), is_weekday("Di."), is_weekday("miércoles"), is_weekday("May")
        (True, True, True, False)
    """
    plain = _plain(name)
    return len(plain) >= _MIN_WEEKDAY and any(each.startswith(plain) for each in _WEEKDAY_NAMES)

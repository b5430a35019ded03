"""How durations are written, and how many seconds each is."""

from __future__ import annotations

import re

_SECONDS = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001}
# The words for each unit in English, German, French, Spanish, Italian and Portuguese.
_WORDS = {
    "w": "w wk wks week weeks",
    "d": "d day days tag tage tagen jour jours día días dia dias giorno giorni",
    "h": "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore",
    "min": "m min mins minute minutes minuten minuto minutos minuti",
    "s": "s sec secs second seconds sek sekunde sekunden seconde secondes segundo segundos secondo secondi",
    "ms": "ms msec millisecond milliseconds",
}
_UNITS = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_ORDER = tuple(_SECONDS)
_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_SIGN = r"(?P<sign>[+−-])?\s*"
_CLOCK = re.compile(
    rf"{_SIGN}(?:(?P<days>[0-9]+)\s*d(?:ays?)?(?P<comma>,)?\s*)?(?P<rest>[+-])?"
    r"(?:(?P<hours>[0-9]+):)?(?P<minutes>[0-9]+):(?P<seconds>[0-9]{2}(?:[.,][0-9]+)?)"
)
_FRENCH = re.compile(rf"{_SIGN}(?P<hours>[0-9]+)\s?[hH]\s?(?P<minutes>[0-9]{{2}})")
_ISO = re.compile(
    rf"{_SIGN}P(?:(?P<w>{_NUMBER})W)?(?:(?P<d>{_NUMBER})D)?"
    rf"(?:T(?:(?P<h>{_NUMBER})H)?(?:(?P<min>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?"
)
_PART = rf"({_NUMBER})\s*([^\W\d_]+)\.?"
_PARTS = re.compile(_PART)
_SPOKEN = re.compile(rf"{_SIGN}{_PART}(?:,?\s*(?:(?:and|und|et|y|e)\s+)?{_PART})*")


def read_duration(text: str) -> float | None:
    """The seconds of a duration.

    Args:
        text: without blanks around it: 25:10:00 with hours, 25:10 with minutes and seconds, 0 days 00:05:00, 1h 05m,
            3 hours and 20 minutes, or PT1H5M as in ISO 8601.

    Returns:
        Seconds; None if the text is not such a duration.

    Example:
        >>> [read_duration(text) for text in ("25:10:00", "1:02:03.5", "1h 05m", "PT1H5M", "-1 days +23:59:00")]
        [90600.0, 3723.5, 3900.0, 3900.0, -60.0]
        >>> [read_duration(text) for text in ("1:75:00", "5m 1h", "12 H", "90")]
        [None, None, None, None]
    """
    for read in (_clock, _iso, _spoken):
        seconds = read(text)
        if seconds is not None:
            return seconds
    return None


def duration_unit(text: str) -> str | None:
    """The unit of a duration that is a single number with a unit.

    Args:
        text: without blanks around it.

    Returns:
        w, d, h, min, s or ms; None if the text is not a duration, or has several parts.

    Example:
        >>> duration_unit("90 min"), duration_unit("2 Std."), duration_unit("1h 05m"), duration_unit("2 kg")
        ('min', 'h', None, None)
    """
    found = _PARTS.fullmatch(text.lstrip("+-− "))
    return None if found is None else _unit(found[2])


def _unit(word: str) -> str | None:
    """The unit that a word stands for. A capital letter is not a unit: banks write S and H for debit and credit."""
    return _UNITS.get(word if len(word) == 1 else word.lower())


def _clock(text: str) -> float | None:
    found = _CLOCK.fullmatch(text) or _FRENCH.fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    hours, minutes, seconds = (_number(parts.get(name)) for name in ("hours", "minutes", "seconds"))
    if seconds >= 60 or (minutes >= 60 and parts["hours"] is not None):
        return None
    if parts.get("days") is not None and parts["hours"] is None:
        return None
    clock, days = 3600.0 * hours + 60.0 * minutes + seconds, 86_400.0 * _number(parts.get("days"))
    if parts.get("rest") is None and parts.get("comma") is None:
        return _signed(days + clock, parts["sign"])
    if parts["days"] is None:
        return None
    # pandas and Python add the time to the days: -1 days +23:59:00 and -1 day, 23:59:00 are minus one minute.
    return _signed(days, parts["sign"]) + _signed(clock, parts["rest"])


def _iso(text: str) -> float | None:
    found = _ISO.fullmatch(text)
    parts = {} if found is None else found.groupdict()
    if found is None or not any(parts[unit] for unit in _ORDER if unit in parts):
        return None
    return _signed(sum(_number(parts.get(unit)) * _SECONDS[unit] for unit in _ORDER), parts["sign"])


def _spoken(text: str) -> float | None:
    """The seconds of numbers with units, the larger units first."""
    found = _SPOKEN.fullmatch(text)
    if found is None:
        return None
    parts = [(number, _unit(word) or "") for number, word in _PARTS.findall(text)]
    places = [_ORDER.index(unit) if unit else -1 for _, unit in parts]
    if min(places) < 0 or places != sorted(set(places)):
        return None
    return _signed(sum(_number(number) * _SECONDS[unit] for number, unit in parts), found["sign"])


def _number(text: str | None) -> float:
    return float((text or "0").replace(",", "."))


def _signed(seconds: float, sign: str | None) -> float:
    return -seconds if sign in ("-", "−") else seconds

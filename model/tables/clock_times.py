"""How a time of day and a time zone are written, and how many seconds they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Patterns with named groups, for use in other patterns.
CLOCK = (
    r"(?P<hour>[0-9]{1,2})(?::|\s?[hH]\s?)(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?:\s*(?P<half>[aApP])\.?[mM]\.?)?"
)
# The offsets of zones that mean the same everywhere, in hours; those of America are in RFC 5322, section 4.3.
_ZONES = {"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
_ZONES |= {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
ZONE = (
    rf"(?P<zone>(?:UTC|GMT)?[+-][0-9]{{1,2}}(?::?[0-9]{{2}})?|z|utc|{'|'.join(sorted(_ZONES, key=len, reverse=True))})"
    r"(?:\s*\([^()]*\))?"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2}):?([0-9]{2})?")


def clock_seconds(parts: Mapping[str, str | None]) -> float | None:
    """The time of day that the groups of CLOCK spell.

    Args:
        parts: hour, minute, second, fraction and half (a for am, p for pm), as they are written; any may be missing.

    Returns:
        Seconds since midnight, from 0 to 86,400; 0 if there is no hour, None if there is no such time.

    Example:
        >>> clock_seconds({"hour": "12", "minute": "30", "half": "a"}), clock_seconds({"hour": "25", "minute": "00"})
        (1800.0, None)
    """
    written = parts.get("hour")
    if written is None:
        return 0.0
    hour, minute, second = int(written), int(parts.get("minute") or 0), int(parts.get("second") or 0)
    half = parts.get("half")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        return None
    fraction = parts.get("fraction")
    return 3600.0 * hour + 60.0 * minute + second + (float(f"0.{fraction}") if fraction else 0.0)


def zone_seconds(text: str | None) -> float:
    """How far a zone is ahead of UTC.

    Args:
        text: as ZONE matches it; None for no zone.

    Returns:
        Seconds, negative in the west.

    Raises:
        ValueError: if the text is not a zone.

    Example:
        >>> zone_seconds("+02:30"), zone_seconds("EST"), zone_seconds("GMT-1"), zone_seconds(None)
        (9000.0, -18000.0, -3600.0, 0.0)
    """
    if not text:
        return 0.0
    if text.upper() in _ZONES:
        return 3600.0 * _ZONES[text.upper()]
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise ValueError(text)
    sign, hours, minutes = found.groups()
    return (-1 if sign == "-" else 1) * (3600.0 * int(hours) + 60.0 * int(minutes or 0))

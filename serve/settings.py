"""The settings of the service: what NUDGE_* in the environment, or the configuration of an application, says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.messages import RefusalError

MEBIBYTE = 1024 * 1024


class SettingError(RefusalError):
    """A setting that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What an operator can set.

    checkpoints: the directory of models. model: the name of the default one, or None for the only one in it, or xor.
    max_rows: how many rows a request may have. max_body: how many bytes its body may have, also once it is
    decompressed. api_keys: those of which a request must bring one; none where it need not. cors_origins: the origins
    whose pages may call the service; `*` is any. access_log: whether each request is logged. poll: seconds between two
    looks at the directory. runtime: a directory that the workers of one service share, if there is one.
    """

    checkpoints: Path = Path("checkpoints")
    model: str | None = None
    max_rows: int = 100_000
    max_body: int = 64 * MEBIBYTE
    api_keys: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    access_log: bool = False
    poll: float = 0.5
    runtime: Path | None = None


def read(variables: Mapping[str, Any]) -> Settings:
    """The settings that variables such as NUDGE_MAX_ROWS describe; an empty one counts as unset.

    Raises SettingError where a value is none of its setting's.

    >>> read({"NUDGE_MAX_ROWS": "10", "NUDGE_MODEL": ""}).max_rows
    10
    >>> read({"NUDGE_MAX_ROWS": "ten"})
    Traceback (most recent call last):
    serve.settings.SettingError: NUDGE_MAX_ROWS: expected a whole number from 1 to 10,000,000, found 'ten'; ...
    """
    given = {
        name.removeprefix("NUDGE_").lower(): str(int(value) if isinstance(value, bool) else value)
        for name, value in variables.items()
        if value not in (None, "")
    }
    found: dict[str, Any] = {}
    for name in ("checkpoints", "runtime"):
        if name in given:
            found[name] = Path(given[name])
    if "model" in given:
        found["model"] = given["model"]
    for name, most in (("max_rows", 10_000_000), ("max_body", 1 << 40)):
        if name in given:
            found[name] = _count(name, given[name], most)
    for name in ("api_keys", "cors_origins"):
        if name in given:
            found[name] = tuple(part.strip() for part in given[name].split(",") if part.strip())
            if not found[name]:
                raise _refusal(name, "one or more, separated by commas", repr(given[name]))
    if "poll" in given:
        found["poll"] = _seconds("poll", given["poll"])
    if "access_log" in given:
        found["access_log"] = _choice("access_log", given["access_log"])
    if not all(re.fullmatch(r"[!-~]+", key) for key in found.get("api_keys", ())):
        raise _refusal("api_keys", "keys of printable ASCII characters, separated by commas", "others")
    for origin in found.get("cors_origins", ()):
        if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
            raise _refusal("cors_origins", "origins such as https://example.org, or *", repr(origin))
    return Settings(**found)


def _count(name: str, text: str, most: int) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,14}", text) or int(text) > most:
        raise _refusal(name, f"a whole number from 1 to {most:,}", repr(text))
    return int(text)


def _seconds(name: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text) or not float(text):
        raise _refusal(name, "seconds above 0", repr(text))
    return float(text)


def _choice(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise _refusal(name, "0 or 1", repr(text))
    return text == "1"


def _refusal(name: str, expected: str, found: str) -> SettingError:
    return SettingError(f"NUDGE_{name.upper()}: expected {expected}, found {found}; set it so, or leave it out")

"""The settings of the service, from variables named NUDGE_*."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from model.messages import RefusalError

MEBIBYTE = 1024 * 1024


class SettingError(RefusalError):
    """A setting that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What an operator can set.

    Attributes:
        checkpoints: the directory of models.
        default_model: the name of the default model; None for the only model in the directory, or xor.
        max_rows: the largest number of rows in a request.
        max_body_bytes: the largest size of a request's body, before and after it is decompressed.
        api_keys: a request must send one of these keys; empty if it needs none.
        cors_origins: the origins whose pages may call the service; `*` is any.
        trusted_proxies: the networks of proxies whose X-Forwarded-For is believed in the access log.
        has_access_log: whether each request is logged.
        is_strict: whether values of a kind that training never saw are refused.
        has_pages: whether there are pages for a browser.
        poll_seconds: the time between two scans of the directory.
        learns: whether learners may use the service: there is a process that computes for them.
        allowed_versions: the beginnings of the digests of versions that may be served; empty if all may.
        shared_directory: a directory that the workers of one service share; None if there is none.
        learning_socket: the socket of the process that computes for learners; None if there is no such process.
        is_replacement: whether other workers of this service have started before this one.
    """

    checkpoints: Path = Path("checkpoints")
    default_model: str | None = None
    max_rows: int = 100_000
    max_body_bytes: int = 8 * MEBIBYTE
    api_keys: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    has_access_log: bool = False
    is_strict: bool = False
    has_pages: bool = True
    poll_seconds: float = 0.5
    learns: bool = False
    allowed_versions: tuple[str, ...] = ()
    shared_directory: Path | None = None
    learning_socket: Path | None = None
    is_replacement: bool = False


def read(variables: Mapping[str, Any]) -> Settings:
    """The settings that variables such as NUDGE_MAX_ROWS describe. An empty variable counts as unset.

    Raises SettingError if a variable has a wrong value.

    >>> read({"NUDGE_MAX_ROWS": "10", "NUDGE_MODEL": ""}).max_rows
    10
    >>> read({"NUDGE_MAX_ROWS": "ten"})
    Traceback (most recent call last):
    serve.settings.SettingError: NUDGE_MAX_ROWS: expected a whole number from 1 to 10,000,000, found 'ten'; ...
    """
    values: dict[str, Any] = {}
    for variable, (field, parse) in _FIELDS.items():
        value = variables.get(variable)
        if value not in (None, ""):
            values[field] = parse(variable, str(int(value) if isinstance(value, bool) else value))
    return Settings(**values)


def _path(variable: str, text: str) -> Path:
    return Path(text)


def _text(variable: str, text: str) -> str:
    return text


def _whole_number(variable: str, text: str, maximum: int) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,14}", text) or int(text) > maximum:
        raise _refusal(variable, f"a whole number from 1 to {maximum:,}", repr(text))
    return int(text)


def _seconds(variable: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text) or not float(text):
        raise _refusal(variable, "seconds above 0", repr(text))
    return float(text)


def _flag(variable: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise _refusal(variable, "0 or 1", repr(text))
    return text == "1"


def _list(variable: str, text: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    if not items:
        raise _refusal(variable, "one or more, separated by commas", repr(text))
    return items


def _api_keys(variable: str, text: str) -> tuple[str, ...]:
    keys = _list(variable, text)
    if not all(re.fullmatch(r"[!-~]+", key) for key in keys):  # a message must not show keys
        raise _refusal(variable, "keys of printable ASCII characters, separated by commas", "others")
    return keys


def _origins(variable: str, text: str) -> tuple[str, ...]:
    origins = _list(variable, text)
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
            raise _refusal(variable, "origins such as https://example.org, or *", repr(origin))
    return origins


def _versions(variable: str, text: str) -> tuple[str, ...]:
    versions = tuple(version.lower() for version in _list(variable, text))
    for version in versions:
        if not re.fullmatch(r"[0-9a-f]{12}|[0-9a-f]{64}", version):
            raise _refusal(variable, "digests of 12 or 64 hexadecimal digits, separated by commas", repr(version))
    return versions


def _networks(variable: str, text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(item) for item in _list(variable, text))
    except ValueError as error:
        if isinstance(error, SettingError):
            raise
        expected = "addresses or networks such as 10.0.0.0/8, separated by commas"
        raise _refusal(variable, expected, repr(text)) from None


def _refusal(variable: str, expected: str, found: str) -> SettingError:
    return SettingError(f"{variable}: expected {expected}, found {found}; set it so, or leave it out")


# For each variable, the field of Settings and the function that parses its value.
_FIELDS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "NUDGE_CHECKPOINTS": ("checkpoints", _path),
    "NUDGE_MODEL": ("default_model", _text),
    "NUDGE_MAX_ROWS": ("max_rows", partial(_whole_number, maximum=10_000_000)),
    "NUDGE_MAX_BODY": ("max_body_bytes", partial(_whole_number, maximum=1 << 40)),
    "NUDGE_API_KEYS": ("api_keys", _api_keys),
    "NUDGE_CORS_ORIGINS": ("cors_origins", _origins),
    "NUDGE_TRUSTED_PROXIES": ("trusted_proxies", _networks),
    "NUDGE_ACCESS_LOG": ("has_access_log", _flag),
    "NUDGE_STRICT": ("is_strict", _flag),
    "NUDGE_PAGES": ("has_pages", _flag),
    "NUDGE_POLL": ("poll_seconds", _seconds),
    "NUDGE_LEARN": ("learns", _flag),
    "NUDGE_ALLOWED_VERSIONS": ("allowed_versions", _versions),
    # The configuration of gunicorn sets these three for its workers.
    "NUDGE_RUNTIME": ("shared_directory", _path),
    "NUDGE_LEARNING_SOCKET": ("learning_socket", _path),
    "NUDGE_REPLACEMENT": ("is_replacement", _flag),
}

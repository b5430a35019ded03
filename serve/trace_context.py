"""Trace Context of the W3C: which trace of a distributed system a request belongs to (level 2, section 3.2)."""

from __future__ import annotations

import re
from typing import Any

TRACE_HEADER = "traceparent"
# The version, the ID of the trace, the ID of the caller's span, and the flags. Later versions may add fields.
_TRACE_PARENT = re.compile(r"([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[ -~]*)?")


def trace_of(environ: dict[str, Any]) -> str:
    """The request's header `traceparent`; empty if it has none, or if that is not valid.

    >>> trace_of({"HTTP_TRACEPARENT": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})[3:9]
    '4bf92f'
    """
    sent = environ.get("HTTP_TRACEPARENT")
    match = _TRACE_PARENT.fullmatch(sent) if sent else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[2]):
        return ""
    return match[0]

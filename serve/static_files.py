"""The files of the pages: what is sent of each, plain or compressed, and whether a browser has it already."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.exceptions import NotFound
from werkzeug.http import parse_accept_header

from serve.responses import Answer, Headers

FOLDER = Path(__file__).with_name("static")
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# A page may load what this service sends, and nothing else. No script and no style is inside a page.
PAGE_SECURITY: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)


class StaticFile(NamedTuple):
    """A file.

    Attributes:
        body: its bytes.
        compressed: the same in gzip.
        digest: of the bytes, for the ETag.
        content_type: what it is.
    """

    body: bytes
    compressed: bytes
    digest: str
    content_type: str


def answer_file(name: str, environ: dict[str, Any]) -> Answer:
    """The answer to a request for a file: 304 if the browser has it already.

    Args:
        name: its path in the folder `static`, with / between its parts.
        environ: the request.

    Returns:
        The file, compressed if the browser accepts gzip.

    Raises:
        NotFound: if there is no such file.
    """
    if name not in _names():
        raise NotFound
    file = _read(name)
    accepts_gzip = parse_accept_header(environ.get("HTTP_ACCEPT_ENCODING", ""))["gzip"] > 0
    tag = f'"{file.digest}{"-gzip" if accepts_gzip else ""}"'
    headers = [("ETag", tag), ("Vary", "Accept-Encoding")]
    if _has_copy(environ.get("HTTP_IF_NONE_MATCH", ""), tag):
        return Answer(b"", headers, 304, PAGE_SECURITY)
    headers.append(("Content-Type", file.content_type))
    if accepts_gzip:
        headers.append(("Content-Encoding", "gzip"))
    return Answer(file.compressed if accepts_gzip else file.body, headers, 200, PAGE_SECURITY)


@cache
def _names() -> frozenset[str]:
    """The paths of all files. What is not among them is not there, whatever a path is made of."""
    files = (path for path in FOLDER.rglob("*") if path.suffix in CONTENT_TYPES and path.is_file())
    return frozenset(path.relative_to(FOLDER).as_posix() for path in files)


@cache
def _read(name: str) -> StaticFile:
    path = FOLDER / name
    body = path.read_bytes()
    return StaticFile(
        body, gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:16], CONTENT_TYPES[path.suffix]
    )


def _has_copy(if_none_match: str, tag: str) -> bool:
    """Whether a browser has this version (RFC 9110, 13.1.2). A proxy may have made the tag a weak one."""
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in tags or tags == ["*"]

"""A text file as people have it -> the same text, uncompressed, in UTF-8 and with newlines, in a file of our own.

A file that is so already is taken as it is.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

from model.messages import describe_error
from model.tables.errors import PathLike, TableError
from model.tables.files import ANOTHER_FILE, opened

CHUNK_BYTES = 1 << 20
# The first bytes of archives.
_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
# The first bytes of a text that say its encoding.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NAMES = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}
# Five bytes are undefined in Windows-1252. They are taken for those of Latin-1.
_WINDOWS_1252 = "".join(
    bytes([byte]).decode("latin-1" if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "cp1252") for byte in range(256)
)
# The first bytes of files that are not tables, what such a file is, and what to do.
_OTHER_FORMATS = {
    b"PK\x03\x04": ("a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": (
        "an old spreadsheet (.xls), or one with a password",
        "save it without a password as .xlsx or CSV",
    ),
    b"SQLite format 3": ("a database", "write the table as CSV"),
    b"%PDF": ("a PDF document", "save the table as CSV"),
    b"\x89PNG": ("a picture", ANOTHER_FILE),
}
# The same for texts, as patterns for the first characters that are not blank.
_OTHER_TEXTS = {
    rb"\{\s*[\"}]|\[\s*[\"{\[\]]": ("JSON", "write the table as CSV"),
    rb"(?i)<(!doctype html|html|head|body|table)\b": ("a page in HTML", "save the table as CSV"),
    rb"<\?xml\b": ("XML", "write the table as CSV"),
}


def compression_of(head: bytes) -> str | None:
    """How a file is compressed.

    Args:
        head: its first bytes, at least four if it has so many.

    Returns:
        gzip or zstd; None if it is not compressed.

    Example:
        >>> compression_of(b"a,b"), compression_of(bytes([31, 139, 8, 0]))
        (None, 'gzip')
    """
    return next((name for start, name in _COMPRESSIONS.items() if head.startswith(start)), None)


class PlainText(NamedTuple):
    """A text in UTF-8 with newlines.

    Attributes:
        path: of the file, or of our own copy of it.
        size: in bytes.
        notes: what had to be done to the file, one sentence each.
    """

    path: PathLike
    size: int
    notes: tuple[str, ...]


@contextmanager
def plain_text(path: PathLike, size: int) -> Iterator[PlainText]:
    """A text file in UTF-8 with newlines; a copy, deleted at the end, if the file is not so itself.

    Args:
        path: the file.
        size: of the file, in bytes.

    Yields:
        The text. Bytes that are no text in UTF-8 are taken for Windows-1252.

    Raises:
        TableError: if the file is a broken archive, or if there is no room for the copy.
    """
    with opened(path) as file:
        head = file.read(CHUNK_BYTES)
        file.seek(0)
        for start, (found, remedy) in _OTHER_FORMATS.items():
            if head.startswith(start):
                raise TableError("a table as CSV or Parquet", found, remedy)
        compression = compression_of(head)
        if compression is None:
            with _as_utf8(path, size, file, ()) as text:
                yield text
            return
        with temporary_file() as copy:
            notes = (f"uncompressed with {compression}",)
            length = sum(copy.write(part) for part in _decompressed(file, compression))
            copy.flush()
            if not length:
                raise TableError("a table", "an empty archive", ANOTHER_FILE)
            with opened(copy.name) as plain, _as_utf8(copy.name, length, plain, notes) as text:
                yield text


@contextmanager
def _as_utf8(path: PathLike, size: int, file: io.FileIO, notes: tuple[str, ...]) -> Iterator[PlainText]:
    """The text of an open file that is not compressed."""
    _check_text_format(file)
    encoding = _encoding_of(file)
    has_newlines = _has_newlines(file, encoding)
    if encoding in ("utf-8", "utf-8-sig") and has_newlines:
        yield PlainText(path, size, notes)
        return
    name = _NAMES.get(encoding, encoding.upper())
    notes += () if encoding.startswith("utf-8") else (f"read as {name}",)
    notes += () if has_newlines else ("carriage returns are read as ends of lines",)
    with temporary_file() as copy:
        file.seek(0)
        try:
            length = _recode(file, encoding, copy, has_newlines)
        except UnicodeDecodeError:
            raise TableError(f"text in {name}", "other bytes", "save it as UTF-8") from None
        yield PlainText(copy.name, length, notes)


def _check_text_format(file: io.FileIO) -> None:
    """Raise TableError if a text is not a table but another known format."""
    head = file.read(CHUNK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    file.seek(0)
    for pattern, (found, remedy) in _OTHER_TEXTS.items():
        if re.match(pattern, head):
            raise TableError("a table as CSV or Parquet", found, remedy)


def _encoding_of(file: io.FileIO) -> str:
    """The encoding of a text: by its first bytes, by its NUL bytes, or Windows-1252 if it is not UTF-8."""
    head = file.read(CHUNK_BYTES)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    for encoding, zeros, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if 2 * zeros.count(0) > len(zeros) > 0 and not letters.count(0):
            return encoding
    if b"\0" in head:
        return "utf-8"  # a binary file, which is refused where its line is known
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while head:
            if not head.isascii() or decoder.getstate()[0]:
                decoder.decode(head)
            head = file.read(CHUNK_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        text = head.decode(errors="replace")
        broken = text.count("\ufffd")
        letters = sum(not letter.isascii() for letter in text) - broken
        return "cp1252" if broken > letters else "utf-8"  # in which the line of the broken byte is told
    return "utf-8"


def _has_newlines(file: io.FileIO, encoding: str) -> bool:
    """Whether lines end in newlines, as far as the first bytes show, and not in carriage returns alone."""
    file.seek(0)
    head = file.read(CHUNK_BYTES).decode(encoding, errors="replace")
    return "\n" in head or "\r" not in head.strip("\r")


def _recode(file: io.FileIO, encoding: str, copy: IO[bytes], has_newlines: bool) -> int:
    """Write a text as UTF-8 with newlines, and return how many bytes it has."""
    decode = _windows_1252 if encoding == "cp1252" else codecs.getincrementaldecoder(encoding)().decode
    length, is_last = 0, False
    while not is_last:
        chunk = file.read(CHUNK_BYTES)
        is_last = not chunk
        text = decode(chunk, is_last)
        length += copy.write((text if has_newlines else text.replace("\r", "\n")).encode())
    copy.flush()
    return length


def _windows_1252(data: bytes, _: bool) -> str:
    return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0]


def _decompressed(file: io.FileIO, compression: str) -> Iterator[bytes]:
    """The content of an archive, part by part. Raises TableError if the archive is broken."""
    import zstandard

    try:
        if compression == "gzip":
            with gzip.GzipFile(fileobj=file) as stream:
                while part := stream.read(CHUNK_BYTES):
                    yield part
        else:
            yield from _zstd_frames(file)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError):
        raise TableError(f"a whole {compression} archive", "a broken one", "write it again") from None


def _zstd_frames(file: io.FileIO) -> Iterator[bytes]:
    """The content of all frames. Raises EOFError if the last is cut off, which the library does not say."""
    import zstandard

    frame = None
    while data := file.read(CHUNK_BYTES):
        while data:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(data)
            data = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError


@contextmanager
def temporary_file() -> Iterator[Any]:
    """A file of our own.

    Yields:
        The open file, which is deleted at the end.

    Raises:
        TableError: if there is no room for it.
    """
    try:
        with tempfile.NamedTemporaryFile(prefix="nudge-") as file:
            yield file
    except OSError as error:
        expected = f"room for a copy in {tempfile.gettempdir()}"
        raise TableError(expected, describe_error(error), "make some, or name another folder in TMPDIR") from None

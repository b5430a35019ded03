"""The bytes of a CSV file, cut where rows end, and checked to be text with whole quotes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, UInt8
from rich.filesize import decimal

from model.tables.errors import PathLike, TableError
from model.tables.files import ANOTHER_FILE

BLOCK_BYTES = 4 << 20  # read and parsed at once
MAX_ROW_BYTES = 16 << 20
SEPARATORS = ",;\t|"
QUOTE, NEWLINE, RETURN = b'"\n\r'


def whole_rows(path: PathLike, file: io.FileIO, position: int, line: int) -> Iterator[tuple[bytes, int]]:
    """The bytes of a file, cut where rows end.

    Args:
        path: the file.
        file: the same file, open.
        position: the byte at which to begin.
        line: the line at that position, from 1.

    Yields:
        Whole rows, with the line of the first of them.

    Raises:
        TableError: at a row longer than MAX_ROW_BYTES, after reading at most twice as much.
    """
    buffer = bytearray(BLOCK_BYTES)
    while count := os.preadv(file.fileno(), [buffer], position):
        if position == 0:
            _check_start(bytes(memoryview(buffer)[:count]))
        cut, last = _last_end(buffer, count), count < len(buffer)
        if cut == 0 or last:
            open_quote = buffer.count(b'"', 0, count) % 2 == 1
            if open_quote and (last or count >= MAX_ROW_BYTES):
                raise _open_quote(path, bytes(memoryview(buffer)[:count]), line)
            cut = count if last else cut
        if cut:
            data = bytes(memoryview(buffer)[:cut])
            yield data, line
            position += cut
            line += count_of(NEWLINE, data)
        elif count >= MAX_ROW_BYTES:
            found = f"a longer one in line {line}"
            raise TableError(f"lines of at most {decimal(MAX_ROW_BYTES)}", found, "end each row with a newline")
        else:
            buffer = bytearray(2 * count)


def _last_end(buffer: bytearray, count: int) -> int:
    """The position after the last newline that ends a row within the first `count` bytes; 0 if there is none."""
    end = buffer.rfind(b"\n", 0, count) + 1
    if count_of(QUOTE, memoryview(buffer)[:end]) % 2 == 0:
        return end
    data = np.frombuffer(buffer, np.uint8, count)
    ends = np.flatnonzero((data == NEWLINE) & ~quoted(data))
    return int(ends[-1]) + 1 if len(ends) else 0


def count_of(byte: int, data: bytes | memoryview) -> int:
    r"""How often a byte occurs, in a tenth of the time of `bytes.count`.

    Args:
        byte: its value, from 0 to 255.
        data: where to look for it.

    Returns:
        The number.

    Example:
        >>> count_of(NEWLINE, b"a\nb\n")
        2
    """
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == byte))


def quoted(data: UInt8[np.ndarray, " bytes"]) -> Bool[np.ndarray, " bytes"]:
    """Whether each byte is an opening quote, or lies between an opening and a closing quote.

    This is the parity of the number of quotes so far. It is computed for 64 bytes at a time, each a bit of a word, in
    an eighth of the time of np.logical_xor.accumulate.

    Args:
        data: [bytes], which begin outside of quotes.

    Returns:
        [bytes], True for a byte that is quoted.

    Example:
        >>> quoted(np.frombuffer(b'a,"b"', np.uint8)).tolist()
        [False, False, True, True, False]
    """
    padded = np.pad(data == QUOTE, (0, -len(data) % 64))
    words = np.packbits(padded, bitorder="little").view("<u8")
    for distance in (1, 2, 4, 8, 16, 32):
        words = words ^ (words << distance)
    after = np.bitwise_xor.accumulate(words >> 63)
    words[1:] = np.where(after[:-1], ~words[1:], words[1:])
    return np.unpackbits(words.view(np.uint8), bitorder="little", count=len(data)).view(np.bool_)


def _check_start(data: bytes) -> None:
    """Raise TableError if the first bytes of a file are not those of a text."""
    nul = data.find(b"\0")
    if nul >= 0:
        found = f"a binary file, with a NUL byte in line {1 + newlines(data, nul)}"
        raise TableError("a table as CSV or Parquet", found, ANOTHER_FILE)


def check_text(path: PathLike, data: bytes, line: int) -> None:
    """Check that bytes are text.

    Args:
        path: the file.
        data: the bytes.
        line: the line of the first byte.

    Raises:
        TableError: if there is a NUL byte, or if they are not UTF-8.
    """
    nul = data.find(b"\0")
    if nul >= 0:
        raise TableError("text", f"a NUL byte in line {line + newlines(data, nul)}", "write it again")
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            found = f"the byte 0x{data[error.start]:02x} in line {line + newlines(data, error.start)}"
            raise TableError("text in UTF-8", found, "save it as UTF-8") from None


def newlines(data: bytes, end: int) -> int:
    r"""How many newlines there are before a position.

    Args:
        data: the bytes.
        end: the position.

    Returns:
        The number.

    Example:
        >>> newlines(b"a\nb\nc\n", 4)
        2
    """
    return data.count(b"\n", 0, end)


def check_quotes(path: PathLike, data: UInt8[np.ndarray, " bytes"], separators: str, line: int) -> None:
    """Check that every quote is the first or the last character of its field, or is doubled within quotes.

    Args:
        path: the file.
        data: [bytes], which end in a newline.
        separators: the characters that may end a field.
        line: the line of the first byte.

    Raises:
        TableError: at the first quote inside a field.
    """
    quotes = np.flatnonzero(data == QUOTE)
    inner = np.ones(256, bool)
    inner[[*separators.encode(), NEWLINE, QUOTE]] = False
    bad = inner[data[quotes - 1]]  # before a quote at the very beginning is the last newline
    inner[RETURN] = False
    bad[1::2] = inner[data[quotes[1::2] + 1]]
    if bad.any():
        at = line + int(np.count_nonzero(data[: quotes[bad][0]] == NEWLINE))
        remedy = "put the whole field in quotes and double each quote in it"
        raise TableError("quotes around whole fields", f"one inside a field in line {at}", remedy)


def _open_quote(path: PathLike, data: bytes, line: int) -> TableError:
    """The error of data in which a quote is not closed."""
    try:
        check_quotes(path, np.frombuffer(data + b"\n", np.uint8), SEPARATORS, line)
    except TableError as error:
        return error
    at = line + newlines(data, data.rfind(b'"'))
    return TableError("a closing quote for each opening one", f"none for that in line {at}", "close it")

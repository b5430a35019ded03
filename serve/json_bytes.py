"""What the bytes of JSON tell before they are decoded: how large the values will be, and where NaN stands.

JSON of a few megabytes can hold millions of values, which take a hundred times its memory. Counting marks takes none.
"""

from __future__ import annotations

import numpy as np

from serve.errors import RequestError

# JSON of at most so many bytes may be decoded without counting: its values take a few megabytes.
UNCOUNTED_BYTES = 2**18
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A byte that JSON never has.
_NO_JSON = b"\x01"
# For each byte, whether an array or an object begins with it (1) or ends (-1).
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1


def count_mark(json: bytes, mark: bytes, limit: int) -> int:
    r"""How often a mark stands outside the texts of JSON.

    Args:
        json: the bytes. They may be broken JSON.
        mark: a single byte, such as a comma.
        limit: up to it, marks in texts may be counted too, because that is faster.

    Returns:
        The count. It is exact if it is larger than `limit`.

    >>> count_mark(b'["a,b",",\\",",1]', b",", limit=2)
    2
    """
    count = json.count(mark)
    if count <= limit or b'"' not in json:
        return count
    codes = np.frombuffer(json, np.uint8)
    return int(np.count_nonzero((codes == ord(mark)) & _outside_texts(json)))


def count_items(json: bytes, limit: int) -> int:
    """How many values an array has, without those inside of them. It is exact if it is larger than `limit`.

    >>> count_items(b'[[1, 2], {"a": 3, "b": 4}]', limit=0)
    2
    """
    commas = count_mark(json, b",", limit)
    if commas < limit:
        return commas + 1
    codes, outside = np.frombuffer(json, np.uint8), _outside_texts(json)
    is_first_level = np.cumsum(_STEPS[codes] * outside, dtype=np.int32) == 1
    return int(np.count_nonzero(outside & (codes == ord(",")) & is_first_level)) + 1


def without_mark(json: bytes) -> bytes:
    """JSON without the mark of the order of bytes, which some editors write at the beginning of a file."""
    return json.removeprefix(BYTE_ORDER_MARK)


def nan_to_null(json: bytes) -> bytes:
    """JSON with null in place of NaN, which is not JSON, but many programs write it.

    Raises:
        RequestError: if Infinity stands outside of the texts.

    >>> nan_to_null(b'{"NaN": [NaN, 1]}')
    b'{"NaN": [null, 1]}'
    """
    if _NO_JSON in json or not (b"NaN" in json or b"Infinity" in json):
        return json
    outside = _outside_texts(json)
    infinite = _places(json, b"Infinity")
    infinite = infinite[outside[infinite]]
    if len(infinite):
        sign = "-" * json.startswith(b"-", max(int(infinite[0]) - 1, 0))
        raise RequestError(f"a finite number was expected, and {sign}Infinity was found")
    in_texts = _places(json, b"NaN")
    codes = np.frombuffer(json, np.uint8).copy()
    codes[in_texts[~outside[in_texts]]] = _NO_JSON[0]
    return codes.tobytes().replace(b"NaN", b"null").replace(_NO_JSON + b"aN", b"NaN")


def _places(json: bytes, word: bytes) -> np.ndarray:
    """Where a word stands."""
    codes, end = np.frombuffer(json, np.uint8), len(json) - len(word) + 1
    is_word = np.ones(max(end, 0), bool)
    for index, code in enumerate(word):
        is_word &= codes[index : index + len(is_word)] == code
    return np.flatnonzero(is_word)


def _outside_texts(json: bytes) -> np.ndarray:
    """For each byte, whether it is outside of texts. The quote at the end of a text counts as outside."""
    if b"\\" in json:
        json = json.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    outside: np.ndarray = ~np.logical_xor.accumulate(np.frombuffer(json, np.uint8) == ord('"'))
    return outside

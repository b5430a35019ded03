"""The rare texts of a column, as hashes. They show whether training saw a text."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

# A hash is a CRC-32 of the text in UTF-8 (ISO 3309).
HASH_BYTES = 4


def pack_texts(texts: Iterable[str]) -> bytes:
    """The hashes of texts.

    Args:
        texts: the texts.

    Returns:
        4 bytes for each text, in ascending order.

    Example:
        >>> packed = pack_texts(["Ames", "Boone"])
        >>> len(packed), is_packed("Ames", packed), is_packed("Perry", packed)
        (8, True, False)
    """
    return b"".join(sorted(map(_hash, texts)))


def is_packed(text: str, packed: bytes) -> bool:
    """Whether a text is one of those that were packed.

    Args:
        text: any text.
        packed: what `pack_texts` returned.

    Returns:
        True for each packed text. If n texts were packed, it is also True for about n in 2^32 other texts.
    """
    wanted, low, high = _hash(text), 0, len(packed) // HASH_BYTES
    while low < high:
        middle = (low + high) // 2
        found = packed[HASH_BYTES * middle : HASH_BYTES * (middle + 1)]
        if found == wanted:
            return True
        low, high = (middle + 1, high) if found < wanted else (low, middle)
    return False


def _hash(text: str) -> bytes:
    return zlib.crc32(text.encode("utf-8", "surrogatepass")).to_bytes(HASH_BYTES, "big")

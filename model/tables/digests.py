"""What a table is known by again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def digest_of_inputs(parts: Iterable[np.ndarray]) -> str:
    """What a file is known by again: SHA-256 of the inputs of its rows in order, whatever the kind of the file.

    The target is not part of it: where its scale was chosen on the rows, it is rounded in another way.

    Args:
        parts: [rows, inputs] float32 each, as `encode` gives them, of rows that have a target.

    Returns:
        64 hexadecimal characters.

    Example:
        >>> x = np.ones((4, 2), np.float32)
        >>> digest_of_inputs([x]) == digest_of_inputs([x[:1], x[1:]])
        True
    """
    digest = hashlib.sha256()
    for x in parts:
        digest.update(np.ascontiguousarray(x).data)
    return digest.hexdigest()

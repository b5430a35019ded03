"""Numbers for JSON: float32 in the shortest decimals that give the same bits back, and images as base64."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np


def shortest(values: Any) -> Any:
    """An array of float32 as lists of the shortest decimals, as JSON has no float32.

    >>> shortest(np.array([[0.1, 2.0]], np.float32)), shortest(np.float32(np.nan)), shortest(np.int32(3))
    ([[0.1, 2.0]], None, 3)
    """
    array = np.asarray(values)
    if array.ndim:
        return [shortest(each) for each in array]
    if array.dtype.kind in "iu":
        return int(array)
    return float(str(array[()])) if np.isfinite(array) else None


def finite(value: Any) -> float | None:
    """A number, or None if it is not finite.

    >>> finite(np.float64(0.5)), finite(math.inf)
    (0.5, None)
    """
    number = float(value)
    return number if math.isfinite(number) else None


def image(values: np.ndarray) -> str:
    """The bytes of an array in float32, little-endian, as base64.

    >>> image(np.array([1.0]))
    'AACAPw=='
    """
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()

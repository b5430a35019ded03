"""How many rows a request may have, so that neither they nor their answers fill the memory."""

from __future__ import annotations

from model.inference import BATCH_SIZES
from serve.loaded_model import Model

# The most numbers in the rows of a request, and in the predictions of them: as many as 8 MiB hold in FP32.
MAX_VALUES = 2**21
# About so many numbers are answered at a time. Their objects in Python take a hundred times their memory.
BLOCK_VALUES = 2**17


def row_limit(model: Model, max_rows: int) -> int:
    """The most rows that a model takes in a request.

    Args:
        model: the model.
        max_rows: the most that any model takes.

    Returns:
        At most `max_rows`. Rows × columns and rows × classes are at most MAX_VALUES, unless it is a single row.
    """
    return max(min(max_rows, MAX_VALUES // _width(model)), 1)


def blocks_of(model: Model, rows: int) -> list[slice]:
    """The rows, some at a time: those of the largest batch, or fewer if each has many columns or classes."""
    size = max(min(BATCH_SIZES[-1], BLOCK_VALUES // _width(model)), 1)
    return [slice(start, start + size) for start in range(0, rows, size)]


def _width(model: Model) -> int:
    """The numbers of a row, or of its prediction if they are more."""
    return max(len(model.checkpoint.columns), len(model.checkpoint.classes), 1)

"""Writing a file, the message with which reading it fails, and how numbers are scaled."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.tables.errors import TableError
from model.tables.reading import read_frame


def write_table(folder: Path, content: str | bytes) -> Path:
    """Write a file with this content, and return its path."""
    path = folder / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal_of(path: Path, **options: Any) -> str:
    """The message with which `read_frame` refuses a file: one sentence, returned without the file's name."""
    with pytest.raises(TableError) as caught:
        read_frame(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    assert "\n" not in message
    assert re.search(", found .+; .+", message)
    return message.removeprefix(f"{path}: ")


def scaled_by_hand(values: Sequence[float] | np.ndarray, learned: Sequence[float] | np.ndarray) -> np.ndarray:
    """Numbers as a network sees them: by the quartiles of the numbers learned from, drawn together above 3."""
    present = sorted(value for value in learned if not math.isnan(value))
    low, center, high = (present[math.ceil(len(present) * share) - 1] for share in (0.25, 0.5, 0.75))
    thirds = (np.asarray(values, np.float64) - center) / (high - low) / 3
    return 3 * np.sign(thirds) * np.log(np.abs(thirds) + np.sqrt(thirds**2 + 1))

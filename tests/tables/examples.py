"""Writing a file, and the message with which reading it fails."""

import re
from pathlib import Path
from typing import Any

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

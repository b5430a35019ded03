"""Names for columns whose own name is taken."""

from __future__ import annotations

from collections.abc import Container


def numbered_name(name: str, taken: Container[str]) -> str:
    """A name with the first number from 2 with which it is free.

    Args:
        name: which is taken.
        taken: the names of other columns.

    Returns:
        The name, an underscore and a number.

    Example:
        >>> numbered_name("label", {"label", "label_2"})
        'label_3'
    """
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"

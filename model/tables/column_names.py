"""Names for columns whose own name is taken."""

from __future__ import annotations

from collections.abc import Container


def numbered_name(name: str, taken: Container[str], first: int = 2) -> tuple[str, int]:
    """A name with the first number with which it is free.

    Args:
        name: which is taken.
        taken: the names of other columns.
        first: the number to begin with.

    Returns:
        The name, an underscore and a number; and the number.

    Example:
        >>> numbered_name("label", {"label", "label_2"})
        ('label_3', 3)
    """
    number = first
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}", number

"""New names for columns whose names are already in use."""

from __future__ import annotations

from collections.abc import Container


def numbered_name(name: str, taken: Container[str], first: int = 2) -> tuple[str, int]:
    """The name with the first number that makes it different from all others.

    Args:
        name: a name that another column has.
        taken: the names of the other columns.
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

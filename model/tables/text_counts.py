"""How often each text occurs in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars


def text_counts(texts: polars.Series) -> dict[str, int]:
    """How many cells have each text.

    Args:
        texts: of a column, null where a value is missing.

    Returns:
        The counts by text, the largest first. Texts with the same count are in the order of the column, so that the
        same column always leads to the same checkpoint.

    Example:
        >>> import polars as pl
        >>> text_counts(pl.Series(["b", "a", None, "c", "c"]))
        {'c': 2, 'b': 1, 'a': 1}
    """
    frame = texts.alias("text").drop_nulls().to_frame()
    counted = frame.group_by("text", maintain_order=True).len("cells")
    counted = counted.sort("cells", descending=True, maintain_order=True)
    return dict(zip(counted["text"].to_list(), counted["cells"].to_list(), strict=True))

"""Checks of what each row of a table has besides its inputs and its target."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Num


def check_weights(weights: Num[np.ndarray, "*shape"], rows: int) -> None:
    """Check the weights of rows.

    Args:
        weights: one for each row, finite numbers above 0.
        rows: how many rows there are.

    Raises:
        ValueError: if the weights are not such numbers.
    """
    if weights.shape != (rows,):
        raise ValueError(f"weights must have the shape {[rows]}, not {list(weights.shape)}")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("weights must be finite numbers above 0, and some are not; leave out rows without weight")


def check_split(
    groups: Num[np.ndarray, "*shape"] | None,
    times: Num[np.ndarray, "*shape"] | None,
    held_out: Num[np.ndarray, "*shape"] | Bool[np.ndarray, "*shape"] | None,
    rows: int,
) -> None:
    """Check what decides which rows of a table are held out.

    Args:
        groups: as in `Table`.
        times: as in `Table`.
        held_out: as in `Table`.
        rows: how many rows there are.

    Raises:
        ValueError: if one of them is not as `Table` says, or if several are given.
    """
    given = {"groups": groups, "times": times, "held_out": held_out}
    arrays = {name: values for name, values in given.items() if values is not None}
    if len(arrays) > 1:
        raise ValueError(f"only one of groups, times and held_out must be given, not {' and '.join(arrays)}")
    for name, values in arrays.items():
        if values.shape != (rows,):
            raise ValueError(f"{name} must have the shape {[rows]}, not {list(values.shape)}")
    if groups is not None and not (groups.dtype.kind in "iu" and (groups >= 0).all()):
        raise ValueError("groups must be whole numbers from 0, and some are not")
    if times is not None and (times.dtype.kind != "f" or np.isinf(times).any()):
        raise ValueError("times must be finite numbers, or NaN, and some are not")
    if held_out is not None and (held_out.dtype != np.bool_ or held_out.all() or not held_out.any()):
        raise ValueError("held_out must be true for some rows and false for others")

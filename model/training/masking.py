"""Hides values from the network at random, so that it learns to predict rows with unknown values."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt32

from model.arrays import Array
from model.tables.columns import CategoricalColumn, ColumnSpec, ColumnSpecs
from model.training.shuffle import hash_bits

# The column of inputs that are never hidden.
NEVER = -1


class Masking(NamedTuple):
    """What may be hidden.

    Attributes:
        column_of_input: [inputs], the column of each input, counted among the columns that may be hidden; NEVER for an
            input of another column.
        columns: how many columns may be hidden, from 1.
        share: the share of the rows in which one value is hidden, from 0 to 1.
        unknown: [inputs], what the network sees in place of a hidden value.
    """

    column_of_input: Int[Array, " inputs"]
    columns: int | Int[Array, ""]
    share: float | Float[Array, ""]
    unknown: Float[Array, " inputs"]


def make_masking(column_specs: ColumnSpecs, share: float, width: int | None = None) -> Masking | None:
    """What may be hidden of a table.

    Values of open columns may be hidden, except for numbers and dates that were missing in some rows of training.

    Args:
        column_specs: one for each column.
        share: the share of the rows in which one value is hidden, from 0 to 1.
        width: how many inputs there are with padding; by default as many as the columns have.

    Returns:
        The masking; None if nothing is hidden.

    Example:
        >>> from model.tables.columns import NumericColumn
        >>> columns = (NumericColumn(), CategoricalColumn(("f", "m"), is_open=True), NumericColumn(is_open=True))
        >>> make_masking(columns, 0.1).column_of_input.tolist()
        [-1, 0, 0, 1]
    """
    maskable = [column for column in column_specs if _is_maskable(column)]
    if not maskable or not share:
        return None
    indices = iter(range(len(maskable)))
    places = [
        np.full(column.input_count, next(indices) if _is_maskable(column) else NEVER, np.int32)
        for column in column_specs
    ]
    unknown = np.concatenate([column.unknown_inputs for column in column_specs])
    padding = (0, 0 if width is None else width - len(unknown))
    column_of_input = np.pad(np.concatenate(places), padding, constant_values=NEVER)
    return Masking(column_of_input, len(maskable), share, np.pad(unknown, padding))


def _is_maskable(column: ColumnSpec) -> bool:
    return column.is_open and (isinstance(column, CategoricalColumn) or not column.missing)


def mask(
    x: Float[Array, "rows inputs"], masking: Masking, places: Int[Array, " rows"], seed: UInt32[Array, ""]
) -> Float[jax.Array, "rows inputs"]:
    """Hide one value in some of the rows.

    Args:
        x: [rows, inputs].
        masking: what may be hidden.
        places: [rows] whole numbers from 0. They and the seed decide what is hidden.
        seed: any 32 bits.

    Returns:
        [rows, inputs], with `masking.unknown` for the inputs of each hidden value.

    Example:
        >>> masking = Masking(jnp.array([0, 0, 1]), 2, 1.0, jnp.zeros(3))
        >>> hidden = mask(jnp.ones((4, 3)), masking, jnp.arange(4), jnp.uint32(1)) == 0
        >>> hidden.sum(axis=1).tolist()
        [1, 1, 2, 2]
    """
    chosen = hash_bits(hash_bits(places.astype(jnp.uint32)) ^ seed)
    is_hidden = chosen < jnp.uint32(2**32 - 1) * masking.share
    column = (hash_bits(chosen) % jnp.uint32(masking.columns)).astype(jnp.int32)
    hidden = is_hidden[:, None] & (masking.column_of_input[None] == column[:, None])
    return jnp.where(hidden, masking.unknown[None], x)

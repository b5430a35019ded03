"""The rows of files that have the target, read as the columns of a checkpoint say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from model.tables.columns import ColumnSpecs, NumericColumn
from model.tables.digests import digest_of_inputs
from model.tables.encoding import encode
from model.tables.errors import TableError, naming_file
from model.tables.file_patterns import Paths, describe_paths
from model.tables.further_rows import check_kind, values_of_frame
from model.tables.targets import Class, encode_target

if TYPE_CHECKING:
    import polars


class Known(NamedTuple):
    """What training knows of a table.

    Attributes:
        columns: the names of the columns.
        column_specs: what each of them is.
        target: the name of the target.
        classes: what a target of 0, 1, … stands for; empty in a regression.
        target_scaling: how the target of a regression was scaled, with the spelling of its numbers.
        inputs_digest: the digest of the inputs that were learned from.
    """

    columns: tuple[str, ...]
    column_specs: ColumnSpecs
    target: str
    classes: tuple[Class, ...]
    target_scaling: NumericColumn
    inputs_digest: str


class KnownRows(NamedTuple):
    """The rows of files, with and without a target.

    Attributes:
        values: [rows, columns] float64, as `parse_series` gives them.
        y: [rows] float64, the index of each row's class, or the number in its own unit; NaN where it is missing.
        are_learned: whether they are the rows that were learned from, in the same order.
        notes: how the files are read, where that is not obvious; one sentence each.
    """

    values: Float[np.ndarray, "rows columns"]
    y: Float[np.ndarray, " rows"]
    are_learned: bool
    notes: tuple[str, ...] = ()


def read_known_rows(paths: Paths, known: Known, sheet: str | None = None) -> KnownRows:
    """Read files with the columns and the target of a checkpoint.

    Rows whose class training left out, because no other row had it, count as rows without a target if the files are
    those that were learned from. In other files they are an error.

    Args:
        paths: the files.
        known: what training knows of its table.
        sheet: as in `read_table`.

    Returns:
        The rows, of which at least one has a target.

    Raises:
        TableError: if a file is not a table, lacks a column or the target, has no value of the target, or has a value
            that is not one of its column.
    """
    from model.tables.batches import read_batches

    batches = read_batches(paths, sheet=sheet)
    values, y, refusals = list[np.ndarray](), list[np.ndarray](), list[TableError]()
    for frame in batches:
        with naming_file(batches.path):
            y.append(_targets(known, frame, batches.first, refusals, batches.path))
            values.append(values_of_frame(known.columns, known.column_specs, frame, batches.first))
    if not any((~np.isnan(part)).any() for part in y):
        raise (
            refusals[0]
            if refusals
            else TableError(
                f"a value of {known.target} in some row",
                "none",
                "name a file with known targets",
                describe_paths(paths),
            )
        )
    parts = (part[~np.isnan(target)] for part, target in zip(values, y, strict=True))
    digest = digest_of_inputs(encode(known.column_specs, list(part.T)) for part in parts)
    if refusals and digest != known.inputs_digest:
        raise refusals[0]
    return KnownRows(np.concatenate(values), np.concatenate(y), digest == known.inputs_digest, batches.notes)


def _targets(
    known: Known, frame: polars.DataFrame, first: int, refusals: list[TableError], path: object
) -> Float[np.ndarray, " rows"]:
    """The targets of the rows of a frame. A class that training never saw is missing, and is added to the refusals."""
    target = known.target
    if target not in frame.columns:
        raise TableError(f"the target {target}", "no such column", "name a file that has it")
    check_kind((target,), frame, target)
    try:
        return encode_target(frame[target], known.classes, known.target_scaling, first=first)
    except TableError as error:
        if not known.classes:
            raise
        remedy = "leave the row out, or train on rows of that class too"
        refusals.append(TableError(error.expected, error.found, remedy, str(path)))
        return encode_target(frame[target], known.classes, skips_others=True, first=first)

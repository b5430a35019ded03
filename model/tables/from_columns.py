"""Columns and a target -> a table, and further rows of the same columns -> inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Num

from model.tables.column_fitting import encode_frame, learn_columns
from model.tables.column_options import ColumnOptions
from model.tables.columns import CategoricalColumn, ColumnSpec
from model.tables.encoding import encode
from model.tables.errors import TableError
from model.tables.frames import pl
from model.tables.parsing import ParseError
from model.tables.series_parsing import parse_series
from model.tables.stored_columns import stored
from model.tables.table import Table, table_from_inputs
from model.tables.targets import Class
from model.tables.typed_columns import category_texts, typed_frame


def table_from_columns(
    columns: list[pl.Series],
    y: Num[np.ndarray, " rows"],
    classes: Sequence[Class] = (),
    *,
    categories: Collection[str] = (),
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Table:
    """The table of columns that are read in the same way as those of a file, and of a target.

    Args:
        columns: with names, of the types that `typed_frame` takes. The list is emptied, so that the memory of each
            column is free once the column is read.
        y: as in `table_from_arrays`.
        classes: as in `table_from_arrays`.
        categories: the names of columns that are categories, whatever they hold.
        weights: as in `table_from_arrays`.

    Returns:
        A table whose target is named y. Columns in which nearly all texts differ are left out.

    Raises:
        TableError: if a network cannot learn from the columns.
        ValueError: if y or the weights are not such arrays.

    Example:
        >>> columns = [pl.Series("size", [1, 3]), pl.Series("room", [7, 8])]
        >>> table_from_columns(columns, np.array([0, 1]), ("no", "yes"), categories={"room"}).x.round(3).tolist()
        [[0.0, 1.0, 0.0], [0.98..., 0.0, 1.0]]
    """
    read = [stored(columns.pop(0)) for _ in range(len(columns))]
    found = typed_frame(read, options=ColumnOptions(categorical=categories))
    learned = learn_columns(found.columns, found.columns.names, found.text_options(categories), weights)
    x = encode_frame(found.columns, learned.specs)
    return table_from_inputs(x, learned.specs, y, classes, weights=weights, notes=found.notes + learned.notes)


def inputs_of_columns(
    specs: Mapping[str, ColumnSpec], columns: Sequence[pl.Series]
) -> Float[np.ndarray, "rows inputs"]:
    """The inputs of the network for further rows of columns.

    Args:
        specs: of the columns, by their names.
        columns: one for each spec, typed or texts, all with the same number of rows.

    Returns:
        [rows, inputs] float32.

    Raises:
        TableError: at the first value that does not fit its column.

    Example:
        >>> inputs_of_columns({"room": CategoricalColumn(("7", "8"))}, [pl.Series([8.0, 7.0])]).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    return encode(
        tuple(specs.values()),
        [_parsed(name, spec, column) for (name, spec), column in zip(specs.items(), columns, strict=True)],
    )


def _parsed(name: str, spec: ColumnSpec, column: pl.Series) -> Float[np.ndarray, " rows"]:
    is_category = isinstance(spec, CategoricalColumn)
    try:
        return parse_series(spec, category_texts(column) if is_category else column)
    except ParseError as error:
        remedy = "mend it, or learn from rows that have such values"
        raise TableError(f"{error.expected} in {name}", f"{error.found} in row {error.row:,}", remedy) from None

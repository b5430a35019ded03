"""A learner's own CSV: a table with its inputs encoded and scaled as the project does."""

from __future__ import annotations

import tempfile
from typing import Any

import msgspec
import numpy as np

from model.messages import quote, refusal_sentence
from model.tables.columns import CategoricalColumn, NumericColumn
from model.tables.decoding import compression_of
from model.tables.errors import OptionNote, TableError
from model.tables.files import PARQUET_MAGIC
from model.tables.from_file import read_table
from model.tables.input_names import input_names
from model.tables.reading import read_names
from model.tables.table import Table
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.learning import checks
from serve.learning.tables import table_as_data

# Columns whose scaling a note tells.
MAX_SCALED = 3


def csv_table(body: bytes, target: str | None) -> dict[str, Any]:
    """Answer POST /learn/csv.

    Args:
        body: the bytes of the file.
        target: the column to predict; None for the last one.

    Raises:
        RequestError: if the file is not a table that a learner's network can learn.
    """
    if not body.strip():
        raise RequestError("the file: rows with a line of names above them were expected, and nothing was found")
    packed = "Parquet" if body.startswith(PARQUET_MAGIC) else compression_of(body[:4])
    if packed:  # a few bytes of these may be many rows
        raise RequestError(f"the file: CSV as plain text was expected, and {packed} was found; save it as CSV")
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(body)
        file.flush()
        try:
            names = read_names(file.name)
            checks.check_range("the file: columns", len(names), 2, limits.MAX_FILE_COLUMNS)
            chosen = names[-1] if target is None else target
            if chosen not in names:
                raise RequestError(
                    f"target: a column of the file was expected, and {quote(chosen)} was found; choose another target"
                )
            table = read_table(file.name, chosen)
        except TableError as error:
            text = refusal_sentence("the file", error.expected, error.found, error.without_options)
            raise RequestError(text.replace(file.name, "the file")) from None
    return _as_data(table, names)


def _as_data(table: Table, names: list[str]) -> dict[str, Any]:
    rows, inputs = table.x.shape
    checks.check_range("the file: rows", rows, 1, limits.MAX_ROWS)
    if inputs > limits.MAX_INPUTS:
        raise RequestError(
            f"the file: columns that make at most {limits.MAX_INPUTS} inputs were expected, and {inputs:,} were found; "
            "leave columns out of the file"
        )
    checks.check_range("the file: classes", len(table.classes), 0, limits.MAX_OUTPUTS)
    columns = input_names(table.columns, table.column_specs)
    for name in (*columns, *map(str, table.classes)):
        checks.check_name("the file: a name", name)
    firsts = np.cumsum([0, *(column.input_count for column in table.column_specs)])[:-1].tolist()
    specs = zip(firsts, table.column_specs, strict=True)
    return table_as_data(table) | {
        "columns": columns,
        "classes": [
            each if isinstance(each, int) and not isinstance(each, bool) else str(each) for each in table.classes
        ],
        "notes": notes_of(table),
        "numeric": [first for first, column in specs if not isinstance(column, CategoricalColumn)],
        "targets": names,
        "encoding": {
            "columns": list(table.columns),
            "column_specs": msgspec.to_builtins(table.column_specs),
            "target_scaling": msgspec.to_builtins(table.target_scaling),
        },
    }


def notes_of(table: Table) -> list[str]:
    """What a learner should know of how the file was read, one sentence each."""
    notes = [note.without_option if isinstance(note, OptionNote) else note for note in table.notes]
    return notes + scaling_notes(table)


def scaling_notes(table: Table) -> list[str]:
    """What 0 and 1 stand for in columns of numbers that are scaled; no note if none is.

    >>> table = Table(
    ...     np.zeros((1, 1), np.float32),
    ...     np.zeros(1, np.float32),
    ...     ("age",),
    ...     "sick",
    ...     (0, 1),
    ...     "binary",
    ...     (NumericColumn(40.0, 10.0),),
    ... )
    >>> scaling_notes(table)
    ['numbers are scaled, so that the network learns well: in age, 0 stands for 40 and 1 for 50']
    """
    pairs = list(zip(table.columns, table.column_specs, strict=True))
    if table.task == "regression":
        pairs.append((table.target, table.target_scaling))
    scaled = [(name, column) for name, column in pairs if isinstance(column, NumericColumn) and _is_scaled(column)]
    if not scaled:
        return []
    told = [f"in {name}, 0 stands for {_written(each, 0.0)} and 1 for {_written(each, 1.0)}" for name, each in scaled]
    more = f"; so it is in {len(told) - MAX_SCALED} more" if len(told) > MAX_SCALED else ""
    return [f"numbers are scaled, so that the network learns well: {'; '.join(told[:MAX_SCALED])}{more}"]


def _is_scaled(column: NumericColumn) -> bool:
    return column.scale != 0 and (column.center, column.scale, column.knee) != (0.0, 1.0, 0.0)


def _written(column: NumericColumn, seen: float) -> str:
    """The number in the file of which the network sees another one."""
    distance = column.knee * np.sinh(seen / column.knee) if column.knee else seen
    return f"{column.center + column.scale * distance:.4g}"

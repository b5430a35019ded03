"""The columns of a table as text: what each column is, and how the network sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.messages import align_columns
from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import describe_date
from model.tables.table import Table
from model.tables.targets import Class

# At most this many categories of a column are listed, and this many columns before training.
MAX_LISTED_CATEGORIES, MAX_LISTED_COLUMNS = 5, 40

Rows = list[list[str]]
HEADER = ["column", "type", "range or categories", "scaling", "inputs", "missing"]


def table_text(data: Table, max_columns: int | None = None) -> str:
    """The columns of a table and its target.

    Args:
        data: the table.
        max_columns: how many columns are listed at most; None for all.

    Returns:
        A header, and a line for each column and for the target.
    """
    specs = dict(zip(data.columns, data.column_specs, strict=True))
    rows = column_rows(specs)
    listed = rows if max_columns is None or len(specs) <= max_columns else rows[: 1 + max_columns]
    if len(listed) < len(rows):
        listed.append([f"… and {len(rows) - len(listed):,} more columns", *[""] * (len(HEADER) - 1)])
    target = target_row(data.target, data.task, data.classes, data.target_scaling)
    return align_columns([*listed, target])


def column_rows(specs: Mapping[str, ColumnSpec]) -> Rows:
    """Columns in words.

    Args:
        specs: the columns, by their names.

    Returns:
        HEADER and a row for each column.
    """
    return [HEADER, *(_column_row(name, column) for name, column in specs.items())]


def target_row(name: str, task: str, classes: Sequence[Class], scaling: NumericColumn) -> list[str]:
    """The target in words.

    Args:
        name: of the target.
        task: binary, multiclass or regression.
        classes: the classes; empty for a regression.
        scaling: how the numbers of a regression are scaled.

    Returns:
        A cell for each of HEADER.
    """
    if not classes:
        return [name, f"target, {task}", _range_text(scaling), _scaling_text("y", scaling), "", ""]
    rest = "" if len(classes) <= MAX_LISTED_CATEGORIES else f", … ({len(classes):,})"
    return [name, f"target, {task}", ", ".join(map(str, classes[:MAX_LISTED_CATEGORIES])) + rest, "", "", ""]


def _column_row(name: str, column: ColumnSpec) -> list[str]:
    missing = "in training" if column.missing else "answered with a note" if column.is_open else "refused"
    end = [str(column.input_count), missing]
    if isinstance(column, CategoricalColumn):
        count = len(column.categories)
        rest = "" if count <= MAX_LISTED_CATEGORIES else f", … ({count:,})"
        categories = ", ".join(column.categories[:MAX_LISTED_CATEGORIES]) + rest
        categories += ", and others" if column.is_pooled else ""
        return [name, "boolean" if column.boolean else "text", categories, "one-hot", *end]
    if isinstance(column, DateColumn):
        ends = [describe_date(end, column.style) for end in (column.minimum, column.maximum) if end is not None]
        inputs = ", ".join(["scaled time", *column.parts])
        return [name, "time" if column.style == "time" else "date", " to ".join(ends), inputs, *end]
    return [name, "number", _range_text(column), _scaling_text("x", column), *end]


def _range_text(column: NumericColumn) -> str:
    return "" if column.minimum is None else f"{column.minimum:.6g} to {column.maximum:.6g}"


def _scaling_text(variable: str, column: NumericColumn) -> str:
    if not column.scale:
        return "constant, not used"
    scaled = f"({variable} - {column.center:.6g}) / {column.scale * (column.knee or 1):.6g}"
    if not column.knee:
        return scaled
    return f"{column.knee:.4g} asinh({scaled})"

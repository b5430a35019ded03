"""The options of the command line for a case, and the rows of a file as the service is asked for them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from model.checkpoint import Checkpoint
from model.tables.batches import read_batches
from model.tables.columns import ColumnSpec, NumericColumn
from model.tables.parsing import MISSING
from model.tables.spelling import PLAIN_NUMBERS
from tests.tables.people import Case

_FLAGS = {"dates": "--dates", "keep": "--keep", "categorical": "--categorical"}


def reading_flags(case: Case) -> list[str]:
    """The options of the command line that say how a case is read."""
    flags = ["--target", case.target]
    for name, value in case.options.items():
        flags += ["--no-header"] if name == "has_header" else [_FLAGS[name], value if name == "dates" else value[0]]
    return flags


def header_flag(case: Case) -> list[str]:
    """The option with which `nudge predict` reads a case."""
    return [] if case.options.get("has_header", True) else ["--no-header"]


def asked_rows(case: Case, path: Path, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """The rows of a file as JSON has them: in the file's own spelling, but plain numbers as numbers."""
    (frame,) = read_batches(path, has_header=case.options.get("has_header", True))
    named = dict(zip(checkpoint.columns, checkpoint.column_specs, strict=True))
    return [{name: _json_value(row[name], spec) for name, spec in named.items()} for row in frame.to_dicts()]


def query_of(row: dict[str, Any]) -> dict[str, str]:
    """The same row as a query."""
    return {name: "" if value is None else str(value) for name, value in row.items()}


def _json_value(value: Any, spec: ColumnSpec) -> Any:
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if not isinstance(spec, NumericColumn) or spec.spelling != PLAIN_NUMBERS:
        return value
    if value in MISSING or value != value:
        return None
    try:
        return float(value)
    except ValueError:
        return value

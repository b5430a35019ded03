"""What a table that was read holds, and how it differs from what a person says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from model import CategoricalColumn, NumericColumn, Table, TableError, read_table
from model.tables.columns import ColumnSpec
from tests.tables.people import Case, Column

_KINDS = {NumericColumn: "number", CategoricalColumn: "category"}


def write_case(case: Case, folder: Path, stem: str = "table") -> Path:
    """Write the file of a case, and return its path."""
    path = folder / f"{stem}{case.suffix}"
    path.write_bytes(case.content)
    return path


def differences(case: Case, path: Path) -> list[str]:
    """How the reading of a file, or its refusal, differs from what a person says of it."""
    try:
        table = read_table(path, case.target, **case.options)
    except TableError as error:
        return _refusal_faults(case, str(error))
    return _faults(case, table)


def _faults(case: Case, table: Table) -> list[str]:
    """How a table differs from what a person says of it."""
    found = [f"read, and not refused for {case.refused}"] if case.refused else []
    for name, expected in case.columns.items():
        found += _column_faults(name, expected, table)
    for said in case.says:
        if not any(all(word in note for word in said) for note in table.notes):
            found.append(f"no note has {said}")
    if case.task and table.task != case.task:
        found.append(f"the task is {table.task}")
    if case.classes and (
        table.classes != case.classes or list(map(type, table.classes)) != list(map(type, case.classes))
    ):
        found.append(f"the classes are {table.classes}")
    targets = table.target_scaling.unscale(table.y[: len(case.targets)])
    if not np.allclose(targets, case.targets, rtol=1e-4, atol=1e-6):
        found.append(f"the targets are {targets}")
    return found + ([f"the notes are {table.notes}"] if found else [])


def _refusal_faults(case: Case, sentence: str) -> list[str]:
    """How a refusal differs from what a person says of the file."""
    found = []
    _, _, message = sentence.partition(": expected ")
    if not re.fullmatch(r"[^\n]+, found [^\n]+; [^\n]+", message):
        found.append("no sentence of three parts")
    may_be_refused = [name for name, column in case.columns.items() if "refused" in column.kinds]
    if not case.refused and not any(name in message for name in may_be_refused):
        found.append("refused")
    found += [f"{word} is not said" for word in case.refused if word not in message]
    return [*found, message] if found else []


def _column_faults(name: str, expected: Column, table: Table) -> list[str]:
    is_said = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", note) for note in table.notes)
    if name not in table.columns:
        right = is_said and ("left out" in expected.kinds or expected.or_said)
        return [] if right else [f"{name} is left out"]
    spec = table.column_specs[table.columns.index(name)]
    kind = _KINDS.get(type(spec), "date")
    if kind not in expected.kinds:
        return [] if expected.or_said and is_said else [f"{name} is a {kind}: {spec}"]
    if kind != expected.kinds[0]:
        return []
    values = column_values(table, name)
    differ = [pair for pair in zip(values, expected.values, strict=False) if not _same(*pair, spec)]
    return (
        [f"{name} has {differ[0][0]!r} for {differ[0][1]!r}"] if differ and not (expected.or_said and is_said) else []
    )


def column_values(table: Table, name: str) -> list[Any]:
    """The values of a column as a network sees them: numbers, seconds or texts; None where one is missing."""
    index = table.columns.index(name)
    first = sum(spec.input_count for spec in table.column_specs[:index])
    spec = table.column_specs[index]
    inputs = table.x[:, first : first + spec.input_count].astype(np.float64)
    absent = inputs[:, -1] == 1 if spec.missing else np.zeros(len(inputs), bool)
    if isinstance(spec, CategoricalColumn):
        others = spec.input_count - len(spec.categories) - spec.missing
        names = [*spec.categories, *["other"] * others, None]
        return [names[position] for position in inputs.argmax(axis=1)]
    if isinstance(spec, NumericColumn):
        scaled = spec.knee * np.sinh(inputs[:, 0] / spec.knee) if spec.knee else inputs[:, 0]
        values = spec.center + spec.scale * scaled
    else:
        values = spec.mean + spec.scale * inputs[:, 0]
    return [None if gap else value for value, gap in zip(values, absent, strict=True)]


def _same(value: Any, expected: Any, spec: ColumnSpec) -> bool:
    if value is None or expected is None or isinstance(value, str):
        return bool(value == expected)
    if isinstance(expected, str):
        expected = _seconds(expected)
    scale = 0.0 if isinstance(spec, CategoricalColumn) else spec.scale
    share = 0.1 if isinstance(spec, NumericColumn) and spec.knee else 0.01  # float32 of a logarithm has fewer digits
    return bool(abs(value - expected) <= 1e-5 * max(scale, abs(expected) * share, 1e-9))


def _seconds(text: str) -> float:
    """Of a date or a time in ISO 8601."""
    if "-" not in text:
        text = f"1970-01-01T{text}"
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

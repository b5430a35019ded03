"""Models that the tests of pages are shown: of each task, with columns of every kind, and with very many of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from model import CategoricalColumn, Checkpoint, Network, NumericColumn, save
from model.ensembles import Members
from model.inference import Predictor
from model.tables.columns import ColumnSpec, ColumnSpecs, count_inputs
from model.tables.date_columns import fit_date
from model.tables.parsing import parse_json
from model.tables.spelling import NumberSpelling
from model.tables.target_scaling import Residuals
from tests.examples import RECORD, ensemble_of

SHADES = tuple(sorted(f"shade {number}" for number in range(250)))
DAYS = np.arange(0.0, 900.0) * 86_400 + 1_600_000_000 // 86_400 * 86_400
COLUMNS: dict[str, ColumnSpec] = {
    "size (cm)": NumericColumn(10.0, 4.0, edges=(-1.5, -0.25, 0.0, 1.25), minimum=4.0, maximum=15.0, missing=True),
    "count": NumericColumn(7.0, 2.0, edges=(-3.0, 0.0, 2.0), minimum=1.0, maximum=11.0),
    "price": NumericColumn(2e4, 9e3, minimum=500.0, maximum=9e4, spelling=NumberSpelling(",", ".", "$"), is_open=True),
    "colour": CategoricalColumn(("blue", "red", "Zürich's"), is_open=True, frequencies=(0.2, 0.5, 0.3)),
    "shade": CategoricalColumn(SHADES, missing=True, is_pooled=True, frequencies=(*(1 / 252,) * 252,)),
    "sold": CategoricalColumn(("false", "true"), boolean=True),
    "day": fit_date(DAYS, "ymd"),
    "hour": msgspec.structs.replace(fit_date(np.arange(0.0, 86_400.0, 900.0), "time"), missing=True),
    "constant": NumericColumn(5.0, 0.0, minimum=5.0, maximum=5.0),
}
TASKS = {"binary": (1, ("no", "yes")), "multiclass": (14, tuple(f"kind {i}" for i in range(14))), "regression": (1, ())}
METRICS = {"accuracy": 0.8125, "log loss": 0.4375}
NUMBER_METRICS = {"R²": 0.9375, "RMSE": 3.0625}


def checkpoint_of(task: str, columns: dict[str, ColumnSpec] = COLUMNS) -> Checkpoint:
    """A checkpoint with random params, whose predictions differ from row to row."""
    outputs, classes = TASKS[task]
    specs: ColumnSpecs = tuple(columns.values())
    network = Network((count_inputs(specs), 6, outputs), "tanh", task)
    is_number = not classes
    metrics = NUMBER_METRICS if is_number else METRICS
    record = msgspec.structs.replace(
        RECORD,
        rows=480,
        held_out=120,
        split="120 rows, drawn at random",
        table_digest="0" * 64,
        metrics=metrics,
        baseline=dict.fromkeys(metrics, 0.15625),
        intervals={name: (value - 0.03125, value + 0.03125) for name, value in metrics.items()},
    )
    return Checkpoint(
        ensemble=(Members(network, ensemble_of(network, 3)),),
        columns=tuple(columns),
        target="y",
        classes=classes,
        training=record,
        column_specs=specs,
        target_scaling=NumericColumn(100.0, 20.0, minimum=15.0, maximum=250.0) if is_number else NumericColumn(),
        residuals=Residuals(margin=0.5) if is_number else Residuals(),
        temperature=1.0 if is_number else 1.7,
        threshold=0.375 if task == "binary" else 0.5,
    )


def wide_checkpoint(columns: int = 1000) -> Checkpoint:
    """A checkpoint with very many columns."""
    spec = NumericColumn(0.0, 1.0, edges=(-2.0, -1.0, 0.0, 1.0, 2.0), minimum=-2.0, maximum=2.0)
    return checkpoint_of("binary", {f"column {number}": spec for number in range(columns)})


def save_models(directory: Path, solved: Checkpoint) -> None:
    """Write the models, and a broken one."""
    save(directory / "xor.safetensors", solved)
    for task in TASKS:
        save(directory / f"{task}.safetensors", checkpoint_of(task))
    save(directory / "wide.safetensors", wide_checkpoint())
    (directory / "broken.safetensors").write_bytes(b"no checkpoint")


def answers_of(checkpoint: Checkpoint, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the checkpoint predicts for rows of JSON, without the service."""
    values = [
        [
            parse_json(spec, as_float(row[name]))
            for name, spec in zip(checkpoint.columns, checkpoint.column_specs, strict=True)
        ]
        for row in rows
    ]
    answers: list[dict[str, Any]] = Predictor(checkpoint).answers(np.array(values))
    return answers


def as_float(value: Any) -> Any:
    """A JSON value as the service decodes it, with every number as a float."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def with_other_bias(checkpoint: Checkpoint) -> Checkpoint:
    """The same model with other predictions, and so another version."""
    (members,) = checkpoint.ensemble
    *hidden, last = members.params
    return replace(checkpoint, ensemble=(members._replace(params=[*hidden, last._replace(bias=last.bias + 0.25)]),))

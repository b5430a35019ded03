"""Times: the first fit of a process, a further fit, and the prediction of one row."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.tables.peers import MODELS, Fitted, make_estimator
from bench.tables.runs import timed_fit
from bench.tables.tables import MAX_ROWS, Data, load

ROOT = Path(__file__).resolve().parents[2]
# The tables that are timed by default: few and many rows, classes and numbers, all in the half for choosing.
TIMED = ["medicaldata/indo_rct", "mosaicData/SaratogaHouses", "modeldata/mlc_churn", "ggplot2/txhousing"]
WARM_FITS, PREDICTIONS = 2, 200
COLUMNS = ("cold", "warm", "one row")


def show_times(models: Sequence[str], tables: Sequence[str], rounds: int) -> None:
    """Print the median times of each model on each table. The models take turns."""
    print(
        "| table | rows | model | first fit, s | further fit, s | one row, ms |\n| --- | --- | --- | --- | --- | --- |"
    )
    for table in tables:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in models}
        for _ in range(rounds):
            for name in models:
                found[name].append(measure_in_new_process(name, table))
        for name, measured in found.items():
            cold, warm, one_row = (statistics.median(each[column] for each in measured) for column in COLUMNS)
            rows = int(measured[0]["rows"])
            print(f"| {table} | {rows:,} | {name} | {cold:.2f} | {warm:.2f} | {1000 * one_row:.2f} |", flush=True)


def measure_in_new_process(model: str, table: str) -> dict[str, float]:
    """What `measure` finds in a process that has done nothing else, without a cache of programs."""
    environment = {key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"}
    command = [sys.executable, "-m", "bench.tables", "measure", model, table]
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return measured


def measure(model: str, table: str, options: dict[str, Any]) -> str:
    """The seconds of a first fit, of a further fit and of the prediction of one row, as JSON. Imports do not count."""
    warnings.simplefilter("ignore")
    data = load(table, min(MAX_ROWS, MODELS[model].max_rows))
    make_estimator(model, data.task, options)  # which imports the model
    learn, _ = next(data.folds(1))
    seconds = []
    for _ in range(1 + WARM_FITS):
        fitted, elapsed = timed_fit(model, data.frame.iloc[learn], data.y[learn], data.task, options)
        seconds.append(elapsed)
    predict = predict_one(fitted, data) if MODELS[model].is_peer else answer_one(fitted.estimator, data)
    found = {"rows": len(data.y), "cold": seconds[0], "warm": min(seconds[1:]), "one row": seconds_of(predict)}
    return json.dumps(found)


def seconds_of(predict: Callable[[], Any]) -> float:
    """The median time of many calls."""
    seconds = []
    for _ in range(PREDICTIONS):
        started = time.perf_counter()
        predict()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def predict_one(fitted: Fitted, data: Data) -> Callable[[], Any]:
    """The prediction of a peer for a row that is prepared."""
    row = fitted.prepare(data.frame.iloc[:1])
    return lambda: fitted.predict(row)


def answer_one(estimator: Any, data: Data) -> Callable[[], Any]:
    """The answer of the service for a row that is decoded."""
    from model.checkpoint import Checkpoint, TrainingRecord
    from model.inference import Predictor
    from serve.row_decoder import RowDecoder

    record = TrainingRecord(table=data.name, epoch=estimator.n_iter_, loss=0.0, seed=0)
    checkpoint = Checkpoint(
        estimator.ensemble_,
        tuple(estimator.columns_),
        "target",
        tuple(np.asarray(getattr(estimator, "classes_", ())).tolist()),
        record,
        column_specs=estimator.column_specs_,
        target_scaling=estimator.target_scaling_,
        residuals=estimator.residuals_,
        temperature=estimator.temperature_,
    )
    row = {name: data.frame[name].iloc[0] for name in checkpoint.columns}
    body = json.dumps({name: None if pd.isna(value) else value for name, value in row.items()}, default=np.generic.item)
    values = RowDecoder(checkpoint.columns, checkpoint.column_specs).from_json(body.encode(), 1)[0].values
    predictor = Predictor(checkpoint)
    predictor.compile()
    return lambda: predictor.answers(values)

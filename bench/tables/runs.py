"""Runs: a model fitted to every fold of the tables, and the file of its scores."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import r2_score

from bench.tables.peers import MODELS, Fitted
from bench.tables.tables import CLASSES, FOLDS, MAX_ROWS, Data, half_of, load

# As scikit-learn clips probabilities of float64.
SMALLEST_PROBABILITY = 1e-15
Record = dict[str, Any]
Key = tuple[str, int, int]


class Run:
    """The file of one model with its options: a record of every fold, and of every fold that failed.

    Args:
        path: the file. If it is there, it must be of the same model with the same options.
        model: the name of the model.
        options: its options.
    """

    def __init__(self, path: Path, model: str, options: dict[str, Any]) -> None:
        self.path, self.model = path, model
        self.options = options = json.loads(json.dumps(options))
        self.records: list[Record] = []
        if path.exists():
            found = read_run(path)
            if (found["model"], found["options"]) != (model, options):
                raise SystemExit(
                    f"{path} was expected to be of {model} with {options}, and it is of {found['model']} with "
                    f"{found['options']}; name another file"
                )
            self.records = found["folds"]

    def add(self, record: Record) -> None:
        """Write the file anew with one more record."""
        self.records.append(record)
        content = {"model": self.model, "options": self.options, "folds": self.records}
        draft = self.path.with_suffix(".part")
        draft.write_text(json.dumps(content, indent=0))
        os.replace(draft, self.path)

    def has(self, record: Record) -> bool:
        """Whether a fold was tried, whether it failed or not."""
        return any(key_of(each) == key_of(record) for each in self.records)


def read_run(path: Path) -> dict[str, Any]:
    """The content of a file: model, options and folds."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def key_of(record: Record) -> Key:
    """What makes folds the same: the table, its number of rows, and the number of the fold."""
    return record["table"], record["rows"], record["fold"]


def run(file: Run, names: Sequence[str], folds: int = FOLDS, max_rows: int = MAX_ROWS) -> None:
    """Fit a model to the first folds of the tables, but for those that are in its file already."""
    model = MODELS[file.model]
    folds, max_rows = min(folds, model.max_folds), min(max_rows, model.max_rows)
    for name in names:
        data = load(name, max_rows)
        for fold, (learn, test) in enumerate(data.folds(folds)):
            record: Record = {
                "table": name,
                "half": half_of(name),
                "task": data.task,
                "rows": len(data.y),
                "fold": fold,
            }
            if file.has(record):
                continue
            try:
                record |= fit_fold(file, data, learn, test, is_first=fold == 0)
            except Exception as error:  # a peer may fail in any way
                record["error"] = f"{type(error).__name__}: {error}"[:500]
            file.add(record)
            print(progress(file, record), flush=True)


def fit_fold(file: Run, data: Data, learn: np.ndarray, test: np.ndarray, *, is_first: bool) -> Record:
    """The score, the loss and the seconds of one fold.

    The score is the log loss or R2. The loss is the log loss or 1 - R2. The coverage is the share of the rows of the
    test whose interval holds the target. The warm seconds are those of a further fit, of
    the first fold only, if the model compiles; they are the seconds if it does not.
    """
    learned = data.frame.iloc[learn], data.y[learn], data.task, file.options
    fitted, seconds = timed_fit(file.model, *learned)
    score = score_of(fitted, data, test)
    record = {"score": score, "loss": score if data.task == CLASSES else 1 - score, "seconds": seconds}
    if hasattr(fitted.estimator, "predict_interval"):
        low, high = fitted.estimator.predict_interval(fitted.prepare(data.frame.iloc[test])).T
        record["coverage"] = float(np.mean((low <= data.y[test]) & (data.y[test] <= high)))
    if not MODELS[file.model].compiles:
        return record | {"warm_seconds": seconds}
    return record | {"warm_seconds": timed_fit(file.model, *learned)[1]} if is_first else record


def timed_fit(*learned: Any) -> tuple[Fitted, float]:
    """A model that has learned, and the seconds that it took."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = Fitted(*learned)
    return fitted, time.perf_counter() - started


def score_of(fitted: Fitted, data: Data, test: np.ndarray) -> float:
    """The log loss or R2 on the rows of the test."""
    frame, y = data.frame.iloc[test], data.y[test]
    if data.task != CLASSES:
        return float(r2_score(y, fitted.predict(fitted.prepare(frame)).reshape(len(y))))
    classes = np.unique(data.y)
    probabilities = fitted.probabilities(frame, classes)
    true = probabilities[np.arange(len(y)), np.searchsorted(classes.astype(str), y.astype(str))]
    return float(-np.log(np.clip(true, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)).mean())


def progress(file: Run, record: Record) -> str:
    """A line about a fold."""
    said = record.get("error") or f"{record['score']:8.4f} {record['seconds']:7.1f} s"
    return f"{file.model:9} {record['table']:26} {record['rows']:6,} rows fold {record['fold']} {said}"

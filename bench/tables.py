"""Five small tables, from a CSV file to cross-validated figures: default settings beside scikit-learn's.

    python -m bench.tables [--states 4] [--repeats 5]
    python -m bench.tables --members

The first prints how right each is, beside MLPClassifier and MLPRegressor with a scaler, a linear model and boosted
trees, and which bars are met. The second prints what restarts and the size of the ensemble do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.estimators import NudgeClassifier, NudgeRegressor
from model.tables.from_file import table_from_frame
from model.tables.reading import read_frame

ROOT = Path(__file__).resolve().parent.parent
FOLDS, TARGET = 5, "target"
TABLES = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
NAMES = ("nudge", "MLP", "linear", "boosting")
MEMBERS = ((1, 1), (2, 2), (4, 4), (8, 4), (8, 8), (16, 8))


class Data(NamedTuple):
    """What the file of one of TABLES holds. x: [rows, columns]. y: classes, or numbers in a regression."""

    x: np.ndarray
    y: np.ndarray
    regression: bool

    def folds(self, state: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        kind = KFold if self.regression else StratifiedKFold
        folds: Iterator[tuple[np.ndarray, np.ndarray]] = kind(FOLDS, shuffle=True, random_state=state).split(
            self.x, self.y
        )
        return folds


class Scores(NamedTuple):
    """Of each fold, one state after the other. right: accuracy, or R². surprise: log loss. seconds: of the fit."""

    right: np.ndarray
    surprise: np.ndarray
    seconds: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=4, help="how many shufflings into folds")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each on digits")
    parser.add_argument("--members", action="store_true", help="show restarts and ensembles instead")
    parser.add_argument("--worker", choices=("nudge", "MLP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # MLP stops at its 200 epochs
    data = {name: through_csv(load) for name, load in TABLES.items()}
    if options.worker:
        print(digits_seconds(data["digits"], options.worker))
    elif options.members:
        show_members(data, options.states)
    else:
        compare(data, options.states, options.repeats)


def through_csv(load: Callable[[], Any]) -> Data:
    """One of scikit-learn's tables, written to a file and read back."""
    bunch = load()
    y = bunch.target
    if not np.array_equal(y, np.asarray(y, int)) or "target_names" not in bunch:
        targets = y.tolist()
    else:
        targets = [str(bunch.target_names[index]) for index in y]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
        pl.DataFrame(columns | {TARGET: targets}).write_csv(path)
        frame = read_frame(path)
        table = table_from_frame(frame, TARGET)
    x = frame.select(table.columns).cast(pl.Float64).to_numpy()
    assert np.array_equal(x, bunch.data)
    return Data(x, frame[TARGET].to_numpy(), table.task == "regression")


def make(name: str, regression: bool, **options: Any) -> Any:
    """A model with its default settings."""
    if name == "nudge":
        return NudgeRegressor(**options) if regression else NudgeClassifier(**options)
    if name == "MLP":
        mlp = MLPRegressor(random_state=0) if regression else MLPClassifier(random_state=0)
        return make_pipeline(StandardScaler(), mlp)
    if name == "linear":
        return make_pipeline(StandardScaler(), Ridge() if regression else LogisticRegression())
    trees = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return trees(random_state=0)


def score(data: Data, name: str, states: int, **options: Any) -> Scores:
    right, surprise, seconds = [], [], []
    for state in range(states):
        for learn, test in data.folds(state):
            started = time.perf_counter()
            fitted = make(name, data.regression, **options).fit(data.x[learn], data.y[learn])
            seconds.append(time.perf_counter() - started)
            if data.regression:
                right.append(r2_score(data.y[test], fitted.predict(data.x[test])))
            else:
                chances = fitted.predict_proba(data.x[test])
                right.append(np.mean(fitted.classes_[chances.argmax(axis=1)] == data.y[test]))
                surprise.append(log_loss(data.y[test], chances, labels=fitted.classes_))
    return Scores(np.array(right), np.array(surprise), np.array(seconds))


def digits_seconds(data: Data, name: str) -> float:
    """The seconds of five fits, programs compiled among them, in a process that has done nothing else."""
    seconds = 0.0
    for learn, _ in data.folds(0):
        started = time.perf_counter()
        make(name, data.regression).fit(data.x[learn], data.y[learn])
        seconds += time.perf_counter() - started
    return seconds


def fresh(name: str) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"}
    command = [sys.executable, "-m", "bench.tables", "--worker", name]
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(process.stdout.splitlines()[-1])


def compare(data: dict[str, Data], states: int, repeats: int) -> None:
    found = {(table, name): score(data[table], name, states) for table in data for name in NAMES}
    print("| table | | nudge | MLP | nudge − MLP | linear | boosting |\n| --- | --- | --- | --- | --- | --- | --- |")
    for table in data:
        right = [found[table, name].right for name in NAMES]
        print(row(table, "R²" if data[table].regression else "accuracy", right))
        if not data[table].regression:
            print(row("", "log loss", [found[table, name].surprise for name in NAMES]))
        seconds = [f"{found[table, name].seconds.mean():.2f}" for name in NAMES]
        print(f"| | seconds a fit | {seconds[0]} | {seconds[1]} | | {seconds[2]} | {seconds[3]} |")
    folds = FOLDS * states
    print(
        f"\nMeans over {folds} folds: {FOLDS} of each of {states} shufflings; "
        "± one standard error of the fold differences.\n"
    )

    classified = [table for table in data if not data[table].regression]
    gaps = {table: found[table, "nudge"].right - found[table, "MLP"].right for table in data}
    for table, gap in gaps.items():
        bar(f"{table}: not worse than MLP by more than one standard error", gap.mean() >= -error(gap))
    means = [float(np.mean([found[table, name].right.mean() for table in data])) for name in ("nudge", "MLP")]
    bar(f"better in the mean over the five, {means[0]:.4f} and {means[1]:.4f}", means[0] > means[1])
    four = [float(np.mean([found[table, name].right.mean() for table in classified])) for name in ("nudge", "MLP")]
    print(f"  (over the four of classes: {four[0]:.4f} and {four[1]:.4f})")
    for table in classified:
        ours, theirs = (found[table, name].surprise.mean() for name in ("nudge", "MLP"))
        bar(f"{table}: smaller log loss, {ours:.4f} and {theirs:.4f}", ours < theirs)
    times: dict[str, list[float]] = {"nudge": [], "MLP": []}
    for _ in range(repeats):
        for name, seconds_ in times.items():
            seconds_.append(fresh(name))
    ours, theirs = (statistics.median(times[name]) for name in ("nudge", "MLP"))
    spans = [f"{min(each):.2f} to {max(each):.2f}" for each in times.values()]
    text = f"five fits of digits take {ours:.2f} s ({spans[0]}) and MLP's {theirs:.2f} s ({spans[1]})"
    bar(f"{text}, {ours / theirs:.2f} of its time", ours < theirs)
    best = min(times["nudge"]) / min(times["MLP"])
    print(f"  (the best of each: {best:.2f} of its time; where the two ratios differ much, the machine was busy)")


def row(table: str, what: str, by_name: list[np.ndarray]) -> str:
    gap = by_name[0] - by_name[1]
    means = [f"{values.mean():.4f}" for values in by_name]
    cells = [table, what, *means[:2], f"{gap.mean():+.4f} ± {error(gap):.4f}", *means[2:]]
    return f"| {' | '.join(cells)} |"


def error(values: np.ndarray) -> float:
    """The standard error of their mean."""
    return float(values.std(ddof=1) / len(values) ** 0.5)


def bar(text: str, met: bool) -> None:
    print(f"{'met   ' if met else 'MISSED'}  {text}")


def show_members(data: dict[str, Data], states: int) -> None:
    print("| restarts | kept | accuracy, mean of four | log loss, mean of four | R² of diabetes | seconds, digits |")
    print("| --- | --- | --- | --- | --- | --- |")
    for restarts, ensemble in MEMBERS:
        options = {"restarts": restarts, "ensemble": ensemble}
        found = {table: score(data[table], "nudge", states, **options) for table in data}
        four = [found[table] for table in data if not data[table].regression]
        means = [float(np.mean([getattr(scores, what).mean() for scores in four])) for what in ("right", "surprise")]
        seconds = float(np.median(found["digits"].seconds))
        r2 = found["diabetes"].right.mean()
        cells = [f"{restarts}", f"{ensemble}", f"{means[0]:.4f}", f"{means[1]:.4f}", f"{r2:.4f}", f"{seconds:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nMeans over {FOLDS * states} folds; the seconds are a median, programs compiled before.")


if __name__ == "__main__":
    main()

"""Five small tables, read from CSV and cross-validated: Nudge's default settings, compared to those of scikit-learn.

    python -m bench.small_tables [--states 4]
    python -m bench.small_tables --members

The first command compares the scores with those of MLPClassifier and MLPRegressor behind a scaler, of a linear model,
and of boosted trees. It prints which bars are met. The second command compares numbers of restarts and sizes of the
ensemble.
"""

from __future__ import annotations

import argparse
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
MODELS = ("nudge", "MLP", "linear", "boosting")
# Numbers of restarts, each with the size of the ensemble.
ENSEMBLES = ((1, 1), (2, 2), (4, 4), (8, 4), (8, 8), (16, 8))


class Data(NamedTuple):
    """One of TABLES. x: [rows, columns]. y: [rows] classes, or numbers in a regression."""

    x: np.ndarray
    y: np.ndarray
    is_regression: bool

    def folds(self, state: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows to learn from and the rows to test on, for each fold."""
        splitter = KFold if self.is_regression else StratifiedKFold
        folds: Iterator[tuple[np.ndarray, np.ndarray]]
        folds = splitter(FOLDS, shuffle=True, random_state=state).split(self.x, self.y)
        return folds


class Scores(NamedTuple):
    """The scores of every fold of every state, [folds]. score: the accuracy, or R². seconds: the time of the fit."""

    score: np.ndarray
    log_loss: np.ndarray
    seconds: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=4, help="how often the rows are shuffled into folds")
    parser.add_argument("--members", action="store_true", help="compare restarts and ensembles instead")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # MLP stops after its 200 epochs
    tables = {name: through_csv(load) for name, load in TABLES.items()}
    if options.members:
        compare_ensembles(tables, options.states)
    else:
        compare_models(tables, options.states)


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
        frame = read_frame(path).frame
        table = table_from_frame(frame, TARGET)
    x = frame.select(table.columns).cast(pl.Float64).to_numpy()
    assert np.array_equal(x, bunch.data)
    return Data(x, frame[TARGET].to_numpy(), table.task == "regression")


def make_model(name: str, is_regression: bool, **options: Any) -> Any:
    """A model with its default settings, but for the options."""
    if name == "nudge":
        return NudgeRegressor(**options) if is_regression else NudgeClassifier(**options)
    if name == "MLP":
        mlp = MLPRegressor(random_state=0) if is_regression else MLPClassifier(random_state=0)
        return make_pipeline(StandardScaler(), mlp)
    if name == "linear":
        return make_pipeline(StandardScaler(), Ridge() if is_regression else LogisticRegression())
    trees = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    return trees(random_state=0)


def cross_validate(data: Data, name: str, states: int, **options: Any) -> Scores:
    """The scores of a model on every fold."""
    scores, log_losses, seconds = [], [], []
    for state in range(states):
        for learn, test in data.folds(state):
            started = time.perf_counter()
            fitted = make_model(name, data.is_regression, **options).fit(data.x[learn], data.y[learn])
            seconds.append(time.perf_counter() - started)
            if data.is_regression:
                scores.append(r2_score(data.y[test], fitted.predict(data.x[test])))
            else:
                probabilities = fitted.predict_proba(data.x[test])
                scores.append(np.mean(fitted.classes_[probabilities.argmax(axis=1)] == data.y[test]))
                log_losses.append(log_loss(data.y[test], probabilities, labels=fitted.classes_))
    return Scores(np.array(scores), np.array(log_losses), np.array(seconds))


def compare_models(tables: dict[str, Data], states: int) -> None:
    """Print the scores of every model on every table, and which bars are met."""
    results = {table: {name: cross_validate(data, name, states) for name in MODELS} for table, data in tables.items()}
    print("| table | | nudge | MLP | nudge − MLP | linear | boosting |\n| --- | --- | --- | --- | --- | --- | --- |")
    for table, data in tables.items():
        by_model = list(results[table].values())
        print(table_row(table, "R²" if data.is_regression else "accuracy", [scores.score for scores in by_model]))
        if not data.is_regression:
            print(table_row("", "log loss", [scores.log_loss for scores in by_model]))
        nudge, mlp, linear, boosting = (f"{scores.seconds.mean():.2f}" for scores in by_model)
        print(f"| | seconds a fit | {nudge} | {mlp} | | {linear} | {boosting} |")
    print(
        f"\nMeans over {FOLDS * states} folds: {FOLDS} of each of {states} shufflings; "
        "± one standard error of the fold differences.\n"
    )
    show_score_bars(results, [table for table, data in tables.items() if not data.is_regression])


def show_score_bars(results: dict[str, dict[str, Scores]], classifications: list[str]) -> None:
    """Print whether the scores of nudge are as good as those of MLP."""
    for table, scores in results.items():
        gap = scores["nudge"].score - scores["MLP"].score
        show_bar(f"{table}: not worse than MLP by more than one standard error", gap.mean() >= -standard_error(gap))

    def mean_score(name: str, names: list[str]) -> float:
        return float(np.mean([results[table][name].score.mean() for table in names]))

    nudge, mlp = (mean_score(name, list(results)) for name in ("nudge", "MLP"))
    show_bar(f"better in the mean over the five, {nudge:.4f} and {mlp:.4f}", nudge > mlp)
    nudge, mlp = (mean_score(name, classifications) for name in ("nudge", "MLP"))
    print(f"  (over the four with classes: {nudge:.4f} and {mlp:.4f})")
    for table in classifications:
        nudge, mlp = (float(results[table][name].log_loss.mean()) for name in ("nudge", "MLP"))
        show_bar(f"{table}: smaller log loss, {nudge:.4f} and {mlp:.4f}", nudge < mlp)


def table_row(table: str, metric: str, by_model: list[np.ndarray]) -> str:
    """A row of the printed table, from the values of each model on every fold."""
    gap = by_model[0] - by_model[1]
    means = [f"{values.mean():.4f}" for values in by_model]
    cells = [table, metric, *means[:2], f"{gap.mean():+.4f} ± {standard_error(gap):.4f}", *means[2:]]
    return f"| {' | '.join(cells)} |"


def standard_error(values: np.ndarray) -> float:
    """The standard error of the mean."""
    return float(values.std(ddof=1) / len(values) ** 0.5)


def show_bar(text: str, is_met: bool) -> None:
    print(f"{'met   ' if is_met else 'MISSED'}  {text}")


def compare_ensembles(tables: dict[str, Data], states: int) -> None:
    """Print the scores with every number of restarts and every size of the ensemble."""
    print("| restarts | kept | accuracy, mean of four | log loss, mean of four | R² of diabetes | seconds, digits |")
    print("| --- | --- | --- | --- | --- | --- |")
    for restarts, ensemble in ENSEMBLES:
        options = {"restarts": restarts, "ensemble": ensemble}
        results = {table: cross_validate(data, "nudge", states, **options) for table, data in tables.items()}
        classifications = [results[table] for table, data in tables.items() if not data.is_regression]
        accuracy = float(np.mean([scores.score.mean() for scores in classifications]))
        mean_log_loss = float(np.mean([scores.log_loss.mean() for scores in classifications]))
        seconds = float(np.median(results["digits"].seconds))
        r2 = results["diabetes"].score.mean()
        cells = [f"{restarts}", f"{ensemble}", f"{accuracy:.4f}", f"{mean_log_loss:.4f}", f"{r2:.4f}", f"{seconds:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nMeans over {FOLDS * states} folds; the seconds are a median, with programs that are already compiled.")


if __name__ == "__main__":
    main()

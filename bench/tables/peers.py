"""The models: Nudge and its peers, all with their defaults, and the frames that each of them takes.

Nudge takes the frames as they are. The peers get what a person would prepare for them. Texts become categories, and
dates become days. scikit-learn's boosting takes at most 255 categories in a column, so its rarest texts share one.
CatBoost takes texts, and a missing text is a text of its own. RealMLP and TabM take no missing numbers. These become
the median, and a further column says where they were.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.tables.tables import CLASSES

MISSING, RARE = "(missing)", "(rare)"
# A text with fewer characters is not a date.
DATE_LENGTH = 10


class Model(NamedTuple):
    """A kind of model.

    module: where its two classes are. classes: the classifier and the regressor. options: its arguments here, besides
    the defaults. threads: the argument for the number of threads. is_peer: whether its frames are prepared. has_texts:
    whether it takes texts. is_filled: whether it takes no missing numbers. compiles: whether a further fit of the same
    rows is faster. max_categories: in one column. max_rows and max_folds: the most that `run` gives it.
    """

    module: str
    classes: tuple[str, str]
    options: dict[str, Any]
    threads: str = ""
    is_peer: bool = True
    has_texts: bool = False
    is_filled: bool = False
    compiles: bool = False
    max_categories: int = 10**9
    max_rows: int = 10**9
    max_folds: int = 10**9


SLOW: dict[str, Any] = {"has_texts": True, "is_filled": True, "threads": "n_threads", "max_rows": 3000, "max_folds": 1}
ON_CPU = {"random_state": 0, "device": "cpu", "verbosity": 0}
MODELS = {
    "nudge": Model("model.estimators", ("NudgeClassifier", "NudgeRegressor"), {}, is_peer=False, compiles=True),
    "hist": Model(
        "sklearn.ensemble",
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
        {"random_state": 0, "categorical_features": "from_dtype"},
        max_categories=255,
    ),
    "lightgbm": Model("lightgbm", ("LGBMClassifier", "LGBMRegressor"), {"random_state": 0, "verbosity": -1}, "n_jobs"),
    "catboost": Model(
        "catboost",
        ("CatBoostClassifier", "CatBoostRegressor"),
        {"random_seed": 0, "verbose": False, "allow_writing_files": False},
        "thread_count",
        has_texts=True,
    ),
    "realmlp": Model("pytabkit", ("RealMLP_TD_Classifier", "RealMLP_TD_Regressor"), ON_CPU, **SLOW),
    "tabm": Model("pytabkit", ("TabM_D_Classifier", "TabM_D_Regressor"), ON_CPU, **SLOW),
}


def why_left_out(name: str) -> str:
    """Why a model cannot be fitted here; empty if it can."""
    package = MODELS[name].module.split(".")[0]
    return "" if importlib.util.find_spec(package) else f"{name} is left out: {package} is not installed."


class Preparation:
    """Turns the frames of one table into what a peer takes. It knows only the rows to learn from.

    Args:
        frame: the rows to learn from.
        model: the peer.
    """

    def __init__(self, frame: pd.DataFrame, model: Model) -> None:
        self.model = model
        texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
        self.dates = {name for name in texts if is_dates(frame[name])}
        self.categories = {name: self._categories(frame[name]) for name in texts if name not in self.dates}
        self.medians = {}
        if model.is_filled:
            numbers = {name: self._numbers(frame[name]) for name in frame if name not in self.categories}
            self.medians = {name: np.nan_to_num(column.median()) for name, column in numbers.items()}
            self.incomplete = {name for name, column in numbers.items() if column.isna().any()}

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns = {}
        for name in frame:
            if name in self.categories:
                columns[name] = self._texts(frame[name])
                continue
            columns[name] = numbers = self._numbers(frame[name])
            if self.model.is_filled:
                columns[name] = numbers.fillna(self.medians[name])
                if name in self.incomplete:
                    columns[f"{name} is missing"] = numbers.isna().astype(float)
        return pd.DataFrame(columns)

    def _categories(self, column: pd.Series) -> list[str]:
        counts = column.dropna().astype(str).value_counts()
        if len(counts) <= self.model.max_categories:
            return sorted(counts.index)
        return [*sorted(counts.index[: self.model.max_categories - 1]), RARE]

    def _texts(self, column: pd.Series) -> pd.Series:
        texts, categories = column.astype(str).astype(object), self.categories[column.name]
        if self.model.has_texts:
            return texts.where(column.notna(), MISSING)
        if RARE in categories:
            texts = texts.where(texts.isin(categories), RARE)
        return texts.where(column.notna(), None).astype(pd.CategoricalDtype(categories))

    def _numbers(self, column: pd.Series) -> pd.Series:
        return days(column) if column.name in self.dates else column.astype(np.float64)


def is_dates(column: pd.Series) -> bool:
    """Whether all texts of a column are dates, such as 2024-12-31."""
    texts = column.dropna().astype(str)
    return bool(len(texts)) and bool((texts.str.len() >= DATE_LENGTH).all()) and bool(days(texts).notna().all())


def days(column: pd.Series) -> pd.Series:
    """The days of dates since 1970, NaN where there is none."""
    moments = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True)
    return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)


class Fitted:
    """A model that has learned from the rows of a frame.

    Args:
        name: of the model.
        frame: the rows to learn from.
        y: [rows] texts of classes, or numbers.
        task: CLASSES or NUMBERS.
        options: more arguments of the model, or others.
    """

    def __init__(self, name: str, frame: pd.DataFrame, y: np.ndarray, task: str, options: dict[str, Any]) -> None:
        model = MODELS[name]
        self.is_classifier = task == CLASSES
        self.estimator = make_estimator(name, task, options)
        self.prepare = Preparation(frame, model) if model.is_peer else lambda frame: frame
        prepared, arguments = self.prepare(frame), {}
        if name == "catboost":
            arguments["cat_features"] = list(self.prepare.categories)
        self.estimator.fit(prepared, y, **arguments)

    def predict(self, prepared: pd.DataFrame) -> np.ndarray:
        """The probabilities [rows, classes] or numbers [rows] for the rows of a prepared frame."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predict = self.estimator.predict_proba if self.is_classifier else self.estimator.predict
            return np.asarray(predict(prepared), np.float64)

    def probabilities(self, frame: pd.DataFrame, classes: np.ndarray) -> np.ndarray:
        """The probability of each of the classes, [rows, classes]; 0 for a class that it never saw."""
        known = [str(each) for each in self.estimator.classes_]
        found = dict(zip(known, self.predict(self.prepare(frame)).T, strict=True))
        return np.stack([found.get(name, np.zeros(len(frame))) for name in classes], axis=1)


def make_estimator(name: str, task: str, options: dict[str, Any]) -> Any:
    """A model with its defaults, but for the options."""
    model = MODELS[name]
    classifier, regressor = model.classes
    kind = getattr(importlib.import_module(model.module), classifier if task == CLASSES else regressor)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # its import has set another level
    threads = os.environ.get("OMP_NUM_THREADS")
    limit = {model.threads: int(threads)} if threads and model.threads else {}
    return kind(**model.options | limit | options)

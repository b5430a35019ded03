"""Estimators for scikit-learn's pipelines, grid searches and cross-validation. They need the extra `sklearn`.

Columns of frames are read like those of a file: texts, categories, dates and missing values need no preparation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils import validation as checks
from sklearn.utils.multiclass import check_classification_targets

from model.evaluation.batches import predict_rows
from model.tables.chosen_categories import FROM_DTYPE, chosen_categories
from model.tables.frame_columns import frame_columns, is_frame, polars_frame
from model.tables.frames import pl
from model.tables.from_columns import inputs_of_columns, table_from_columns
from model.tables.further_rows import append_held_out
from model.tables.pandas_columns import is_pandas
from model.tables.table import Table
from model.tables.target_scaling import expected_values, interval_of
from model.tables.value_columns import column_of_objects, column_of_values
from model.tasks import TASKS
from model.training.defaults import FILE_DEFAULTS, FILE_HIDDEN, default_network
from model.training.fit import fit

# The default for the number of rows.
AUTO = "auto"


class _Rows(NamedTuple):
    """Rows: their columns as polars Series, targets, weights above 0 or None, and the codes of their groups or None."""

    columns: list[pl.Series]
    targets: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share."""

    def __init__(
        self,
        hidden: Sequence[int] = FILE_HIDDEN,
        activation: str = "relu",
        *,
        epochs: int = FILE_DEFAULTS.epochs,
        restarts: int = FILE_DEFAULTS.restarts,
        ensemble: int = FILE_DEFAULTS.ensemble,
        encodings: Sequence[str] = FILE_DEFAULTS.encodings,
        init: str = FILE_DEFAULTS.init,
        optimizer: str = FILE_DEFAULTS.optimizer,
        learning_rate: float = FILE_DEFAULTS.learning_rate,
        schedule: str = FILE_DEFAULTS.schedule,
        weight_decay: Sequence[float] | float | str = AUTO,
        clip: float = FILE_DEFAULTS.clip,
        batch_size: int | str | None = AUTO,
        validation: float | str = AUTO,
        folds: int | str = AUTO,
        patience: int = FILE_DEFAULTS.patience,
        class_weights: bool = FILE_DEFAULTS.class_weights,
        target_scale: str = FILE_DEFAULTS.target_scale,
        threshold: float | str = FILE_DEFAULTS.threshold,
        categorical_features: Any = FROM_DTYPE,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.epochs = epochs
        self.restarts = restarts
        self.ensemble = ensemble
        self.encodings = encodings
        self.init = init
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.clip = clip
        self.batch_size = batch_size
        self.validation = validation
        self.folds = folds
        self.patience = patience
        self.class_weights = class_weights
        self.target_scale = target_scale
        self.threshold = threshold
        self.categorical_features = categorical_features
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Learn from X, a frame or [rows, columns] numbers, NaN where a value is missing, and from y.

        y is [rows] classes, at least two different ones, or [rows] numbers in a regression. sample_weight is [rows]
        numbers from 0: how much each row counts. By default all rows count the same. groups is [rows] values of any
        type: rows with the same value are all learned from or all held out. X_val, y_val and sample_weight_val are rows
        that are held out instead of a share of X.
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        if X_val is None or y_val is None:
            for name in (name for name, value in validation.items() if value is not None):
                raise ValueError(f"X_val and y_val must both be given or left out, and only {name} is given")
        elif groups is not None:
            raise ValueError("groups must be left out if X_val is given, because no rows of X are held out then")
        rows = self._rows(X, y, sample_weight, groups)
        held_out = None if X_val is None else self._rows(X_val, y_val, sample_weight_val, None, "_val")
        return self._fit(rows, held_out)

    def _rows(self, X: Any, y: Any, sample_weight: Any, groups: Any, suffix: str = "") -> _Rows:
        is_numeric = is_regressor(self)
        if suffix:  # validate_data would forget the names of the columns of X
            targets = checks._check_y(y, y_numeric=is_numeric)
        else:
            targets = checks.validate_data(self, y=y, y_numeric=is_numeric)
        if targets.dtype.kind == "O" and column_of_objects(targets.tolist()).null_count():
            raise ValueError(f"y{suffix} must have no missing values, and it has some; leave out these rows")
        columns = _columns(self, X, reset=not suffix)
        checks.check_consistent_length(columns[0], targets)
        codes = None if groups is None else _group_codes(groups, targets)
        if sample_weight is None:
            return _Rows(columns, targets, None, codes)
        weights = checks._check_sample_weight(sample_weight, targets, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            raise ValueError(f"sample_weight{suffix} must have a number above zero, and all are zero")
        weights = (weights / weights.max()).astype(np.float32).astype(np.float64)
        kept = weights > 0
        columns, codes = [each.filter(kept) for each in columns], None if codes is None else codes[kept]
        return _Rows(columns, targets[kept], None if np.ptp(weights[kept]) == 0 else weights[kept], codes)

    def _encode(self, targets: np.ndarray) -> np.ndarray:
        """The targets as numbers. In a classifier, they become the indices of classes."""
        return np.asarray(targets, np.float64)

    def _fit(self, rows: _Rows, held_out: _Rows | None, classes: Sequence[Any] = ()) -> Self:
        names = [column.name for column in rows.columns]
        categories = chosen_categories(rows.columns, self.categorical_features)
        y = self._encode(rows.targets)
        table = table_from_columns(rows.columns, y, classes, categories=categories, weights=rows.weights)
        table = replace(table, groups=rows.groups, split_by="" if rows.groups is None else "groups")
        self.columns_, self.column_specs_, self.notes_ = table.columns, table.column_specs, table.notes
        self._positions = [names.index(name) for name in table.columns]
        if held_out is not None:
            x, y = self._inputs(held_out.columns), self._encode(held_out.targets)
            table = append_held_out(table, x, y, held_out.weights, "X_val")
        return self._train(table)

    def _inputs(self, columns: Sequence[pl.Series]) -> np.ndarray:
        specs = dict(zip(self.columns_, self.column_specs_, strict=True))
        return inputs_of_columns(specs, [columns[position] for position in self._positions])

    def _train(self, table: Table) -> Self:
        fields = FILE_DEFAULTS.__struct_fields__
        options = {
            name: value
            for name, value in self.get_params().items()
            if name in fields and not (isinstance(value, str) and value == AUTO)
        }
        key = jax.random.key(int(check_random_state(self.random_state).randint(2**31 - 1)))
        result = fit(default_network(table, tuple(self.hidden), self.activation), table, key=key, **options)
        self.target_scaling_, self.residuals_ = result.target_scaling, result.residuals
        self.ensemble_, self.temperature_ = jax.device_get(result.ensemble), result.temperature
        self.metrics_, self.n_iter_ = result.metrics, result.epoch
        if table.classes:
            self.threshold_ = result.threshold
        return self

    def _predict(self, X: Any) -> np.ndarray:
        checks.check_is_fitted(self)
        inputs = self._inputs(_columns(self, X, reset=False))
        return np.asarray(predict_rows(self.ensemble_, inputs, self.temperature_).mean, np.float64)


def _columns(estimator: _Estimator, X: Any, *, reset: bool) -> list[pl.Series]:
    if is_frame(X):
        frame = X if is_pandas(X, "DataFrame") else polars_frame(X)
        checks.validate_data(estimator, frame, skip_check_array=True, reset=reset)
        return frame_columns(frame).read(lambda names, left_out: list(names))
    x = checks.validate_data(estimator, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
    return [pl.Series(f"x{index}", column) for index, column in enumerate(x.T)]


def _group_codes(groups: Any, targets: np.ndarray) -> np.ndarray:
    """The number of the group of each row, from values of any type. Rows without a value are one group."""
    values = column_or_1d(groups, input_name="groups")
    checks.check_consistent_length(values, targets)
    texts = column_of_values("groups", values).cast(pl.String).fill_null("").to_numpy()
    return np.unique(texts, return_inverse=True)[1].astype(np.int32)


class NudgeClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier: an ensemble of small networks with calibrated probabilities.

    Args:
        hidden: the units of each hidden layer.
        activation: of the hidden layers: relu, tanh, sigmoid or gelu.
        categorical_features: which columns are categories. "from_dtype" means the columns of texts, truth values and
            categorical types. Names, positions or a mask list columns that are categories, whatever they hold; all
            others are read as in a file.
        threshold: the probability from which a label is the second of two classes. A number, or a rule by which it is
            chosen on the rows held out: "f1" maximizes F1, "cost:FP,FN" minimizes what mistakes cost. `threshold_` is
            the number, as `best_threshold_` of TunedThresholdClassifierCV is.
        random_state: a seed, or NumPy's RandomState.

    The other arguments are those of `model.hyperparameters.Hyperparameters`, with the defaults for a file. For
    `batch_size` and `weight_decay`, "auto" is the default for the number of rows. With a number for `validation`, all
    networks hold out the same rows, unless `folds` is given too.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> NudgeClassifier(hidden=(8,), epochs=50).fit(x, y).score(x, y) > 0.9
        True
    """

    def _fit(self, rows: _Rows, held_out: _Rows | None, classes: Sequence[Any] = ()) -> Self:
        check_classification_targets(rows.targets)
        self.classes_ = np.unique(rows.targets)
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least two classes, and has one class, {self.classes_.tolist()[0]!r}")
        return super()._fit(rows, held_out, self.classes_.tolist())

    def _encode(self, targets: np.ndarray) -> np.ndarray:
        known = set(self.classes_.tolist())
        for value in targets.tolist():
            if value not in known:
                raise ValueError(f"y_val must have classes of y, and has another, {value!r}")
        indices: np.ndarray = np.searchsorted(self.classes_, targets)
        return indices

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each of `classes_` for each row of X, [rows, classes] float64."""
        mean = self._predict(X)
        probabilities: np.ndarray = np.stack([1 - mean, mean], axis=1) if mean.ndim == 1 else mean
        normalized: np.ndarray = probabilities / probabilities.sum(axis=1, keepdims=True)
        return normalized

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row of X, [rows]: the second of two from `threshold_` on, the likeliest of several."""
        mean = self._predict(X)
        labels: np.ndarray = self.classes_[TASKS[self.ensemble_[0].network.task].class_indices(mean, self.threshold_)]
        return labels


class NudgeRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor: the mean of an ensemble of small networks.

    Args:
        hidden: the units of each hidden layer.
        activation: of the hidden layers: relu, tanh, sigmoid or gelu.
        categorical_features: which columns are categories. "from_dtype" means the columns of texts, truth values and
            categorical types. Names, positions or a mask list columns that are categories, whatever they hold; all
            others are read as in a file.
        random_state: a seed, or NumPy's RandomState.

    The other arguments are those of `model.hyperparameters.Hyperparameters`, with the defaults for a file. For
    `batch_size` and `weight_decay`, "auto" is the default for the number of rows. With a number for `validation`, all
    networks hold out the same rows, unless `folds` is given too.

    Example:
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> NudgeRegressor(hidden=(16,), epochs=100).fit(x, x[:, 0] ** 2).score(x, x[:, 0] ** 2) > 0.9
        True
    """

    def predict(self, X: Any) -> np.ndarray:
        """The number for each row of X, [rows] float64."""
        scaled = self._predict(X)
        numbers: np.ndarray = expected_values(self.target_scaling_, scaled, self.residuals_)
        return numbers

    def predict_interval(self, X: Any) -> np.ndarray:
        """An interval for each row of X, [rows, 2] float64, that holds the target in nine rows of ten.

        It is as wide as the errors on the rows held out. Raises ValueError if none was held out.
        """
        scaled = self._predict(X)
        if not self.residuals_.margin:
            raise ValueError("predict_interval needs rows held out in fit, and there are none; ask for folds=4")
        ends: np.ndarray = interval_of(self.target_scaling_, scaled, self.residuals_)
        return ends

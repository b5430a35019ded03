"""Estimators for scikit-learn's pipelines, grid searches and cross-validation. They need the extra `sklearn`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from model.ensembles import predict_rows
from model.tables.columns import encode
from model.tables.table import Table, table_from_arrays
from model.training.defaults import FILE_DEFAULTS, FILE_HIDDEN, default_network
from model.training.fit import fit

# The default for the number of rows.
AUTO = "auto"


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the hyperparameters, and learning from columns of numbers."""

    def __init__(
        self,
        hidden: Sequence[int] = FILE_HIDDEN,
        activation: str = "relu",
        *,
        epochs: int = FILE_DEFAULTS.epochs,
        restarts: int = FILE_DEFAULTS.restarts,
        ensemble: int = FILE_DEFAULTS.ensemble,
        init: str = FILE_DEFAULTS.init,
        optimizer: str = FILE_DEFAULTS.optimizer,
        learning_rate: float = FILE_DEFAULTS.learning_rate,
        schedule: str = FILE_DEFAULTS.schedule,
        weight_decay: Sequence[float] | float | str = AUTO,
        clip: float = FILE_DEFAULTS.clip,
        batch_size: int | str | None = AUTO,
        validation: float = FILE_DEFAULTS.validation,
        patience: int = FILE_DEFAULTS.patience,
        class_weights: bool = FILE_DEFAULTS.class_weights,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.epochs = epochs
        self.restarts = restarts
        self.ensemble = ensemble
        self.init = init
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.clip = clip
        self.batch_size = batch_size
        self.validation = validation
        self.patience = patience
        self.class_weights = class_weights
        self.random_state = random_state

    def _fit(self, table: Table) -> Self:
        fields = FILE_DEFAULTS.__struct_fields__
        options = {
            name: value
            for name, value in self.get_params().items()
            if name in fields and not (isinstance(value, str) and value == AUTO)
        }
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        network = default_network(table, tuple(self.hidden), self.activation)
        result = fit(network, table, key=jax.random.key(seed), **options)
        self.network_, self.column_specs_, self.target_scaling_ = network, table.column_specs, table.target_scaling
        self.params_ = jax.device_get(result.params)
        self.temperature_ = result.temperature
        self.metrics_ = result.metrics
        self.n_iter_ = result.epoch
        return self

    def _predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        inputs = encode(self.column_specs_, list(x.T))
        mean = predict_rows(self.params_, inputs, self.network_, self.temperature_).mean
        return np.asarray(mean, np.float64)


class NudgeClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier: an ensemble of small networks with calibrated probabilities.

    Args:
        hidden: the units of each hidden layer.
        activation: of the hidden layers: relu, tanh, sigmoid or gelu.
        random_state: a seed, or NumPy's RandomState.

    The other arguments are those of `model.hyperparameters.Hyperparameters`, with the defaults for a file. For
    `batch_size` and `weight_decay`, "auto" is the default for the number of rows.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> NudgeClassifier(hidden=(8,), epochs=50).fit(x, y).score(x, y) > 0.9
        True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from X, [rows, columns] finite numbers, and y, [rows] classes, at least two different ones."""
        x, targets = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(targets)
        self.classes_, codes = np.unique(targets, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least two classes, and has one class, {self.classes_.tolist()[0]!r}")
        return self._fit(table_from_arrays(x, codes, self.classes_.tolist()))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each of `classes_` for each row of X, [rows, classes] float64."""
        mean = self._predict(X)
        probabilities: np.ndarray = np.stack([1 - mean, mean], axis=1) if mean.ndim == 1 else mean
        normalized: np.ndarray = probabilities / probabilities.sum(axis=1, keepdims=True)
        return normalized

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row of X, [rows]."""
        indices = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[indices]
        return labels


class NudgeRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor: the mean of an ensemble of small networks.

    Args:
        hidden: the units of each hidden layer.
        activation: of the hidden layers: relu, tanh, sigmoid or gelu.
        random_state: a seed, or NumPy's RandomState.

    The other arguments are those of `model.hyperparameters.Hyperparameters`, with the defaults for a file. For
    `batch_size` and `weight_decay`, "auto" is the default for the number of rows.

    Example:
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> NudgeRegressor(hidden=(16,), epochs=100).fit(x, x[:, 0] ** 2).score(x, x[:, 0] ** 2) > 0.9
        True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from X, [rows, columns], and y, [rows], both finite numbers."""
        x, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        return self._fit(table_from_arrays(x, np.asarray(targets, np.float64)))

    def predict(self, X: Any) -> np.ndarray:
        """The number for each row of X, [rows] float64."""
        check_is_fitted(self)
        numbers: np.ndarray = self.target_scaling_.unscale(self._predict(X))
        return numbers

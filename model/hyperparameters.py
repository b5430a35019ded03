"""Hyperparameters: how a network is trained, with every limit and the guide's defaults in one place."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from model.arrays import is_count, is_number
from model.evaluation.thresholds import Threshold, check_threshold
from model.tasks import DEFAULT_THRESHOLD

INITS = ("normal", "he")
SCHEDULES = ("constant", "cosine")
OPTIMIZERS = ("sgd", "momentum", "adam")
# How a network can see the columns of numbers and dates: one input for each, or one for each of its bins.
ENCODINGS = ("numbers", "bins")
# The scales of a target: as it is, with its long tail drawn together, or whichever predicts better.
TARGET_SCALES = ("linear", "asinh", "auto")

COUNT_LIMIT = 2**63
# Numbers of rows that may be None, for all rows.
MAY_BE_ALL = ("batch_size", "window")
LARGEST_VALIDATION = 0.5
# The range of positive numbers that float32 holds with all its digits.
SMALLEST_FLOAT32, LARGEST_FLOAT32 = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Hyperparameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a network is trained.

    The defaults here are the guide's, for a truth table; `model.training.defaults` has those for a file.

    Attributes:
        epochs: passes over the rows, at most; from 1.
        restarts: random starts, from 1.
        ensemble: how many restarts are kept, the ones with the smallest validation loss; from 1 to restarts.
        encodings: how the restarts see the columns, of ENCODINGS. If there are two, the first half of the restarts has
            the first one. In the end, all that are kept predict, or only those of one encoding, whichever has the
            smaller loss on the rows held out.
        init: normal or he, as in `init_params`.
        optimizer: sgd, momentum (with 0.9), or adam.
        learning_rate: above 0.
        schedule: of the learning rate: constant, or cosine, which ends at 0 after the last epoch (Loshchilov and
            Hutter, ICLR 2017, 3).
        weight_decay: from 0; each step, every weight shrinks by this times the learning rate times itself, biases do
            not (Loshchilov and Hutter, ICLR 2019, algorithm 2). One number, or several, which the restarts take in
            turn.
        clip: the largest norm of the gradient (Pascanu et al., ICML 2013, 3.2); 0 for no limit.
        batch_size: rows in a step, shuffled anew in each epoch; None for all rows.
        window: about how many rows are in memory at a time, if the rows are read from a file in each epoch. An epoch
            takes blocks of rows in random order, so many of them at a time that they are a window, and the rows of a
            window in random order (Xu et al., SIGMOD 2022, 3). At least batch_size; None for all rows.
        validation: the share of rows that is held out, from 0 to 0.5, at most 10,000 rows. If the table names the rows
            to hold out, it is these, and any share above 0 will do. With several folds, it does not count.
        folds: into how many parts the rows are split, each of which some restarts hold out: the first restart of an
            encoding the first part, and so on. With 1, or if the table says how its rows are split, all restarts hold
            out the same rows.
        patience: a restart ends after so many epochs without a smaller validation loss, and keeps the parameters of
            the smallest.
        mask: the share of the rows of a minibatch in which one value is hidden at random, from 0 to 1. So the network
            learns to predict rows with an unknown value. Only values of columns that accept unknown values are hidden.
        class_weights: whether all classes count the same in the loss, however many rows each has.
        target_scale: how the target of a regression is scaled: linear; asinh, which draws its long tail together; or
            auto, which is linear unless the target is skewed and the squared error on the rows held out is smaller with
            asinh.
        log_every: epochs between recorded losses, from 1.
        threshold: the probability from which a label is the second of two classes: a number from 0 to 1, or a rule by
            which it is chosen on the rows held out: "f1", or "cost:FP,FN", see `choose_threshold`. It changes no
            training.

    Raises:
        ValueError: if one of them is out of its range.

    Example:
        >>> Hyperparameters(epochs=0)
        Traceback (most recent call last):
        ValueError: epochs must be a whole number from 1 to 2^63 - 1, not 0
    """

    epochs: int = 100_000
    restarts: int = 64
    ensemble: int = 1
    encodings: tuple[str, ...] = ("numbers",)
    init: str = "normal"
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    schedule: str = "constant"
    weight_decay: tuple[float, ...] = (0.0,)
    clip: float = 0.0
    batch_size: int | None = None
    window: int | None = None
    validation: float = 0.0
    folds: int = 1
    patience: int = 1
    mask: float = 0.0
    class_weights: bool = False
    target_scale: str = "linear"
    log_every: int = 100
    threshold: Threshold = DEFAULT_THRESHOLD

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "weight_decay", tuple(np.atleast_1d(self.weight_decay).tolist()))
        msgspec.structs.force_setattr(self, "encodings", tuple(np.atleast_1d(self.encodings).tolist()))
        self._check_counts()
        self._check_choices()
        self._check_numbers()
        if self.ensemble > self.restarts:
            raise ValueError(f"ensemble must be at most restarts, {self.restarts}, not {self.ensemble}")

    def _check_counts(self) -> None:
        for name in ("epochs", "restarts", "ensemble", "folds", "patience", "log_every", *MAY_BE_ALL):
            value = getattr(self, name)
            if name in MAY_BE_ALL and value is None:
                continue
            if not (is_count(value) and value < COUNT_LIMIT):
                raise ValueError(f"{name} must be a whole number from 1 to 2^63 - 1, not {value!r:.40}")

        if self.window is not None and not self.batch_size:
            raise ValueError("batch_size must be given if there is a window; name a number of rows")
        if self.window is not None and self.batch_size is not None and self.window < self.batch_size:
            raise ValueError(f"window must be at least the batch_size, {self.batch_size}, not {self.window}")

    def _check_choices(self) -> None:
        choices = {"init": INITS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "target_scale": TARGET_SCALES}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"the {name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")

        if not self.encodings or not set(self.encodings) <= set(ENCODINGS):
            raise ValueError(f"encodings must be some of {', '.join(ENCODINGS)}, not {self.encodings!r}")

    def _check_numbers(self) -> None:
        if not (is_number(self.learning_rate) and SMALLEST_FLOAT32 <= self.learning_rate <= LARGEST_FLOAT32):
            raise ValueError(f"the learning rate must be a finite number above 0 in float32, not {self.learning_rate}")
        if not (self.weight_decay and all(is_number(decay) and 0 <= decay < math.inf for decay in self.weight_decay)):
            raise ValueError(f"weight_decay must be finite numbers from 0, not {self.weight_decay}")
        if not (is_number(self.clip) and 0 <= self.clip < math.inf):
            raise ValueError(f"clip must be a finite number from 0, not {self.clip}")
        if not (is_number(self.validation) and 0 <= self.validation <= LARGEST_VALIDATION):
            raise ValueError(f"validation must be a share from 0 to {LARGEST_VALIDATION}, not {self.validation}")

        if not (is_number(self.mask) and 0 <= self.mask <= 1):
            raise ValueError(f"mask must be a share from 0 to 1, not {self.mask}")
        check_threshold(self.threshold)

    @property
    def uses_minibatches(self) -> bool:
        """Whether each restart is trained by itself, in minibatches; otherwise all are trained side by side."""
        return (
            self.batch_size is not None
            or self.validation > 0
            or self.folds > 1
            or self.class_weights
            or any(self.weight_decay)
        )


def replace(hyperparameters: Hyperparameters, **changes: Any) -> Hyperparameters:
    """Hyperparameters with some of them changed.

    If only one of restarts and ensemble is named, the other is changed to fit it. If a validation is named without
    folds, there is one fold. Each encoding has a restart in each fold: if folds are named, there are at least so many
    restarts; if restarts or an ensemble are named that are fewer, there are fewer folds, or one.

    Args:
        hyperparameters: the ones to start from.
        changes: new values, by the names of the attributes.

    Returns:
        The changed hyperparameters.

    Raises:
        TypeError: for a name that is not an attribute.
        ValueError: as the class does.

    Example:
        >>> replace(Hyperparameters(), epochs=5).epochs
        5
    """
    if "restarts" in changes and is_count(changes["restarts"]):
        changes = {"ensemble": min(hyperparameters.ensemble, changes["restarts"])} | changes
    if "ensemble" in changes and is_count(changes["ensemble"]):
        changes = {"restarts": max(hyperparameters.restarts, changes["ensemble"])} | changes
    if "validation" in changes:
        changes = {"folds": 1} | changes
    return _with_fitting_folds(
        msgspec.structs.replace(hyperparameters, **_with_restarts(hyperparameters, changes)), changes
    )


def _with_restarts(hyperparameters: Hyperparameters, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, with enough restarts for folds that are named alone."""
    encodings = np.atleast_1d(changes.get("encodings", hyperparameters.encodings))
    if "folds" not in changes or "restarts" in changes or not is_count(changes["folds"], 2):
        return changes
    restarts = max(hyperparameters.restarts, changes["folds"] * len(encodings))
    return {"ensemble": restarts} | changes | {"restarts": restarts}


def _with_fitting_folds(hyperparameters: Hyperparameters, changes: dict[str, Any]) -> Hyperparameters:
    """Fewer folds if there are not enough restarts, and one if fewer networks are kept than there are groups."""
    h = hyperparameters
    folds = min(h.folds, max(1, h.restarts // len(h.encodings)))
    if "ensemble" in changes and h.ensemble < folds * len(h.encodings):
        folds = 1
    return h if folds == h.folds else msgspec.structs.replace(h, folds=folds)

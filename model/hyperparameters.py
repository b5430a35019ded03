"""Hyperparameters: how a network is trained, in one place, with the defaults for a truth table and for any other."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from model.network import INITS, Network, is_count
from model.tables.table import Table

SCHEDULES = ("constant", "cosine")
OPTIMIZERS = ("sgd", "momentum", "adam")

# The numbers above 0 that float32 holds in full.
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Hyperparameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a network is trained. The defaults are the guide's, for a truth table; `TABLES` has those for other tables.

    epochs: passes over the rows, at most. restarts: random starts. ensemble: how many of them are kept, the best by
    validation loss, from 1 to restarts. init: normal or he, see `init_params`. log_every: epochs between recorded
    losses.

    optimizer: sgd, momentum (0.9) or adam. learning_rate: above 0. schedule: constant, or cosine, down to 0 at the last
    epoch (Loshchilov and Hutter, ICLR 2017, 3). weight_decay: from 0; by how much of itself times the learning rate
    each weight shrinks a step (Loshchilov and Hutter, ICLR 2019, algorithm 2), but biases do not; one number, or
    several, of which the restarts take one each in turn, so that validation chooses. clip: the largest norm of the
    gradient (Pascanu et al., ICML 2013, 3.2); 0 for no limit.

    batch_size: rows a step, shuffled anew each epoch; None for all. validation: the share of rows held out, from 0
    to 0.5, at most 10,000. patience: epochs without a smaller validation loss after which a start ends; its parameters
    are those of the smallest. class_weights: whether every class counts the same in the loss, however rare.

    Raises ValueError where one of them is out of its range.

    >>> Hyperparameters(epochs=0)
    Traceback (most recent call last):
    ValueError: epochs must be a whole number from 1 to 2^63 - 1, not 0
    """

    epochs: int = 100_000
    restarts: int = 64
    ensemble: int = 1
    init: str = "normal"
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    schedule: str = "constant"
    weight_decay: tuple[float, ...] = (0.0,)
    clip: float = 0.0
    batch_size: int | None = None
    validation: float = 0.0
    patience: int = 1
    class_weights: bool = False
    log_every: int = 100

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "weight_decay", tuple(np.atleast_1d(self.weight_decay).tolist()))
        for name in ("epochs", "restarts", "ensemble", "patience", "log_every", "batch_size"):
            value = getattr(self, name)
            if not (is_count(value) and value < 2**63) and not (name == "batch_size" and value is None):
                found = repr(value)[:40]
                raise ValueError(f"{name} must be a whole number from 1 to 2^63 - 1, not {found}")
        for name, allowed in (("init", INITS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"the {name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if not (is_number(self.learning_rate) and SMALLEST <= self.learning_rate <= LARGEST):
            raise ValueError(f"the learning rate must be a finite number above 0 in float32, not {self.learning_rate}")
        if not (self.weight_decay and all(is_number(decay) and 0 <= decay < math.inf for decay in self.weight_decay)):
            raise ValueError(f"weight_decay must be finite numbers from 0, not {self.weight_decay}")
        if not (is_number(self.clip) and 0 <= self.clip < math.inf):
            raise ValueError(f"clip must be a finite number from 0, not {self.clip}")
        if not (is_number(self.validation) and 0 <= self.validation <= 0.5):
            raise ValueError(f"validation must be a share from 0 to 0.5, not {self.validation}")
        if self.ensemble > self.restarts:
            raise ValueError(f"ensemble must be at most restarts, {self.restarts}, not {self.ensemble}")

    @property
    def by_batches(self) -> bool:
        """Whether each start is trained by itself, by batches and with rows held out, or all side by side."""
        return self.batch_size is not None or self.validation > 0 or self.class_weights or any(self.weight_decay)


def is_number(value: object) -> bool:
    """Whether a value is a number of Python or NumPy.

    >>> is_number(0.5), is_number(True), is_number("0.5")
    (True, False, False)
    """
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


GUIDE = Hyperparameters()
# What does well on tables of some hundred to some thousand rows, see docs/tables.md; `for_rows` fits it to others.
TABLES = Hyperparameters(
    epochs=200,
    restarts=8,
    ensemble=4,
    init="he",
    optimizer="adam",
    learning_rate=0.01,
    weight_decay=(3.0, 1.0),
    clip=1.0,
    batch_size=64,
    validation=0.15,
    patience=10,
    log_every=10,
)
HIDDEN = {True: (2,), False: (100,)}
# Decaying weights are prior knowledge, of which more rows need less: that of TABLES holds up to WHOLE_DECAY of them.
WHOLE_DECAY = 1000 / 3
# A batch has a share of the rows, from those of TABLES to LARGEST_BATCH.
BATCH_SHARE, LARGEST_BATCH = 128, 1024


def defaults(table: Table) -> Hyperparameters:
    """The hyperparameters that a table is trained with unless others are named.

    >>> from model.tables.table import truth_table
    >>> defaults(truth_table("xor")).epochs
    100000
    """
    return GUIDE if table.complete else for_rows(len(table.y))


def for_rows(rows: int) -> Hyperparameters:
    """`TABLES` for so many rows: the more there are, the less weights decay, and the larger are the batches.

    >>> for_rows(1000).weight_decay, for_rows(1_000_000).batch_size
    ((1.0, 0.3333333333333333), 1024)
    """
    batch = 1 << max(rows // BATCH_SHARE, 1).bit_length() - 1
    return replace(
        TABLES,
        weight_decay=tuple(decay * min(1.0, WHOLE_DECAY / max(rows, 1)) for decay in TABLES.weight_decay),
        batch_size=min(max(batch, TABLES.batch_size or 1), LARGEST_BATCH),
    )


def default_network(table: Table, hidden: tuple[int, ...] | None = None, activation: str = "relu") -> Network:
    """A network for a table: its inputs, the hidden layers, and as many outputs as its task needs.

    >>> from model.tables.table import truth_table
    >>> default_network(truth_table("xor"))
    Network(sizes=(2, 2, 1), activation='relu', task='binary')
    """
    hidden = HIDDEN[table.complete] if hidden is None else hidden
    outputs = len(table.classes) if table.task == "multiclass" else 1
    return Network((table.x.shape[1], *hidden, outputs), activation, table.task)


def replace(hyperparameters: Hyperparameters, **changes: Any) -> Hyperparameters:
    """These with others in their place; of restarts and ensemble, the one that is not named fits the other.

    Raises TypeError for a name that is none, ValueError as the class does.

    >>> replace(GUIDE, epochs=5).epochs
    5
    """
    if "restarts" in changes and is_count(changes["restarts"]):
        changes = {"ensemble": min(hyperparameters.ensemble, changes["restarts"])} | changes
    if "ensemble" in changes and is_count(changes["ensemble"]):
        changes = {"restarts": max(hyperparameters.restarts, changes["ensemble"])} | changes
    return msgspec.structs.replace(hyperparameters, **changes)

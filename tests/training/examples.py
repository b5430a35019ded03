"""A table and hyperparameters that several tests of training use."""

from typing import Any

import jax
import numpy as np

from model import Network, Table, table_from_arrays, truth_table

XOR = truth_table("xor")
KEY = jax.random.key(0)
TANH_NETWORK = Network((2, 3, 1), "tanh")


def make_noisy_table() -> Table:
    """48 rows, of which one class is rarer; the target is partly noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 2))
    return table_from_arrays(x, (x.sum(axis=1) + rng.normal(size=48) > 1).astype(int), ("no", "yes"))


NOISY_TABLE = make_noisy_table()
# Minibatches with early stopping. Most tests use these options, so that few programs are compiled.
EARLY_STOPPING: dict[str, Any] = {
    "epochs": 60,
    "restarts": 5,
    "ensemble": 3,
    "encodings": ("numbers",),
    "schedule": "constant",
    "optimizer": "adam",
    "learning_rate": 0.03,
    "weight_decay": (0.0,),
    "clip": 0.0,
    "batch_size": 7,
    "validation": 0.25,
    "patience": 6,
    "log_every": 1,
}

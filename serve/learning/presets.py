"""What a learner can choose, and what is chosen at first."""

from __future__ import annotations

from typing import Any

from model.activations import ACTIVATIONS
from model.hyperparameters import INITS, OPTIMIZERS, Hyperparameters
from model.tables.point_sets import COLUMNS, POINT_SETS
from model.tables.truth_tables import TRUTH_TABLES, truth_table
from serve import learning_limits as limits


def presets() -> dict[str, Any]:
    """Answer GET /learn/presets."""
    guide = Hyperparameters()
    gates = [
        {"name": name, "kind": "truth", "columns": list(truth_table(name).columns), "target": name}
        for name in TRUTH_TABLES
    ]
    points = [{"name": name, "kind": "points", "columns": list(COLUMNS), "target": name} for name in POINT_SETS]
    return {
        "tables": gates + points,
        "activations": list(ACTIVATIONS),
        "inits": list(INITS),
        "optimizers": list(OPTIMIZERS),
        "limits": limits_as_data(),
        "defaults": {
            "network": {"sizes": [2, 2, 1], "activation": "relu", "task": "binary"},
            "training": {"optimizer": guide.optimizer, "learning_rate": guide.learning_rate},
            "start": {"seed": 0, "index": 0, "init": guide.init},
            "table": {"name": "xor"},
        },
    }


def limits_as_data() -> dict[str, Any]:
    """The limits for the page."""
    return {
        "inputs": [1, limits.MAX_INPUTS],
        "hidden_layers": [0, limits.MAX_HIDDEN_LAYERS],
        "units": [1, limits.MAX_UNITS],
        "outputs": [1, limits.MAX_OUTPUTS],
        "rows": [1, limits.MAX_ROWS],
        "epochs": [1, limits.MAX_EPOCHS],
        "work": limits.MAX_WORK,
        "records": [1, limits.MAX_RECORDS],
        "grid": [limits.MIN_GRID, limits.MAX_GRID],
        "epsilon": [limits.MIN_EPSILON, limits.MAX_EPSILON],
        "learning_rate": [limits.MIN_LEARNING_RATE, limits.MAX_LEARNING_RATE],
        "starts": [1, limits.MAX_STARTS],
        "noise": [0, limits.MAX_NOISE],
        "seed": [0, limits.MAX_SEED],
        "body_bytes": limits.MAX_BODY_BYTES,
    }

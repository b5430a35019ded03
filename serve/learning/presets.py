"""What a learner can choose, and what is chosen at first."""

from __future__ import annotations

from typing import Any

from model.activations import ACTIVATIONS
from model.hyperparameters import INITS, OPTIMIZERS, Hyperparameters
from model.tables.point_sets import COLUMNS, POINT_SETS
from model.tables.truth_tables import TRUTH_TABLES, truth_table
from serve.learning import limits


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
        "limits": limits.as_data(),
        "defaults": {
            "network": {"sizes": [2, 2, 1], "activation": "relu", "task": "binary"},
            "training": {"optimizer": guide.optimizer, "learning_rate": guide.learning_rate},
            "start": {"seed": 0, "index": 0, "init": guide.init},
            "table": {"name": "xor"},
        },
    }

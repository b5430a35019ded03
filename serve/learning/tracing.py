"""A row forwards and backwards, step by step."""

from __future__ import annotations

from typing import Any

import jax
import msgspec
import numpy as np

from model.explaining.names import Names
from model.explaining.steps import explain_rows
from model.network import Params
from model.tables.input_names import input_names
from serve.learning import checks
from serve.learning.forward import checked
from serve.learning.networks import check_training
from serve.learning_messages import TraceRequest


def trace(request: TraceRequest) -> dict[str, Any]:
    """Answer POST /learn/trace."""
    network, params, table = checked(request)
    check_training(request.training)
    checks.check_range("row", request.row, 0, len(table.y) - 1)
    own: Params = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
    rows = slice(request.row, request.row + 1)
    names = Names(tuple(input_names(table.columns, table.column_specs)), table.target, tuple(map(str, table.classes)))
    with jax.enable_x64(True):
        found = explain_rows(
            own,
            table.x[rows].astype(np.float64),
            table.y[rows].astype(np.float64),
            network,
            request.training.learning_rate,
            names=names,
        )
    return {
        "row": request.row,
        "target": float(table.y[request.row]),
        "prediction": found.predictions[0],
        "symbols": found.symbols,
        "loss": found.loss,
        "loss_after": found.loss_after,
        "steps": msgspec.to_builtins(found.steps),
    }

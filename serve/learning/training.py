"""Starts, and training from them."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from model.diagnosing.activity import is_solved
from model.diagnosing.findings import Finding
from model.diagnosing.trials import RANDOM_CHANGES
from model.diagnosing.why_stuck import why_stuck
from model.hyperparameters import Hyperparameters
from model.network import Network, Params, as_logits, preactivations
from model.pytrees import entry_names
from model.tables.table import Table
from model.training.initial_params import init_params
from model.training.train_params import train_params, train_starts
from serve import learning_limits as limits
from serve.learning import checks
from serve.learning.forward import checked
from serve.learning.networks import (
    check_init,
    check_start,
    check_training,
    network_of,
    opt_state_of,
    params_as_data,
)
from serve.learning.numbers_in_json import image, shortest
from serve.learning.surfaces import surface_as_data, surface_of
from serve.learning.tables import check_fit, table_of
from serve.learning_messages import GridMessage, StartMessage, StartRequest, StartsRequest, StuckRequest, TrainRequest

# Networks that are trained for each suspicion, and how many suspicions there may be.
TRIED_NETWORKS, SUSPICIONS = RANDOM_CHANGES + 2, 3
# What a learner can do if that takes too long. The page chooses the epochs.
FEWER_TRIED = "choose fewer rows or a smaller network"


def start(request: StartRequest) -> dict[str, Any]:
    """Answer POST /learn/start."""
    return {"params": params_as_data(params_of_start(network_of(request.network), request.start))}


def params_of_start(network: Network, message: StartMessage) -> Params:
    """The params of a start. Raises RequestError if there is no such start."""
    check_start(message)
    key = jax.random.fold_in(jax.random.key(message.seed), message.index)
    params: Params = jax.device_get(init_params(network, key=key, init=message.init))
    return params


def train(request: TrainRequest) -> dict[str, Any]:
    """Answer POST /learn/train."""
    network, params, table = checked(request)
    check_training(request.training)
    checks.check_work(network, len(table.y), request.epochs, remedy="ask for them in several stretches")
    checks.check_range("records", request.records, 1, limits.MAX_RECORDS)
    found = train_params(
        params,
        network,
        table,
        epochs=request.epochs,
        optimizer=request.training.optimizer,
        learning_rate=request.training.learning_rate,
        opt_state=opt_state_of(request.opt_state, request.training.optimizer, network),
        records=request.records,
    )
    numbers = [*jax.tree.leaves(found.params), found.losses]
    pairs = zip(found.epochs.tolist(), found.losses, strict=True)
    return {
        "params": params_as_data(found.params),
        "opt_state": [shortest(leaf) for leaf in found.opt_state],
        "losses": [{"epoch": epoch, "loss": shortest(loss)} for epoch, loss in pairs],
        "loss": shortest(found.losses[-1]),
        "diverged": not all(np.isfinite(each).all() for each in numbers),
        "surface": None if request.grid is None else surface_as_data(surface_of(found.params, network, request.grid)),
    }


def starts(request: StartsRequest) -> dict[str, Any]:
    """Answer POST /learn/starts."""
    network, table = network_of(request.network), table_of(request.table)
    check_fit(network, table)
    check_training(request.training)
    check_init("init", request.init)
    checks.check_range("seed", request.seed, 0, limits.MAX_SEED)
    checks.check_range("starts", request.starts, 1, limits.MAX_STARTS)
    checks.check_range("size", request.size, limits.MIN_GRID, limits.MAX_GRID)
    checks.check_work(network, len(table.y), request.epochs, request.starts)
    grid = picture_grid(table, request.size)
    params, losses = train_starts(
        network,
        table,
        key=jax.random.key(request.seed),
        starts=request.starts,
        epochs=request.epochs,
        init=request.init,
        optimizer=request.training.optimizer,
        learning_rate=request.training.learning_rate,
    )
    found = []
    for index, loss in enumerate(losses):
        own: Params = jax.tree.map(lambda leaf, index=index: leaf[index], params)
        found.append(
            {
                "index": index,
                "params": params_as_data(own),
                "loss": shortest(loss),
                "solved": solves(own, table, network),
                "surface": image(surface_of(own, network, grid).outputs[0]),
            }
        )
    return {"starts": found}


def picture_grid(table: Table, size: int) -> GridMessage:
    """The grid of a small picture: the first two inputs, somewhat further than the rows reach."""
    second = min(1, table.x.shape[1] - 1)
    columns = (0, second)
    low = [float(table.x[:, column].min()) for column in columns]
    high = [float(table.x[:, column].max()) for column in columns]
    margins = [max(0.1 * (top - bottom), 0.05) for bottom, top in zip(low, high, strict=True)]
    return GridMessage(
        columns=columns,
        low=(low[0] - margins[0], low[1] - margins[1]),
        high=(high[0] + margins[0], high[1] + margins[1]),
        size=size,
        others=np.median(table.x, axis=0).tolist(),
    )


def solves(params: Params, table: Table, network: Network) -> bool:
    """Whether a network solves a table."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = preactivations(params, table.x, network)[-1]
    return is_solved(as_logits(z, network), table)


def stuck(request: StuckRequest) -> dict[str, Any]:
    """Answer POST /learn/why-stuck."""
    network, params, table = checked(request)
    check_training(request.training)
    checks.check_work(network, len(table.y), request.epochs, TRIED_NETWORKS * SUSPICIONS, remedy=FEWER_TRIED)
    hyperparameters = Hyperparameters(
        epochs=request.epochs,
        restarts=1,
        optimizer=request.training.optimizer,
        learning_rate=request.training.learning_rate,
    )
    diagnosis = why_stuck(params, table, network, hyperparameters=hyperparameters)
    answer = diagnosis.as_data()
    for data, finding in zip(answer["findings"], diagnosis.findings, strict=True):
        data["params"] = changed_params(params, finding)
    return answer | {"text": str(diagnosis)}


def changed_params(params: Params, finding: Finding) -> list[dict[str, Any]] | None:
    """The params after the change of a finding; None if it changes none."""
    if not finding.changes:
        return None
    after = {change.name: change.after for change in finding.changes}
    names = iter(entry_names(params))
    leaves, structure = jax.tree.flatten(params)
    changed = []
    for leaf in leaves:
        values = [after.get(next(names), value) for value in leaf.ravel().tolist()]
        changed.append(np.array(values, np.float32).reshape(leaf.shape))
    return params_as_data(jax.tree.unflatten(structure, changed))

"""What a network makes of every row, and its gradient by four derivations. All numbers are float64."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from model.activations import ACTIVATIONS
from model.diagnosing.activity import is_solved
from model.explaining.nudge_errors import Nudge, NudgeErrors, nudge_errors
from model.gradients import EPSILON, chain_rule, jvp, nudge
from model.messages import quote
from model.network import Network, Params, as_logits, loss, preactivations, predict
from model.pytrees import entry_names
from model.tables.table import Table
from model.tasks import DEFAULT_THRESHOLD, TASKS
from model.training.compilation import jit_quickly
from model.training.padding import padded, padded_size
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.learning import checks
from serve.learning.networks import network_of, params_as_numbers, params_of
from serve.learning.numbers_in_json import finite
from serve.learning.tables import check_fit, table_of
from serve.learning_messages import ForwardRequest, GradientsRequest


def checked(request: ForwardRequest) -> tuple[Network, Params, Table]:
    """The network, the params and the table of a request. Raises RequestError if they do not fit."""
    network = network_of(request.network)
    params, table = params_of(request.params, network), table_of(request.table)
    check_fit(network, table)
    return network, params, table


def forward(request: ForwardRequest) -> dict[str, Any]:
    """Answer POST /learn/forward."""
    network, params, table = checked(request)
    own: Params = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
    with np.errstate(over="ignore", invalid="ignore"):
        zs = preactivations(own, table.x, network)
        activations = [np.asarray(ACTIVATIONS[network.activation](z)) for z in zs[:-1]]
        predictions = np.asarray(predict(own, table.x, network))
    losses = row_losses(own, table, network)
    answer = {
        "preactivations": [finite_lists(z) for z in zs],
        "activations": [finite_lists(each) for each in activations],
        "predictions": finite_lists(predictions),
        "losses": finite_lists(losses),
        "loss": finite(losses.mean()),
    }
    return answer | labels_of(predictions, as_logits(zs[-1], network), table)


def labels_of(predictions: np.ndarray, z: np.ndarray, table: Table) -> dict[str, Any]:
    """The label of each row, how many are right, and whether the table is solved. z: the logits."""
    if not table.classes:
        return {"labels": finite_lists(predictions), "right": None, "solved": is_solved(z, table)}
    indices = TASKS[table.task].class_indices(predictions, DEFAULT_THRESHOLD)
    return {
        "labels": [table.classes[index] for index in indices.tolist()],
        "right": int((indices == table.y).sum()),
        "solved": is_solved(z, table),
    }


def row_losses(params: Params, table: Table, network: Network) -> np.ndarray:
    """[rows], the loss of each row in float64, whose mean is `loss`."""
    x, y, _ = padded_rows(table)
    with jax.enable_x64(True):
        return np.asarray(_row_losses(params, x, y, network))[: len(table.y)]


@jit_quickly
def _row_losses(params: Params, x: Any, y: Any, network: Network) -> jax.Array:
    return jax.vmap(lambda row, target: loss(params, row[None], target[None], network))(x, y)


def padded_rows(table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and weights with rows of padding, so that a few rows more or less need the same program.

    The padding has the weight 0, and the weights of the other rows make the mean that of the rows.
    """
    rows, size = len(table.y), padded_size(len(table.y))
    weights = np.where(np.arange(size) < rows, size / rows, 0.0)
    return padded(table.x, size, table.x.shape[1]), padded(table.y, size), weights


def gradients(request: GradientsRequest) -> dict[str, Any]:
    """Answer POST /learn/gradients."""
    network, params, table = checked(request)
    checks.check_range("epsilon", request.epsilon, limits.MIN_EPSILON, limits.MAX_EPSILON)
    if request.parameter is not None:
        _check_parameter(request.parameter, entry_names(params))
    own: Params = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
    rows = padded_rows(table)
    with jax.enable_x64(True):
        value, grads = jax.device_get(_gradients(own, *rows, network))
    answer = {"loss": finite(value), "grads": {name: params_as_numbers(each) for name, each in grads.items()}}
    if request.parameter is None:
        return answer | {"parameter": None}
    x, y, weights = rows
    found = nudge_errors(own, x, y, network, parameter=request.parameter, epsilon=request.epsilon, weights=weights)
    return answer | {"parameter": parameter_as_data(found, grads)}


@jit_quickly
def _gradients(params: Params, x: Any, y: Any, weights: Any, network: Network) -> tuple[jax.Array, dict[str, Params]]:
    arguments = (params, x, y, network, weights)
    value, grad = jax.value_and_grad(loss)(*arguments)
    grads = {
        "nudge": nudge(loss, *arguments, epsilon=EPSILON),
        "jvp": jvp(loss, *arguments),
        "chain_rule": chain_rule(*arguments),
        "grad": grad,
    }
    return value, grads


def _check_parameter(name: str, names: list[str]) -> None:
    if name not in names:
        raise RequestError(
            f"parameter: a name from {names[0]} to {names[-1]} was expected, and {quote(name)} was found"
        )


def parameter_as_data(found: NudgeErrors, grads: dict[str, Params]) -> dict[str, Any]:
    """One nudged parameter for JSON. grads: by each derivation."""
    chosen, index = found.chosen, entry_names(grads["grad"]).index(found.name)
    return {
        "name": found.name,
        "value": found.value,
        "epsilon": chosen.epsilon,
        "loss_above": finite(chosen.loss_above),
        "loss_below": finite(chosen.loss_below),
        "nudge": finite(chosen.slope),
        "error": finite(chosen.error),
        **{name: _entry(grads[name], index) for name in ("jvp", "chain_rule")},
        "grad": finite(found.grad),
        "curve": [_point(each) for each in found.curve],
        "large_reason": found.large_reason,
        "small_reason": found.small_reason,
        "at_epsilon": found.at_epsilon,
        "kink": found.kink,
        "sentence": direction(found.name, found.grad),
    }


def direction(name: str, grad: float) -> str:
    """Which way a parameter should go, and why.

    >>> direction("0.bias[1]", -0.25)
    'This bias should go up, since the loss falls when it grows: its slope is −0.25.'
    """
    kind = "bias" if ".bias" in name else "weight"
    if not np.isfinite(grad):
        return f"Nothing can be said about this {kind}, since the loss is not a finite number."
    if grad == 0:
        return f"This {kind} should stay, since the loss does not change when it is nudged: its slope is 0."
    slope = f"{grad:.4g}".replace("-", "−")
    way, change = ("down", "rises") if grad > 0 else ("up", "falls")
    return f"This {kind} should go {way}, since the loss {change} when it grows: its slope is {slope}."


def _point(each: Nudge) -> dict[str, Any]:
    return {"epsilon": each.epsilon, "nudge": finite(each.slope), "error": finite(each.error)}


def _entry(grads: Params, index: int) -> float | None:
    return finite(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(grads)])[index])


def finite_lists(values: np.ndarray) -> Any:
    """An array as lists; msgspec writes what is not finite as null."""
    return np.asarray(values, np.float64).tolist()

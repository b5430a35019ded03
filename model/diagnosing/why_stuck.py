"""`why_stuck`: why a network does not learn a table, with every reason tried."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
from jaxtyping import Float, Key

from model.arrays import Array
from model.diagnosing.activity import Activity, activity_of, is_solved, losses_of
from model.diagnosing.findings import KINDS, Change, Diagnosis, Finding, Suspicion
from model.diagnosing.output_suspicions import output_suspicions
from model.diagnosing.slope_suspicions import slope_suspicions
from model.diagnosing.straight_limits import straight_suspicion
from model.diagnosing.trials import solves_by_itself, try_change
from model.diagnosing.unit_suspicions import unit_suspicions
from model.hyperparameters import Hyperparameters
from model.network import Network, Params, as_logits
from model.pytrees import entry_names, flatten
from model.tables.table import Table
from model.training.defaults import default_hyperparameters


def why_stuck(
    params: Params,
    table: Table,
    network: Network,
    *,
    hyperparameters: Hyperparameters | None = None,
    losses: Float[np.ndarray, " records"] | None = None,
    key: Key[Array, ""] | None = None,
) -> Diagnosis:
    """Why a network does not learn a table.

    Each finding names a change, and the change is tried: after it, the network is trained further. The finding is
    confirmed if training alone does not solve the table, and with the change it does; or if the loss then is smaller
    than without the change and than after each of 20 random changes of the same length. That a network without a hidden
    layer cannot solve a table is not tried, but proven.

    Args:
        params: of one network.
        table: what it should learn.
        network: the description of the network.
        hyperparameters: how it was trained, and is trained further, with all rows in every step; by default, those of
            `train` for the table.
        losses: [records], the losses that training recorded. With them, a learning rate that is too large shows even
            if the loss is not stable by chance.
        key: of the random changes; by default, they are the same ones each time.

    Returns:
        The findings, the confirmed ones first. There are none if the table is solved.

    Raises:
        ValueError: if params, table and network do not fit, or if a parameter is not a finite number.

    Example:
        >>> from model.network import Layer
        >>> from model.tables.truth_tables import truth_table
        >>> params = [Layer(np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([-0.5, -0.5]))]
        >>> params.append(Layer(np.array([[0.1], [1.0]]), np.array([0.0])))
        >>> diagnosis = why_stuck(params, truth_table("xor"), Network((2, 2, 1)))
        >>> diagnosis.reason, diagnosis.findings[0].units
        ('dead_units', (Unit(layer=0, index=1),))
    """
    params = _as_numpy(params)
    _check(params, table, network)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers of any size are answered
        return _diagnose(params, table, network, hyperparameters or default_hyperparameters(table), losses, key)


def _diagnose(
    params: Params,
    table: Table,
    network: Network,
    hyperparameters: Hyperparameters,
    losses: Float[np.ndarray, " records"] | None,
    key: Key[Array, ""] | None,
) -> Diagnosis:
    activity = activity_of(params, table, network)
    z = as_logits(activity.zs[-1], network)
    loss = float(losses_of([params], table, network)[0])
    if is_solved(z, table):
        return Diagnosis(solved=True, loss=loss)
    key = jax.random.key(0) if key is None else key
    findings = [
        _try(params, suspicion, table, network, hyperparameters, key)
        for suspicion in _suspicions(params, activity, table, network, hyperparameters, losses)
    ]
    order = list(KINDS)
    findings.sort(key=lambda finding: (not finding.proof, not finding.confirmed, order.index(finding.kind)))
    trials = [finding.trial for finding in findings if finding.trial is not None]
    if any(finding.proof for finding in findings):
        solves = False
    elif trials:
        solves = trials[0].unchanged_solved
    else:
        solves = solves_by_itself(params, table, network, hyperparameters)
    return Diagnosis(False, loss, hyperparameters.epochs if solves else None, tuple(findings))


def _suspicions(
    params: Params,
    activity: Activity,
    table: Table,
    network: Network,
    hyperparameters: Hyperparameters,
    losses: Float[np.ndarray, " records"] | None,
) -> Iterator[Suspicion]:
    if (proven := straight_suspicion(table, network)) is not None:
        yield proven
    yield from unit_suspicions(params, activity, table, network)
    yield from output_suspicions(params, activity, table, network)
    yield from slope_suspicions(params, activity, table, network, hyperparameters, losses)


def _try(
    params: Params,
    suspicion: Suspicion,
    table: Table,
    network: Network,
    hyperparameters: Hyperparameters,
    key: Key[Array, ""],
) -> Finding:
    changed, rate = suspicion.params, suspicion.learning_rate
    trial = None
    if changed is not None or rate is not None:
        # The number of the kind makes the random changes of a finding independent of which others there are.
        key = jax.random.fold_in(key, list(KINDS).index(suspicion.kind))
        trial = try_change(params, changed, rate, table, network, hyperparameters, key=key)
    return Finding(
        suspicion.kind,
        suspicion.sentence,
        suspicion.numbers,
        suspicion.remedy,
        suspicion.units,
        suspicion.rows,
        () if changed is None else _changes(params, changed),
        rate,
        trial,
        suspicion.proof,
    )


def _changes(params: Params, changed: Params) -> tuple[Change, ...]:
    """The parameters that differ."""
    values = zip(entry_names(params), flatten(jax.tree.leaves(params)), flatten(jax.tree.leaves(changed)), strict=True)
    return tuple(Change(name, float(before), float(after)) for name, before, after in values if before != after)


def _as_numpy(params: Params) -> Params:
    """The params as float32 arrays of NumPy."""
    numpy_params: Params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)
    return numpy_params


def _check(params: Params, table: Table, network: Network) -> None:
    if network.task != table.task:
        raise ValueError(f"the network's task must be the table's, {table.task}, not {network.task}")
    if any(layer.bias.ndim != 1 for layer in params):
        raise ValueError("params must be those of one network, and they have an axis of restarts; choose one of them")
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        raise ValueError(
            "params must be finite numbers, and some are not: the loss grew until float32 could not hold it, as it "
            "does when the learning rate is too large; start anew with a smaller one"
        )

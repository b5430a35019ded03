"""What is decided before training: whether network, table and hyperparameters fit, and how the target is scaled."""

from __future__ import annotations

from collections.abc import Sequence

import optax
from jax.sharding import Mesh
from jaxtyping import Key

from model.arrays import Array, shape_of
from model.evaluation.thresholds import check_two_classes
from model.hyperparameters import Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network
from model.tables.columns import NumericColumn
from model.tables.streamed_table import StreamedTable
from model.tables.table import Table, rows_of, with_target_scaling
from model.tables.target_scaling import draw_together, has_long_tail
from model.tasks import DEFAULT_THRESHOLD, TASKS
from model.training.ensemble_run import EnsembleRun
from model.training.measuring import evenly_spaced
from model.training.mesh import make_mesh
from model.training.optimizers import make_optimizer
from model.training.streamed_run import StreamedRun


def check_table(network: Network, table: Table, hyperparameters: Hyperparameters) -> None:
    """Check that a network can be trained on a table in this way.

    Args:
        network: the description of the network.
        table: what is learned from.
        hyperparameters: how.

    Raises:
        ValueError: if they do not fit.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> check_table(Network((2, 1), task="regression"), truth_table("or"), Hyperparameters())
        Traceback (most recent call last):
        ValueError: the network's task must be the table's, binary, not regression
    """
    x_rows = len(table.y) if isinstance(table, StreamedTable) else shape_of("x", table.x)[0]
    if 0 in (x_rows, shape_of("y", table.y)[0]):
        raise ValueError("the table must have at least one row, and it has none")
    if network.task != table.task:
        raise ValueError(f"the network's task must be the table's, {table.task}, not {network.task}")
    if isinstance(table, StreamedTable) and hyperparameters.window is None:
        raise ValueError("window must be a number of rows for a table in a file, not None")
    if table.has_own_split and not hyperparameters.validation:
        raise ValueError("validation must be above 0 for a table that says which rows are held out")
    if hyperparameters.class_weights and not TASKS[table.task].has_classes:
        raise ValueError("class_weights must be left out of a regression, which has no classes")
    if hyperparameters.threshold != DEFAULT_THRESHOLD:
        check_two_classes(table.task, table.complete)


def prepare_run(
    network: Network,
    table: Table,
    hyperparameters: Hyperparameters,
    key: Key[Array, ""],
    target_scaling: NumericColumn,
    optimizer: optax.GradientTransformation | None = None,
    mesh: Mesh | None = None,
) -> EnsembleRun:
    """A run before its first epoch.

    Args:
        network: the description of the network.
        table: what is learned from.
        hyperparameters: how.
        key: of all random draws.
        target_scaling: of the target.
        optimizer: of Optax; None for the one that the hyperparameters describe.
        mesh: the devices; None for all, which share the restarts.

    Returns:
        The run.
    """
    scaled = with_target_scaling(table, target_scaling)
    optimizer = optimizer or make_optimizer(hyperparameters)
    kind = EnsembleRun if hyperparameters.window is None else StreamedRun
    return kind(network, scaled, hyperparameters, optimizer, key, make_mesh() if mesh is None else mesh)


def settled_scaling(table: Table, hyperparameters: Hyperparameters) -> NumericColumn | None:
    """The scaling of the target, if it needs no trial.

    Args:
        table: what is learned from.
        hyperparameters: of which target_scale, validation and folds count.

    Returns:
        The scaling; None if `trial_runs` have to show which one predicts better.
    """
    scale, scaling = hyperparameters.target_scale, table.target_scaling
    is_regression = not TASKS[table.task].has_classes and not table.complete
    holds_out = hyperparameters.validation > 0 or hyperparameters.folds > 1
    if not is_regression or scale == "linear" or not scaling.scale or (scale == "auto" and not holds_out):
        return scaling
    if scale == "auto":
        return None if has_long_tail(scaling, table.y) else scaling
    return _drawn_together(table)


def trial_runs(
    network: Network, table: Table, hyperparameters: Hyperparameters, key: Key[Array, ""], mesh: Mesh | None = None
) -> tuple[EnsembleRun, EnsembleRun]:
    """Runs with both scalings of the target: of networks that see numbers, one for each fold.

    Args:
        network: the description of the network.
        table: what is learned from. Of more than 10,000 rows, as many count.
        hyperparameters: of the run that is prepared.
        key: of its random draws.
        mesh: the devices; None for all, which share the restarts.

    Returns:
        The run with the target as it is, and the one with its long tail drawn together.
    """
    h, rows = hyperparameters, rows_of(table, evenly_spaced(len(table.y)))
    linear = replace_hyperparameters(
        h, encodings=("numbers",), restarts=h.folds, ensemble=h.folds, target_scale="linear", window=None
    )
    asinh = replace_hyperparameters(linear, target_scale="asinh")
    return (
        prepare_run(network, rows, linear, key, rows.target_scaling, mesh=mesh),
        prepare_run(network, rows, asinh, key, _drawn_together(rows), mesh=mesh),
    )


def better_scaling(table: Table, errors: Sequence[float]) -> NumericColumn:
    """The scaling that predicts better.

    Args:
        table: what is learned from.
        errors: the RMSE of both `trial_runs` on the rows held out.

    Returns:
        The table's own scaling if it is as good as the other one.
    """
    linear, asinh = errors
    return table.target_scaling if linear <= asinh else _drawn_together(table)


def _drawn_together(table: Table) -> NumericColumn:
    scaling = table.target_scaling
    return draw_together(scaling.unscale(table.y), scaling, table.weights)

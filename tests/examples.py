"""Networks, ensembles and checkpoints that several tests use, and their predictions by NumPy."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import scipy.special

from model import CategoricalColumn, Checkpoint, Network, NumericColumn, TrainingRecord, init_params
from model.ensembles import Members
from model.tables.bins import make_bins
from model.tables.columns import ColumnSpecs
from model.tables.target_scaling import Residuals

RECORD = TrainingRecord(table="a.csv", epoch=1, loss=0.5, seed=0)
# A number that may be missing, a text, a constant, and a number.
COLUMNS = ("size", "colour", "constant", "useless")
COLUMN_SPECS = (
    NumericColumn(10.0, 4.0, missing=True),
    CategoricalColumn(("blue", "red")),
    NumericColumn(5.0, 0.0),
    NumericColumn(0.0, 2.0),
)
INPUTS = 6


def same_bits(first: Any, second: Any) -> bool:
    """Whether two pytrees have the same leaves, bit for bit."""
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.asarray(one).tobytes() == np.asarray(other).tobytes() for one, other in pairs)


def ensemble_of(network: Network, members: int) -> Any:
    """Params of an ensemble whose members have random parameters."""
    params = [init_params(network, key=jax.random.key(seed)) for seed in range(members)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)


def with_params(checkpoint: Checkpoint, params: Any, network: Network | None = None) -> Checkpoint:
    """The checkpoint with other params of its only networks, and with another network if one is given."""
    return replace(checkpoint, ensemble=(Members(network or checkpoint.network, params),))


def predictions_by_hand(params: Any, x: np.ndarray, network: Network, temperature: float = 1.0) -> np.ndarray:
    """Every member's prediction, [members, rows, …], by NumPy in float64. The network has tanh units."""
    predictions = []
    for member in range(len(params[0].bias)):
        a = np.asarray(x, np.float64)
        for index, (weight, bias) in enumerate(params):
            z = a @ np.asarray(weight[member], np.float64) + np.asarray(bias[member], np.float64)
            a = np.tanh(z) if index < len(params) - 1 else z
        if network.task == "multiclass":
            predictions.append(scipy.special.softmax(a / temperature, axis=1))
        else:
            z = a[:, 0]
            predictions.append(z if network.task == "regression" else scipy.special.expit(z / temperature))
    return np.array(predictions)


def checkpoint_of(task: str, params: Any = None, hidden: int = 3) -> Checkpoint:
    """A checkpoint for COLUMNS with one hidden layer, by default of an ensemble with random parameters."""
    outputs, classes = {"binary": (1, ("no", "yes")), "multiclass": (3, (1, 2, 3)), "regression": (1, ())}[task]
    network = Network((INPUTS, hidden, outputs), "tanh", task)
    return Checkpoint(
        ensemble=(Members(network, params or ensemble_of(network, 2)),),
        columns=COLUMNS,
        target="y",
        classes=classes,
        training=RECORD,
        column_specs=COLUMN_SPECS,
        target_scaling=NumericColumn(100.0, 20.0) if task == "regression" else NumericColumn(),
        temperature=1.0 if task == "regression" else 1.7,
    )


def with_bins(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with two more networks, which see bins of the size and of the useless column."""
    size, colour, constant, useless = checkpoint.column_specs
    column_specs = (
        msgspec.structs.replace(size, edges=(-1.5, -0.25, 0.0, 1.25)),
        colour,
        constant,
        msgspec.structs.replace(useless, edges=(-2.0, 0.5, 0.75)),
    )
    bins = make_bins(column_specs)
    assert bins is not None
    network = Network((len(bins.source), *checkpoint.network.sizes[1:]), "tanh", checkpoint.task)
    further = Members(network, ensemble_of(network, 2), bins)
    return replace(checkpoint, column_specs=column_specs, ensemble=(*checkpoint.ensemble, further))


def with_knee(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint of a regression whose target was drawn together, and for which rows were held out."""
    scaling = NumericColumn(100.0, 20.0, 0.8, minimum=15.0, maximum=250.0)
    return replace(checkpoint, target_scaling=scaling, residuals=Residuals(cosh=1.1, sinh=-0.2, margin=0.5))


def binned_by_hand(x: np.ndarray, column_specs: ColumnSpecs) -> np.ndarray:
    """What a network that sees bins gets from the inputs of a table."""
    parts, first = [], 0
    for column in column_specs:
        own = np.asarray(x[:, first : first + column.input_count], np.float64)
        edges = np.array([] if isinstance(column, CategoricalColumn) else column.edges)
        if len(edges) > 2:
            parts.append(np.clip((own[:, :1] - edges[:-1]) / np.diff(edges), 0, 1))
            own = own[:, 1:]
        parts.append(own)
        first += column.input_count
    return np.concatenate(parts, axis=1)


def members_by_hand(checkpoint: Checkpoint, x: np.ndarray) -> np.ndarray:
    """Every member's prediction for the inputs of a table, [members, rows, …], of networks of all encodings."""
    binned = binned_by_hand(x, checkpoint.column_specs)
    predictions = [
        predictions_by_hand(params, x if bins is None else binned, network, checkpoint.temperature)
        for network, params, bins in checkpoint.ensemble
    ]
    return np.concatenate(predictions)


def values_of(rows: int) -> np.ndarray:
    """Random values of COLUMNS, [rows, columns] float64; about a fifth of the sizes are missing."""
    rng = np.random.default_rng(4)
    size = np.where(rng.uniform(size=rows) < 0.2, np.nan, rng.normal(10, 4, rows))
    return np.column_stack([size, rng.integers(0, 2, rows), np.full(rows, 5.0), rng.normal(0, 2, rows)])

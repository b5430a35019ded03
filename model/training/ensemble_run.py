"""The training of all restarts: one run for each encoding, side by side."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Int, Key

from model.arrays import Array
from model.hyperparameters import Hyperparameters
from model.network import Network
from model.tables.bins import make_bins
from model.tables.table import Table
from model.training.mesh import DATA
from model.training.placement import map_side_by_side
from model.training.run import Advanced, FullBatchRun, MinibatchRun, Share, Stretch, TrainingRun
from model.training.state import State
from model.training.validation_split import Fold

States = tuple[State, ...]


class EnsembleRun:
    """The runs of all encodings.

    Args:
        network: the description of a network that sees the inputs as they are.
        table: what is learned from.
        hyperparameters: how.
        optimizer: of Optax.
        key: of all random draws.
        mesh: the devices.

    Attributes:
        network: as above.
        table: as above.
        hyperparameters: as above.
        parts: one run for each encoding. Their restarts are counted one after the other.
    """

    def __init__(
        self,
        network: Network,
        table: Table,
        hyperparameters: Hyperparameters,
        optimizer: optax.GradientTransformation,
        key: Key[Array, ""],
        mesh: Mesh,
    ) -> None:
        self.network, self.table, self.hyperparameters = network, table, hyperparameters
        kind = MinibatchRun if hyperparameters.uses_minibatches else FullBatchRun
        shares = make_shares(network, table, hyperparameters)
        self.parts: tuple[TrainingRun, ...] = tuple(
            kind(share, table, hyperparameters, optimizer, key, mesh) for share in shares
        )

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The splits of the rows."""
        return self.parts[0].folds

    @property
    def held_out(self) -> Int[np.ndarray, " held"]:
        """The indices of the rows that some restart holds out, in ascending order."""
        return np.sort(np.concatenate([fold.held_out for fold in self.folds]))

    @property
    def _side_by_side(self) -> int:
        """How many parts are trained at once: one after the other where devices or processes wait for each other."""
        mesh = self.parts[0].placement.mesh
        return 1 if mesh.is_multi_process or mesh.shape[DATA] > 1 else len(self.parts)

    def gather(self, states: States) -> States:
        """The states of all restarts as arrays of NumPy, from the processes that have trained them.

        All processes must call this at the same point.
        """
        return tuple(part.placement.gather(state) for part, state in zip(self.parts, states, strict=True))

    def start(self) -> States:
        """The state before the first epoch."""
        return tuple(map_side_by_side(lambda part: part.start(), self.parts, threads=self._side_by_side))

    def restore(self, leaves: list[Any]) -> States:
        """The state that has these leaves. Raises ValueError if they are not those of such a run."""
        shapes = tuple(part.state_shapes() for part in self.parts)
        expected = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shapes)]
        found = [(leaf.shape, leaf.dtype) for leaf in leaves]
        if expected != found:
            raise ValueError(f"the state must have the shapes {expected}, not {found}")
        states: States = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
        return tuple(part.restore(state) for part, state in zip(self.parts, states, strict=True))

    def advance(self, states: States, epochs_done: int, stretch: Stretch) -> tuple[States, np.ndarray, np.ndarray]:
        """Take the states through a stretch, after so many epochs.

        Returns the states, and [records, restarts] training losses and validation losses, as `Advanced` has them.
        """

        def advance(part: TrainingRun, state: State) -> Advanced:
            return part.advance(state, epochs_done, stretch)

        advanced: list[Advanced] = map_side_by_side(advance, self.parts, states, threads=self._side_by_side)
        training = np.concatenate([each.training for each in advanced], axis=1)
        validation = np.concatenate([each.validation for each in advanced], axis=1)
        return tuple(each.state for each in advanced), training, validation

    def best_losses(self, states: States) -> np.ndarray | None:
        """The smallest validation loss of each restart, [restarts]; None if no rows are held out."""
        return self._of_best(states, "loss")

    def best_epochs(self, states: States) -> np.ndarray | None:
        """After which epoch it was, [restarts]: from 1, or 0 before the first; None if no rows are held out."""
        return self._of_best(states, "epoch")

    def _of_best(self, states: States, name: str) -> np.ndarray | None:
        pairs = list(zip(self.parts, states, strict=True))
        if states[0].best is None:
            return None
        return np.concatenate([part.placement.gather(getattr(state.best, name)) for part, state in pairs])


def make_shares(network: Network, table: Table, hyperparameters: Hyperparameters) -> tuple[Share, ...]:
    """How the restarts are shared among the encodings.

    Args:
        network: the description of a network that sees the inputs as they are.
        table: what is learned from.
        hyperparameters: of which the restarts and the encodings count.

    Returns:
        At least one share. If no column has bins, all restarts see the inputs as they are.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> [share.size for share in make_shares(Network((2, 1)), truth_table("or"), Hyperparameters(restarts=5))]
        [5]
    """
    h, bins = hyperparameters, make_bins(table.column_specs)
    encodings = h.encodings if bins is not None else h.encodings[:1]
    counts = [len(part) for part in np.array_split(np.arange(h.restarts), len(encodings))]
    firsts = np.cumsum([0, *counts])
    shares = []
    for encoding, first, count in zip(encodings, firsts.tolist(), counts, strict=False):
        seen = bins if encoding == "bins" else None
        width = network.sizes[0] if seen is None else len(seen.source)
        described = Network((width, *network.sizes[1:]), network.activation, network.task)
        shares.append(Share(described, seen, first, count))
    return tuple(share for share in shares if share.size)

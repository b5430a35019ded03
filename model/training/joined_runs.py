"""Runs of one shape, whose restarts one program trains: each restart has its run's learning rate, rows and keys."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax

from model.hyperparameters import Hyperparameters
from model.tasks import DEFAULT_THRESHOLD
from model.training.ensemble_run import EnsembleRun, States
from model.training.minibatch import Restarts
from model.training.optimizers import optimizer_without_rate
from model.training.placement import place_chunks
from model.training.run import FullBatchRun, MinibatchRun, TrainingRun
from model.training.state import State, chunk_count


class JoinedRuns(EnsembleRun):
    """Several runs of one shape as one.

    Args:
        runs: at least one, all of the same shape, see `shape_of_run`.

    Attributes:
        runs: as above.
    """

    def __init__(self, runs: Sequence[EnsembleRun]) -> None:
        self.runs = first = tuple(runs)
        self.network, self.table, self.hyperparameters = first[0].network, first[0].table, first[0].hyperparameters
        self.parts = tuple(_join(parts) for parts in zip(*(run.parts for run in runs), strict=True))

    def restarts_of(self, run: int) -> np.ndarray:
        """[restarts], the places of a run's restarts in the losses that `advance` returns."""
        offset, places = 0, []
        for joined, own in zip(self.parts, self.runs[run].parts, strict=True):
            width = joined.share.size // len(self.runs)
            places.append(offset + run * width + np.arange(own.share.size))
            offset += joined.share.size
        return np.concatenate(places)

    def states_of(self, run: int, states: States) -> States:
        """The state of a run by itself, with the leaves that its own optimizer has. Arrays of NumPy."""
        parts = zip(states, self.runs[run].parts, strict=True)
        return tuple(_own_state(state, part, run, len(self.runs)) for state, part in parts)


def alike(hyperparameters: Hyperparameters) -> Hyperparameters:
    """Hyperparameters without the differences that runs of one shape may have.

    Args:
        hyperparameters: any.

    Returns:
        The same for all that `JoinedRuns` can join: those that are no argument of its program and change its result.

    Example:
        >>> alike(Hyperparameters(learning_rate=0.1)) == alike(Hyperparameters(learning_rate=0.2))
        True
    """
    decays = (float(any(hyperparameters.weight_decay)),)
    changes = {"learning_rate": 1.0, "weight_decay": decays, "ensemble": 1, "threshold": DEFAULT_THRESHOLD}
    return msgspec.structs.replace(hyperparameters, **changes)


def shape_of_run(run: EnsembleRun) -> Hashable:
    """What runs on the same inputs must have in common to be joined.

    Args:
        run: any.

    Returns:
        The same for runs that `JoinedRuns` can join.
    """
    h = run.hyperparameters
    rows = min(fold.learned for fold in run.folds)
    return alike(h), run.network, run.table.target_scaling, min(h.batch_size or rows, rows), len(run.held_out) > 0


class _JoinedPart(TrainingRun):
    """The restarts of one encoding of several runs. Further restarts that fill the chunks of a run count as its own."""

    _parts: Sequence[TrainingRun]

    def state_shapes(self, optimizer: Any = None) -> State:
        count = len(self._parts)
        one = self._parts[0].state_shapes(self._optimizer)
        shapes: State = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((count * leaf.shape[0], *leaf.shape[1:]), leaf.dtype),  # type: ignore[no-untyped-call]
            one,
        )
        return shapes

    def draw(self, optimizer: Any = None) -> State:
        drawn: list[State] = jax.device_get([part.draw(self._optimizer) for part in self._parts])
        joined: State = jax.tree.map(lambda *leaves: np.concatenate(leaves), *drawn)
        leaves, structure = jax.tree.flatten(joined.opt_state)
        rates = [part.hyperparameters.learning_rate for part in self._parts]
        for rate, of_part in zip(rates, np.split(leaves[-1], len(rates)), strict=True):
            of_part[...] = rate
        return joined._replace(opt_state=jax.tree.unflatten(structure, leaves))


class _JoinedMinibatches(_JoinedPart, MinibatchRun):
    def __init__(self, parts: Sequence[MinibatchRun]) -> None:
        self._parts, first = parts, parts[0]
        share = first.share._replace(size=sum(part.share.size for part in parts))
        optimizer = optimizer_of_runs(first.hyperparameters)
        super().__init__(share, first.table, first.hyperparameters, optimizer, first._key, first.placement.mesh)
        self.folds = tuple(fold for part in parts for fold in part.folds)
        self._settings = first._settings._replace(optimizer=optimizer)
        self._shuffle_keys = jnp.concatenate([part._shuffle_keys for part in parts])
        folds = np.cumsum([0, *(len(part.folds) for part in parts)])
        moved = [
            part._restarts._replace(folds=part._restarts.folds + fold, runs=np.full_like(part._restarts.runs, run))
            for run, (part, fold) in enumerate(zip(parts, folds.tolist(), strict=False))
        ]
        self._restarts = Restarts(*(np.concatenate(values) for values in zip(*moved, strict=True)))


class _JoinedFullBatches(_JoinedPart, FullBatchRun):
    def __init__(self, parts: Sequence[FullBatchRun]) -> None:
        self._parts, first = parts, parts[0]
        share = first.share._replace(size=sum(_filled(part.share.size) for part in parts))
        optimizer, mesh = optimizer_of_runs(first.hyperparameters), first.placement.mesh
        super().__init__(share, first.table, first.hyperparameters, optimizer, first._key, mesh)
        self.placement = place_chunks(mesh, sum(part.placement.chunks for part in parts))


def _filled(restarts: int) -> int:
    """How many restarts there are with those that fill the last chunk."""
    chunks = chunk_count(restarts, uses_minibatches=False)
    return chunks * -(-restarts // chunks)


def _join(parts: Sequence[MinibatchRun | FullBatchRun]) -> MinibatchRun | FullBatchRun:
    minibatches = [part for part in parts if isinstance(part, MinibatchRun)]
    full_batches = [part for part in parts if isinstance(part, FullBatchRun)]
    return _JoinedMinibatches(minibatches) if minibatches else _JoinedFullBatches(full_batches)


def _own_state(state: State, part: TrainingRun, run: int, runs: int) -> State:
    """One run's state, without the learning rate."""

    def own(leaf: Any) -> np.ndarray:
        size = len(leaf) // runs
        return np.asarray(leaf)[run * size : (run + 1) * size]

    found: State = jax.tree.map(own, state)
    structure = jax.tree.structure(part.state_shapes().opt_state)
    return found._replace(opt_state=jax.tree.unflatten(structure, jax.tree.leaves(found.opt_state)[:-1]))


def optimizer_of_runs(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    """The optimizer of runs that are joined.

    Args:
        hyperparameters: of which optimizer, clip and uses_minibatches count.

    Returns:
        That of `make_optimizer`, but with the learning rate as the last leaf of its state.

    Example:
        >>> one, other = (optimizer_of_runs(Hyperparameters(learning_rate=rate)) for rate in (0.1, 0.2))
        >>> one is other
        True
    """
    h = hyperparameters
    return _optimizer(h.optimizer, h.clip, h.uses_minibatches)


@cache
def _optimizer(name: str, clip: float, flatten: bool) -> optax.GradientTransformation:
    optimizer = optimizer_without_rate(name, clip)
    return optax.flatten(optimizer) if flatten else optimizer

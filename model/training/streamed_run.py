"""The training of all restarts with the rows in windows: one pass over the table trains every restart."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Key

from model.arrays import Array
from model.hyperparameters import Hyperparameters
from model.network import Network, Params
from model.tables.memory import return_memory
from model.tables.table import Table
from model.training.batch_steps import MinibatchSettings
from model.training.ensemble_run import EnsembleRun, States, make_shares
from model.training.masking import make_masking
from model.training.minibatch import Restarts, describe_restarts
from model.training.run import (
    MAX_COUNTED_EPOCHS,
    SHUFFLE_KEY,
    SPLIT_KEY,
    Advanced,
    Share,
    Stretch,
    TrainingRun,
    thread_count,
)
from model.training.state import PartialEpoch, State
from model.training.validation_split import Fold, split_folds
from model.training.window_steps import HeldOutBatches, WindowCounts, end_epoch, place_held_out, train_window
from model.training.windows import Window, WindowReader, plan_windows

# Folded into the key of the shuffles, for the order of the blocks of rows.
BLOCK_KEY = 2**31


class WindowsAdvanced(NamedTuple):
    """What some windows led to.

    Attributes:
        states: of every restart after them.
        losses: [restarts, 2], the training and the validation loss, if an epoch ended; otherwise None.
    """

    states: States
    losses: Float[np.ndarray, "restarts 2"] | None


class WindowRun(TrainingRun):
    """The restarts of one encoding, which are taken through windows of rows.

    Args:
        share: as in `TrainingRun`.
        table: as in `TrainingRun`.
        hyperparameters: as in `TrainingRun`.
        optimizer: as in `TrainingRun`.
        key: as in `TrainingRun`.
        reader: of the windows, which the runs of all encodings share.
        folds: the splits of the rows.
        held_out: the rows held out, on the device; None if there are none.
    """

    def __init__(
        self,
        share: Share,
        table: Table,
        hyperparameters: Hyperparameters,
        optimizer: Any,
        key: Any,
        reader: WindowReader,
        folds: tuple[Fold, ...],
        held_out: HeldOutBatches | None,
    ) -> None:
        super().__init__(share, table, hyperparameters, optimizer, key)
        self.folds, self._reader, self._held_out = folds, reader, held_out
        h = hyperparameters
        self._masking, self._bins = jax.device_put(
            (make_masking(table.column_specs, h.mask, table.input_count), share.bins)
        )
        self._restarts = describe_restarts(share.first, share.size, len(folds), h)
        self._shuffle_key = jax.random.fold_in(key, SHUFFLE_KEY)
        self._settings = MinibatchSettings(share.network, optimizer, h.schedule, reader.batch_size)

    def advance(self, state: State, epochs_done: int, stretch: Stretch) -> Advanced:
        """Take a state through whole epochs, from the window on at which it stands."""
        recorded: list[np.ndarray] = []
        for epoch in range(epochs_done, epochs_done + stretch.epochs):
            for place in range(windows_done(state), self._reader.plan.windows):
                state, losses = self.train(state, self._reader.read(epoch, place), slice(None))
                recorded += [] if losses is None else [losses]
        training, validation = np.moveaxis(np.stack(recorded), 2, 0)
        return Advanced(state, training, validation)

    def train(self, state: State, window: Window, own: slice) -> tuple[State, np.ndarray | None]:
        """Take some restarts through a window. Returns their state, and their losses if it ends an epoch."""
        h, plan = self.hyperparameters, self._reader.plan
        limits = (min(h.epochs, MAX_COUNTED_EPOCHS), min(h.patience, MAX_COUNTED_EPOCHS))
        counts = WindowCounts(window.epoch, window.place, plan.windows, *limits)
        restarts = Restarts(*(values[own] for values in self._restarts))
        rows = window.rows._replace(masking=self._masking, bins=self._bins)
        state = train_window(state, rows, restarts, self._settings, counts, self._shuffle_key, window.is_short)
        if window.place + 1 < plan.windows:
            jax.block_until_ready(state)  # type: ignore[no-untyped-call]
            return state, None
        state, losses = end_epoch(state, self._held_out, restarts, self._settings.network, self._bins, counts)
        return state, jax.device_get(losses)

    def shares(self) -> list[slice]:
        """The restarts of each thread."""
        threads = thread_count(self.share.size)
        size = self.share.size // threads
        return [slice(thread * size, (thread + 1) * size) for thread in range(threads)]

    def parted(self, state: State) -> list[State]:
        """The state of the restarts of each thread."""
        shares = self.shares()
        if len(shares) == 1:
            return [state]
        return [jax.tree.map(lambda leaf, own=own: np.asarray(leaf)[own], state) for own in shares]

    def state_shapes(self) -> State:
        """The shapes and dtypes of the state."""
        return super().state_shapes()._replace(partial=jax.eval_shape(self._no_partial_epoch))

    def start(self) -> State:
        """The state before the first epoch."""
        return super().start()._replace(partial=self._no_partial_epoch())

    def _no_partial_epoch(self) -> PartialEpoch:
        return PartialEpoch(*(jnp.zeros(self.share.size, dtype) for dtype in (jnp.int32, jnp.int32, jnp.float32)))

    def trained_params(self, state: State) -> Params:
        """The params of every restart: those of the smallest validation loss, or the last ones. Leaves of NumPy."""
        if state.best is None:
            return super().trained_params(state)
        is_new = np.asarray(state.best.epoch) == 0  # no epoch has ended, so no loss was validated

        def choose(best: Array, last: Array) -> np.ndarray:
            best, last = np.asarray(best), np.asarray(last)
            return np.where(is_new.reshape(-1, *(1,) * (best.ndim - 1)), last, best)

        params: Params = jax.tree.map(choose, state.best.params, state.params)
        return super().trained_params(state._replace(best=state.best._replace(params=params)))

    def _compile(self, state: State) -> None:
        self.train(
            self.parted(state)[0],
            Window(0, self._reader.plan.windows - 1, self._reader.empty(), False),
            self.shares()[0],
        )


class StreamedRun(EnsembleRun):
    """The runs of all encodings with the rows in windows, which are read once for all of them.

    Args:
        network: as in `EnsembleRun`.
        table: what is learned from, in memory or in a file.
        hyperparameters: how, with a window.
        optimizer: of Optax.
        key: of all random draws.

    Raises:
        ValueError: if rows of the same group do not follow each other.
    """

    def __init__(
        self,
        network: Network,
        table: Table,
        hyperparameters: Hyperparameters,
        optimizer: optax.GradientTransformation,
        key: Key[Array, ""],
    ) -> None:
        self.network, self.table, self.hyperparameters = network, table, hyperparameters
        h = hyperparameters
        assert h.window is not None
        assert h.batch_size is not None
        plan = plan_windows(len(table.y), h.window, table.groups)
        folds = split_folds(table, h.validation, h.folds, key=jax.random.fold_in(key, SPLIT_KEY))
        return_memory()
        held_out = place_held_out(table, folds, h.class_weights) if len(folds[0].held_out) else None
        batch_size = min(h.batch_size, *(fold.learned for fold in folds))
        block_key = jax.random.fold_in(jax.random.fold_in(key, SHUFFLE_KEY), BLOCK_KEY)
        self.reader = WindowReader(table, folds, plan, h.class_weights, batch_size, block_key)
        self.parts = self._runs = tuple(
            WindowRun(share, table, h, optimizer, key, self.reader, folds, held_out)
            for share in make_shares(network, table, h)
        )

    def start(self) -> States:
        """The state before the first epoch."""
        states = super().start()
        return_memory()
        return states

    def restore(self, leaves: list[Any]) -> States:
        """The state that has these leaves. Raises ValueError if they are not those of such a run."""
        states = super().restore(leaves)
        return_memory()
        return states

    def advance_windows(self, states: States, epoch: int, seconds: float) -> WindowsAdvanced:
        """Take the states through windows for about so many seconds, and at most to the end of an epoch.

        Args:
            states: where training stands.
            epoch: how many epochs were done before.
            seconds: after which no window is begun, unless no restart has done a step of the epoch.

        Returns:
            What that led to, after at least one window.
        """
        end = time.perf_counter() + seconds
        parts = [part for run, state in zip(self._runs, states, strict=True) for part in run.parted(state)]
        losses: list[np.ndarray] = []
        with ThreadPoolExecutor(len(parts)) as pool:
            for place in range(windows_done(states[0]), self.reader.plan.windows):
                parts, losses = self._train(pool, parts, self.reader.read(epoch, place))
                if time.perf_counter() > end and any(_has_stepped(part) for part in parts):
                    break
        joined = iter(parts)
        after = tuple(_joined([next(joined) for _ in run.shares()]) for run in self._runs)
        return WindowsAdvanced(after, np.concatenate(losses) if losses else None)

    def _train(
        self, pool: ThreadPoolExecutor, parts: list[State], window: Window
    ) -> tuple[list[State], list[np.ndarray]]:
        """Take the restarts of every thread through a window. The losses are there if it ends an epoch."""
        tasks = [(run, own) for run in self._runs for own in run.shares()]
        futures = [pool.submit(run.train, part, window, own) for (run, own), part in zip(tasks, parts, strict=True)]
        done = [future.result() for future in futures]
        return [state for state, _ in done], [losses for _, losses in done if losses is not None]


def windows_done(state: State) -> int:
    """How many windows of the epoch that has begun are done.

    Args:
        state: of a run in windows.

    Returns:
        The number, from 0.
    """
    assert state.partial is not None
    return int(np.asarray(state.partial.windows)[0])


def mean_losses(states: States) -> Float[np.ndarray, " restarts"]:
    """The mean training loss of each restart in the epoch that has begun.

    Args:
        states: of a run in windows.

    Returns:
        [restarts]; NaN before the first step.
    """
    partials = [jax.device_get(state.partial) for state in states]
    with np.errstate(invalid="ignore"):
        return np.concatenate([partial.total / partial.steps for partial in partials])


def _has_stepped(state: State) -> bool:
    assert state.partial is not None
    return bool(np.asarray(state.partial.steps).any())


def _joined(parts: list[State]) -> State:
    if len(parts) == 1:
        return parts[0]
    joined: State = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    return joined

"""The training of all restarts with the rows in windows: one pass over the table trains every restart."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Float, Key

from model.arrays import Array
from model.hyperparameters import Hyperparameters
from model.network import Network, Params
from model.tables.memory import return_memory
from model.tables.table import Table
from model.training.batch_steps import MinibatchSettings
from model.training.ensemble_run import EnsembleRun, States, make_shares
from model.training.masking import make_masking
from model.training.mesh import EVERYWHERE, place
from model.training.minibatch import describe_restarts
from model.training.placement import Lane, map_side_by_side
from model.training.processes import agree
from model.training.run import (
    MAX_COUNTED_EPOCHS,
    SHUFFLE_KEY,
    SPLIT_KEY,
    Advanced,
    Share,
    Stretch,
    TrainingRun,
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
        mesh: as in `TrainingRun`.
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
        mesh: Mesh,
        reader: WindowReader,
        folds: tuple[Fold, ...],
        held_out: HeldOutBatches | None,
    ) -> None:
        super().__init__(share, table, hyperparameters, optimizer, key, mesh)
        self.folds, self._reader = folds, reader
        h = hyperparameters
        masking = make_masking(table.column_specs, h.mask, table.input_count)
        data = (masking, share.bins, held_out, jax.random.fold_in(key, SHUFFLE_KEY))
        self._data = {lane.mesh: place(data, lane.mesh, EVERYWHERE) for lane in self.placement.lanes}
        self._restarts = describe_restarts(share.first, share.size, len(folds), h)
        self._settings = MinibatchSettings(share.network, optimizer, h.schedule, reader.batch_size)

    def advance(self, state: State, epochs_done: int, stretch: Stretch) -> Advanced:
        """Take a state through whole epochs, from the window on at which it stands."""
        recorded: list[np.ndarray] = []
        for epoch in range(epochs_done, epochs_done + stretch.epochs):
            for place_in_epoch in range(windows_done(state), self._reader.plan.windows):
                state, losses = self.train(state, self._reader.read(epoch, place_in_epoch))
                recorded += [] if losses is None else [losses]
        training, validation = np.moveaxis(np.stack(recorded), 2, 0)
        return Advanced(state, training, validation)

    def train(self, state: State, window: Window) -> tuple[State, np.ndarray | None]:
        """Take all restarts through a window. Returns their state, and their losses if it ends an epoch."""
        lanes = self.placement.lanes
        shares = [self.placement.share(state, lane) for lane in lanes]
        return self.join(map_side_by_side(self.train_lane, shares, lanes, [window] * len(lanes)))

    def join(self, trained: list[tuple[State, Array | None]]) -> tuple[State, np.ndarray | None]:
        """The states and the losses of all lanes as one."""
        state, losses = self.placement.join(trained)
        return state, None if losses is None else self.placement.gather(losses)

    def train_lane(self, state: State, lane: Lane, window: Window) -> tuple[State, Array | None]:
        """Take the restarts of a lane through a window. Returns their state, and their losses if it ends an epoch."""
        h, plan, mesh = self.hyperparameters, self._reader.plan, lane.mesh
        limits = (min(h.epochs, MAX_COUNTED_EPOCHS), min(h.patience, MAX_COUNTED_EPOCHS))
        counts = WindowCounts(window.epoch, window.place, plan.windows, *limits)
        restarts, settings = self.placement.share(self._restarts, lane), self._settings._replace(mesh=mesh)
        masking, bins, held_out, key = self._data[mesh]
        rows = place(window.rows, mesh, EVERYWHERE)._replace(masking=masking, bins=bins)
        state = train_window(state, restarts, lane.size, rows, counts, key, settings=settings, is_short=window.is_short)
        if window.place + 1 < plan.windows:
            jax.block_until_ready(state)  # type: ignore[no-untyped-call]
            return state, None
        ended: tuple[State, Array] = end_epoch(state, restarts, lane.size, held_out, bins, counts, settings=settings)
        jax.block_until_ready(ended)  # type: ignore[no-untyped-call]
        return ended

    def state_shapes(self, optimizer: Any = None) -> State:
        """The shapes and dtypes of the state."""
        return super().state_shapes(optimizer)._replace(partial=jax.eval_shape(self._no_partial_epoch))

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
        self.train(state, Window(0, self._reader.plan.windows - 1, self._reader.empty(), False))


class StreamedRun(EnsembleRun):
    """The runs of all encodings with the rows in windows, which are read once for all of them.

    Args:
        network: as in `EnsembleRun`.
        table: what is learned from, in memory or in a file.
        hyperparameters: how, with a window.
        optimizer: of Optax.
        key: of all random draws.
        mesh: the devices.

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
        mesh: Mesh,
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
            WindowRun(share, table, h, optimizer, key, mesh, self.reader, folds, held_out)
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
        pairs = zip(self._runs, states, strict=True)
        trained: list[tuple[State, Array | None]] = [
            (run.placement.share(state, lane), None) for run, state in pairs for lane in run.placement.lanes
        ]
        with ThreadPoolExecutor(self._side_by_side * len(self._runs[0].placement.lanes)) as pool:
            for place_in_epoch in range(windows_done(states[0]), self.reader.plan.windows):
                window = self.reader.read(epoch, place_in_epoch)
                trained = self._train(pool, [state for state, _ in trained], window)
                if agree(time.perf_counter() > end and any(_has_stepped(state) for state, _ in trained)):
                    break
        rest = iter(trained)
        joined = [run.join([next(rest) for _ in run.placement.lanes]) for run in self._runs]
        losses = [each for _, each in joined if each is not None]
        return WindowsAdvanced(tuple(state for state, _ in joined), np.concatenate(losses) if losses else None)

    def _train(self, pool: ThreadPoolExecutor, parts: list[State], window: Window) -> list[tuple[State, Array | None]]:
        """Take the restarts of every lane through a window. The losses are there if it ends an epoch."""
        tasks = [(run, lane) for run in self._runs for lane in run.placement.lanes]
        futures = [
            pool.submit(run.train_lane, part, lane, window) for (run, lane), part in zip(tasks, parts, strict=True)
        ]
        return [future.result() for future in futures]

    def mean_losses(self, states: States) -> Float[np.ndarray, " restarts"]:
        """The mean training loss of each restart in the epoch that has begun; NaN before the first step."""
        pairs = zip(self._runs, states, strict=True)
        partials = [run.placement.gather(state.partial) for run, state in pairs]
        with np.errstate(invalid="ignore"):
            return np.concatenate([partial.total / partial.steps for partial in partials])


def windows_done(state: State) -> int:
    """How many windows of the epoch that has begun are done.

    Args:
        state: of a run in windows.

    Returns:
        The number, from 0.
    """
    assert state.partial is not None
    return int(np.asarray(state.partial.windows).max())  # those of other processes are zeros


def _has_stepped(state: State) -> bool:
    assert state.partial is not None
    return bool(np.any(np.asarray(state.partial.steps)))

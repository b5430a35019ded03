"""The training of the restarts of one encoding: their data on the device, and the programs that take them further."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from model.arrays import Array
from model.ensembles import Bins, bin_inputs
from model.hyperparameters import Hyperparameters
from model.network import Network, Params
from model.tables.table import Table
from model.training.batch_steps import MinibatchSettings
from model.training.compilation import suits_quick_options
from model.training.full_batch import FullBatchSettings, train_full_batch
from model.training.mesh import EVERYWHERE, place, share_rows
from model.training.minibatch import (
    EpochCounts,
    describe_restarts,
    train_minibatches,
    train_minibatches_compiled_quickly,
)
from model.training.padding import padded_width
from model.training.placement import Lane, map_side_by_side, place_chunks
from model.training.state import State, chunk_count, initial_state, state_shapes
from model.training.validation_split import Fold, place_rows, row_weights, split_folds

# Folded into the key of training, for the random draws other than the starts.
SPLIT_KEY, SHUFFLE_KEY = 2**31, 2**31 + 1
# The most epochs that the device's whole numbers count.
MAX_COUNTED_EPOCHS = 2**31 - 1


class Stretch(NamedTuple):
    """Epochs that one call of a training program does.

    Attributes:
        records: how many losses are recorded.
        epochs_per_record: after how many epochs each.
    """

    records: int
    epochs_per_record: int

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        return self.records * self.epochs_per_record


class Advanced(NamedTuple):
    """What a stretch led to.

    Attributes:
        state: of every restart after it.
        training: [records, restarts], the training losses.
        validation: [records, restarts], the validation losses; NaN if no rows are held out or a restart had ended.
    """

    state: State
    training: Float[np.ndarray, "records restarts"]
    validation: Float[np.ndarray, "records restarts"]


class Share(NamedTuple):
    """The restarts of one encoding.

    Attributes:
        network: the description of each.
        bins: what they see; None for the inputs as they are.
        first: the number of the first restart among all.
        size: how many there are.
    """

    network: Network
    bins: Bins | None
    first: int
    size: int


class TrainingRun(ABC):
    """The data of the restarts of one encoding, and the programs that take their state through epochs.

    Attributes:
        share: the restarts.
        table: what is learned from.
        hyperparameters: how.
        folds: the splits of the rows; restart i of this share has the fold i modulo their number.
    """

    def __init__(
        self, share: Share, table: Table, hyperparameters: Hyperparameters, optimizer: Any, key: Any, mesh: Mesh
    ) -> None:
        self.share, self.table, self.hyperparameters = share, table, hyperparameters
        self.folds: tuple[Fold, ...] = (Fold(len(table.y), np.zeros(0, int)),)
        self._optimizer, self._key = optimizer, key
        self.placement = place_chunks(mesh, chunk_count(share.size, hyperparameters.uses_minibatches))

    @abstractmethod
    def advance(self, state: State, epochs_done: int, stretch: Stretch) -> Advanced:
        """Take a state through a stretch, after so many epochs."""

    @abstractmethod
    def _compile(self, state: State) -> None:
        """Compile the training program for states of these shapes."""

    def start(self) -> State:
        """The state before the first epoch, drawn while the training program is compiled."""
        with ThreadPoolExecutor(1) as pool:
            compiled = pool.submit(self._compile, _zeros(self.state_shapes()))
            state = self.draw()
            compiled.result()
        return state

    def draw(self, optimizer: Any = None) -> State:
        """The state before the first epoch, of the run's own optimizer or of another one."""
        first, inputs = self.share.first, self.share.network.sizes[0]
        known = inputs if self.hyperparameters.uses_minibatches else None  # the inputs of minibatches are padded
        state: State = initial_state(self._key, *self._state_arguments(optimizer), first=first, inputs=known)
        return state

    def state_shapes(self, optimizer: Any = None) -> State:
        """The shapes and dtypes of the state, of the run's own optimizer or of another one."""
        return state_shapes(*self._state_arguments(optimizer))

    def restore(self, state: State) -> State:
        """A state with the same leaves on the device, for which the training program is compiled."""
        self._compile(_zeros(self.state_shapes()))
        placed: State = jax.device_put(state)
        return placed

    def trained_params(self, state: State) -> Params:
        """The params of every restart: those of the smallest validation loss, or the last ones. Leaves of NumPy."""
        trained: Params = jax.device_get(state.params if state.best is None else state.best.params)
        first = trained[0]._replace(weight=trained[0].weight[:, : self.share.network.sizes[0]])
        return [first, *trained[1:]]

    @property
    def _padded_network(self) -> Network:
        """The network that is trained. Its last inputs may be padding."""
        return self.share.network

    def _state_arguments(self, optimizer: Any) -> tuple[Any, ...]:
        h, network = self.hyperparameters, self._padded_network
        validates = len(self.folds[0].held_out) > 0
        return network, optimizer or self._optimizer, self.share.size, h.init, h.uses_minibatches, validates


class StretchRun(TrainingRun):
    """A run whose program does all epochs of a stretch."""

    @abstractmethod
    def _train_lane(self, state: State, lane: Lane, epochs_done: int, stretch: Stretch) -> tuple[State, Array]:
        """Take the chunks of a lane through a stretch. Returns their state, and the losses as recorded."""

    def _train(self, state: State, epochs_done: int, stretch: Stretch) -> tuple[State, np.ndarray]:
        """Take all chunks through a stretch, the lanes side by side."""
        own, lanes = self.placement, self.placement.lanes

        def train(lane: Lane) -> tuple[State, Array]:
            return self._train_lane(own.share(state, lane), lane, epochs_done, stretch)

        trained = map_side_by_side(train, lanes)
        after, losses = own.join(trained)
        return after, own.gather(losses)

    def _compile(self, state: State) -> None:
        """Compile the training program for states of these shapes."""
        self._train(state, 0, Stretch(0, 1))


class FullBatchRun(StretchRun):
    """A run in which every step takes all rows, and all restarts are trained side by side."""

    def __init__(
        self, share: Share, table: Table, hyperparameters: Hyperparameters, optimizer: Any, key: Any, mesh: Mesh
    ) -> None:
        super().__init__(share, table, hyperparameters, optimizer, key, mesh)
        self._settings = FullBatchSettings(share.network, optimizer, hyperparameters.schedule)

    @cached_property
    def _rows(self) -> dict[Mesh, Any]:
        """The inputs, the targets and the weights on the devices of each lane."""
        table, rows = self.table, np.arange(len(self.table.y))
        x = bin_inputs(table.x, self.share.bins)
        weights = row_weights(table, rows, rows, False)
        return {lane.mesh: share_rows(x, table.y, weights, lane.mesh) for lane in self.placement.lanes}

    def advance(self, state: State, epochs_done: int, stretch: Stretch) -> Advanced:
        """Take a state through a stretch, after so many epochs."""
        state, recorded = self._train(state, epochs_done, stretch)
        training = _by_restart(recorded, stretch.records)[:, : self.share.size]
        return Advanced(state, training, np.full_like(training, np.nan))

    def _train_lane(self, state: State, lane: Lane, epochs_done: int, stretch: Stretch) -> tuple[State, Array]:
        is_scheduled = self.hyperparameters.schedule != "constant"
        done, total = (epochs_done, min(self.hyperparameters.epochs, MAX_COUNTED_EPOCHS)) if is_scheduled else (0, 1)
        mesh = lane.mesh
        trained: tuple[State, Array] = train_full_batch(
            state, lane.size, *self._rows[mesh], *stretch, done, total, settings=self._settings._replace(mesh=mesh)
        )
        jax.block_until_ready(trained[1])  # type: ignore[no-untyped-call]
        return trained


class MinibatchRun(StretchRun):
    """A run in which every step takes a minibatch, and each restart ends when its validation loss stops falling."""

    def __init__(
        self, share: Share, table: Table, hyperparameters: Hyperparameters, optimizer: Any, key: Any, mesh: Mesh
    ) -> None:
        super().__init__(share, table, hyperparameters, optimizer, key, mesh)
        h = hyperparameters
        self.folds = split_folds(table, h.validation, h.folds, key=jax.random.fold_in(key, SPLIT_KEY))
        self._restarts = describe_restarts(share.first, share.size, len(self.folds), h)
        self._shuffle_keys = jax.random.fold_in(key, SHUFFLE_KEY)[None]
        learned = min(fold.learned for fold in self.folds)
        batch_size = min(h.batch_size or learned, learned)
        self._settings = MinibatchSettings(self._padded_network, optimizer, h.schedule, batch_size)

    @cached_property
    def _rows(self) -> dict[Mesh, Any]:
        """The rows, and the keys of the shuffles, on the devices of each lane."""
        h = self.hyperparameters
        rows = place_rows(self.table, self.folds, h.class_weights, h.mask, self.share.bins)
        data = (rows, self._shuffle_keys)
        return {lane.mesh: place(data, lane.mesh, EVERYWHERE) for lane in self.placement.lanes}

    @property
    def _padded_network(self) -> Network:
        network = self.share.network
        width = padded_width(network.sizes[0], len(self.table.y))
        return Network((width, *network.sizes[1:]), network.activation, network.task)

    def advance(self, state: State, epochs_done: int, stretch: Stretch) -> Advanced:
        """Take a state through a stretch, after so many epochs."""
        state, recorded = self._train(state, epochs_done, stretch)
        losses = np.moveaxis(recorded[:, : stretch.epochs], 0, 1)
        return Advanced(state, losses[..., 0], losses[..., 1])

    def _train_lane(self, state: State, lane: Lane, epochs_done: int, stretch: Stretch) -> tuple[State, Array]:
        h, own = self.hyperparameters, self.placement
        restarts = own.share(self._restarts, lane)
        progress = EpochCounts(epochs_done, min(h.epochs, MAX_COUNTED_EPOCHS), min(h.patience, MAX_COUNTED_EPOCHS))
        rows, keys = self._rows[lane.mesh]
        is_quick = suits_quick_options(self._settings.network, len(rows.y))
        trained: tuple[State, Array] = (train_minibatches_compiled_quickly if is_quick else train_minibatches)(
            state,
            restarts,
            lane.size,
            rows,
            progress,
            stretch.epochs,
            keys,
            settings=self._settings._replace(mesh=lane.mesh),
        )
        jax.block_until_ready(trained[1])  # type: ignore[no-untyped-call]
        return trained


def _zeros(shapes: State) -> State:
    zeros: State = jax.device_put(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes))
    return zeros


def _by_restart(recorded: np.ndarray, records: int) -> np.ndarray:
    """[chunks, RECORD_CAPACITY, (restarts of a chunk)] -> [records, restarts]."""
    return np.moveaxis(recorded[:, :records].reshape(len(recorded), records, -1), 0, 1).reshape(records, -1)

"""How a state goes through epochs: which of the device's programs takes it there, with what, in how many threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from model.hyperparameters import Hyperparameters
from model.network import Network
from model.tables.table import Table
from model.tasks import Array
from model.training.stretches import State, advance, advance_by_batches, initial_state, shapes_of_state
from model.training.validation_split import Rows, hold_out, split

# Folded into the key of training, for what is drawn but the starts.
SPLIT, SHUFFLE = 2**31, 2**31 + 1
# The most epochs that the device's whole numbers count.
MOST = 2**31 - 1


class Run:
    """A way of taking a state through epochs: all rows at once, or by batches.

    held: the indices of the rows held out. threads: how many share the restarts of a run by batches.
    """

    def __init__(
        self, network: Network, table: Table, hyperparameters: Hyperparameters, optimizer: Any, key: Any
    ) -> None:
        h = self.hyperparameters = hyperparameters
        self.network, self.optimizer, self.key = network, optimizer, key
        self.by_batches = h.by_batches
        self.held = np.zeros(0, int)
        if self.by_batches:
            split_key = jax.random.fold_in(key, SPLIT)
            learn, self.held = hold_out(table, h.validation, key=split_key)
            self.rows: Rows = split(table, learn, self.held, h.class_weights)
            decays = np.resize(np.asarray(h.weight_decay, np.float32), h.restarts)
            self.decay, self.indices = decays * np.float32(h.learning_rate), np.arange(h.restarts, dtype=np.int32)
            self.shuffle = jax.random.fold_in(key, SHUFFLE)
            self.threads = threads_for(h.restarts)
            self.batch = min(h.batch_size or int(self.rows.learnt), int(self.rows.learnt))
        else:
            self.x, self.y = jax.device_put((table.x, table.y))

    def initial_state(self) -> State:
        """The state before the first epoch."""
        state: State = initial_state(self.key, *self._arguments())
        return state

    def _shapes(self) -> State:
        return shapes_of_state(*self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        h = self.hyperparameters
        return self.network, self.optimizer, h.restarts, h.init, self.by_batches, len(self.held) > 0

    def start(self) -> State:
        """`initial_state`, drawn while the program that takes it further is compiled."""
        with ThreadPoolExecutor(1) as pool:
            compiled = pool.submit(self.compile, self._shapes())
            state = self.initial_state()
            compiled.result()
        return state

    def restored(self, leaves: list[Any]) -> State:
        """The state of these leaves. Raises ValueError where they are not those of such a run."""
        expected = self._shapes()
        wanted = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(expected)]
        found = [(leaf.shape, leaf.dtype) for leaf in leaves]
        if wanted != found:
            raise ValueError(f"the state must have the shapes {wanted}, not {found}")
        state: State = jax.tree.unflatten(jax.tree.structure(expected), jax.device_put(leaves))
        self.compile(state)
        return state

    def compile(self, state: State) -> None:
        """Have the program compiled that takes states of such shapes further."""
        blank = jax.device_put(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state))
        jax.block_until_ready(self(blank, 0, blocks=0, block=0)[1])  # type: ignore[no-untyped-call]

    def __call__(self, state: State, done: int, blocks: int, block: int) -> tuple[State, Array]:
        """Take the state through blocks of epochs, of which `done` are done. Returns it and what was recorded."""
        h = self.hyperparameters
        if not self.by_batches:
            of_all_epochs = (0, 1) if h.schedule == "constant" else (done, min(h.epochs, MOST))
            of_all = (self.x, self.y, self.network, self.optimizer, blocks, block, h.schedule, of_all_epochs)
            advanced: tuple[State, Array] = advance(state, *of_all)
            return advanced
        if not blocks:  # compiles
            return self._part(state, 0, done, 0)
        with ThreadPoolExecutor(self.threads) as pool:
            parts = [pool.submit(self._part, state, part, done, blocks * block) for part in range(self.threads)]
            advanced = _joined([part.result() for part in parts])
        return advanced

    def _part(self, state: State, part: int, done: int, epochs: int) -> tuple[State, Array]:
        """Take the restarts of one thread through more epochs."""
        h = self.hyperparameters
        size = h.restarts // self.threads
        own = slice(part * size, (part + 1) * size)
        if self.threads > 1:
            state = jax.tree.map(lambda leaf: np.asarray(leaf)[own], state)
        of_all = (self.shuffle, self.network, self.optimizer, self.batch, h.schedule, min(h.patience, MOST))
        advanced: tuple[State, Array] = advance_by_batches(
            state, self.rows, self.indices[own], self.decay[own], *of_all, done, min(h.epochs, MOST), epochs
        )
        jax.block_until_ready(advanced[1])  # type: ignore[no-untyped-call]
        return advanced

    def losses(self, recorded: Array, blocks: int) -> tuple[np.ndarray, np.ndarray]:
        """The training and the validation losses [blocks, restarts] in what was recorded."""
        if self.by_batches:
            both = np.moveaxis(jax.device_get(recorded)[:, :blocks], 0, 1)
            return both[..., 0], both[..., 1]
        training = _by_restart(jax.device_get(recorded), blocks)[:, : self.hyperparameters.restarts]
        return training, np.full_like(training, np.nan)


def _joined(parts: list[tuple[State, Array]]) -> tuple[State, Array]:
    if len(parts) == 1:
        return parts[0]
    joined: tuple[State, Array] = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    return joined


def threads_for(restarts: int) -> int:
    """How many threads share the restarts evenly: at most one a core, and one where there is an accelerator."""
    cores = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    return max(count for count in range(1, cores + 1) if restarts % count == 0)


def _by_restart(recorded: np.ndarray, blocks: int) -> np.ndarray:
    """[chunks, CAPACITY, (restarts of a chunk)] -> [blocks, restarts]."""
    return np.moveaxis(recorded[:, :blocks].reshape(len(recorded), blocks, -1), 0, 1).reshape(blocks, -1)

"""What `nudge train` trains, from where it goes on, and where it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click
import jax
import msgspec
import numpy as np
from jax.sharding import Mesh

from model.checkpoint import Checkpoint, load, save
from model.hyperparameters import Hyperparameters, replace
from model.network import Network
from model.tables.columns import NumericColumn
from model.tables.table import Table
from model.training.defaults import batch_of_shared_rows
from model.training.fit import train as train_snapshots
from model.training.mesh import DATA
from model.training.result import Progress, Result, make_checkpoint

# A run that goes on from another may have other values of these.
MAY_CHANGE = {"epochs", "ensemble", "log_every", "threshold"}


class ResumePoint(NamedTuple):
    """Where an earlier run stands: the arguments of `train` to go on from it.

    Attributes:
        resume: the leaves of its state, and its epoch.
        target_scaling: of its target.
    """

    resume: tuple[tuple[np.ndarray, ...], int]
    target_scaling: NumericColumn


@dataclass(frozen=True)
class TrainingJob:
    """What is trained on what, and where it is written.

    Attributes:
        table_name: the table's, for people.
        table: what is learned from.
        network: the description of the network.
        hyperparameters: how.
        seed: of the random key.
        out: the checkpoint's file.
        mesh: the devices.
    """

    table_name: str
    table: Table
    network: Network
    hyperparameters: Hyperparameters
    seed: int
    out: Path
    mesh: Mesh

    def digest(self, start: ResumePoint | None) -> str:
        """What all processes of a run must have in common: the table, how it is trained, and from where."""
        epoch, shape = 0 if start is None else start.resume[1], dict(self.mesh.shape)
        return f"{self.table.digest} {self.network} {self.hyperparameters} {self.seed} {epoch} {shape}"

    def train(self, resume: ResumePoint | None) -> Iterator[Progress]:
        """The snapshots of training. Raises click.UsageError if it cannot be done."""
        options = msgspec.structs.asdict(self.hyperparameters)
        try:
            before = {} if resume is None else resume._asdict()
            return train_snapshots(
                self.network, self.table, key=jax.random.key(self.seed), mesh=self.mesh, **before, **options
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    def resume_point(self) -> ResumePoint | None:
        """Where the checkpoint that is there stands; None if there is none.

        Raises CheckpointError or click.UsageError if training cannot go on from it.
        """
        if not os.path.lexists(self.out):
            return None
        before = load(self.out)
        self._check_same(before)
        epoch = before.training.epoch
        if epoch > self.hyperparameters.epochs:
            raise click.UsageError(f"--resume: {self.out} has done {epoch:,} epochs; ask for more with --epochs")
        return ResumePoint((before.state, epoch), before.target_scaling)

    def _check_same(self, before: Checkpoint) -> None:
        record, settings = before.training, msgspec.structs.asdict(self.hyperparameters)
        pairs = {name: (getattr(record, name), value) for name, value in settings.items() if name not in MAY_CHANGE}
        # A network that sees bins has more inputs than the table.
        found = Network((self.network.sizes[0], *before.network.sizes[1:]), before.network.activation, before.task)
        pairs |= {"seed": (record.seed, self.seed), "network": (found, self.network)}
        if self.hyperparameters.schedule != "constant":
            pairs["epochs"] = (record.epochs, self.hyperparameters.epochs)
        if self.table.complete:
            pairs["table"] = (record.table, self.table_name)
        for name, (was, asked) in pairs.items():
            if was != asked:
                raise click.UsageError(f"--resume: {self.out} has the {name} {was}, and not {asked}; ask for the same")
        if record.table_digest != ("" if self.table.complete else self.table.digest):
            was = "was trained on another table, or with other rows held out"
            raise click.UsageError(f"--resume: {self.out} {was}; train anew without --resume")
        if not before.state:
            raise click.UsageError(f"--resume: {self.out} has no state to go on from; train anew without --resume")

    def save(self, result: Result) -> Checkpoint:
        """Write the checkpoint of a result."""
        checkpoint = make_checkpoint(result, self.table, table_name=self.table_name, seed=self.seed)
        return save(self.out, checkpoint)


def recorded_batch_size(path: Path) -> int | None:
    """The rows in a step of the run that a checkpoint comes from.

    Args:
        path: the checkpoint's file, which may be missing.

    Returns:
        The number; None if there is no such file, or if every step took all rows.

    Raises:
        CheckpointError: if it is no checkpoint.
    """
    return load(path).training.batch_size if os.path.lexists(path) else None


def chosen_batch(
    hyperparameters: Hyperparameters, network: Network, rows: int, mesh: Mesh, before: int | None
) -> Hyperparameters:
    """The hyperparameters with the rows in a step, if none are named.

    Args:
        hyperparameters: the defaults.
        network: the description of the network.
        rows: how many the table has.
        mesh: the devices.
        before: the rows in a step of the run that goes on; None if there is none.

    Returns:
        The same with the number of the earlier run, or one that pays on this mesh.
    """
    if before is not None and hyperparameters.batch_size is not None:
        return replace(hyperparameters, batch_size=before)
    return batch_of_shared_rows(hyperparameters, network, rows) if mesh.shape[DATA] > 1 else hyperparameters

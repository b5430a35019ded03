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
from model.hyperparameters import Hyperparameters
from model.network import Network
from model.tables.columns import NumericColumn
from model.tables.table import Table
from model.training.fit import train as train_snapshots
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
        """What all processes of a run must have in common."""
        epoch = 0 if start is None else start.resume[1]
        return f"{self.table.digest} {self.network} {self.hyperparameters} {self.seed} {epoch}"

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

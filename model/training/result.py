"""What training has found: its progress, its result, and the checkpoint of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Float

from model.arrays import Array
from model.checkpoint import Checkpoint, TrainingRecord
from model.ensembles import Ensemble
from model.evaluation.evaluate import Evaluation
from model.evaluation.training_record import loss_points
from model.hyperparameters import Hyperparameters
from model.metrics import Metrics
from model.network import Network, Params, logits
from model.tables.columns import NumericColumn
from model.tables.table import Table
from model.tables.target_scaling import Residuals
from model.training.ensemble_run import EnsembleRun, States
from model.training.measuring import baseline_of, evaluate_selection, residuals_of
from model.training.placement import as_arrays
from model.training.selection import select
from model.training.split_text import describe_split


class DivergedError(ArithmeticError):
    """Training left the finite numbers.

    Args:
        epoch: the first epoch after which no restart has a finite loss.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"training diverged: after epoch {epoch:,} the loss of every restart is no longer a finite number; "
            "try a smaller learning rate, or columns of a smaller scale"
        )
        self.epoch = epoch


class History(NamedTuple):
    """The recorded losses.

    Attributes:
        epochs: [records], after how many epochs each was recorded.
        losses: [records, restarts], of training.
        validation: [records, restarts], of the rows held out; NaN if there are none or a restart had ended.
    """

    epochs: np.ndarray
    losses: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True)
class Result:
    """What training has found.

    Attributes:
        ensemble: the networks that are kept.
        loss: the best restart's; its smallest validation loss if rows were held out.
        best: the index of the best restart.
        epoch: how many epochs were done.
        history: the losses of every restart, every `log_every` epochs.
        losses: [restarts], by which the best ones are chosen.
        solved: how many restarts predict every row of a truth table right; 0 for any other table.
        temperature: the logits are divided by it.
        evaluation: on the rows held out; if there are none, on at most 10,000 rows. Empty for a truth table.
        held_out: the indices of the rows held out, in ascending order.
        folds: how many splits of the rows there are.
        target_scaling: how the target of a regression was scaled.
        residuals: what the errors on the rows held out tell about the predictions of a regression.
        predictions: [rows held out] or [rows held out, classes], what the networks that have not learned from a row
            predict for it, with the target as it is scaled.
        state: of every restart, to resume from.
        hyperparameters: how the network was trained.
    """

    ensemble: Ensemble
    loss: float
    best: int
    epoch: int
    history: History
    losses: Float[np.ndarray, " restarts"]
    solved: int
    temperature: float
    evaluation: Evaluation
    held_out: np.ndarray
    folds: int
    target_scaling: NumericColumn
    residuals: Residuals
    predictions: Float[np.ndarray, "held *classes"]
    state: States
    hyperparameters: Hyperparameters

    @property
    def metrics(self) -> Metrics:
        """The metrics of the evaluation."""
        return self.evaluation.metrics

    @property
    def threshold(self) -> float:
        """The probability from which a label is the second of two classes."""
        return self.evaluation.threshold

    @property
    def restarts(self) -> int:
        """How many restarts were trained."""
        return len(self.losses)

    @property
    def network(self) -> Network:
        """The description of the first networks that are kept."""
        return self.ensemble[0].network

    @property
    def params(self) -> Params:
        """The params of the first networks that are kept: of one, or of several on a leading axis, the best first."""
        return self.ensemble[0].params


@dataclass(frozen=True)
class Progress:
    """Where training stands after a stretch. It never changes; the next stretch makes a new one.

    Attributes:
        run: what is trained, on what, and how.
        placed: the state of every restart, on the devices where it is trained.
        epoch: how many epochs are done.
        ended: how many restarts have ended before the last epoch.
        losses: [restarts], by which the best ones are chosen: the training loss, or the smallest validation loss.
        records: the recorded losses of each stretch, every log_every epochs.
    """

    run: EnsembleRun
    placed: States
    epoch: int = 0
    ended: int = 0
    losses: Float[np.ndarray, " restarts"] | None = None
    records: tuple[History, ...] = ()

    @property
    def state(self) -> States:
        """The state of every restart, to resume from; zeros for the restarts of other processes."""
        arrays: States = as_arrays(self.placed)
        return arrays

    @property
    def epochs(self) -> int:
        """How many epochs there are to do."""
        return self.run.hyperparameters.epochs

    @property
    def restarts(self) -> int:
        """How many restarts are trained."""
        return self.run.hyperparameters.restarts

    @property
    def held_out(self) -> np.ndarray:
        """The indices of the rows held out."""
        return self.run.held_out

    def result(self, with_intervals: bool = True) -> Result:
        """The best restarts as they stand now, with or without the intervals of their metrics.

        All processes must ask for it at the same point.
        """
        run, table, state = self.run, self.run.table, self.run.gather(self.placed)
        losses = np.full(self.restarts, np.nan, np.float32) if self.losses is None else self.losses
        selection = select(run, state, losses)
        ensemble = jax.device_put(selection.ensemble)
        residuals = residuals_of(selection, table)
        rule = run.hyperparameters.threshold
        evaluation = (
            Evaluation()
            if table.complete
            else evaluate_selection(selection, table, residuals, rule, with_intervals=with_intervals)
        )
        return Result(
            ensemble=ensemble,
            loss=float(losses[selection.kept[0]]),
            best=int(selection.kept[0]),
            epoch=self.epoch,
            history=self._history(),
            losses=losses,
            solved=self._solved(state),
            temperature=selection.temperature,
            evaluation=evaluation,
            held_out=selection.rows,
            folds=len(run.folds),
            target_scaling=table.target_scaling,
            residuals=residuals,
            predictions=selection.predictions,
            state=state,
            hyperparameters=run.hyperparameters,
        )

    def _history(self) -> History:
        nothing = np.zeros((0, self.restarts), np.float32)
        records = (History(np.zeros(0, int), nothing, nothing), *self.records)
        return History(*(np.concatenate(parts) for parts in zip(*records, strict=True)))

    def _solved(self, state: States) -> int:
        table = self.run.table
        if not table.complete:
            return 0
        network, (first, *others) = self.run.network, state[0].params
        first = first._replace(weight=first.weight[:, : network.sizes[0]])  # further inputs are padding
        solved = _solves_every_row([first, *others], table.x, table.y, network)
        return int(np.sum(jax.device_get(solved)[: self.restarts]))


def make_checkpoint(result: Result, table: Table, *, table_name: str, seed: int) -> Checkpoint:
    """The checkpoint of a result, to be saved.

    Args:
        result: what training has found.
        table: what it was trained on.
        table_name: the name of the table, for people.
        seed: of the random key.

    Returns:
        The checkpoint, with a record of how its parameters came about.

    Example:
        >>> from model import fit, truth_table
        >>> table = truth_table("or")
        >>> result = fit(Network((2, 1)), table, key=jax.random.key(0), epochs=100, restarts=1)
        >>> make_checkpoint(result, table, table_name="or", seed=0).training.epoch
        100
    """
    history = result.history
    record = TrainingRecord(
        **msgspec.structs.asdict(result.hyperparameters),
        table=table_name,
        epoch=result.epoch,
        loss=result.loss,
        seed=seed,
        solved=result.solved,
        rows=len(table.y),
        held_out=len(result.held_out),
        split=describe_split(table, result.held_out, result.folds),
        dropped=table.dropped,
        table_digest="" if table.complete else table.digest,
        metrics=result.metrics,
        baseline=baseline_of(table, result.held_out),
        intervals=result.evaluation.intervals,
        confusion=result.evaluation.confusion,
        reliability=result.evaluation.reliability,
        pairs=result.evaluation.pairs,
        losses=loss_points(history.epochs, history.losses[:, result.best], history.validation[:, result.best]),
        inputs_digest="" if table.complete else table.inputs_digest,
    )
    return Checkpoint(
        ensemble=result.ensemble,
        columns=table.columns,
        target=table.target,
        classes=table.classes,
        training=record,
        column_specs=table.column_specs,
        target_scaling=result.target_scaling,
        residuals=result.residuals,
        temperature=result.temperature,
        threshold=result.threshold,
        state=tuple(np.asarray(leaf) for leaf in jax.tree.leaves(result.state)),
    )


@jax.jit
def _solves_every_row(
    params: Params, x: Float[Array, "rows columns"], y: Float[Array, "rows *outputs"], network: Network
) -> jax.Array:
    """For each restart, whether every row is on its target's side."""

    def solves(params: Params) -> jax.Array:
        z = logits(params, x, network)
        labels = y.reshape(y.shape + (1,) * (z.ndim - y.ndim))
        return jnp.all((z >= 0) == (labels > 0.5), axis=tuple(range(y.ndim)))

    by_chunk: jax.Array = jax.lax.map(solves, params)
    return by_chunk.reshape(-1)

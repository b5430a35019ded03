"""Which restarts are kept, and what they predict for rows that they have not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from model.arrays import Array
from model.ensembles import Ensemble, Members, predict_from_logits
from model.evaluation.batches import logits_of_rows
from model.evaluation.temperature import fit_temperature
from model.metrics import negative_log_likelihood
from model.network import Layer, Params
from model.tasks import TASKS
from model.training.ensemble_run import EnsembleRun, States
from model.training.validation_split import row_weights


class Selection(NamedTuple):
    """The restarts that are kept.

    Attributes:
        kept: their numbers, the best first.
        ensemble: their networks.
        temperature: the logits are divided by it.
        rows: the indices of the rows held out, in ascending order.
        predictions: [rows held out] or [rows held out, classes], the mean prediction of the networks that have not
            learned from the row.
    """

    kept: Int[np.ndarray, " kept"]
    ensemble: Ensemble
    temperature: float
    rows: Int[np.ndarray, " held"]
    predictions: Float[np.ndarray, "held *classes"]


class _HeldOut(NamedTuple):
    """The rows of a fold and the logits of some restarts for them, [restarts, rows] or [restarts, rows, outputs]."""

    restarts: np.ndarray
    rows: np.ndarray
    z: np.ndarray
    y: np.ndarray
    weights: np.ndarray


def select(run: EnsembleRun, states: States, losses: Float[np.ndarray, " restarts"]) -> Selection:
    """Keep the best restarts, of all encodings or of one, whichever has the smaller loss on the rows held out.

    Restarts of one fold have the same rows held out, so their losses can be compared. With several folds, the best of
    each encoding and fold come first. Restarts whose loss is not finite are left out.

    Args:
        run: what was trained.
        states: where training stands.
        losses: of each restart, by which the best ones are chosen.

    Returns:
        The selection.
    """
    kept = _kept(run, losses)
    trained = [part.trained_params(state) for part, state in zip(run.parts, states, strict=True)]
    task = run.table.task
    everything = _held_out_logits(run, trained, kept)
    found = [(candidate, _only(everything, candidate)) for candidate in _candidates(run, kept)]
    chosen, held_out = min(found, key=lambda each: _loss(each[1], task))
    temperature = _temperature(held_out, task)
    rows, predictions = _in_order(held_out, task, temperature)
    return Selection(chosen, ensemble_of(run, trained, chosen), temperature, rows, predictions)


def _temperature(held_out: Sequence[_HeldOut], task: str) -> float:
    if not held_out:
        return 1.0
    *_, z, y, weights = zip(*held_out, strict=True)
    return fit_temperature(z, y, task, weights)


def _candidates(run: EnsembleRun, kept: np.ndarray) -> list[np.ndarray]:
    """All that are kept; and if rows are held out, those of each encoding."""
    if len(run.parts) == 1 or not len(run.held_out):
        return [kept]
    parts = _part_of(run, kept)
    return [kept, *(kept[parts == part] for part in np.unique(parts))]


def _kept(run: EnsembleRun, losses: np.ndarray) -> np.ndarray:
    """The numbers of the restarts that are kept, the best first, without those whose loss is not finite."""
    finite = np.where(np.isfinite(losses), losses, np.inf)
    everyone = np.arange(len(losses))
    groups = _part_of(run, everyone) * len(run.folds) + _fold_of(run, everyone) if len(run.folds) > 1 else everyone * 0
    ranks = np.zeros(len(losses), int)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        ranks[own[np.argsort(finite[own], kind="stable")]] = np.arange(len(own))
    kept: np.ndarray = np.lexsort((everyone, finite, ranks))[: run.hyperparameters.ensemble]
    are_finite = np.isfinite(finite[kept])
    return kept[are_finite] if are_finite.any() else kept


def _part_of(run: EnsembleRun, restarts: np.ndarray) -> np.ndarray:
    """Which part of the run each restart belongs to."""
    firsts = [part.share.first for part in run.parts]
    return np.searchsorted(firsts, restarts, side="right") - 1


def _fold_of(run: EnsembleRun, restarts: np.ndarray) -> np.ndarray:
    firsts = np.array([part.share.first for part in run.parts])
    folds: np.ndarray = (restarts - firsts[_part_of(run, restarts)]) % len(run.folds)
    return folds


def ensemble_of(run: EnsembleRun, trained: Sequence[Params], restarts: np.ndarray) -> Ensemble:
    """The networks of some restarts.

    Args:
        run: what was trained.
        trained: the params of all restarts of each part, as `trained_params` gives them.
        restarts: their numbers.

    Returns:
        Members of each encoding that has such restarts, with NumPy arrays.
    """
    parts, ensemble = _part_of(run, restarts), []
    for index, (part, params) in enumerate(zip(run.parts, trained, strict=True)):
        own = restarts[parts == index] - part.share.first
        if len(own):
            layers = [Layer(_pick(layer.weight, 2, own), _pick(layer.bias, 1, own)) for layer in params]
            ensemble.append(Members(part.share.network, layers, part.share.bins))
    return tuple(ensemble)


def _pick(leaf: Array, axes: int, kept: np.ndarray) -> np.ndarray:
    """[chunks, …, (restarts of a chunk)] -> [kept, …], or […] of a single one. axes: how many a network's leaf has."""
    leaf = np.asarray(leaf)
    by_restart = leaf if leaf.ndim == axes + 1 else np.moveaxis(leaf, -1, 1).reshape(-1, *leaf.shape[1:-1])
    picked: np.ndarray = by_restart[kept] if len(kept) > 1 else by_restart[kept[0]]
    return picked


def _held_out_logits(run: EnsembleRun, trained: Sequence[Params], restarts: np.ndarray) -> list[_HeldOut]:
    """The rows of each fold, with the logits of those restarts that hold them out."""
    found, folds = [], _fold_of(run, restarts)
    for index, fold in enumerate(run.folds):
        own = np.sort(restarts[folds == index])  # in the order of the parts, as the members of an ensemble
        if not (len(own) and len(fold.held_out)):
            continue
        rows = fold.held_out
        weights = row_weights(run.table, rows, rows, class_weights=False)
        z = logits_of_rows(ensemble_of(run, trained, own), run.table.inputs(rows))
        found.append(_HeldOut(own, rows, z, run.table.y[rows], np.ones(len(rows)) if weights is None else weights))
    return found


def _only(held_out: Sequence[_HeldOut], restarts: np.ndarray) -> list[_HeldOut]:
    """The same rows with the logits of fewer restarts, without the folds that none of them holds out."""
    kept = [(each, np.isin(each.restarts, restarts)) for each in held_out]
    return [each._replace(restarts=each.restarts[own], z=each.z[own]) for each, own in kept if own.any()]


def _loss(held_out: Sequence[_HeldOut], task: str) -> float:
    """The mean loss of the mean predictions."""
    total = count = 0.0
    for *_, z, y, weights in held_out:
        mean = np.asarray(predict_from_logits(z, task).mean, np.float64)
        by_row = negative_log_likelihood(mean, y) if TASKS[task].has_classes else (mean - y) ** 2
        total, count = total + float((by_row * weights).sum()), count + len(y)
    loss = total / max(count, 1.0)
    return loss if np.isfinite(loss) else np.inf


def _in_order(held_out: Sequence[_HeldOut], task: str, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows held out by some network in ascending order, and the predictions for them."""
    if not held_out:
        return np.zeros(0, int), np.zeros(0)
    rows = np.concatenate([each.rows for each in held_out])
    predictions = np.concatenate([predict_from_logits(each.z, task, temperature).mean for each in held_out])
    order = np.argsort(rows)
    return rows[order], predictions[order]

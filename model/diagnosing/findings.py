"""What `why_stuck` says: findings, each with the trial of the change that it names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from model.diagnosing.activity import Unit
from model.diagnosing.words import short_number
from model.messages import count_text
from model.network import Params

# Every kind of finding, the most telling first, and the words for it.
KINDS = {
    "dead_units": "dead units",
    "saturated_units": "saturated units",
    "copied_units": "copies",
    "straight_layer": "a straight line",
    "saturated_outputs": "saturated outputs",
    "shared_output": "rows that share one output",
    "large_learning_rate": "learning rate too large",
    "small_learning_rate": "learning rate too small",
    "flat_minimum": "a flat place",
    "no_hidden_layer": "no hidden layer",
}
# The reasons of a network of which no finding is confirmed, and of one that training alone solves.
UNKNOWN, STILL_LEARNING = "unknown", "still_learning"
# What each kind and each reason means, for people who have not met the words.
MEANINGS = {
    "dead_units": "Some hidden units answer 0 for every row, so they do no work, and training does not wake them.",
    "saturated_units": "Some hidden units are at the end of their range for every row, so training hardly moves them.",
    "copied_units": "Some hidden units do the same as others, so several units do the work of one.",
    "straight_layer": "No hidden unit bends anything for these rows, so the network draws one straight line only.",
    "saturated_outputs": "The network is quite sure of wrong answers, and then training hardly changes them.",
    "shared_output": "The network gives one and the same answer to rows whose right answers differ.",
    "large_learning_rate": "Each step is so long that it jumps over the place where the loss is lowest.",
    "small_learning_rate": "Each step is so short that training gets nearly nowhere.",
    "flat_minimum": "Around these weights the loss is flat, so no small step makes it smaller.",
    "no_hidden_layer": "The network has no hidden layer, so it draws one straight line only, and these rows need more.",
    UNKNOWN: "Nothing that was tried helps, so the reason was not found.",
    STILL_LEARNING: "It is not stuck: more training solves the table.",
}


class Change(NamedTuple):
    """One parameter that a change sets to another value.

    Attributes:
        name: of the parameter, such as `0.bias[1]`.
        before: its value.
        after: its new value.
    """

    name: str
    before: float
    after: float


class Suspicion(NamedTuple):
    """What may be wrong, before it is tried.

    Attributes:
        kind: one of KINDS.
        sentence: what is wrong, for people.
        numbers: what shows it, by name.
        remedy: the change, in words that follow 'after'; empty if there is none.
        units: the hidden units that it is about.
        rows: the indices of the rows that it is about.
        params: the changed params; None if none are changed.
        learning_rate: the changed learning rate; None if it stays.
        proof: why it is surely so, for people; empty if it must be tried.
    """

    kind: str
    sentence: str
    numbers: dict[str, Any]
    remedy: str = ""
    units: tuple[Unit, ...] = ()
    rows: tuple[int, ...] = ()
    params: Params | None = None
    learning_rate: float | None = None
    proof: str = ""


class Trial(NamedTuple):
    """What training leads to after a change, after random changes of the same length, and without a change.

    Attributes:
        epochs: how many epochs each is trained.
        length: of the change: the norm of the difference between the params.
        loss: after the change and training.
        solved: whether the table is solved then.
        unchanged_loss: after training without a change.
        unchanged_solved: whether the table is solved then.
        random_losses: after each random change and training.
        random_solved: how many of them solve the table.
        confirmed: whether the change helps: training alone does not solve the table, and with the change it does; or
            the loss is smaller than without it and than after every random change.
    """

    epochs: int
    length: float
    loss: float
    solved: bool
    unchanged_loss: float
    unchanged_solved: bool
    random_losses: tuple[float, ...]
    random_solved: int
    confirmed: bool


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a network.

    Attributes:
        kind: one of dead_units, saturated_units, copied_units, straight_layer, saturated_outputs, shared_output,
            large_learning_rate, small_learning_rate, flat_minimum and no_hidden_layer.
        sentence: what is wrong, for people.
        numbers: what shows it, by name.
        remedy: the change that should help, in words; empty if there is none.
        units: the hidden units that it is about.
        rows: the indices of the rows that it is about, from 0.
        changes: the parameters that the remedy sets.
        learning_rate: the learning rate that the remedy sets; None if it stays.
        trial: what came of trying the remedy; None if there is none.
        proof: why more training cannot solve the table, for people; empty if that is not proven.
    """

    kind: str
    sentence: str
    numbers: dict[str, Any]
    remedy: str
    units: tuple[Unit, ...]
    rows: tuple[int, ...]
    changes: tuple[Change, ...]
    learning_rate: float | None
    trial: Trial | None
    proof: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether it is proven, or its remedy has helped."""
        return bool(self.proof) or (self.trial is not None and self.trial.confirmed)

    def __str__(self) -> str:
        proof = [f"Shown: {self.proof} Remedy: {self.remedy}."] if self.proof else []
        return "\n".join([self.sentence, *proof, *([] if self.trial is None else [self._trial_text(self.trial)])])

    def _trial_text(self, trial: Trial) -> str:
        randoms = len(trial.random_losses)
        outcome = "the table is solved" if trial.solved else _loss_text(trial.loss)
        unchanged = "it is solved too" if trial.unchanged_solved else _loss_text(trial.unchanged_loss)
        smallest = min(trial.random_losses)
        rivals = f"their smallest loss is {short_number(smallest, 4)}" if math.isfinite(smallest) else "all diverge"
        verdict = "Confirmed" if trial.confirmed else "Not confirmed"
        return (
            f"{verdict}: {self.remedy} (a change of length {short_number(trial.length, 2)}). After "
            f"{count_text(trial.epochs, 'more epoch')}, {outcome}; without the change {unchanged}. Of {randoms} random "
            f"changes of the same length, {trial.random_solved} solved it; {rivals}."
        )


@dataclass(frozen=True)
class Diagnosis:
    """Why a network does not learn a table.

    Attributes:
        solved: whether the table is solved already; then there are no findings.
        loss: of the network as it is.
        further_epochs: how many epochs solve the table without any change; None if those that were tried do not.
        findings: what is wrong, the confirmed ones first.
    """

    solved: bool
    loss: float
    further_epochs: int | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def confirmed(self) -> tuple[Finding, ...]:
        """The findings that are proven, or whose remedy has helped."""
        return tuple(finding for finding in self.findings if finding.confirmed)

    @property
    def reason(self) -> str:
        """The kind of the first confirmed finding; else `still_learning` or `unknown`; empty if the table is solved."""
        if self.solved:
            return ""
        if self.further_epochs is not None:
            return STILL_LEARNING
        return self.confirmed[0].kind if self.confirmed else UNKNOWN

    def as_data(self) -> dict[str, Any]:
        """Everything as dicts, lists, numbers and texts, to be written as JSON.

        A number that is infinite, because training diverged, is None, as JSON has no infinity.
        """
        findings = [
            msgspec.to_builtins(finding)
            | {
                "confirmed": finding.confirmed,
                "meaning": MEANINGS[finding.kind],
                "changes": [change._asdict() for change in finding.changes],
                "trial": None if finding.trial is None else finding.trial._asdict(),
            }
            for finding in self.findings
        ]
        data = {
            "solved": self.solved,
            "loss": self.loss,
            "reason": self.reason,
            "meaning": MEANINGS.get(self.reason, ""),
            "further_epochs": self.further_epochs,
            "findings": findings,
        }
        return {name: _with_finite_numbers(value) for name, value in data.items()}

    def __str__(self) -> str:
        if self.solved:
            return "It is not stuck: the table is solved."
        if self.further_epochs is not None:
            ends = "solve" if self.further_epochs > 1 else "solves"
            return f"It is not stuck: {count_text(self.further_epochs, 'more epoch')} {ends} the table."
        if not self.confirmed:
            return "\n".join(["Why it is stuck is unknown.", *(f"- {_indented(each)}" for each in self.findings)])
        others = [KINDS[finding.kind] for finding in self.findings[1:] if finding.confirmed]
        lines = [f"Why it is stuck: {KINDS[self.reason]}.", str(self.findings[0])]
        return "\n".join([*lines, *([f"Also confirmed: {', '.join(others)}."] if others else [])])


def _with_finite_numbers(data: Any) -> Any:
    """The same data, with None in place of numbers that are not finite."""
    match data:
        case dict():
            return {name: _with_finite_numbers(value) for name, value in data.items()}
        case list() | tuple():
            return [_with_finite_numbers(value) for value in data]
        case float():
            return data if math.isfinite(data) else None
    return data


def _loss_text(loss: float) -> str:
    return f"the loss is {short_number(loss, 4)}" if math.isfinite(loss) else "training diverges"


def _indented(finding: Finding) -> str:
    return str(finding).replace("\n", "\n  ")

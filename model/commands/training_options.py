"""The options that say how a network is trained, and the hyperparameters that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from model.activations import ACTIVATIONS
from model.commands.option_types import LayerSizes, NameList, NumberList, ShareOrFile, ThresholdRule
from model.evaluation.thresholds import check_two_classes
from model.hyperparameters import INITS, OPTIMIZERS, SCHEDULES, TARGET_SCALES, Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network, parameter_count
from model.tables.table import Table
from model.training.defaults import (
    FAST_DEFAULTS,
    FAST_HIDDEN,
    FILE_DEFAULTS,
    FILE_HIDDEN,
    TRUTH_TABLE_DEFAULTS,
    TRUTH_TABLE_HIDDEN,
    default_hyperparameters,
    default_network,
)
from model.training.state import RECORD_CAPACITY

MAX_HELD_NUMBERS = 1_000_000_000
THRESHOLD_HELP = (
    "The probability from which the label is the second of two classes: a number; f1, which maximizes F1 on the rows "
    "held out; or cost:FP,FN, which minimizes there what mistakes cost: FP for each row of the first class that gets "
    "the second as its label, FN for the reverse."
)
VARIES_WITH_ROWS = {"weight_decay": ", less for more rows", "batch_size": ", more for more rows"}


def _hyperparameter(name: str, kind: Any, text: str = "") -> Callable[[Any], Any]:
    """An option whose default depends on the table."""
    defaults = [_default_text(getattr(each, name)) for each in (TRUTH_TABLE_DEFAULTS, FILE_DEFAULTS)]
    default = defaults[0]
    if defaults[0] != defaults[1]:
        default += f", for a file {defaults[1]}{VARIES_WITH_ROWS.get(name, '')}"
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, type=kind, default=None, help=f"{text}  [default: {default}]".strip())


def _default_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(each if isinstance(each, str) else f"{each:g}" for each in value)
    return "all" if value is None else str(value)


def _sizes_text(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))


COUNT = click.IntRange(1)
FAST_HELP = (
    "Train a file in less time, with somewhat worse predictions: "
    f"{FAST_DEFAULTS.ensemble} networks with {_sizes_text(FAST_HIDDEN)} units that see numbers without bins."
)
_HIDDEN_DEFAULT = f"{_sizes_text(TRUTH_TABLE_HIDDEN)}, for a file {_sizes_text(FILE_HIDDEN)}"
_OPTIONS = (
    click.option("--fast", is_flag=True, help=FAST_HELP),
    click.option("--hidden", type=LayerSizes(), help=f"Units of each hidden layer.  [default: {_HIDDEN_DEFAULT}]"),
    click.option("--activation", type=click.Choice(list(ACTIVATIONS)), default="relu", show_default=True),
    _hyperparameter("epochs", COUNT, "Passes over the rows, at most."),
    _hyperparameter("learning_rate", float),
    _hyperparameter("optimizer", click.Choice(OPTIMIZERS)),
    _hyperparameter("schedule", click.Choice(SCHEDULES), "Of the learning rate."),
    _hyperparameter("batch_size", COUNT, "Rows in a step."),
    _hyperparameter(
        "validation",
        ShareOrFile(),
        "The share of rows held out, from 0 to 0.5; or a file with the same columns, or a pattern: its rows are held "
        "out.",
    ),
    _hyperparameter(
        "folds", COUNT, "Parts of the rows, each held out by some restarts; 1: all hold out the same share."
    ),
    _hyperparameter("patience", COUNT, "A restart ends after so many epochs without a smaller validation loss."),
    _hyperparameter("mask", float, "The share of the rows in a step in which one value is hidden."),
    _hyperparameter("weight_decay", NumberList(), "How much weights shrink in a step; restarts take several in turn."),
    _hyperparameter("clip", float, "The largest norm of a gradient; 0 for no limit."),
    _hyperparameter("target_scale", click.Choice(TARGET_SCALES), "Of the numbers to predict."),
    click.option("--class-weights", is_flag=True, default=None, help="Let all classes count the same."),
    _hyperparameter("init", click.Choice(INITS), "Of the weights."),
    _hyperparameter("restarts", COUNT, "Random starts."),
    _hyperparameter("ensemble", COUNT, "How many of them are kept, the best ones."),
    _hyperparameter("encodings", NameList(), "How restarts see columns of numbers: some of numbers,bins."),
    _hyperparameter("log_every", COUNT, "Epochs between two lines."),
    _hyperparameter("threshold", ThresholdRule(), THRESHOLD_HELP),
)


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of training to a command.

    Args:
        command: a function that gets fast, hidden and activation, and the hyperparameters by their names; None for
            those that are not given.

    Returns:
        The command with the options.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


# Each option by the name of its argument.
TRAINING_PARAMETERS = {str(each.name): each for each in click.command()(training_options(lambda: None)).params}


def chosen_settings(
    data: Table, fast: bool, hidden: tuple[int, ...] | None, activation: str, options: dict[str, Any]
) -> tuple[Network, Hyperparameters]:
    """The network and the hyperparameters that the options ask for.

    Args:
        data: what is learned from.
        fast: whether --fast is given.
        hidden: units of each hidden layer; None for the default.
        activation: of the hidden layers.
        options: the hyperparameters by their names; None for those that are not given.

    Returns:
        Both.

    Raises:
        click.UsageError: if they cannot be.
    """
    if fast and data.complete:
        raise click.UsageError("--fast is for files, and this is a truth table; leave it out")
    try:
        named = {name: value for name, value in options.items() if value is not None}
        hyperparameters = replace_hyperparameters(default_hyperparameters(data, fast=fast), **named)
        network = default_network(data, hidden, activation, fast=fast)
        if "threshold" in named:
            check_two_classes(data.task, data.complete)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if (parameter_count(network) + RECORD_CAPACITY) * hyperparameters.restarts > MAX_HELD_NUMBERS:
        raise click.UsageError(
            f"--hidden and --restarts ask for more than the {MAX_HELD_NUMBERS:,} parameters and losses that can be held"
        )
    return network, hyperparameters

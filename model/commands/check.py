"""`nudge check`: the gradients of a checkpoint, or of anybody's function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from model.checking.check import check_gradients
from model.checking.epsilon_errors import measure_epsilon_errors
from model.checking.errors import summarize_error
from model.checking.options import TOLERANCE
from model.checking.report import Report
from model.checkpoint import Checkpoint
from model.commands.option_types import FiniteRange, ImportedFunction
from model.commands.process_timeout import report_progress, run_with_timeout
from model.commands.shared import (
    check_figure_path,
    known_truth_table,
    load_or_default,
    optional_checkpoint,
    save_figure,
)
from model.gradients import chain_rule
from model.network import loss
from model.tasks import TASKS

# Random rows on which the gradients are compared if the network was trained on a file.
RANDOM_ROWS = 32
# How many parameters are tried one by one after training, so that it does not take longer than to train.
BUDGET_AFTER_TRAINING = 100


def loss_arguments(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """What `loss` and `chain_rule` are called with for a checkpoint.

    A checkpoint of a file does not have the file's rows. Its rows are drawn at random, because a gradient is right or
    wrong for any rows.

    Args:
        checkpoint: of a network or of an ensemble, whose first member counts.

    Returns:
        params, x, y and network.
    """
    network, params = checkpoint.network, checkpoint.ensemble[0].member(0)
    table = known_truth_table(checkpoint)
    if table is not None:
        return params, table.x, table.y, network
    rng = np.random.default_rng(0)
    x = rng.normal(size=(RANDOM_ROWS, network.sizes[0])).astype(np.float32)
    if TASKS[network.task].has_classes:
        y = rng.integers(len(checkpoint.classes), size=RANDOM_ROWS).astype(np.float32)
    else:
        y = rng.normal(size=RANDOM_ROWS).astype(np.float32)
    return params, x, y, network


def check_checkpoint(checkpoint: Checkpoint) -> Report:
    """The report on the four gradients of a checkpoint that was just trained.

    Args:
        checkpoint: of a network or of an ensemble, whose first member counts.

    Returns:
        The report of `check_gradients`, on a sample of a large network's parameters. `nudge check` tries more.
    """
    return check_gradients(loss, *loss_arguments(checkpoint), by_hand=chain_rule, budget=BUDGET_AFTER_TRAINING)


@click.command()
@optional_checkpoint
@click.option("--function", type=ImportedFunction(), help="Check this function instead of a checkpoint's loss.")
@click.option(
    "--arguments",
    type=ImportedFunction(),
    help="Called without arguments; returns those of the function, params first.",
)
@click.option("--by-hand", type=ImportedFunction(), help="A gradient that you wrote, called with the same arguments.")
@click.option(
    "--order", type=click.IntRange(1, 2), default=1, show_default=True, help="2: Hessian-vector products too."
)
@click.option("--tolerance", type=FiniteRange(0), default=TOLERANCE, show_default=True)
@click.option("--budget", type=click.IntRange(1), help="How many parameters to try one by one.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Draw one parameter's error against epsilon, as .svg, .png or .pdf."
)
@click.option("--parameter", help="Which one, by its name in the table.  [default: the steepest]")
@click.option("--timeout", type=FiniteRange(0), help="Seconds after which the check is ended, if it has not ended.")
@click.option("--progress-fd", type=int, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def check(
    checkpoint: Path | None,
    function: Callable[..., Any] | None,
    arguments: Callable[..., Any] | None,
    by_hand: Callable[..., Any] | None,
    plot: Path | None,
    parameter: str | None,
    as_json: bool,
    timeout: float | None,
    progress_fd: int | None,
    **options: Any,
) -> None:
    """Compare every parameter's derivatives, each derived in several ways; exit 1 if one is wrong.

    CHECKPOINT is a file that `train` wrote. With --function and --arguments, check a function of your own:

    nudge check --function my_module:loss --arguments my_module:make_arguments
    """
    if (function is None) != (arguments is None) or (function is not None and checkpoint is not None):
        raise click.UsageError("expected a checkpoint, or both --function and --arguments; give one of the two")
    if function is None and by_hand is not None:
        raise click.UsageError("--by-hand belongs to --function; give that and --arguments too")
    if parameter is not None and plot is None:
        raise click.UsageError("--parameter belongs to --plot; give that too")
    check_figure_path(plot)
    if timeout is not None:
        raise SystemExit(run_with_timeout(timeout))
    if progress_fd is not None:
        options["on_progress"] = partial(report_progress, progress_fd)
    if function is None or arguments is None:
        called_with = loss_arguments(load_or_default(checkpoint)[1])
        function, by_hand = loss, chain_rule
    else:
        called_with = _call(arguments)
    report = check_gradients(function, *called_with, by_hand=by_hand, **options)
    if plot is not None:
        from model.checking.epsilon_plot import draw_epsilon_errors

        save_figure(draw_epsilon_errors(measure_epsilon_errors(function, *called_with, parameter=parameter)), plot)
    _print(report, as_json)
    if not report.ok:
        raise SystemExit(1)


def _call(arguments: Callable[..., Any]) -> tuple[Any, ...]:
    try:
        returned = arguments()
    except Exception as error:  # a user's function may raise anything
        raise click.UsageError(
            f"--arguments must return the function's arguments, but raised {summarize_error(error)}"
        ) from error
    return returned if type(returned) is tuple else (returned,)


def _print(report: Report, as_json: bool) -> None:
    if as_json or sys.stdout is None or not sys.stdout.isatty():
        click.echo(report.to_json() if as_json else str(report))
    else:
        import rich

        rich.print(report)

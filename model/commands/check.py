"""`nudge check`: the gradients of a checkpoint, or of anybody's function."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

from model.checking.check import TOLERANCE, check_gradients
from model.checking.checked_function import NotCheckableError, sentence
from model.checking.epsilon_plot import error_against_epsilon
from model.checking.report import Report
from model.checkpoint import Checkpoint, default_checkpoint, load
from model.ensembles import is_ensemble
from model.gradients import chain_rule
from model.messages import reason, shown
from model.network import loss
from model.tables.table import truth_table

DIRECTORY = Path("checkpoints")
# Rows that the gradients are compared on where the table is a file.
DRAWN = 32


class Finite(click.FloatRange):
    """A number in a range; click takes nan to be in any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, if it is finite."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number", param, ctx)
        return number


class Named(click.ParamType[Callable[..., Any]]):
    """A function of somebody's module, as module:function; the current directory is searched too."""

    name = "module:function"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Callable[..., Any]:
        """Import it. What the module raises is told in one line."""
        module, _, attribute = str(value).partition(":")
        if not (module and attribute):
            self.fail(f"{shown(value)} is not of the form module:function, such as my_module:loss", param, ctx)
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            found: Any = importlib.import_module(module)
            for name in attribute.split("."):
                found = getattr(found, name)
        except Exception as error:
            self.fail(f"{shown(value)} cannot be imported: {sentence(error)}", param, ctx)
        if not callable(found):
            self.fail(f"{shown(value)} is no function but a {type(found).__name__}", param, ctx)
        function: Callable[..., Any] = found
        return function


def load_or_default(path: Path | None) -> tuple[Path, Checkpoint]:
    """The checkpoint of that path, or the default one, and its path."""
    path = path or default_checkpoint(DIRECTORY)
    return path, load(path)


def arguments_of(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """What `loss` and `chain_rule` are called with for a checkpoint: its first member, and the truth table that it was
    trained on. A file is not in the checkpoint, so that rows are drawn for it: a gradient is right for any.
    """
    network, params = checkpoint.network, checkpoint.params
    if not checkpoint.training.table_digest:
        table = truth_table(checkpoint.training.table)
        return params, table.x, table.y, network
    draw = np.random.default_rng(0)
    x = draw.normal(size=(DRAWN, network.sizes[0])).astype(np.float32)
    y = draw.normal(size=DRAWN) if network.task == "regression" else draw.integers(len(checkpoint.classes), size=DRAWN)
    first = jax.tree.map(lambda leaf: leaf[0], params) if is_ensemble(params) else params
    return first, x, y.astype(np.float32), network


def check_checkpoint(checkpoint: Checkpoint, tolerance: float = TOLERANCE) -> Report:
    """The report on the four gradients of a checkpoint."""
    return check_gradients(loss, *arguments_of(checkpoint), by_hand=chain_rule, tolerance=tolerance)


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("--function", type=Named(), help="Check this function instead of a checkpoint's loss.")
@click.option(
    "--arguments", type=Named(), help="Called without arguments; returns those of the function, params first."
)
@click.option("--by-hand", type=Named(), help="A gradient that you wrote, called with the same arguments.")
@click.option(
    "--order", type=click.IntRange(1, 2), default=1, show_default=True, help="2: Hessian-vector products too."
)
@click.option("--tolerance", type=Finite(0), default=TOLERANCE, show_default=True)
@click.option("--budget", type=click.IntRange(1), help="How many parameters to try one by one.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw one parameter's error against epsilon, as SVG.")
@click.option("--parameter", help="Which one, by its name in the table.  [default: the steepest]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def check(
    checkpoint: Path | None,
    function: Callable[..., Any] | None,
    arguments: Callable[..., Any] | None,
    by_hand: Callable[..., Any] | None,
    order: int,
    tolerance: float,
    budget: int | None,
    plot: Path | None,
    parameter: str | None,
    as_json: bool,
) -> None:
    """Compare every parameter's derivatives, each derived in several ways; exit 1 where one is wrong.

    CHECKPOINT is a file that `train` wrote. With --function and --arguments, check a function of your own:

    nudge check --function my_module:loss --arguments my_module:make_arguments
    """
    if (function is None) != (arguments is None) or (function is not None and checkpoint is not None):
        raise click.UsageError("expected a checkpoint, or both --function and --arguments; give one of the two")
    if function is None and by_hand is not None:
        raise click.UsageError("--by-hand belongs to --function; give that and --arguments too")
    if parameter is not None and plot is None:
        raise click.UsageError("--parameter belongs to --plot; give that too")
    if function is None or arguments is None:
        called = arguments_of(load_or_default(checkpoint)[1])
        function, by_hand = loss, chain_rule
    else:
        called = _called(arguments)
    try:
        report = check_gradients(function, *called, by_hand=by_hand, order=order, tolerance=tolerance, budget=budget)
        picture = None if plot is None else error_against_epsilon(function, *called, parameter=parameter)
    except NotCheckableError as error:
        raise click.UsageError(str(error)) from None
    if plot is not None and picture is not None:
        write_picture(plot, picture)
    if as_json or sys.stdout is None or not sys.stdout.isatty():
        click.echo(report.to_json() if as_json else str(report))
    else:
        import rich

        rich.print(report)
    if not report.ok:
        raise SystemExit(1)


def _called(arguments: Callable[..., Any]) -> tuple[Any, ...]:
    try:
        called = arguments()
    except Exception as error:
        raise click.UsageError(
            f"--arguments must return the function's arguments, but raised {sentence(error)}"
        ) from error
    return called if type(called) is tuple else (called,)


def write_picture(place: Path, picture: str) -> None:
    """Write an SVG. Raises click.UsageError where it cannot be."""
    try:
        place.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--plot: {place} cannot be written to: {reason(error)}; name another file") from None

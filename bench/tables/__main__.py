"""The commands: see the docstring of the package."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bench.tables
from bench.tables.compare import compare
from bench.tables.peers import MODELS, why_left_out
from bench.tables.runs import Run, run
from bench.tables.tables import FOLDS, HALVES, LISTED, MAX_ROWS, halves
from bench.tables.times import TIMED, measure, show_times

BOTH = "both"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    options.command(options)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    whole = argparse.ArgumentParser(
        prog="python -m bench.tables",
        description=bench.tables.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(required=True)
    each = commands.add_parser("run", help="fit one model, and write its scores to a file")
    each.add_argument("--model", choices=MODELS, required=True)
    each.add_argument("--half", choices=(*HALVES, BOTH), default=HALVES[0])
    each.add_argument("--tables", nargs="+", choices=LISTED, metavar="TABLE", help="only these tables of the half")
    each.add_argument("--folds", type=int, choices=range(1, FOLDS + 1), default=FOLDS, help="only the first folds")
    each.add_argument("--rows", type=int, default=MAX_ROWS, help="the most rows of a table")
    add_option(each)
    each.add_argument("--out", type=Path, required=True, help="the file of the scores")
    each.set_defaults(command=run_command)
    each = commands.add_parser("compare", help="print the scores of several files")
    each.add_argument("files", type=Path, nargs="+", metavar="FILE")
    each.add_argument("--half", choices=(*HALVES, BOTH), default=BOTH)
    each.set_defaults(command=lambda options: print(compare(options.files, chosen(options.half))))
    each = commands.add_parser("time", help="measure fits and predictions, in turns")
    each.add_argument("--models", nargs="+", choices=MODELS, default=["nudge", "hist", "lightgbm", "catboost"])
    each.add_argument("--tables", nargs="+", choices=LISTED, default=TIMED, metavar="TABLE")
    each.add_argument("--rounds", type=int, default=3)
    each.set_defaults(command=time_command)
    each = commands.add_parser("measure")  # what `time` calls in a new process
    each.add_argument("model", choices=MODELS)
    each.add_argument("table", choices=LISTED)
    add_option(each)
    each.set_defaults(command=lambda options: print(measure(options.model, options.table, dict(options.option))))
    return whole


def add_option(command: argparse.ArgumentParser) -> None:
    """Add the argument for the options of the model."""
    command.add_argument("--option", type=named_value, action="append", default=[], metavar="NAME=VALUE")


def named_value(text: str) -> tuple[str, Any]:
    """The name and the value of an option. A value that Python cannot read is a text."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"name=value was expected, and {text!r} was found")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def chosen(half: str) -> list[str]:
    """The halves of an argument."""
    return [each for each in HALVES if half in (each, BOTH)]


def run_command(options: argparse.Namespace) -> None:
    if reason := why_left_out(options.model):
        print(reason)
        return
    drawn = halves()
    names = [name for half in chosen(options.half) for name in drawn[half]]
    names = [name for name in names if not options.tables or name in options.tables]
    run(Run(options.out, options.model, dict(options.option)), names, options.folds, options.rows)


def time_command(options: argparse.Namespace) -> None:
    reasons = {name: why_left_out(name) for name in options.models}
    for reason in filter(None, reasons.values()):
        print(reason)
    show_times([name for name in options.models if not reasons[name]], options.tables, options.rounds)


if __name__ == "__main__":
    main()

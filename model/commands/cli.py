"""The commands: the only place that prints and picks paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click
import jax
import numpy as np

from model.atomic_write import NotWrittenError
from model.checking.checked_function import entry_names
from model.checkpoint import Checkpoint, CheckpointError
from model.commands.check import check, load_or_default
from model.commands.interrupts import interrupts
from model.commands.score import importance, predict
from model.commands.train import train
from model.inference import Answer, Predictor
from model.messages import aligned, printable, reason
from model.network import parameter_count
from model.tables.columns import Category, Number, TableError
from model.tables.parsing import from_text
from model.training.fit import DivergedError

SHOWN_PARAMETERS = 100
SHOWN_CATEGORIES = 5


def main() -> NoReturn:
    """Run the command line: exit 0 when done, 1 when diverged or wrong, 2 for bad input, 130 when interrupted."""
    try:
        sys.exit(cli.main(prog_name="nudge", standalone_mode=False))
    except (click.ClickException, CheckpointError, NotWrittenError, TableError) as error:
        _leave(error.format_message() if isinstance(error, click.ClickException) else str(error), 2)
    except DivergedError as error:
        _leave(f"{error}. Nothing was written.", 1)
    except jax.errors.JaxRuntimeError as error:
        _leave(f"JAX cannot compute this: {str(error).splitlines()[0]}; ask for less", 1)
    except OSError as error:  # of standard output: what commands read and write themselves, they check themselves
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        _leave(f"standard output cannot be written to: {reason(error)}; send it elsewhere", 1)


def _leave(message: str, status: int) -> NoReturn:
    click.echo(f"nudge: {printable(message)}", err=True)
    sys.exit(status)


@click.group()
def cli() -> None:
    """Train a small neural network on a table, prove its gradients, and ask it."""
    configure_jax()


def configure_jax() -> None:
    """Keep compiled programs in the user's cache directory, and let XLA compile a chunk's loop into one function.

    Raises click.UsageError where this machine has not the platform that JAX_PLATFORMS names.
    """
    flag = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1048576"
    if "xla_backend_extra_options" not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    cache = _cache_directory()
    if cache is not None:
        settings = {
            "jax_compilation_cache_dir": cache,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": 0,
        }
        for name, value in settings.items():
            jax.config.update(name, value)  # type: ignore[no-untyped-call]
    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        named = os.environ.get("JAX_PLATFORMS")
        raise click.UsageError(f"JAX_PLATFORMS is {named}, on which JAX cannot compute here; set it to cpu") from None


def _cache_directory() -> str | None:
    """JAX's own setting, a URL too, or a folder in the user's cache directory; None where it cannot be written."""
    named = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if named and "://" in named:
        return named
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    cache = Path(named) if named else user / "nudge"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(cache) if os.access(cache, os.W_OK | os.X_OK) else None


for _command in (train, check, predict, importance):
    cli.add_command(_command)

_checkpoint_argument = click.argument("checkpoint", type=click.Path(path_type=Path), required=False)


@cli.command()
@_checkpoint_argument
def ask(checkpoint: Path | None) -> None:
    """Ask for inputs and predict, until end-of-file or Ctrl-C."""
    _, loaded = load_or_default(checkpoint)
    predictor = Predictor(loaded)
    interrupts.words = ""
    try:
        while True:
            try:
                asked = zip(loaded.columns, loaded.scaling, strict=True)
                row = [from_text(column, input(f"Input {name}: ").strip()) for name, column in asked]
                answer = predictor.answers(np.array([row]))[0]
                click.echo(f"Prediction: {_prediction_text(answer)}")
            except ValueError as error:
                numeric = all(column == Number() for column in loaded.scaling)
                click.echo("Invalid input. Please enter a numeric value." if numeric else f"Invalid input: {error}.")
    except EOFError:
        click.echo()


def _prediction_text(answer: Answer) -> str:
    if isinstance(answer["prediction"], dict):
        return f"{answer['label']} ({answer['prediction'][str(answer['label'])]:.4f})"
    return f"{answer['prediction']:.4f}" + (f" ({answer['label']})" if isinstance(answer.get("label"), str) else "")


@cli.command()
@_checkpoint_argument
def show(checkpoint: Path | None) -> None:
    """Show what is in a checkpoint."""
    path, loaded = load_or_default(checkpoint)
    click.echo(aligned(_summary(path, loaded)))
    if loaded.training.table_digest:
        click.echo()
        click.echo(aligned(_columns(loaded)))
        click.echo()
        click.echo(aligned(_metrics(loaded)))
    count = sum(leaf.size for leaf in jax.tree.leaves(loaded.params))
    if count <= SHOWN_PARAMETERS:
        leaves = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(loaded.params)])
        names = entry_names(loaded.params)
        click.echo()
        click.echo(aligned([["parameter", "value"], *([n, f"{v:+.6f}"] for n, v in zip(names, leaves, strict=True))]))


def _summary(path: Path, loaded: Checkpoint) -> list[list[str]]:
    network, record = loaded.network, loaded.training
    count = parameter_count(network)
    copies = f", {loaded.members} of them" if loaded.members > 1 else ""
    solved = "" if record.table_digest else f", of which {record.solved} solved it"
    rows = [
        ["file", str(path)],
        ["version", loaded.version],
        ["columns", ", ".join(loaded.columns)],
        ["target", f"{loaded.target} ({', '.join(map(str, loaded.classes)) or 'a number'})"],
        [
            "network",
            f"{'-'.join(map(str, network.sizes))}, {network.activation}, {network.task}, {count:,} parameters{copies}",
        ],
        ["table", record.table],
        ["epochs", f"{record.epoch:,} of {record.epochs:,}"],
        ["optimizer", f"{record.optimizer}, learning rate {record.learning_rate:g}, {record.schedule}"],
        ["restarts", f"{record.restarts}{solved}; seed {record.seed}"],
        ["loss", f"{record.loss:.6f}"],
    ]
    if record.table_digest:
        dropped = f"; {record.dropped:,} had no target" if record.dropped else ""
        decays = ", ".join(f"{decay:.3g}" for decay in record.weight_decay)
        limits = f"weight decay {decays}; clip {record.clip:g}; patience {record.patience}"
        rows[6:6] = [["rows", f"{record.rows:,}, of which {record.held_out:,} were held out{dropped}"]]
        rows[-2:-2] = [["batches", f"{record.batch_size or 'all'} rows"], ["limits", limits]]
        rows.append(["temperature", f"{loaded.temperature:.4f}"])
    return rows


def _columns(loaded: Checkpoint) -> list[list[str]]:
    rows = [["column", "type", "range or categories", "scaling", "missing"]]
    for name, column in zip(loaded.columns, loaded.scaling, strict=True):
        missing = "allowed" if column.missing else "refused"
        if isinstance(column, Category):
            kind = "boolean" if column.boolean else "text"
            rest = "" if len(column.categories) <= SHOWN_CATEGORIES else f", … ({len(column.categories):,})"
            rows.append([name, kind, ", ".join(column.categories[:SHOWN_CATEGORIES]) + rest, "one-hot", missing])
        else:
            how = f"(x - {column.mean:.6g}) / {column.scale:.6g}" if column.scale else "constant, not used"
            rows.append([name, "number", f"{column.least:.6g} to {column.most:.6g}", how, missing])
    if not loaded.classes:
        unit = loaded.unit
        how = f"(y - {unit.mean:.6g}) / {unit.scale:.6g}"
        rows.append([loaded.target, "target", f"{unit.least:.6g} to {unit.most:.6g}", how, ""])
    return rows


def _metrics(loaded: Checkpoint) -> list[list[str]]:
    record = loaded.training
    found = ((name, value, record.baseline.get(name)) for name, value in record.metrics.items())
    rows = [[name, f"{value:.4f}", "" if base is None else f"{base:.4f}"] for name, value, base in found]
    return [["metric", "network", "baseline"], *rows]

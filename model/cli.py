"""The commands: the only place that prints and picks paths."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
import jax
import msgspec
import numpy as np

from model import training
from model.check_command import DIRECTORY, check, check_checkpoint, load_or_default
from model.checkpoint import SUFFIX, Checkpoint, CheckpointError, Training, check_path, default_checkpoint, save
from model.evaluation import entry_names
from model.interrupts import interrupts
from model.network import ACTIVATIONS, Network, parameter_count, predict
from model.reports import Report
from model.tables import TRUTH_TABLES, Table, as_float32, parse_number, truth_table
from model.text import aligned, reason, shown
from model.training import OPTIMIZERS, DivergedError, Progress, Result

SHOWN_PARAMETERS = 100
MOST_NUMBERS = 1_000_000_000


def main() -> NoReturn:
    """Run the command line: exit 0 when done, 1 when diverged or wrong, 2 for bad input, 130 when interrupted."""
    try:
        sys.exit(cli.main(prog_name="nudge", standalone_mode=False))
    except (click.ClickException, CheckpointError) as error:
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
    click.echo(f"nudge: {message}", err=True)
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


class _Hidden(click.ParamType[tuple[int, ...]]):
    name = "N,N,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sizes = str(value).split(",") if value else []
        if not all(re.fullmatch("[1-9][0-9]{0,29}", size) for size in sizes):
            self.fail(f"{shown(value)} is not a list of layer sizes such as 2 or 8,8", param, ctx)
        return tuple(int(size) for size in sizes)


@cli.command()
@click.argument("table", type=click.Choice(list(TRUTH_TABLES)), default="xor")
@click.option("--hidden", type=_Hidden(), default="2", show_default=True, help="Units of each hidden layer.")
@click.option("--activation", type=click.Choice(list(ACTIVATIONS)), default="relu", show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=training.EPOCHS, show_default=True)
@click.option("--learning-rate", type=float, default=training.LEARNING_RATE, show_default=True)
@click.option("--optimizer", type=click.Choice(list(OPTIMIZERS)), default="sgd", show_default=True)
@click.option("--restarts", type=click.IntRange(1), default=training.RESTARTS, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--log-every", type=click.IntRange(1), default=training.LOG_EVERY, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), help=f"Where to write it.  [default: {DIRECTORY}/TABLE{SUFFIX}]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else.")
def train(
    table: str,
    hidden: tuple[int, ...],
    activation: str,
    epochs: int,
    learning_rate: float,
    optimizer: str,
    restarts: int,
    seed: int,
    log_every: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train on TABLE from many starts at once and keep the best: xor (the default), and, or, nand, nor or xnor."""
    out = out or DIRECTORY / f"{table}{SUFFIX}"
    check_path(out)
    data = truth_table(table)
    network = Network((len(data.columns), *hidden, 1), activation)
    if (parameter_count(network) + training.CAPACITY) * restarts > MOST_NUMBERS:
        raise click.UsageError(
            f"--hidden and --restarts ask for more than the {MOST_NUMBERS:,} parameters and losses that can be held"
        )
    interrupts.hold()
    try:
        stretches = training.train(
            network,
            data,
            key=jax.random.key(seed),
            epochs=epochs,
            restarts=restarts,
            learning_rate=learning_rate,
            optimizer=optimizer,
            log_every=log_every,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with _shown_progress(as_json) as show:
        result = _until_interrupted(stretches, show)
    record = Training(
        table=table,
        epoch=result.epoch,
        epochs=epochs,
        restarts=restarts,
        solved=result.solved,
        loss=result.loss,
        seed=seed,
        optimizer=optimizer,
        learning_rate=learning_rate,
        log_every=log_every,
    )
    with interrupts.whole:
        checkpoint = save(out, Checkpoint(network, result.params, data.columns, data.target, data.classes, record))
        interrupts.release(
            f"stopped after epoch {result.epoch:,} of {epochs:,}, loss {result.loss:.4f}; {out} keeps it."
        )
    report = check_checkpoint(checkpoint)
    predictions = np.asarray(jax.jit(predict)(checkpoint.params, data.x, network))
    if as_json:
        summary = msgspec.to_builtins(record) | {
            "predictions": predictions.tolist(),
            "max_relative_error": report.max_relative_error,
            "out": str(out),
            "version": checkpoint.version,
        }
        click.echo(json.dumps(summary))
    else:
        click.echo(_train_text(checkpoint, data, predictions, report, out))


Show = Callable[[Progress], None]


@contextmanager
def _shown_progress(as_json: bool) -> Iterator[Show]:
    if as_json or sys.stdout is None:
        yield lambda progress: None
    elif not sys.stdout.isatty():
        yield _print_records
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        loss_column = TextColumn("loss {task.fields[loss]:.4f}")
        with Bar(TextColumn("Epoch"), BarColumn(), MofNCompleteColumn(), loss_column, TimeRemainingColumn()) as bar:
            task = bar.add_task("training", total=None, loss=math.nan)
            yield lambda progress: bar.update(
                task, completed=progress.epoch, total=progress.epochs, loss=np.nanmin(progress.losses)
            )


def _print_records(progress: Progress) -> None:
    epochs, losses = progress.records[-1]
    lines = [f"Epoch {epoch}, Loss: {np.nanmin(row):.4f}" for epoch, row in zip(epochs, losses, strict=True)]
    if lines:
        click.echo("\n".join(lines))


def _until_interrupted(stretches: Iterator[Progress], show: Show) -> Result:
    """Train to the end, or to the end of the stretch during which Ctrl-C is pressed."""
    for progress in stretches:
        show(progress)
        if interrupts.pressed:
            break
    return progress.result()


def _train_text(checkpoint: Checkpoint, data: Table, predictions: np.ndarray, report: Report, out: Path) -> str:
    record = checkpoint.training
    labels = (predictions >= 0.5).astype(int)
    rows = [[*data.columns, data.target, "prediction", "label", ""]]
    for x, y, prediction, label in zip(data.x, data.y, predictions, labels, strict=True):
        remark = "" if label == y else "wrong"
        rows.append([*(f"{value:g}" for value in x), f"{y:g}", f"{prediction:.4f}", str(label), remark])
    right = int(np.sum(labels == data.y))
    starts = "start" if record.restarts == 1 else "starts"
    lines = [
        aligned(rows),
        "",
        f"Loss {record.loss:.4f} after {record.epoch:,} epochs; {right} of {len(labels)} rows right.",
        f"{record.solved} of {record.restarts} {starts} solved it; the best one is kept.",
        report.summary(),
        f"Written: {out} (version {checkpoint.version})",
        f"Serve it: {_serve_command(out)}",
    ]
    if record.solved == 0:
        lines.insert(4, "None has every row right: try more --restarts, more --epochs, or --hidden with more units.")
    return "\n".join(lines)


def _serve_command(out: Path) -> str:
    """What serves this file: no more than differs from the defaults."""
    settings = [] if out.parent == DIRECTORY else [f"NUDGE_CHECKPOINTS={shlex.quote(str(out.parent))}"]
    try:
        named = default_checkpoint(out.parent) != out
    except CheckpointError:
        named = True
    if named:
        settings.append(f"NUDGE_MODEL={shlex.quote(out.stem)}")
    command = (
        "make serve" if os.environ.get("MAKELEVEL") else "gunicorn -c python:serve.gunicorn_conf 'serve:create_app()'"
    )
    return " ".join([*settings, command])


cli.add_command(check)

_checkpoint_argument = click.argument("checkpoint", type=click.Path(path_type=Path), required=False)


@cli.command()
@_checkpoint_argument
def ask(checkpoint: Path | None) -> None:
    """Ask for inputs and predict, until end-of-file or Ctrl-C."""
    _, loaded = load_or_default(checkpoint)
    predict_row = jax.jit(predict)
    interrupts.words = ""
    try:
        while True:
            try:
                row = [parse_number(input(f"Input {column}: ").strip()) for column in loaded.columns]
                prediction = predict_row(loaded.params, np.array([row], np.float32), loaded.network).item()
                click.echo(f"Prediction: {as_float32(prediction):.4f}")
            except ValueError:
                click.echo("Invalid input. Please enter a numeric value.")
    except EOFError:
        click.echo()


@cli.command()
@_checkpoint_argument
def show(checkpoint: Path | None) -> None:
    """Show what is in a checkpoint."""
    path, loaded = load_or_default(checkpoint)
    network, record = loaded.network, loaded.training
    count = sum(leaf.size for leaf in jax.tree.leaves(loaded.params))
    rows = [
        ["file", str(path)],
        ["version", loaded.version],
        ["columns", ", ".join(loaded.columns)],
        ["target", f"{loaded.target} ({', '.join(map(str, loaded.classes))})"],
        ["scaling", "none" if loaded.scaling is None else str(loaded.scaling)],
        ["network", f"{'-'.join(map(str, network.sizes))}, {network.activation}, {network.task}, {count:,} parameters"],
        ["table", record.table],
        ["epochs", f"{record.epoch:,} of {record.epochs:,}"],
        ["optimizer", f"{record.optimizer}, learning rate {record.learning_rate:g}"],
        ["restarts", f"{record.restarts}, of which {record.solved} solved it; seed {record.seed}"],
        ["loss", f"{record.loss:.6f}"],
    ]
    click.echo(aligned(rows))
    if count <= SHOWN_PARAMETERS:
        leaves = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(loaded.params)])
        names = entry_names(loaded.params)
        click.echo()
        click.echo(aligned([["parameter", "value"], *([n, f"{v:+.6f}"] for n, v in zip(names, leaves, strict=True))]))

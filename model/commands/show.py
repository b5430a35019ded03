"""`nudge show`: what is in a checkpoint."""

from __future__ import annotations

from pathlib import Path

import click
import jax
import numpy as np

from model.checkpoint import Checkpoint
from model.commands.column_table import Rows, column_rows, target_row
from model.commands.evaluation_text import evaluation_text
from model.commands.shared import check_figure_path, load_or_default, optional_checkpoint, save_figure
from model.ensembles import Members
from model.messages import align_columns
from model.network import Params, parameter_count
from model.pytrees import entry_names

# Parameters are listed if there are at most this many.
MAX_LISTED_PARAMETERS = 100
PLOT_HELP = (
    "Draw predictions against what was true, as .svg, .png or .pdf: with classes a reliability diagram, otherwise the "
    "numbers."
)


@click.command()
@optional_checkpoint
@click.option("--plot", type=click.Path(path_type=Path), help=PLOT_HELP)
def show(checkpoint: Path | None, plot: Path | None) -> None:
    """Show what is in a checkpoint."""
    check_figure_path(plot)
    path, loaded = load_or_default(checkpoint)
    if plot is not None and not loaded.training.reliability:
        raise click.UsageError(f"--plot: expected a checkpoint of a file, found {path} of a truth table; name another")
    texts = [align_columns(_summary(path, loaded))]
    if loaded.training.table_digest:
        texts += [align_columns(_columns(loaded)), evaluation_text(loaded)]
    if sum(leaf.size for leaf in jax.tree.leaves(_all_params(loaded))) <= MAX_LISTED_PARAMETERS:
        texts.append(align_columns(_parameters(loaded)))
    click.echo("\n\n".join(texts))
    if plot is not None:
        _draw(loaded, plot)


def _draw(loaded: Checkpoint, plot: Path) -> None:
    from model.commands.reliability_chart import draw_reliability

    save_figure(draw_reliability(loaded), plot)
    click.echo(f"\nWritten: {plot}")


def _summary(path: Path, loaded: Checkpoint) -> Rows:
    record = loaded.training
    is_file = bool(record.table_digest)
    rows = [
        ["file", str(path)],
        ["version", loaded.version],
        ["columns", ", ".join(loaded.columns)],
        ["target", f"{loaded.target} ({', '.join(map(str, loaded.classes)) or 'a number'})"],
        *_network_rows(loaded),
        ["table", record.table],
        *(_row_counts(loaded) if is_file else []),
        ["epochs", f"{record.epoch:,} of {record.epochs:,}"],
        ["optimizer", f"{record.optimizer}, learning rate {record.learning_rate:g}, {record.schedule}"],
        *(_limits(loaded) if is_file else []),
        ["restarts", _restarts_text(loaded)],
        ["loss", f"{record.loss:.6f}"],
        *([["temperature", f"{loaded.temperature:.4f}"]] if is_file else []),
        *([["threshold", _threshold_text(loaded)]] if is_file and loaded.task == "binary" else []),
    ]
    return rows


def _network_rows(loaded: Checkpoint) -> Rows:
    return [["network", _network_text(members)] for members in loaded.ensemble]


def _network_text(members: Members) -> str:
    network = members.network
    sizes = "-".join(map(str, network.sizes))
    bins = "" if members.bins is None else ", sees bins"
    copies = f", {members.size} of them" if members.size > 1 else ""
    return f"{sizes}, {network.activation}, {network.task}, {parameter_count(network):,} parameters{bins}{copies}"


def _all_params(loaded: Checkpoint) -> list[Params]:
    return [members.params for members in loaded.ensemble]


def _restarts_text(loaded: Checkpoint) -> str:
    record = loaded.training
    solved = "" if record.table_digest else f", of which {record.solved} solved it"
    return f"{record.restarts}{solved}; seed {record.seed}"


def _threshold_text(loaded: Checkpoint) -> str:
    rule = loaded.training.threshold
    chosen = f", chosen by {rule}" if isinstance(rule, str) else ""
    return f"{loaded.threshold:.4g}{chosen}; the label is {loaded.classes[1]} from this probability on"


def _row_counts(loaded: Checkpoint) -> Rows:
    record = loaded.training
    dropped = f"; {record.dropped:,} had no target" if record.dropped else ""
    rows = [["rows", f"{record.rows:,}, of which {record.held_out:,} were held out{dropped}"]]
    return [*rows, ["held out", record.split]] if record.split else rows


def _limits(loaded: Checkpoint) -> Rows:
    record = loaded.training
    decays = ", ".join(f"{decay:.3g}" for decay in record.weight_decay)
    limits = f"weight decay {decays}; clip {record.clip:g}; patience {record.patience}"
    return [["batches", f"{record.batch_size or 'all'} rows"], ["limits", limits]]


def _columns(loaded: Checkpoint) -> Rows:
    rows = column_rows(dict(zip(loaded.columns, loaded.column_specs, strict=True)))
    if not loaded.classes:
        rows.append(target_row(loaded.target, "regression", (), loaded.target_scaling))
    return rows


def _parameters(loaded: Checkpoint) -> Rows:
    params = loaded.ensemble[0].params if len(loaded.ensemble) == 1 else _all_params(loaded)
    values = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    named = zip(entry_names(params), values, strict=True)
    return [["parameter", "value"], *([name, f"{value:+.6f}"] for name, value in named)]

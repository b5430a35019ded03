"""`nudge importance`: which columns predictions depend on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from model.checkpoint import Checkpoint, load
from model.commands.shared import (
    check_figure_path,
    files_argument,
    required_checkpoint,
    save_figure,
    sheet_option,
)
from model.messages import align_columns
from model.reporting.importance import column_importances
from model.tables.errors import TableError, naming_file
from model.tables.file_patterns import describe_paths
from model.tables.further_rows import values_of_frame
from model.tables.parsing import one_of
from model.tables.targets import encode_target
from model.tasks import TASKS

# Importance is measured on at most this many rows, the first ones of the files.
MAX_ROWS = 10_000


@click.command()
@required_checkpoint
@files_argument
@sheet_option
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it, as .svg, .png or .pdf.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the shuffles.")
def importance(checkpoint: Path, files: tuple[Path, ...], sheet: str | None, plot: Path | None, seed: int) -> None:
    """Measure on a FILE with the target, or on several, which columns predictions depend on."""
    check_figure_path(plot)
    loaded = load(checkpoint)
    target = loaded.target
    values, y = _first_rows(loaded, files, sheet)
    present = ~np.isnan(y)
    if not present.any():
        raise TableError(f"a value of {target} in some row", "none", "name another file", describe_paths(files))
    found = column_importances(loaded, values[present], y[present], seed=seed)
    score = TASKS[loaded.task].score
    header = ["column", f"{score} when shuffled", "±", "mean |gradient|"]
    rows = [[one.name, f"{one.loss_rise:+.4g}", f"{one.spread:.2g}", f"{one.gradient:.4g}"] for one in found]
    click.echo(align_columns([header, *rows]))
    if plot is not None:
        from model.commands.importance_chart import draw_importances

        title = f"{describe_paths([Path(file.name) for file in files])}: columns"
        save_figure(draw_importances(found, title, score, target), plot)
        click.echo(f"Written: {plot}")


def _first_rows(checkpoint: Checkpoint, files: Sequence[Path], sheet: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The values and the targets of the first MAX_ROWS rows of files."""
    from model.tables.batches import read_batches

    target = checkpoint.target
    values, y = list[np.ndarray](), list[np.ndarray]()
    batches = read_batches(files, rows=MAX_ROWS, sheet=sheet)
    for batch in batches:
        frame = batch.head(MAX_ROWS - sum(map(len, y)))
        with naming_file(batches.path):
            if target not in frame.columns:
                raise TableError(f"the target {target}", "no such column", "name a file that has it")
            y.append(encode_target(frame[target], checkpoint.classes, checkpoint.target_scaling))
            values.append(values_of_frame(checkpoint.columns, checkpoint.column_specs, frame))
        if sum(map(len, y)) == MAX_ROWS:
            break
    return np.concatenate(values), np.concatenate(y)


def _targets(loaded: Checkpoint) -> str:
    return one_of(loaded.classes) if loaded.classes else "a number"

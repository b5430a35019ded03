"""`nudge importance`: which columns predictions depend on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from model.checkpoint import load
from model.commands.predict import column_values
from model.commands.shared import check_figure_path, files_argument, required_checkpoint, save_figure
from model.importance import column_importances
from model.messages import align_columns
from model.tables.errors import TableError, naming_file
from model.tables.file_patterns import describe_paths
from model.tables.targets import encode_target
from model.tasks import TASKS

if TYPE_CHECKING:
    import polars

# Importance is measured on at most so many rows, the first of the files.
MAX_ROWS = 10_000


@click.command()
@required_checkpoint
@files_argument
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it, as .svg, .png or .pdf.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the shuffles.")
def importance(checkpoint: Path, files: tuple[Path, ...], plot: Path | None, seed: int) -> None:
    """Measure which columns predictions depend on, on a FILE with the target, or on several."""
    check_figure_path(plot)
    loaded = load(checkpoint)
    target = loaded.target
    with naming_file(describe_paths(files)):
        frame = _first_rows(files)
        if target not in frame.columns:
            raise TableError(f"the target {target}", "no such column", "name a file that has it")
        y = encode_target(frame[target], loaded.classes, loaded.target_scaling)
        present = ~np.isnan(y)
        if not present.any():
            raise TableError(f"a value of {target} in some row", "none", "name another file")
        values = column_values(loaded, frame)
    found = column_importances(loaded, values[present], y[present], seed=seed)
    score = TASKS[loaded.network.task].score
    header = ["column", f"{score} when shuffled", "±", "mean |gradient|"]
    rows = [[one.name, f"{one.loss_rise:+.4g}", f"{one.spread:.2g}", f"{one.gradient:.4g}"] for one in found]
    click.echo(align_columns([header, *rows]))
    if plot is not None:
        from model.commands.importance_chart import draw_importances

        save_figure(
            draw_importances(found, f"{describe_paths([Path(file.name) for file in files])}: columns", score, target),
            plot,
        )
        click.echo(f"Written: {plot}")


def _first_rows(files: Sequence[Path]) -> polars.DataFrame:
    """The first MAX_ROWS rows of files."""
    import polars as pl

    from model.tables.batches import read_batches

    frames: list[polars.DataFrame] = []
    missing = MAX_ROWS
    for frame in read_batches(files, rows=MAX_ROWS):
        frames.append(frame.head(missing))
        missing -= len(frames[-1])
        if not missing:
            break
    return pl.concat(frames)

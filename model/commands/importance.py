"""`nudge importance`: which columns predictions depend on."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from model.checkpoint import load
from model.commands.predict import column_values
from model.commands.shared import check_figure_path, file_argument, required_checkpoint, save_figure
from model.importance import column_importances
from model.messages import align_columns
from model.tables.errors import TableError, naming_file
from model.tables.targets import encode_target
from model.tasks import TASKS

# Importance is measured on at most so many rows, the first of the file.
MAX_ROWS = 10_000


@click.command()
@required_checkpoint
@file_argument
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it, as .svg, .png or .pdf.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the shuffles.")
def importance(checkpoint: Path, file: Path, plot: Path | None, seed: int) -> None:
    """Measure which columns predictions depend on, on a FILE with the target."""
    from model.tables.reading import read_batches

    check_figure_path(plot)
    loaded = load(checkpoint)
    target = loaded.target
    with naming_file(file):
        frame = next(read_batches(file, rows=MAX_ROWS))
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

        save_figure(draw_importances(found, f"{file.name}: columns", score, target), plot)
        click.echo(f"Written: {plot}")

"""What several commands share: where checkpoints are, which one is meant, and how a figure is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.checkpoint import Checkpoint, default_checkpoint, load
from model.messages import describe_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIRECTORY = Path("checkpoints")
# The kinds of pictures, by the ending of the file.
FIGURE_SUFFIXES = (".svg", ".png", ".pdf")

optional_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
required_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path))


def load_or_default(path: Path | None) -> tuple[Path, Checkpoint]:
    """A checkpoint and its path.

    Args:
        path: the file; None for the default one in `checkpoints/`.

    Returns:
        The path and the checkpoint.

    Raises:
        CheckpointError: if there is none, or if it cannot be used.
    """
    path = path or default_checkpoint(DIRECTORY)
    return path, load(path)


def check_figure_path(path: Path | None) -> None:
    """Check, before anything is computed, that a figure can be drawn into a file of this name.

    Args:
        path: the file; None if no figure is asked for.

    Raises:
        click.UsageError: if its ending is none of FIGURE_SUFFIXES, or if matplotlib is not installed.
    """
    if path is None:
        return
    if path.suffix not in FIGURE_SUFFIXES:
        raise click.UsageError(f"--plot: expected a name that ends in .svg, .png or .pdf, found {path.name!r}")
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise click.UsageError(
            "--plot: expected matplotlib, found none; install it with `pip install 'nudge-jax[plot]'`"
        ) from None


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's ending names.

    Args:
        figure: what to draw.
        path: the file, whose ending is one of FIGURE_SUFFIXES.

    Raises:
        click.UsageError: if it cannot be written.
    """
    import matplotlib

    try:
        with matplotlib.rc_context({"svg.fonttype": "none"}):  # text stays text, to be searched and read aloud
            figure.savefig(path)
    except OSError as error:
        sentence = f"--plot: {path} cannot be written to: {describe_error(error)}; name another file"
        raise click.UsageError(sentence) from None

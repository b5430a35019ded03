"""What several commands share: where checkpoints are, which one is meant, and how a figure is written."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.checkpoint import Checkpoint, default_checkpoint, load
from model.messages import DISTRIBUTION, describe_error, escape_unprintable
from model.tables.table import Table
from model.tables.truth_tables import truth_table_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIRECTORY = Path("checkpoints")
# The kinds of pictures, by the ending of the file.
FIGURE_SUFFIXES = (".svg", ".png", ".pdf")

optional_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
required_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path))
files_argument = click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
no_header_option = click.option(
    "--no-header", is_flag=True, help="The file has no names of columns: call them c1, c2, and so on."
)
sheet_option = click.option(
    "--sheet", help="The sheet of a spreadsheet to read.  [default: the first with cells]", metavar="NAME"
)


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


def known_truth_table(checkpoint: Checkpoint) -> Table | None:
    """The truth table that a checkpoint was trained on.

    Args:
        checkpoint: any.

    Returns:
        The table; None if the checkpoint was trained on other rows, which it does not hold.
    """
    record = checkpoint.training
    return truth_table_of(record.table, record.table_digest, checkpoint.columns, checkpoint.classes)


def notes_text(notes: Sequence[str]) -> str:
    """How a file was read, for people.

    Args:
        notes: one sentence each, without a capital letter or a full stop.

    Returns:
        A line for each.

    Example:
        >>> notes_text(["read as UTF-16"])
        'Note: read as UTF-16.'
    """
    return "\n".join(f"Note: {escape_unprintable(note)}." for note in notes)


def check_figure_path(path: Path | None) -> None:
    """Check, before anything is computed, that a figure can be drawn into a file of this name.

    Args:
        path: the file; None if no figure is asked for.

    Raises:
        click.UsageError: if its ending is none of FIGURE_SUFFIXES, if its directory is missing, or if matplotlib is
            not installed.
    """
    if path is None:
        return
    if path.suffix not in FIGURE_SUFFIXES:
        raise click.UsageError(f"--plot: expected a name that ends in .svg, .png or .pdf, found {path.name!r}")
    if not path.parent.is_dir():
        raise click.UsageError(f"--plot: expected a directory {path.parent}, found none; make it first")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        found = "none" if isinstance(error, ModuleNotFoundError) else f"one that fails ({error})"
        raise click.UsageError(
            f"--plot: expected matplotlib, found {found}; install it with `pip install '{DISTRIBUTION}[plot]'`"
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
        # In an SVG, text stays text, to be searched and read aloud, and the viewer chooses a font for it.
        with matplotlib.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            figure.savefig(path)
        if path.suffix != ".svg" and any("Glyph" in str(each.message) for each in caught):
            click.echo(f"--plot: {path} has boxes for letters that the font lacks; name an .svg file instead", err=True)
    except OSError as error:
        sentence = f"--plot: {path} cannot be written to: {describe_error(error)}; name another file"
        raise click.UsageError(sentence) from None

"""`nudge report`: what a checkpoint does, as one page of HTML to hand on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from model.atomic_write import atomic_write
from model.checkpoint import Checkpoint, load
from model.commands.column_table import column_rows
from model.commands.shared import files_argument, required_checkpoint, sheet_option
from model.inference import OverflowingRowError
from model.reporting.findings import find
from model.reporting.page import Names, report_page
from model.tables.errors import TableError
from model.tables.file_patterns import describe_paths
from model.tables.further_rows import MEND
from model.tables.known_rows import Known, read_known_rows

SUFFIX = ".html"


@click.command()
@required_checkpoint
@files_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .html file to write.")
@sheet_option
def report(checkpoint: Path, files: tuple[Path, ...], out: Path, sheet: str | None) -> None:
    """Write a page about a checkpoint, to hand on: how good it is, and what its predictions depend on.

    FILE has rows with the target. If they are the rows of training, the metrics are those that training found on the
    rows held out; otherwise they are measured on FILE.
    """
    if out.suffix != SUFFIX:
        raise click.UsageError(f"--out: expected a name that ends in {SUFFIX}, found {out.name!r}; name such a file")
    loaded = load(checkpoint)
    if not loaded.training.table_digest:
        expected = "expected a checkpoint of a file"
        raise click.UsageError(f"{checkpoint}: {expected}, found one of a truth table; see it with `nudge show`")
    page = _page(loaded, checkpoint, files, sheet)
    with atomic_write(out, "name another with --out") as (file, finish):
        file.write(page.encode())
        finish()
    click.echo(f"Written: {out}")


def _page(loaded: Checkpoint, path: Path, files: tuple[Path, ...], sheet: str | None) -> str:
    known = Known(
        columns=loaded.columns,
        column_specs=loaded.column_specs,
        target=loaded.target,
        classes=loaded.classes,
        target_scaling=loaded.target_scaling,
        inputs_digest=loaded.training.inputs_digest,
    )
    rows = read_known_rows(files, known, sheet)
    try:
        findings = find(loaded, rows)
    except OverflowingRowError as error:
        raise TableError(
            "values within the network's range", f"a row {error.row}", MEND, describe_paths(files)
        ) from None
    _, *described = column_rows(dict(zip(loaded.columns, loaded.column_specs, strict=True)))
    names = Names(
        checkpoint_file=path.name,
        written=datetime.fromtimestamp(path.stat().st_mtime).date().isoformat(),
        file=describe_paths([Path(file.name) for file in files]),
        columns=[row[:3] for row in described],
    )
    return report_page(findings, names)

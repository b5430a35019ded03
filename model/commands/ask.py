"""`nudge ask`: type inputs, read predictions."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from model.checkpoint import Checkpoint
from model.commands.interrupts import interrupts
from model.commands.shared import load_or_default, notes_text, optional_checkpoint
from model.inference import Answer, Predictor
from model.tables.columns import NumericColumn
from model.tables.parsing import parse_text
from model.tables.unseen import UnseenValues


@click.command()
@optional_checkpoint
def ask(checkpoint: Path | None) -> None:
    """Ask for inputs and predict, until end-of-file or Ctrl-C."""
    _, loaded = load_or_default(checkpoint)
    predictor = Predictor(loaded)
    interrupts.words = ""
    try:
        while True:
            _ask_once(loaded, predictor)
    except EOFError:
        click.echo()


def _ask_once(loaded: Checkpoint, predictor: Predictor) -> None:
    texts, row = [], []
    try:
        for name, column in zip(loaded.columns, loaded.column_specs, strict=True):
            texts.append(input(f"Input {name}: ").strip())
            row.append(parse_text(column, texts[-1]))
        values = np.array([row])
        unseen = UnseenValues(loaded.columns, loaded.column_specs).find(values, lambda _, column: texts[column])
        if unseen.notes:
            click.echo(notes_text(unseen.notes[0]))
        click.echo(f"Prediction: {_prediction_text(predictor.answers(values)[0])}")
    except ValueError as error:
        is_plain = all(column == NumericColumn() for column in loaded.column_specs)
        click.echo("Invalid input. Please enter a numeric value." if is_plain else f"Invalid input: {error}.")


def _prediction_text(answer: Answer) -> str:
    prediction, label = answer["prediction"], answer.get("label")
    if isinstance(prediction, dict):
        return f"{label} ({prediction[str(label)]:.4f})"
    return f"{prediction:.4f}" + (f" ({label})" if isinstance(label, str) else "")

"""`nudge ask`: type inputs, read predictions."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from model.checkpoint import Checkpoint
from model.commands.interrupts import interrupts
from model.commands.shared import load_or_default, optional_checkpoint
from model.inference import Answer, Predictor
from model.tables.columns import NumericColumn
from model.tables.parsing import parse_text


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
    named = zip(loaded.columns, loaded.column_specs, strict=True)
    try:
        row = [parse_text(column, input(f"Input {name}: ").strip()) for name, column in named]
        click.echo(f"Prediction: {_prediction_text(predictor.answers(np.array([row]))[0])}")
    except ValueError as error:
        is_plain = all(column == NumericColumn() for column in loaded.column_specs)
        click.echo("Invalid input. Please enter a numeric value." if is_plain else f"Invalid input: {error}.")


def _prediction_text(answer: Answer) -> str:
    prediction, label = answer["prediction"], answer.get("label")
    if isinstance(prediction, dict):
        return f"{label} ({prediction[str(label)]:.4f})"
    return f"{prediction:.4f}" + (f" ({label})" if isinstance(label, str) else "")

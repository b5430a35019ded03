"""Tables as people have them: all commands and the service read each as Python does, and answer the same."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, Table, TableError, default_network, load, predict_ensemble, read_table, save
from model.commands.shared import notes_text
from model.ensembles import Members
from model.messages import escape_unprintable
from tests.commands.examples import run_here
from tests.examples import RECORD, ensemble_of
from tests.extent import extent
from tests.serve.examples import application
from tests.tables.people import Case
from tests.tables.people_commands import asked_rows, header_flag, query_of, reading_flags
from tests.tables.people_reading import write_case
from tests.tables.people_tables import CASES, REPORTED

pytestmark = pytest.mark.usefixtures("quick_compilation")

KNOWN = list(CASES)
QUICK_TRAINING = ("--fast", "--hidden", "4", "--epochs", "3", "--restarts", "1", "--batch-size", "64")
# Rows that are asked for in a query too.
QUERIED = slice(0, None, 20)


def one_in(count: int) -> list[str]:
    """The reported cases and some of the variations, drawn by their names, so that a new case changes no other."""
    reported = {case.name for case in REPORTED}
    return [name for name in KNOWN if name in reported or zlib.crc32(name.encode()) % count == 0]


SHOWN = one_in(extent(8, 24))


def read_or_refusal(case: Case, path: Path) -> Table | str:
    """What Python reads, or what the command line says if Python refuses the file."""
    try:
        return read_table(path, case.target, **case.options)
    except TableError as error:
        return f"nudge: {escape_unprintable(str(error))}\n"


@pytest.mark.parametrize("name", SHOWN)
def test_inspect_shows_what_python_reads(tmp_path: Path, name: str) -> None:
    path = write_case(CASES[name], tmp_path)
    shown, table = run_here("inspect", str(path), *reading_flags(CASES[name])), read_or_refusal(CASES[name], path)
    if isinstance(table, str):
        assert (shown.returncode, shown.stderr) == (2, table)
    else:
        assert (shown.returncode, shown.stderr) == (0, "")
        assert notes_text(table.notes) in shown.stdout
        assert all(f"\n{escape_unprintable(column)} " in shown.stdout for column in (*table.columns, table.target))


@pytest.mark.parametrize("name", SHOWN[:: extent(3, 5)])
def test_training_learns_what_python_reads(tmp_path: Path, name: str) -> None:
    path, out = write_case(CASES[name], tmp_path), tmp_path / "table.safetensors"
    done = run_here("train", str(path), *reading_flags(CASES[name]), *QUICK_TRAINING, "--out", str(out))
    table = read_or_refusal(CASES[name], path)
    if isinstance(table, str):
        assert (done.returncode, done.stderr, out.exists()) == (2, table, False)
        return
    assert (done.returncode, done.stderr) == (0, "")
    assert notes_text(table.notes) in done.stdout
    checkpoint = load(out)
    assert checkpoint.training.table_digest == table.digest
    assert (checkpoint.columns, checkpoint.column_specs) == (table.columns, table.column_specs)
    assert (checkpoint.classes, checkpoint.target_scaling) == (table.classes, table.target_scaling)


def untrained(table: Table) -> Checkpoint:
    """A checkpoint for the columns of a table, with random parameters."""
    network = default_network(table, (4,), "tanh")
    checkpoint = Checkpoint(
        (Members(network, ensemble_of(network, 2)),), table.columns, table.target, table.classes, RECORD
    )
    return replace(checkpoint, column_specs=table.column_specs, target_scaling=table.target_scaling)


def predictions_of(checkpoint: Checkpoint, table: Table) -> np.ndarray:
    """What a network predicts of the inputs that it is trained on; of classes, the largest probability."""
    mean = np.asarray(predict_ensemble(checkpoint.ensemble, table.x).mean, np.float64)
    if not checkpoint.classes:
        return checkpoint.target_scaling.unscale(mean)
    return mean if mean.ndim == 1 else mean.max(axis=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a checkpoint for each case of a third that is read, and the files of all of them."""
    directory = tmp_path_factory.mktemp("people")
    for name in SHOWN:
        path = write_case(CASES[name], directory, stem_of(name))
        table = read_or_refusal(CASES[name], path)
        if isinstance(table, Table):
            save(directory / f"{stem_of(name)}.safetensors", untrained(table))
    return directory


@pytest.fixture(scope="module")
def client(folder: Path) -> FlaskClient:
    return application(folder, MODEL=next(folder.glob("*.safetensors")).stem).test_client()


def stem_of(name: str) -> str:
    return f"case{KNOWN.index(name)}"


@pytest.mark.parametrize("name", SHOWN)
def test_training_scoring_and_serving_predict_the_same(folder: Path, client: FlaskClient, name: str) -> None:
    case, out = CASES[name], folder / f"{stem_of(name)}.safetensors"
    path = folder / f"{stem_of(name)}{case.suffix}"
    table = read_or_refusal(case, path)
    if isinstance(table, str):
        assert not out.exists()
        return
    scored = run_here("predict", str(out), str(path), *header_flag(case), "--out", str(folder / "scored.csv"))
    assert scored.returncode == 0, scored.stderr
    predictions = pl.read_csv(folder / "scored.csv", infer_schema=False)["prediction"].cast(pl.Float64).to_list()
    if not table.dropped:
        expected, scale = predictions_of(load(out), table).tolist(), table.target_scaling.scale
        assert predictions == pytest.approx(expected, rel=1e-5, abs=1e-6 * scale)
    rows, address = asked_rows(case, path, load(out)), f"/models/{stem_of(name)}/predict"
    answers = client.post(address, json=rows).get_json()
    assert [likeliest(answer) for answer in answers] == pytest.approx(predictions, rel=1e-5)
    for row, prediction in zip(rows[QUERIED], predictions[QUERIED], strict=True):
        answer = client.get(address, query_string=query_of(row)).get_json()
        assert likeliest(answer) == pytest.approx(prediction, rel=1e-5)


def likeliest(answer: Any) -> float:
    """The prediction of an answer; of several classes, the largest probability."""
    assert isinstance(answer, dict), answer
    assert "prediction" in answer, answer
    prediction = answer["prediction"]
    return float(max(prediction.values()) if isinstance(prediction, dict) else prediction)

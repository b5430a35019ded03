"""Tables as people have them: all commands and the service read each as Python does, and answer the same."""

import io
import zlib
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from flask.testing import FlaskClient

from model import TableError, load, read_table
from model.commands.shared import notes_text
from model.messages import escape_unprintable
from tests.serve.examples import application
from tests.tables.people import Case
from tests.tables.people_commands import Run, asked_rows, header_flag, query_of, reading_flags, run
from tests.tables.people_reading import write_case
from tests.tables.people_tables import CASES

# Options that do not exist yet.
KNOWN = [name for name, case in CASES.items() if "categorical" not in case.options]
# A third of the cases, drawn by their names, so that a new case changes no other.
TRAINED = [name for name in KNOWN if zlib.crc32(name.encode()) % 3 == 0]
QUICK_TRAINING = ("--hidden", "4", "--epochs", "3", "--restarts", "1", "--batch-size", "64")
# Of the rows, each of these is asked for in a query, too.
QUERIED = slice(0, None, 20)


class Trained(NamedTuple):
    """What training on a case did, and the path of its file."""

    path: Path
    run: Run


def model_name(name: str) -> str:
    return f"m{KNOWN.index(name)}"


def refusal_of(case: Case, path: Path) -> str:
    """What the command line says if Python refuses the file; nothing if it reads it."""
    try:
        read_table(path, case.target, **case.options)
    except TableError as error:
        return f"nudge: {escape_unprintable(str(error))}\n"
    return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("people")


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Trained]:
    """Training on each of the cases of TRAINED."""
    found = {}
    for name in TRAINED:
        case = CASES[name]
        path = folder / f"{model_name(name)}{case.suffix}"
        path.write_bytes(case.content)
        out = folder / f"{model_name(name)}.safetensors"
        flags = [*reading_flags(case), *QUICK_TRAINING, "--out", str(out)]
        found[name] = Trained(path, run("train", str(path), *flags))
    return found


@pytest.fixture(scope="module")
def client(folder: Path, trained: dict[str, Trained]) -> FlaskClient:
    first = next(name for name, done in trained.items() if done.run.status == 0)
    return application(folder, MODEL=model_name(first)).test_client()


@pytest.mark.parametrize("name", KNOWN)
def test_inspect_shows_what_python_reads(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = write_case(case, tmp_path)
    shown = run("inspect", str(path), *reading_flags(case))
    refusal = refusal_of(case, path)
    assert (shown.status, shown.errors) == (2 if refusal else 0, refusal)
    if not refusal:
        table = read_table(path, case.target, **case.options)
        assert notes_text(table.notes) in shown.out
        assert all(f"\n{column} " in shown.out for column in (*table.columns, table.target))


@pytest.mark.parametrize("name", TRAINED)
def test_training_takes_or_refuses_what_python_does(trained: dict[str, Trained], name: str) -> None:
    path, done = trained[name]
    refusal = refusal_of(CASES[name], path)
    assert (done.status, done.errors) == (2 if refusal else 0, refusal)
    if not refusal:
        notes = notes_text(read_table(path, CASES[name].target, **CASES[name].options).notes)
        assert done.out.startswith(notes)


@pytest.mark.parametrize("name", TRAINED)
def test_the_service_and_the_command_answer_the_same(
    folder: Path, trained: dict[str, Trained], client: FlaskClient, name: str
) -> None:
    case, path = CASES[name], trained[name].path
    out = folder / f"{model_name(name)}.safetensors"
    if trained[name].run.status:
        assert not out.exists()
        return
    scored = run("predict", str(out), str(path), *header_flag(case), "--out", str(folder / "scored.csv"))
    assert (scored.status, scored.out) == (0, f"Written: {folder / 'scored.csv'} ({rows_of(folder)} rows)\n")
    checkpoint = load(out)
    rows = asked_rows(case, path, checkpoint)
    answers = client.post(f"/models/{model_name(name)}/predict", json=rows)
    assert answers.status_code == 200, answers.json
    predictions = [likeliest(answer["prediction"]) for answer in answers.json or []]
    expected = pl.read_csv(folder / "scored.csv", infer_schema=False)["prediction"].cast(pl.Float64)
    assert predictions == pytest.approx(expected.to_list(), rel=1e-5)
    for row, prediction in zip(rows[QUERIED], predictions[QUERIED], strict=True):
        answer = client.get(f"/models/{model_name(name)}/predict", query_string=query_of(row))
        assert answer.status_code == 200, answer.json
        assert likeliest((answer.json or {})["prediction"]) == pytest.approx(prediction, rel=1e-5)


def likeliest(prediction: float | dict[str, float]) -> float:
    return max(prediction.values()) if isinstance(prediction, dict) else prediction


def rows_of(folder: Path) -> str:
    return f"{pl.read_csv(io.BytesIO((folder / 'scored.csv').read_bytes()), infer_schema=False).height:,}"

"""A category that training never saw, and a value missing where none was: answered alike everywhere, with notes."""

import csv
import shutil
from pathlib import Path
from typing import Any

import jax
import pytest

from model import default_network, fit, make_checkpoint, read_table, save
from serve import create_app
from tests.commands.examples import run_main
from tests.conftest import Nudge

ROWS = "".join(
    f"{('red', 'blue', 'green')[index % 3]},{index % 7},2024-01-{1 + index % 28:02},{index % 3 + index % 7}.5\n"
    for index in range(120)
)
NEW = [
    {"colour": "violet", "x": "3", "day": "2024-01-05"},
    {"colour": "red", "x": "", "day": "2024-01-05"},
    {"colour": "", "x": "NA", "day": "?"},
    {"colour": "red", "x": "3", "day": "2024-01-05"},
]
NOTES = [
    ["colour: 'violet' was not seen in training"],
    ["x: the value is missing, and no value was missing in training"],
    [f"{name}: the value is missing, and no value was missing in training" for name in ("colour", "x", "day")],
    [],
]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint `table`, trained once for all tests."""
    folder = tmp_path_factory.mktemp("unseen")
    (folder / "table.csv").write_text(f"colour,x,day,y\n{ROWS}")
    table = read_table(folder / "table.csv", "y")
    options = {"epochs": 20, "restarts": 2, "encodings": ("numbers",)}
    result = fit(default_network(table, (8,)), table, key=jax.random.key(0), **options)
    (folder / "checkpoints").mkdir()
    save(folder / "checkpoints/table.safetensors", make_checkpoint(result, table, table_name="table.csv", seed=0))
    with (folder / "new.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, NEW[0])
        writer.writeheader()
        writer.writerows(NEW)
    return folder


@pytest.fixture
def trained(once: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(once, tmp_path, dirs_exist_ok=True))


def tensors(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The rows as tensors of texts."""
    shape = [len(rows)]
    return {
        "inputs": [
            {"name": name, "datatype": "BYTES", "shape": shape, "data": [row[name] for row in rows]} for row in [NEW[0]]
            for name in row
        ]
    }  # fmt: skip


def test_the_file_the_query_json_and_tensors_give_the_same_predictions_and_notes(
    trained: Path, nudge_here: Nudge
) -> None:
    run = nudge_here("predict", "checkpoints/table.safetensors", "new.csv", "--out", "scored.csv")
    assert run.stderr.splitlines() == [
        "Note: 2 rows have values of colour that training never saw.",
        "Note: 2 rows have values of x that training never saw.",
        "Note: 1 row has a value of day that training never saw.",
    ]
    with (trained / "scored.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    assert [row["notes"] for row in scored] == ["; ".join(notes) for notes in NOTES]
    expected = [pytest.approx(float(row["prediction"]), rel=1e-5) for row in scored]
    client = create_app({"NUDGE_CHECKPOINTS": str(trained / "checkpoints")}).test_client()
    queried: list[Any] = [client.get("/predict", query_string=row).get_json() for row in NEW]
    body = [
        {"colour": row["colour"] or None, "x": None if row["x"] in ("", "NA") else float(row["x"]), "day": row["day"]}
        for row in NEW
    ]
    posted: Any = client.post("/predict", json=body).get_json()
    for answers in (queried, posted):
        assert [answer["prediction"] for answer in answers] == expected
        assert [answer.get("notes", []) for answer in answers] == NOTES
    reply: Any = client.post("/v2/models/table/infer", json=tensors(NEW[:1])).get_json()
    assert reply["outputs"][0]["data"] == expected[:1]
    assert reply["parameters"] == {"notes": NOTES[0][0]}
    reply = client.post("/v2/models/table/infer", json=tensors(NEW)).get_json()
    assert reply["outputs"][0]["data"] == expected
    assert reply["parameters"]["notes"].startswith(
        f"{NOTES[0][0]}, in row 0; {NOTES[1][0]}, in row 1, 2; {NOTES[2][0]}, in row 2"
    )
    assert "parameters" not in client.post("/v2/models/table/infer", json=tensors(NEW[3:])).get_json()
    metrics = client.get("/metrics").get_data(as_text=True)
    assert 'nudge_unseen_values_total{column="colour",model="table"} 7.0' in metrics


def test_strict_training_and_strict_serving_refuse_them(trained: Path, nudge_here: Nudge) -> None:
    message = "column colour: one of blue, green, red was expected, and 'violet' was found"
    settings = {"NUDGE_CHECKPOINTS": str(trained / "checkpoints"), "NUDGE_STRICT": "1"}
    assert create_app(settings).test_client().get("/predict", query_string=NEW[0]).get_json() == {"error": message}
    nudge_here("train", "table.csv", "--target", "y", "--fast", "--epochs", "2", "--restarts", "2", "--strict")
    del settings["NUDGE_STRICT"]
    client = create_app(settings).test_client()
    assert client.get("/predict", query_string=NEW[0]).get_json() == {"error": message}
    assert "prediction" in client.get("/predict", query_string=NEW[3]).get_json()
    path = str(trained / "checkpoints/table.safetensors")
    status, errors = run_main("predict", path, str(trained / "new.csv"))
    assert status == 2
    assert "found 'violet' in row 1; mend it or leave the row out" in errors


def test_a_name_that_is_absent_stays_a_refusal(trained: Path) -> None:
    client = create_app({"NUDGE_CHECKPOINTS": str(trained / "checkpoints")}).test_client()
    for reply in (
        client.get("/predict", query_string={"colour": "red", "x": "1"}),
        client.post("/predict", json={"colour": "red", "x": 1}),
        client.post("/v2/models/table/infer", json={"inputs": tensors(NEW)["inputs"][:2]}),
    ):
        assert reply.status_code == 400
        assert "day" in reply.get_json()["error"]


def test_added_columns_get_other_names_where_theirs_are_taken(trained: Path, nudge_here: Nudge) -> None:
    (trained / "new.csv").write_text("colour,x,day,notes,prediction\nred,1,2024-01-05,mine,0\n")
    run = nudge_here("predict", "checkpoints/table.safetensors", "new.csv")
    assert run.stdout.splitlines()[0] == "colour,x,day,notes,prediction,prediction_2,spread,lower,upper,notes_2"
    assert "Note: the added column notes is called notes_2, because the file has a column notes.\n" in run.stderr

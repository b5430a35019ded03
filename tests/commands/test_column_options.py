"""`--categorical`, `--numeric`, `--missing`, `--decimal`: what is said of columns holds in training and afterwards."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from model import TableError, load, read_table, table_from
from model.tables.columns import CategoricalColumn, NumericColumn
from serve import create_app
from tests.commands.examples import run_main
from tests.conftest import Nudge
from tests.tables.examples import write_table

ROWS = [
    (f"{1 + index % 6:02}", -999 if index % 9 == 0 else 20 + index % 7, ("12", "7", "n.b.", "x9")[index % 4], index % 5)
    for index in range(120)
]
TEXT = "store,age,dose,y\n" + "".join(f"{store},{age},{dose},{y}.5\n" for store, age, dose, y in ROWS)
OPTIONS = ("--categorical", "store", "--numeric", "dose", "--missing", "age=-999")


def test_the_options_are_kept_by_the_checkpoint_and_hold_in_all_ways_to_predict(
    tmp_path: Path, nudge_here: Nudge
) -> None:
    (tmp_path / "table.csv").write_text(TEXT)
    run = nudge_here("train", "table.csv", "--target", "y", *OPTIONS, "--fast", "--epochs", "20", "--restarts", "2")
    assert run.returncode == 0, run.stderr
    assert "Note: '-999' in age is read as missing, in 14 rows.\n" in run.stdout
    assert "Note: 'n.b.' in dose is read as missing, in 30 rows.\n" in run.stdout
    store, age, dose = load(tmp_path / "checkpoints/table.safetensors").column_specs
    assert isinstance(store, CategoricalColumn)
    assert store.categories == ("01", "02", "03", "04", "05", "06")
    assert isinstance(age, NumericColumn)
    assert (age.minimum, age.maximum, age.missing) == (20, 26, True)
    assert isinstance(dose, NumericColumn)
    assert (dose.minimum, dose.maximum, dose.missing) == (7, 12, True)
    (tmp_path / "new.csv").write_text("store,age,dose\n03,-999,n.b.\n03,-999.0,\n03,,12\n")
    scored = nudge_here("predict", "checkpoints/table.safetensors", "new.csv").stdout.splitlines()
    predictions = [float(line.split(",")[3]) for line in scored[1:]]
    assert predictions[0] == predictions[1] != predictions[2]
    client = create_app({"NUDGE_CHECKPOINTS": str(tmp_path / "checkpoints")}).test_client()
    tensors = [
        {"name": "store", "datatype": "BYTES", "shape": [1], "data": ["03"]},
        {"name": "age", "datatype": "FP32", "shape": [1], "data": [-999]},
        {"name": "dose", "datatype": "BYTES", "shape": [1], "data": ["n.b."]},
    ]
    answers: list[Any] = [
        client.get("/predict", query_string={"store": "03", "age": "-999", "dose": "x9"}).get_json()["prediction"],
        client.get("/predict", query_string={"store": "03", "age": "-9.99e2"}).get_json()["prediction"],
        client.post("/predict", json={"store": "03", "age": -999, "dose": None}).get_json()["prediction"],
        client.post("/predict", json=[{"store": "03", "age": -999.0}] * 2).get_json()[1]["prediction"],
        client.post("/v2/models/table/infer", json={"inputs": tensors}).get_json()["outputs"][0]["data"][0],
    ]
    assert answers == [pytest.approx(predictions[0], rel=1e-5)] * 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--categorical", "shop"], "expected a column 'shop', found the columns age, dose, store, y; name one"),
        (
            ["--numeric", "store", "--categorical", "store"],
            "expected each column in --categorical or in --numeric, found sto",
        ),
        (["--numeric", "word"], "expected a column 'word'"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(tmp_path: Path, options: list[str], message: str) -> None:
    path = write_table(tmp_path, TEXT)
    status, errors = run_main("inspect", str(path), "--target", "y", *options)
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors


def test_a_column_without_any_number_cannot_be_one_of_numbers(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b,y\n" + "".join(f"w{index % 3},{index},{index % 2}\n" for index in range(30)))
    with pytest.raises(TableError, match=r"expected numbers in a, found 'w0'; leave a out of --numeric"):
        read_table(path, "y", numeric=["a"])


def test_frames_take_the_same_options(tmp_path: Path) -> None:
    path = write_table(tmp_path, TEXT)
    options: dict[str, Any] = {"categorical": ["store"], "numeric": ["dose"], "missing": ["-999"]}
    table, same = read_table(path, "y", **options), table_from(pd.read_csv(path, dtype={"store": str}), "y", **options)
    assert table.digest == same.digest
    assert table.notes == same.notes


def test_the_mark_before_decimals_can_be_said(tmp_path: Path) -> None:
    rows = "".join(f'"{1 + index % 7},{100 + index}",{index % 2}\n' for index in range(40))
    path = write_table(tmp_path, f"x,y\n{rows}")
    for decimal, largest in ((None, 7134.0), (".", 7134.0), (",", 7.134)):
        (column,) = read_table(path, "y", decimal=decimal).column_specs
        assert isinstance(column, NumericColumn)
        assert column.maximum == pytest.approx(largest)


def test_json_may_have_numbers_for_categories_that_are_numbers(tmp_path: Path, nudge_here: Nudge) -> None:
    rows = "".join(f"{1 + index % 6},{index % 5}.5\n" for index in range(60))
    (tmp_path / "table.csv").write_text(f"store,y\n{rows}")
    training = ("--categorical", "store", "--epochs", "3", "--restarts", "1")
    assert nudge_here("train", "table.csv", "--target", "y", *training).returncode == 0
    client = create_app({"NUDGE_CHECKPOINTS": str(tmp_path / "checkpoints")}).test_client()
    as_text: Any = client.get("/predict", query_string={"store": "3"}).get_json()
    assert client.post("/predict", json={"store": 3}).get_json() == as_text
    tensor = {"name": "store", "datatype": "INT64", "shape": [1], "data": [3]}
    reply: Any = client.post("/v2/models/table/infer", json={"inputs": [tensor]}).get_json()
    assert reply["outputs"][0]["data"] == [pytest.approx(as_text["prediction"], rel=1e-6)]
    assert client.post("/predict", json={"store": 3.5}).get_json()["notes"] == ["store: '3.5' was not seen in training"]

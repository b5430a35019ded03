"""`nudge predict`: a file is scored as the service answers, or it is refused."""

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model.inference import BATCH_SIZES
from serve import create_app
from tests.commands.examples import run_main, write_animals
from tests.conftest import Nudge

HEADER = '"size, cm",color,wild,constant'
# More rows than two batches of the smallest size.
ROWS = 2 * BATCH_SIZES[0] + 3


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def json_row(row: dict[str, str]) -> dict[str, Any]:
    """A row of the file as the service takes it in JSON."""
    return {
        "size, cm": None if row["size, cm"] in ("", "NA") else float(row["size, cm"]),
        "color": row["color"] or None,
        "wild": row["wild"] == "True",
        "constant": 7,
    }


def test_the_service_and_the_command_predict_the_same(
    animals: Path, animals_checkpoint: str, tmp_path: Path, nudge: Nudge
) -> None:
    write_animals(tmp_path / "new.csv", rows=ROWS, has_targets=False)
    assert nudge("predict", animals_checkpoint, "new.csv", "--out", "scored.parquet").returncode == 0
    scored = pl.read_parquet(tmp_path / "scored.parquet")
    client = create_app({"NUDGE_CHECKPOINTS": str(animals / "checkpoints")}).test_client()
    rows = read_rows(tmp_path / "new.csv")
    answers = client.post("/predict", json=[json_row(row) for row in rows]).get_json()
    assert len(rows) == len(answers) == scored.height == ROWS
    for index, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        if index % 16 == 0:
            query = {name: value for name, value in row.items() if name != "kind" and value}
            single: Any = client.get("/predict", query_string=query).get_json()
            assert single["prediction"] == pytest.approx(answer["prediction"], abs=1e-6)
        assert answer["label"] == scored["label"][index]
        assert answer["spread"] == pytest.approx(scored["spread"][index], abs=1e-6)
        for name, probability in answer["prediction"].items():
            assert probability == pytest.approx(scored[f"prediction_{name}"][index], abs=1e-6)
        assert scored["prediction"][index] == pytest.approx(max(answer["prediction"].values()), abs=1e-6)


def test_without_a_file_the_predictions_are_printed_as_csv(
    animals_checkpoint: str, tmp_path: Path, nudge: Nudge
) -> None:
    write_animals(tmp_path / "new.csv", rows=5, has_targets=False)
    lines = nudge("predict", animals_checkpoint, "new.csv").stdout.splitlines()
    assert lines[0].startswith(f"{HEADER},kind,prediction,label")
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"wild": "true"},
            "the columns size, cm, color, wild, constant were expected, and wild was found: constant is",
        ),
        ({"wild": "perhaps", "constant": "7"}, "column wild: one of false, true was expected, and 'perhaps' was found"),
        ({"wild": "", "constant": "7"}, "column wild: one of false, true was expected, and nothing was found"),
        (
            {"wild": "false", "constant": "7", "color": "mauve"},
            "column color: one of grün, red, dark, so-called \"blue\" was expected, and 'mauve' was found",
        ),
        ({"wild": "false", "constant": "7", "age": "1"}, "were expected, and 'age' was found"),
    ],
)
def test_the_service_refuses_a_wrong_query_with_status_400(animals: Path, query: dict[str, str], message: str) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(animals / "checkpoints"), "NUDGE_STRICT": "1"}
    client = create_app(settings).test_client()
    reply = client.get("/predict", query_string=query)
    assert reply.status_code == 400
    assert message in reply.get_json()["error"]
    assert client.get("/predict", query_string={"wild": "FALSE", "constant": "8"}).status_code == 200


@pytest.mark.parametrize("out", ["scored.csv", "scored.parquet"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("size,wild,constant\n1,true,7\n", "expected the columns size, cm, color, wild, constant, found no size, cm;"),
        (
            f"{HEADER}\n1,grün,true,7\n2,mauve,true,7\n",
            "expected one of grün, red, dark, so-called \"blue\" in the column color, found 'mauve' in row 2;",
        ),
        (f"{HEADER}\nfar,grün,true,7\n", "expected a number in the column size, cm, found 'far' in row 1;"),
        (f"{HEADER}\n1,grün,,7\n", "expected one of false, true in the column wild, found nothing in row 1;"),
    ],
)
def test_a_file_that_cannot_be_scored_is_one_sentence_and_status_2(
    animals_checkpoint: str,
    tmp_path: Path,
    content: str,
    message: str,
    out: str,
) -> None:
    (tmp_path / "new.csv").write_text(content)
    status, errors = run_main(
        "predict", animals_checkpoint, str(tmp_path / "new.csv"), "--out", str(tmp_path / out), "--strict"
    )
    assert status == 2
    assert errors.startswith(f"nudge: {tmp_path / 'new.csv'}: expected ")
    assert errors.count("\n") == 1
    assert message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_the_output_is_csv_or_parquet(animals: Path, animals_checkpoint: str) -> None:
    status, errors = run_main("predict", animals_checkpoint, str(animals / "animals.csv"), "--out", "x.txt")
    assert status == 2
    assert errors == "nudge: --out: expected a name that ends in .csv or .parquet, found 'x.txt'\n"


# Two rows in Parquet, with numbers as texts and with missing values.
GOOD_COLUMNS: dict[str, list[Any]] = {
    "wild": [True, False],
    "color": ["grün", None],
    "size, cm": [31, None],
    "constant": ["7", "8"],
}


def score_parquet(checkpoint: str, folder: Path, **changes: list[Any]) -> tuple[Any, str]:
    """Score a Parquet file with GOOD_COLUMNS and changes. Returns the exit status and the messages."""
    pl.DataFrame(GOOD_COLUMNS | changes).write_parquet(folder / "new.parquet")
    out = ("--out", str(folder / "scored.csv"))
    return run_main("predict", checkpoint, str(folder / "new.parquet"), *out)


def test_a_parquet_file_may_have_columns_of_other_types(animals_checkpoint: str, tmp_path: Path) -> None:
    status, errors = score_parquet(animals_checkpoint, tmp_path)
    assert not status, errors
    assert len(read_rows(tmp_path / "scored.csv")) == 2


def test_a_row_that_overflows_in_the_network_is_one_sentence_and_status_2(checkpoints: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b\n0,1\n3e38,0\n")
    status, errors = run_main("predict", str(checkpoints / "xor.safetensors"), str(tmp_path / "new.csv"))
    assert status == 2
    assert errors == (
        f"nudge: {tmp_path / 'new.csv'}: expected values within the network's range, found after row 0 [3e+38, 0.0]; "
        "mend it or leave the row out\n"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("constant", "expected numbers or texts in constant, found List(Int64)"),
        ("more", "expected what CSV can hold in more, found List(Int64)"),
    ],
)
def test_a_nested_column_is_refused(animals_checkpoint: str, tmp_path: Path, name: str, message: str) -> None:
    status, errors = score_parquet(animals_checkpoint, tmp_path, **{name: [[1], [2]]})
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors
    assert not (tmp_path / "scored.csv").exists()


def test_numbers_are_understood_as_the_file_of_training_wrote_them(tmp_path: Path, nudge_here: Nudge) -> None:
    rows = [
        (f"{index % 7},{index % 4}5", f"{1000 + index:,} €".replace(",", "."), index % 7 > 3) for index in range(60)
    ]
    lines = "".join(f"{length};{price};{'Yes' if is_good else 'no'}\n" for length, price, is_good in rows)
    (tmp_path / "table.csv").write_text(f"Länge;Preis;gut\n{lines}", encoding="cp1252")
    trained = nudge_here("train", "table.csv", "--target", "gut", "--fast", "--epochs", "20")
    assert trained.returncode == 0, trained.stderr
    notes = (
        "\nNote: read as Windows-1252.\n"
        "Note: '0,05' in Länge is read as 0.05.\n"
        "Note: '1.000 €' in Preis is read as 1000.\n"
    )
    assert notes in trained.stdout
    (tmp_path / "spelled.csv").write_text("Länge;Preis\n3,25;1.010 €\n6,5;1.020,5 €\n")
    (tmp_path / "plain.csv").write_text("Preis,Länge\n1010,3.25\n1020.5,6.5\n")
    scored = []
    for name in ("spelled", "plain"):
        out = f"{name}.parquet"
        assert nudge_here("predict", "checkpoints/table.safetensors", f"{name}.csv", "--out", out).returncode == 0
        scored.append(pl.read_parquet(tmp_path / out)["prediction"].to_list())
    assert scored[0] == scored[1]
    client = create_app({"NUDGE_CHECKPOINTS": str(tmp_path / "checkpoints")}).test_client()
    answers: list[Any] = [
        client.get("/predict", query_string={"Länge": "3,25", "Preis": "1.010 €"}),
        client.get("/predict", query_string={"Länge": "3.25", "Preis": "1010"}),
        client.post("/predict", json={"Länge": "3,25", "Preis": "1.010 €"}),
        client.post("/predict", json={"Länge": 3.25, "Preis": 1010}),
    ]
    predictions = [answer.get_json()["prediction"] for answer in answers]
    assert predictions == [pytest.approx(scored[0][0], rel=1e-5)] * 4


def test_dates_are_understood_as_the_file_of_training_wrote_them(tmp_path: Path, nudge_here: Nudge) -> None:
    days = [(f"{1 + index % 28}.{1 + index // 28}.2024", f"{index % 24}:30", index % 7 > 2) for index in range(80)]
    rows = "".join(f"{day},{time},{is_good}\n" for day, time, is_good in days)
    (tmp_path / "table.csv").write_text(f"day,time,good\n{rows}")
    trained = nudge_here("train", "table.csv", "--target", "good", "--fast", "--epochs", "20")
    assert trained.returncode == 0, trained.stderr
    assert "Note: '1.1.2024' in day is read as 2024-01-01.\n" in trained.stdout
    (tmp_path / "new.csv").write_text("day,time\n28.2.2024,9:30\n2024-02-28,09:30 AM\n")
    assert nudge_here("predict", "checkpoints/table.safetensors", "new.csv", "--out", "new.parquet").returncode == 0
    scored = pl.read_parquet(tmp_path / "new.parquet")["prediction"].to_list()
    assert scored[0] == scored[1]
    client = create_app({"NUDGE_CHECKPOINTS": str(tmp_path / "checkpoints")}).test_client()
    tensors = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
        for name, value in (("day", "28.2.2024"), ("time", "9:30"))
    ]
    answers: list[Any] = [
        client.get("/predict", query_string={"day": "28.02.2024", "time": "9:30"}).get_json()["prediction"],
        client.post("/predict", json={"day": "2024-02-28", "time": "09:30"}).get_json()["prediction"],
        client.post("/v2/models/table/infer", json={"inputs": tensors}).get_json()["outputs"][0]["data"][0],
    ]
    assert answers == [pytest.approx(scored[0], rel=1e-5)] * 3
    refused: Any = client.get("/predict", query_string={"day": "soon", "time": "9:30"})
    assert refused.status_code == 400
    assert "a date such as 2024-01-31 was expected, and 'soon' was found" in refused.get_json()["error"]
    schema = client.get("/openapi.json").get_json()["components"]["schemas"]["table.row"]["properties"]
    assert [schema[name]["anyOf"][0]["format"] for name in ("day", "time")] == ["date", "time"]
    assert "2024-01-01 to 2024-03-24" in nudge_here("show", "checkpoints/table.safetensors").stdout


def test_importance_reads_a_target_as_training_did(tmp_path: Path, nudge_here: Nudge) -> None:
    rows = "".join(
        f'{index % 9},"${index % 9 * 1000:,}.50",{("Yes", "yes ", "No")[index % 3]}\n' for index in range(90)
    )
    (tmp_path / "table.csv").write_text(f"x,price,good\n{rows}")
    for target in ("price", "good"):
        assert nudge_here("train", "table.csv", "--target", target, "--fast", "--epochs", "5").returncode == 0
        found = nudge_here("importance", "checkpoints/table.safetensors", "table.csv")
        assert found.returncode == 0, found.stderr

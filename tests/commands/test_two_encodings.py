"""Networks that see numbers and networks that see bins: trained together, scored, served, resumed and checked."""

import csv
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, chain_rule, check_gradients, encode, load, loss, read_table, save
from model.ensembles import bin_inputs
from tests.commands.examples import run_here
from tests.examples import members_by_hand, same_bits
from tests.serve.examples import application

ROWS = 1000
SMALL = ("--hidden", "8", "--activation", "tanh", "--epochs", "20", "--folds", "2")


def write_houses(path: Path, rows: int, seed: int) -> None:
    """Write houses, whose prices are skewed and whose sizes are sometimes missing."""
    rng = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["size", "town", "built", "price", "sold"])
        for _ in range(rows):
            size, built, town = rng.gauss(100, 30), rng.randint(1900, 2020), rng.choice(["Bonn", "Köln"])
            price = math.exp(11 + size / 60 + rng.gauss(0, 0.5) + 0.3 * (town == "Bonn"))
            sold = "yes" if built + rng.gauss(0, 40) > 1960 else "no"
            writer.writerow(["" if rng.random() < 0.1 else f"{size:.2f}", town, built, f"{price:.0f}", sold])


def train(*arguments: str) -> None:
    done = run_here("train", *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with houses.csv, new.csv, and the checkpoints of a number and of a class.

    Each has the networks of two runs, because a run may keep those of one encoding only.
    """
    directory = tmp_path_factory.mktemp("houses")
    write_houses(directory / "houses.csv", 240, 0)
    write_houses(directory / "new.csv", ROWS, 1)
    for target, other, options in (("price", "sold", ("--target-scale", "asinh")), ("sold", "price", ())):
        columns, checkpoints = ("--target", target, "--drop", other, *SMALL, *options), []
        for encoding in ("numbers", "bins"):
            out = directory / f"{target}.safetensors"
            train(
                str(directory / "houses.csv"), *columns, "--encodings", encoding, "--restarts", "4", "--out", str(out)
            )
            checkpoints.append(load(out))
        first, second = checkpoints
        save(out, replace(first, ensemble=first.ensemble + second.ensemble))
    return directory


@pytest.fixture(scope="module")
def client(folder: Path) -> FlaskClient:
    return application(folder, MODEL="price").test_client()


def scored(folder: Path, target: str, rows: int) -> pl.DataFrame:
    """What `nudge predict` adds to the first rows of new.csv."""
    lines = (folder / "new.csv").read_text().splitlines()[: rows + 1]
    (folder / "some.csv").write_text("\n".join(lines))
    done = run_here(
        "predict", str(folder / f"{target}.safetensors"), str(folder / "some.csv"), "--out", str(folder / "out.csv")
    )
    assert done.returncode == 0, done.stderr
    frame = pl.read_csv(folder / "out.csv").with_columns(pl.col("size").cast(pl.Float64, strict=False))
    assert len(frame) == rows
    return frame


def served(client: FlaskClient, target: str, rows: list[dict[str, Any]]) -> list[dict[str, np.ndarray]]:
    """The answers to some rows: as JSON, the first ones as queries, and as tensors."""
    address = f"/models/{target}/predict"
    posted: Any = client.post(address, json=rows if len(rows) > 1 else rows[0]).get_json()
    queries = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    asked = [client.get(address, query_string=query).get_json() for query in queries[:20]]
    tensors = [
        {"name": name, "datatype": "BYTES", "shape": [len(rows)], "data": [query[name] for query in queries]}
        for name in rows[0]
    ]
    reply: Any = client.post(f"/v2/models/{target}/infer", json={"inputs": tensors}).get_json()
    outputs = {each["name"]: np.array(each["data"]).reshape(each["shape"]) for each in reply["outputs"]}
    answers = [[posted] if len(rows) == 1 else posted, asked]
    return [{name: np.array([answer[name] for answer in each]) for name in outputs} for each in answers] + [outputs]


def by_hand(checkpoint: Checkpoint, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the deviation of the members, with the target as it is scaled, by NumPy."""
    towns = frame["town"].replace_strict({"Bonn": 0.0, "Köln": 1.0}).to_numpy()
    values = {"size": frame["size"].to_numpy(), "town": towns, "built": frame["built"].cast(pl.Float64).to_numpy()}
    x = encode(checkpoint.column_specs, [np.asarray(values[name], np.float64) for name in checkpoint.columns])
    members = members_by_hand(checkpoint, x)
    assert len(members) == 8
    return members.mean(axis=0), members.std(axis=0)


@pytest.mark.parametrize("rows", [1, ROWS])
@pytest.mark.parametrize("target", ["price", "sold"])
def test_a_file_json_a_query_and_tensors_have_the_same_answers(
    folder: Path, client: FlaskClient, target: str, rows: int
) -> None:
    checkpoint = load(folder / f"{target}.safetensors")
    assert [members.bins is None for members in checkpoint.ensemble] == [True, False]
    frame = scored(folder, target, rows)
    mean, deviation = by_hand(checkpoint, frame)
    expected = {"prediction": frame["prediction"].to_numpy(), "spread": frame["spread"].to_numpy()}
    if target == "price":
        expected["interval"] = frame.select("lower", "upper").to_numpy()
        scaling, margin = checkpoint.target_scaling, checkpoint.residuals.margin
        scaled = np.clip(mean, *scaling.scaled(np.array([scaling.minimum, scaling.maximum])))[:, None] + [
            -margin,
            margin,
        ]
        ends = scaling.center + scaling.scale * scaling.knee * np.sinh(scaled / scaling.knee)
        np.testing.assert_allclose(expected["interval"], ends, rtol=1e-4)
        assert ((ends[:, 0] < expected["prediction"]) & (expected["prediction"] < ends[:, 1])).all()
    else:
        np.testing.assert_allclose(expected["prediction"], mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(expected["spread"], deviation, rtol=1e-3, atol=1e-6)
        expected["label"] = frame["label"].to_numpy()
    asked = frame.select(checkpoint.columns).to_dicts()
    for found in served(client, target, asked):
        assert set(found) == set(expected)
        for name, values in found.items():
            if name == "label":
                assert values.tolist() == expected[name][: len(values)].tolist()
            else:
                np.testing.assert_allclose(values, expected[name][: len(values)], rtol=1e-5, atol=1e-7)


def test_nine_prices_of_ten_are_in_their_intervals(folder: Path) -> None:
    frame = scored(folder, "price", ROWS)
    share = float(((frame["lower"] <= frame["price"]) & (frame["price"] <= frame["upper"])).mean())  # type: ignore[arg-type]
    assert 0.8 < share < 0.97


def test_the_document_describes_the_interval_of_a_number(client: FlaskClient) -> None:
    schemas: Any = (client.get("/openapi.json").get_json() or {})["components"]["schemas"]
    interval = schemas["price.answer"]["properties"]["interval"]
    assert (interval["type"], interval["items"], interval["minItems"], interval["maxItems"]) == (
        "array",
        {"type": "number"},
        2,
        2,
    )
    assert "interval" in schemas["price.answer"]["required"]
    assert "interval" not in schemas["sold.answer"]["properties"]
    outputs = {each["name"]: each for each in client.get("/v2/models/price").get_json()["outputs"]}
    assert (outputs["interval"]["datatype"], outputs["interval"]["shape"]) == ("FP64", [-1, 2])
    assert "interval" not in [each["name"] for each in client.get("/v2/models/sold").get_json()["outputs"]]


def test_no_rows_held_out_give_no_interval(folder: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "all.safetensors")
    columns = ("--target", "price", "--drop", "sold", "--validation", "0", "--restarts", "2", "--batch-size", "64")
    train(str(folder / "houses.csv"), *columns, *SMALL[:-2], "--out", out)
    assert [members.size for members in load(out).ensemble] == [1, 1]
    frame = pl.read_csv(run_here("predict", out, str(folder / "new.csv")).stdout.encode())
    assert frame.columns[-3:] == ["prediction", "spread", "notes"]


def test_fast_training_is_the_former_recipe(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "fast.safetensors"
    train(str(folder / "houses.csv"), "--target", "sold", "--fast", "--epochs", "12", "--out", str(out))
    checkpoint = load(out)
    record = checkpoint.training
    assert (checkpoint.network.sizes[1:], checkpoint.member_count, len(checkpoint.ensemble)) == ((100, 1), 4, 1)
    assert (record.restarts, record.encodings, record.folds, record.held_out) == (8, ("numbers",), 1, 36)
    assert record.split == "36 rows, drawn at random"
    refused = run_here("train", "xor", "--fast")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--fast is for files, and this is a truth table; leave it out" in refused.stderr


@pytest.mark.parametrize(("encodings", "sees_bins"), [("bins", [True]), ("numbers", [False])])
def test_one_encoding_and_another_number_of_folds(
    folder: Path, tmp_path: Path, encodings: str, sees_bins: list[bool]
) -> None:
    out = tmp_path / "one.safetensors"
    options = ("--encodings", encodings, "--folds", "3", "--restarts", "3")
    done = run_here("train", str(folder / "houses.csv"), "--target", "sold", *SMALL[:-2], *options, "--out", str(out))
    assert done.returncode == 0, done.stderr
    checkpoint = load(out)
    record = checkpoint.training
    assert [members.bins is not None for members in checkpoint.ensemble] == sees_bins
    assert (record.folds, record.encodings, record.held_out, checkpoint.member_count) == (3, (encodings,), 240, 3)
    assert record.split == "every row, each by the networks of one of 3 folds"
    assert "On 240 rows held out; binary" in done.stdout
    wrong = run_here("train", str(folder / "houses.csv"), "--target", "sold", "--encodings", "words")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "encodings must be some of numbers, bins, not ('words',)" in wrong.stderr


@pytest.fixture(scope="module")
def by_default(folder: Path) -> Path:
    """The checkpoint of the default recipe after nine epochs."""
    out = folder / "default.safetensors"
    train(*DEFAULT, str(folder / "houses.csv"), "--epochs", "9", "--out", str(out))
    return out


DEFAULT = ("--target", "sold", "--drop", "price", "--schedule", "constant")


@pytest.mark.parametrize("encodings", ["numbers,bins", "bins"])
def test_a_run_that_is_resumed_has_the_same_bits(
    folder: Path, by_default: Path, tmp_path: Path, encodings: str
) -> None:
    """A network that sees bins has more inputs than the table."""
    parts, whole = tmp_path / "parts.safetensors", by_default
    arguments = (*DEFAULT, str(folder / "houses.csv"), "--encodings", encodings, "--out")
    if encodings == "bins":
        whole = tmp_path / "whole.safetensors"
        train(*arguments, str(whole), "--epochs", "9")
    train(*arguments, str(parts), "--epochs", "5")
    train(*arguments, str(parts), "--epochs", "9", "--resume")
    found, expected = load(parts), load(whole)
    assert same_bits((found.ensemble, found.state), (expected.ensemble, expected.state))
    assert found.digest == expected.digest


def test_the_gradients_of_the_default_networks_agree_in_both_encodings(folder: Path, by_default: Path) -> None:
    table = read_table(folder / "houses.csv", "sold", drop=["price"])
    seen = set()
    for members in load(by_default).ensemble:
        assert members.network.sizes[1:] == (64, 64, 1)
        x = np.asarray(bin_inputs(table.x[:50], members.bins))
        report = check_gradients(loss, members.member(0), x, table.y[:50], members.network, by_hand=chain_rule)
        assert report.ok, str(report)
        seen.add(members.bins is None)
    assert seen == {True, False}

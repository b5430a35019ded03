"""What `nudge train` and `nudge show` say of how good a network is, and the threshold from training to every answer."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import polars as pl
import pytest

from model import load, save
from model.commands.evaluation_text import evaluation_text
from serve import create_app
from tests.commands.examples import QUICK_TRAINING, run_main
from tests.conftest import Nudge
from tests.examples import checkpoint_of, same_bits

TRAIN = ("train", "churn.csv", "--target", "left", *QUICK_TRAINING)


@pytest.fixture
def churn(tmp_path: Path) -> pl.DataFrame:
    """A file in which one row of five is of the second class."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300))
    left = np.where(a + rng.normal(size=300) > 1.2, "yes", "no")
    frame = pl.DataFrame({"a": a, "b": b, "left": left})
    frame.write_csv(tmp_path / "churn.csv")
    return frame


@pytest.fixture
def trained(churn: pl.DataFrame, nudge_here: Nudge) -> dict[str, Any]:
    """What training with a threshold prints as JSON."""
    run = nudge_here(*TRAIN, "--threshold", "cost:1,8", "--json")
    assert run.returncode == 0, run.stderr
    summary: dict[str, Any] = json.loads(run.stdout)
    return summary


def test_the_json_has_the_threshold_the_intervals_and_the_confusion_matrix(trained: dict[str, Any]) -> None:
    (true_no, false_yes), (false_no, true_yes) = trained["confusion"]
    assert true_no + false_yes + false_no + true_yes == trained["held_out"] == 45
    assert trained["metrics"]["recall"] == pytest.approx(true_yes / (true_yes + false_no))
    assert trained["metrics"]["precision"] == pytest.approx(true_yes / (true_yes + false_yes))
    for name, (lower, upper) in trained["intervals"].items():
        assert lower <= trained["metrics"][name] <= upper, name
    assert trained["threshold_rule"] == "cost:1,8"
    assert 0 < trained["threshold"] < 0.5
    assert sum(each["rows"] for each in trained["reliability"]) == 45


def test_every_label_is_made_with_the_threshold(
    trained: dict[str, Any], churn: pl.DataFrame, nudge_here: Nudge, tmp_path: Path
) -> None:
    threshold, path = trained["threshold"], "checkpoints/churn.safetensors"
    assert load(tmp_path / path).threshold == threshold
    assert nudge_here("predict", path, "churn.csv", "--out", "scored.parquet").returncode == 0
    scored = pl.read_parquet(tmp_path / "scored.parquet")
    probabilities = scored["prediction"].to_numpy()
    expected = np.where(probabilities >= threshold, "yes", "no")
    assert scored["label"].to_list() == expected.tolist()
    between = int(np.flatnonzero((probabilities > threshold) & (probabilities < 0.5))[0])
    client = create_app({"NUDGE_CHECKPOINTS": str(tmp_path / "checkpoints")}).test_client()
    row = churn.drop("left").row(between, named=True)
    assert client.post("/predict", json=row).get_json()["label"] == "yes"
    tensors = [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": list(row.values())}]
    outputs = client.post("/v2/models/churn/infer", json={"inputs": tensors}).get_json()["outputs"]
    assert {each["name"]: each["data"] for each in outputs}["label"] == ["yes"]
    schemas = client.get("/openapi.json").get_json()["components"]["schemas"]
    described = next(schema for name, schema in schemas.items() if name.endswith("churn.answer"))
    assert described["properties"]["label"]["description"].startswith(
        f"yes if the prediction is at least {threshold:.3}"
    )
    asked = nudge_here("ask", path, input="".join(f"{value}\n" for value in row.values()))
    assert re.search(r"Prediction: 0\.[1-4]\d* \(yes\)", asked.stdout)


def test_a_run_goes_on_with_another_threshold(trained: dict[str, Any], nudge_here: Nudge, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "churn.safetensors"
    before = load(path)
    more = ("--epochs", "31", "--resume")
    assert nudge_here(*TRAIN, *more, "--threshold", "0.4").returncode == 0
    after = load(path)
    assert (before.threshold, after.threshold, after.training.threshold) == (trained["threshold"], 0.4, 0.4)
    path.unlink()
    assert nudge_here(*TRAIN, "--epochs", "31").returncode == 0
    assert same_bits(load(path).params, after.params)


def test_training_and_show_print_the_same_metrics_and_the_confusion_matrix(
    churn: pl.DataFrame, nudge_here: Nudge, tmp_path: Path
) -> None:
    run = nudge_here(*TRAIN, "--threshold", "f1")
    shown = nudge_here("show", "checkpoints/churn.safetensors", "--plot", "churn.svg")
    assert (run.returncode, shown.returncode) == (0, 0), run.stderr + shown.stderr
    checkpoint = load(tmp_path / "checkpoints" / "churn.safetensors")
    record = checkpoint.training
    (true_no, false_yes), (false_no, true_yes) = record.confusion
    for printed in (run.stdout, shown.stdout):
        for name, value in record.metrics.items():
            interval = "{:.4f} to {:.4f}".format(*record.intervals[name]) if name in record.intervals else ""
            assert re.search(rf"^{name} +{value:.4f} +{interval}", printed, re.MULTILINE), name
        assert re.search(
            rf"^left ↓ label → +no +yes\nno +{true_no} +{false_yes}\nyes +{false_no} +{true_yes}$", printed, re.M
        )
        threshold = f"{checkpoint.threshold:.4g}"
        assert f"The label is yes from a probability of {threshold}, which maximizes F1 on these rows." in printed
    assert re.search(rf"^threshold +{threshold}, chosen by f1; the label is yes from", shown.stdout, re.MULTILINE)
    assert shown.stdout.endswith("\nWritten: churn.svg\n")
    words = [element.text for element in ElementTree.parse(tmp_path / "churn.svg").iter() if element.text]
    assert {"observed share of yes", "rows", "as predicted"} <= set(words)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--target", "left", "--threshold", "cost:5"),
            "'cost:5' is not a number from 0 to 1, f1, or two costs such as",
        ),
        (
            ("--target", "a", "--threshold", "0.5"),
            "expected a file whose target has two classes, found a number as target",
        ),
        (("--target", "left", "--task", "multiclass", "--threshold", "f1"), "found several classes; leave it out"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused_before_training(
    churn: pl.DataFrame, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "x.safetensors"
    status, errors = run_main("train", str(tmp_path / "churn.csv"), *arguments, "--out", str(out))
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors
    assert not out.exists()


def test_a_truth_table_has_no_plot(checkpoints: Path, tmp_path: Path) -> None:
    path = str(checkpoints / "xor.safetensors")
    status, errors = run_main("show", path, "--plot", str(tmp_path / "xor.svg"))
    assert (status, errors.count("\n")) == (2, 1)
    assert f"--plot: expected a checkpoint of a file, found {path} of a truth table; name another" in errors


def with_record(task: str, classes: tuple[Any, ...], **record: Any) -> Any:
    """A checkpoint with other classes and another record."""
    checkpoint = checkpoint_of(task)
    training = msgspec.structs.replace(checkpoint.training, **record)
    return dataclasses.replace(checkpoint, classes=classes, training=training)


def test_many_classes_make_a_list_of_the_most_frequent_mistakes() -> None:
    classes = tuple(f"class {index}" for index in range(11))
    counts = np.diag(np.full(11, 9))
    counts[2, 7], counts[3, 1] = 1, 5
    confusion = tuple(map(tuple, counts.tolist()))
    text = evaluation_text(with_record("multiclass", classes, confusion=confusion))
    lines = [re.split("  +", line) for line in text.splitlines()[-3:]]
    expected = [["mistaken rows", "y", "label"], ["5", "class 3", "class 1"], ["1", "class 2", "class 7"]]
    assert lines == expected
    none = tuple(map(tuple, np.diag(np.full(11, 9)).tolist()))
    assert evaluation_text(with_record("multiclass", classes, confusion=none)).endswith(
        "No row is labeled with another of the 11 classes."
    )


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1.0, "1.235    1.100 to 1.300"), (1e4, "12,346  11,000 to 13,000"), (1e-3, "0.001235  0.001100 to")],
)
def test_errors_have_four_digits_in_the_unit_of_the_target(scale: float, expected: str) -> None:
    checkpoint = with_record(
        "regression", (), metrics={"RMSE": 1.23456 * scale}, intervals={"RMSE": (1.1 * scale, 1.3 * scale)}
    )
    assert re.sub(" +", " ", expected) in re.sub(" +", " ", evaluation_text(checkpoint))


def test_a_rule_that_has_one_class_only_says_so(tmp_path: Path) -> None:
    checkpoint = with_record("binary", ("no", "yes"), threshold="f1", confusion=((7, 0), (0, 0)))
    assert "No row is of yes, so recall, AUC and average precision cannot be measured." in evaluation_text(checkpoint)
    assert "because these rows have one class only, so that f1 has nothing to choose from" in evaluation_text(
        checkpoint
    )
    assert load(save_in(tmp_path, checkpoint)).training == checkpoint.training


def save_in(directory: Path, checkpoint: Any) -> Path:
    save(directory / "x.safetensors", checkpoint)
    return directory / "x.safetensors"

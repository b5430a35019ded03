"""`nudge train`: from a truth table or a file to a checkpoint, and what is printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

from model import load, truth_table
from model.training.defaults import FILE_DEFAULTS, TRUTH_TABLE_DEFAULTS
from serve import create_app
from tests.commands.examples import QUICK_TRAINING, run_in_terminal, run_main
from tests.conftest import Nudge

FEWER_EPOCHS = ("--epochs", "20000")
EPOCHS, RESTARTS, LEARNING_RATE = (
    TRUTH_TABLE_DEFAULTS.epochs,
    TRUTH_TABLE_DEFAULTS.restarts,
    TRUTH_TABLE_DEFAULTS.learning_rate,
)


@pytest.mark.core
def test_train_prints_losses_predictions_and_what_to_do_next(nudge: Nudge, tmp_path: Path) -> None:
    run = nudge("train")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert re.fullmatch(r"Epoch 100, Loss: \d\.\d{4}", lines[0])
    assert sum(line.startswith("Epoch ") for line in lines) == EPOCHS // 100
    assert lines[999].startswith(f"Epoch {EPOCHS}, Loss: 0.00")
    header, *rows = (line.split() for line in lines[1000:1005])
    assert header == ["a", "b", "xor", "prediction", "label"]
    xor = truth_table("xor")
    assert [row[:3] + row[4:] for row in rows] == [
        [*f"{int(a)}{int(b)}{int(y)}{int(y)}"] for (a, b), y in zip(xor.x, xor.y, strict=True)
    ]
    rest = "\n".join(lines[1005:])
    assert re.search(r"Loss 0\.00\d\d after 100,000 epochs; 4 of 4 rows right\.", rest)
    assert re.search(r"\d+ of 64 starts solved it", rest)
    assert re.search(r"The gradients agree: 9 of 9 tried agree; worst relative error \d", rest)
    checkpoint = load(tmp_path / "checkpoints" / "xor.safetensors")
    assert f"Written: checkpoints/xor.safetensors (version {checkpoint.version})" in rest
    assert "Serve it: nudge serve" in rest
    record = checkpoint.training
    assert (record.epoch, record.restarts, record.learning_rate) == (EPOCHS, RESTARTS, LEARNING_RATE)
    assert record.loss < 0.01


def test_the_defaults_are_the_guides_and_the_help_names_those_for_a_file() -> None:
    from model.commands.train import train

    assert (EPOCHS, RESTARTS, LEARNING_RATE) == (100_000, 64, 0.01)
    help_texts = {parameter.name: getattr(parameter, "help", "") for parameter in train.params}
    for name in ("epochs", "restarts", "optimizer", "batch_size"):
        assert f"for a file {getattr(FILE_DEFAULTS, name)}" in help_texts[name]
    assert jax.config.jax_enable_x64 is False


@pytest.mark.core
def test_the_same_command_writes_the_same_bytes(nudge: Nudge, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert nudge("train", "nand", *FEWER_EPOCHS, "--seed", "5", "--out", f"{name}.safetensors").returncode == 0
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_the_options_reach_the_checkpoint_and_the_json(nudge_here: Nudge, tmp_path: Path) -> None:
    options = "--hidden 3,2 --activation tanh --epochs 500 --learning-rate 0.1 --optimizer adam --restarts 5 --seed 7"
    run = nudge_here("train", "and", *options.split(), "--log-every", "50", "--out", "deep/er/x.safetensors", "--json")
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    checkpoint = load(tmp_path / "deep" / "er" / "x.safetensors")
    assert tuple(checkpoint.network.sizes) == (2, 3, 2, 1)
    assert checkpoint.network.activation == "tanh"
    assert summary["version"] == checkpoint.version
    assert summary["optimizer"] == "adam"
    assert np.round(summary["predictions"]).tolist() == [0, 0, 0, 1]
    assert summary["max_relative_error"] <= 1e-6


def test_a_start_that_is_stuck_is_told_why_at_the_end(nudge_here: Nudge) -> None:
    run = nudge_here("train", "--restarts", "1", "--seed", "7")
    assert run.returncode == 0, run.stderr
    end = run.stdout[run.stdout.index("Serve it: ") :].splitlines()[1:]
    assert end[:2] == ["", "Why it is stuck: dead units."]
    assert end[2].startswith("Hidden unit 2 is dead: off for every row")
    assert end[3].startswith("Confirmed: place hidden unit 2 anew where the error is, on for ")
    assert "After 100,000 more epochs, the table is solved; without the change the loss is 0.6931." in end[3]
    assert len(end) == 5


def test_json_has_why_a_start_is_stuck_and_nothing_for_one_that_solves_it(nudge_here: Nudge) -> None:
    runs = [nudge_here("train", "--restarts", "1", "--seed", seed, "--json") for seed in "76"]
    stuck, solved = (json.loads(run.stdout)["why_stuck"] for run in runs)
    assert solved is None
    assert (stuck["solved"], stuck["reason"]) == (False, "dead_units")
    first = stuck["findings"][0]
    assert first["units"] == [{"layer": 0, "index": 1}]
    assert first["confirmed"]
    assert first["trial"]["solved"]
    assert {"0.bias[1]", "1.weight[1,0]"} <= {change["name"] for change in first["changes"]}


def test_a_line_serves_the_checkpoint_with_no_more_settings_than_it_needs(nudge_here: Nudge) -> None:
    def serve_line(*arguments: str, **variables: str) -> str:
        lines = nudge_here("train", *arguments, "--epochs", "10", **variables).stdout.splitlines()
        return next(line for line in lines if line.startswith("Serve it: "))

    assert serve_line("and") == "Serve it: nudge serve"
    assert serve_line("or") == "Serve it: NUDGE_MODEL=or nudge serve"
    assert serve_line("xor", MAKELEVEL="1") == "Serve it: make serve"
    assert serve_line("and", MAKELEVEL="1") == "Serve it: NUDGE_MODEL=and make serve"
    assert (
        serve_line("and", "--out", "my models/x.safetensors") == "Serve it: NUDGE_CHECKPOINTS='my models' nudge serve"
    )


def test_a_network_may_have_no_hidden_layer(nudge_here: Nudge, tmp_path: Path) -> None:
    assert nudge_here("train", "or", "--hidden", "", "--epochs", "2000", "--learning-rate", "0.5").returncode == 0
    assert tuple(load(tmp_path / "checkpoints" / "or.safetensors").network.sizes) == (2, 1)


def test_a_run_that_diverges_keeps_the_old_checkpoint(nudge_here: Nudge, tmp_path: Path) -> None:
    assert nudge_here("train", *FEWER_EPOCHS).returncode == 0
    before = (tmp_path / "checkpoints" / "xor.safetensors").read_bytes()
    run = nudge_here("train", "--learning-rate", "1e38", "--activation", "gelu", "--restarts", "3")
    assert run.returncode == 1
    assert re.fullmatch(
        r"nudge: training diverged: after epoch [\d,]+ the loss of every restart is no longer a finite number; "
        r"try a smaller learning rate, or columns of a smaller scale\. Nothing was written\.\n",
        run.stderr,
    )
    assert (tmp_path / "checkpoints" / "xor.safetensors").read_bytes() == before
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


def test_a_terminal_shows_a_progress_bar(environment: dict[str, str], tmp_path: Path) -> None:
    text = run_in_terminal("train", *FEWER_EPOCHS, environment=environment, directory=tmp_path)
    assert "20000/20000" in text
    assert "━" in text
    assert "Epoch 100," not in text
    assert "4 of 4 rows right" in text


def test_training_works_without_standard_output(environment: dict[str, str], tmp_path: Path) -> None:
    command = f"{sys.executable} -m model train --epochs 1000 >&-"
    run = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert run.returncode == 0, run.stderr
    assert load(tmp_path / "checkpoints" / "xor.safetensors").training.epoch == 1000


@pytest.mark.parametrize("name", ["é.safetensors", os.fsdecode(b"\xff.safetensors")], ids=["text", "no text"])
def test_a_file_may_have_any_name_in_any_locale(nudge: Nudge, tmp_path: Path, name: str) -> None:
    run = nudge("train", "--epochs", "100", "--out", name, LC_ALL="C", PYTHONUTF8="0")
    assert run.returncode == 0, run.stderr
    assert load(tmp_path / name).training.epoch == 100


def test_training_on_a_file_prints_its_metrics_next_to_the_baseline(animals: Path) -> None:
    printed = (animals / "printed.txt").read_text()
    assert re.search(r"^Epoch 10, Loss: \d\.\d{4}, Validation: \d\.\d{4}$", printed, re.MULTILINE)
    assert re.search(r"^accuracy +\d\.\d{4} +\d\.\d{4} to \d\.\d{4} +\d\.\d{4}$", printed, re.MULTILINE)
    assert "rows without a target to learn from were left out" in printed
    assert "Of 3 starts the best 2 are kept." in printed
    assert "The gradients agree" in printed
    assert "Warning" not in printed


def test_a_network_that_does_not_beat_the_baseline_gets_a_warning(tmp_path: Path, nudge_here: Nudge) -> None:
    rng = np.random.default_rng(2)
    pl.DataFrame({"a": rng.normal(size=80), "y": rng.normal(size=80)}).write_csv(tmp_path / "noise.csv")
    options = (*QUICK_TRAINING[:7], "--epochs", "3", "--learning-rate", "3", "--clip", "0")
    run = nudge_here("train", "noise.csv", "--target", "y", *options)
    assert "Warning: the network does not beat the mean; the columns may not tell y." in run.stdout, run.stderr


def test_a_regression_and_a_binary_target_are_learned_checked_and_served(tmp_path: Path, nudge_here: Nudge) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=200)
    price = 1000 + 50 * a + rng.normal(size=200)
    pl.DataFrame({"a": a, "price": price, "sold": np.where(a > 0, "yes", "no")}).write_parquet(tmp_path / "t.parquet")
    answers = {}
    for target, drop in (("price", "sold"), ("sold", "price")):
        options = (
            "--target",
            target,
            "--drop",
            drop,
            *QUICK_TRAINING,
            "--epochs",
            "200",
            "--out",
            f"{target}.safetensors",
        )
        run = nudge_here("train", "t.parquet", *options)
        assert run.returncode == 0, run.stderr
        app = create_app({"NUDGE_CHECKPOINTS": str(tmp_path), "NUDGE_MODEL": target})
        answers[target] = app.test_client().get("/predict?a=1.5").get_json()
    assert answers["price"]["prediction"] == pytest.approx(1075, abs=15)
    assert list(answers["price"]) == ["prediction", "spread", "interval", "model", "version"]
    assert answers["sold"]["label"] == "yes"
    assert 0.5 < answers["sold"]["prediction"] <= 1
    check = nudge_here("check", "price.safetensors")
    assert check.returncode == 0, check.stdout


# The content of a file that cannot be learned from, and a part of the message.
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "found"),
    "header only": (b"a,b,y\n", "rows"),
    "one class": (b"a,y\n1,no\n2,no\n", "expected two different values of y or more, found 'no' alone;"),
    "a target with 10,000 texts": (
        b"a,y\n" + b"".join(b"%d,text %d\n" % (i, i) for i in range(10_000)),
        "expected at most 1,000 classes of y in 10,000 rows, found 10,000;",
    ),
    "rows of different lengths": (b"a,y\n1,0\n2,1,3\n", "found 3 in line 3;"),
    "not UTF-8": ("ü,y,ö\n1,2,ñ\n".encode() + b"na\xefve,0,1\n", "UTF-8"),
    "a long line": (b"a,y\n" + b"x" * (18 << 20) + b",0\n", "long"),
    "names": (b"".join([b"name,y\n", *(b"name %d,%d\n" % (i, i % 2) for i in range(100))]), "left out name"),
    "no target": (b"a,y\n1,\n2,\n", "expected a value of y in some row, found none;"),
    "only the target": (b"y\n1\n0\n", "expected a column beside the target, found none;"),
    "beyond float32": (b"a,y\n1,0\n1e39,1\n", "expected numbers within ±3.4e38 in a, found 1.0 to 1e+39; leave it"),
    "classes beyond 2^53": (
        b"a,y\n" + b"".join(b"%d,%d\n" % (i, 2**53 + i % 3) for i in range(30)),
        "expected classes of y within \xb12^53, found 9007199254740992 to 9007199254740994;",
    ),
    "infinite": (b"a,y\n1,0\ninf,1\n", "found inf in the column 'a', row 2;"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_one_sentence_and_status_2(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = BAD_FILES[name]
    Path("bad.csv").write_bytes(content)
    status, errors = run_main("train", "bad.csv", "--target", "y")
    assert status == 2
    assert errors.startswith("nudge: bad.csv: expected ")
    assert errors.count("\n") == 1
    assert message in errors
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["bad.csv"]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("nowhere.csv", ["--target", "y"], "'nowhere.csv' is no file, and none of the truth tables"),
        ("folder.csv", ["--target", "y"], "folder.csv: expected"),
        ("good.csv", [], "good.csv: expected --target with one of its columns, a, b, y"),
        ("good.csv", ["--target", "z"], "good.csv: expected a column 'z', found the columns a, b, y; name one of them"),
        ("good.csv", ["--target", "y", "--drop", "c"], "good.csv: expected a column 'c', found the columns a, b, y;"),
        ("good.csv", ["--target", "y", "--columns", "y,a"], "expected y only as the target"),
        ("good.csv", ["--target", "b", "--task", "binary"], "expected two values of b for a binary task, found 3;"),
        ("good.csv", ["--target", "y", "--weight-decay", "1,x"], "'1,x' is not a list of numbers such as 1 or 3,1"),
        ("good.csv", ["--target", "b", "--class-weights"], "class_weights must be left out of a regression"),
        ("good.csv", ["--target", "y", "--validation", "0.9"], "validation must be a share from 0 to 0.5, not 0.9"),
        ("good.csv", ["--target", "y", "--ensemble", "9", "--restarts", "3"], "ensemble must be at most restarts, 3"),
        ("good.csv", ["--target", "y", "--columns", ""], "expected columns to learn from, found none;"),
        ("good.csv", ["--target", "y", "--drop", '"a'], "is not a list of names such as a,b"),
        (
            "xor",
            ["--target", "y"],
            "xor is a truth table; leave out --target: options of tables are for files",
        ),
    ],
)
def test_wrong_options_for_a_file_are_one_sentence_and_status_2(
    table: str,
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("a,b,y\n1,2,0\n3,4,1\n5,6,1\n")
    Path("folder.csv").mkdir()
    status, errors = run_main("train", table, *options)
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors
    assert not Path("checkpoints").exists() or not list(Path("checkpoints").iterdir())


def test_names_of_columns_may_look_like_patterns_and_have_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command takes them."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i % 7},{i % 3},2020-01-0{i % 9 + 1},{i % 2}\n" for i in range(40))
    Path("odd.csv").write_text(f'*,^a.*$,ab,"when, start",y\n{rows}')
    train = ("train", "odd.csv", "--target", "y", *QUICK_TRAINING)

    def succeed(*arguments: str) -> None:
        status, errors = run_main(*arguments)
        assert not status, errors

    succeed(*train)
    assert load("checkpoints/odd.safetensors").columns == ("*", "^a.*$", "ab", "when, start")
    succeed(*train, "--drop", '"when, start"')
    assert load("checkpoints/odd.safetensors").columns == ("*", "^a.*$", "ab")
    for out in ("scored.csv", "scored.parquet"):
        succeed("predict", "checkpoints/odd.safetensors", "odd.csv", "--out", out)
    assert pl.read_parquet("scored.parquet").columns[:4] == ["*", "^a.*$", "ab", "when, start"]
    succeed("importance", "checkpoints/odd.safetensors", "odd.csv")

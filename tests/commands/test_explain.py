"""`nudge explain`: a row forwards and backwards, as arithmetic."""

import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from model import Checkpoint, Network, TrainingRecord, init_params, loss, save, trace, truth_table
from model.ensembles import Members, bin_inputs
from model.tables.encoding import encode
from tests.commands.examples import run_main
from tests.conftest import Nudge
from tests.examples import COLUMN_SPECS, checkpoint_of, with_bins
from tests.explaining.printed_arithmetic import read_arithmetic

ROWS = "size,colour,constant,useless,y\n12.5,red,5,1.25,yes\n,blue,5,-2,no\n9,red,5,0,\n7,blue,5,3,yes\n"


@pytest.fixture
def two_encodings(tmp_path: Path) -> Checkpoint:
    """A checkpoint of a file with two networks that see numbers and two that see bins, and four rows in a.csv."""
    (tmp_path / "a.csv").write_text(ROWS)
    return save(tmp_path / "a.safetensors", with_bins(checkpoint_of("binary")))


def printed_equations(text: str) -> list[tuple[str, str]]:
    """What is printed on both sides of the last = of a line, for lines with arithmetic."""
    found = []
    for line in text.splitlines():
        line = re.split(r",  |  (?=\S+ → )|  (?=[a-z])", line)[0]
        parts = [part.strip() for part in re.split(r" += ", line)]
        if (len(parts) >= 3 or line.startswith("z")) and not line.startswith("Row"):
            found.append((parts[-2], parts[-1]))
    return found


def test_the_guides_network_fits_a_terminal_and_its_arithmetic_is_right(nudge_here: Nudge, checkpoints: Path) -> None:
    run = nudge_here("explain", str(checkpoints / "xor.safetensors"), "--row", "2")
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Row 2: a = 1, b = 0; xor is 1."
    assert re.search(r"^z1 +=.* = .*relu → [\d.]+$", run.stdout, re.MULTILINE)
    equations = printed_equations(run.stdout)
    assert len(equations) >= 3 + 1 + 3 + 6
    for arithmetic, result in equations:
        found, expected = read_arithmetic(arithmetic), read_arithmetic(result)
        assert found.low - 1e-6 <= expected.high, (arithmetic, result)
        assert expected.low <= found.high + 1e-6, (arithmetic, result)


def test_each_printed_step_is_the_rate_times_the_printed_gradient(nudge_here: Nudge, checkpoints: Path) -> None:
    run = nudge_here("explain", str(checkpoints / "xor.safetensors"), "--row", "2", "--learning-rate", "0.5")
    steps = re.findall(r"^(\d\.\S+) .* = (\S+) +(\S+) → (\S+)$", run.stdout, re.MULTILINE)
    assert len(steps) == 9
    for name, *texts in steps:
        gradient, before, after = map(read_arithmetic, texts)
        expected = before.plus(gradient.times(read_arithmetic("−0.5·1")))
        assert expected.low - 1e-6 <= after.high, name
        assert after.low <= expected.high + 1e-6, name
    outcome = run.stdout.splitlines()[-1]
    before, after = (float(text) for text in re.findall(r"\d+\.\d+", outcome))
    assert outcome.startswith("The loss of this row falls from")
    assert after < before


def test_the_json_has_the_numbers_of_the_functions(nudge_here: Nudge, checkpoints: Path, solved: Checkpoint) -> None:
    run = nudge_here("explain", str(checkpoints / "xor.safetensors"), "--all", "--json", "--learning-rate", "0.25")
    assert run.returncode == 0, run.stderr
    printed: dict[str, Any] = json.loads(run.stdout)
    table = truth_table("xor")
    grads = jax.grad(loss)(solved.params, table.x, table.y, solved.network)
    assert printed["loss"] == pytest.approx(float(loss(solved.params, table.x, table.y, solved.network)), rel=1e-6)
    assert printed["inputs"] == {"a": "a", "b": "b"}
    found = {each["of"]: each["result"] for each in printed["equations"] if each["kind"] == "gradient"}
    assert found["1.weight[0,0]"] == pytest.approx(float(grads[1].weight[0, 0]), rel=1e-4, abs=1e-8)
    assert len(found) == 9
    updates = {each["of"]: each["result"] for each in printed["equations"] if each["kind"] == "update"}
    assert updates["1.bias[0]"] == pytest.approx(float(solved.params[1].bias[0] - 0.25 * grads[1].bias[0]), rel=1e-6)


def test_without_a_checkpoint_the_default_one_is_explained(
    nudge_here: Nudge, tmp_path: Path, solved: Checkpoint
) -> None:
    run = nudge_here("explain")
    assert run.returncode == 2
    assert "expected a checkpoint in it, found none; write one with `make train`" in run.stderr
    save(tmp_path / "checkpoints" / "xor.safetensors", solved)
    run = nudge_here("explain")
    assert run.returncode == 0
    assert run.stdout.startswith("Row 1: a = 0, b = 1; xor is 1.\n")


def test_all_rows_are_summed(nudge_here: Nudge, checkpoints: Path) -> None:
    run = nudge_here("explain", str(checkpoints / "xor.safetensors"), "--all")
    assert re.findall(r"^Row (\d): a = (\d), b = (\d); xor is (\d)\.$", run.stdout, re.MULTILINE) == [
        ("0", "0", "0", "0"),
        ("1", "0", "1", "1"),
        ("2", "1", "0", "1"),
        ("3", "1", "1", "0"),
    ]
    assert "loss = (loss1 + loss2 + loss3 + loss4) / 4 = " in run.stdout
    assert re.search(r"^1\.bias\[0\] +Σ δ3 = ", run.stdout, re.MULTILINE)
    for arithmetic, result in printed_equations(run.stdout):
        found, expected = read_arithmetic(arithmetic), read_arithmetic(result)
        assert found.low - 1e-6 <= expected.high, (arithmetic, result)
        assert expected.low <= found.high + 1e-6, (arithmetic, result)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_one_network_of_an_ensemble_is_explained_with_the_inputs_that_it_sees(
    number: int, two_encodings: Checkpoint, nudge_here: Nudge
) -> None:
    run = nudge_here("explain", "a.safetensors", "a.csv", "--network", str(number), "--row", "0", "--json")
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout)
    group = two_encodings.ensemble[(number - 1) // 2]
    params = jax.tree.map(lambda leaf: leaf[(number - 1) % 2], group.params)
    x = np.asarray(bin_inputs(encode(COLUMN_SPECS, np.array([[12.5, 1.0, 5.0, 1.25]])), group.bins))
    assert printed["loss"] == float(loss(params, x, np.array([1], np.float32), group.network))
    names = list(printed["inputs"].values())
    assert {"size is missing", "colour = blue", "colour = red", "constant"} <= set(names)
    assert len(names) == x.shape[1]
    assert ("size from 9 to 10" in names) == (group.bins is not None)


def test_the_rows_of_a_file_are_named_and_notes_say_what_predictions_do_besides(
    two_encodings: Checkpoint, nudge_here: Nudge
) -> None:
    run = nudge_here("explain", "a.safetensors", "a.csv", "--row", "1")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "Row 1: size = (missing), colour = blue, constant = 5, useless = -2; y is no."
    assert "x2  = 1   size is missing" in lines
    assert "x3  = 1   colour = blue" in lines
    assert lines[-2].startswith("Note: this is network 1 of 4; the checkpoint's prediction is the mean of all")
    assert lines[-1] == "Note: for predictions, the outputs z are divided by the temperature 1.7."


def test_rows_without_a_target_are_left_out_of_all(two_encodings: Checkpoint, nudge_here: Nudge) -> None:
    run = nudge_here("explain", "a.safetensors", "a.csv", "--all")
    assert re.findall(r"^Row (\d)", run.stdout, re.MULTILINE) == ["0", "1", "3"]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_every_task_is_explained(task: str, nudge_here: Nudge, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", checkpoint_of(task))
    (tmp_path / "a.csv").write_text(ROWS.replace("yes", "3").replace("no", "1"))
    run = nudge_here("explain", "a.safetensors", "a.csv", "--row", "0")
    assert run.returncode == 0, run.stderr
    if task == "multiclass":
        assert re.search(r"^p3 += e\^.* / \(e\^.*\) += \S+ +3$", run.stdout, re.MULTILINE)
        assert re.search(r"^loss = −log\(p3\) = ", run.stdout, re.MULTILINE)
        assert re.search(r"^δ6 += p3 − y3 ", run.stdout, re.MULTILINE)
    else:
        assert re.search(r"^loss = \(ŷ − y\)² = ", run.stdout, re.MULTILINE)
        assert re.search(r"^δ4 += 2·\(ŷ − y\) ", run.stdout, re.MULTILINE)
        assert "y and ŷ are y as it is scaled for training" in run.stdout


def test_a_wide_network_is_shortened_with_notes(nudge_here: Nudge, tmp_path: Path) -> None:
    network = Network((2, 64, 32, 1), "gelu")
    params = init_params(network, key=jax.random.key(0))
    record = TrainingRecord(table="xor", epoch=0, loss=0.7, seed=0)
    save(tmp_path / "wide.safetensors", Checkpoint((Members(network, params),), ("a", "b"), "xor", (0, 1), record))
    run = nudge_here("explain", "wide.safetensors")
    assert run.returncode == 0
    assert len(run.stdout.splitlines()) < 70
    for note in (
        "6 of 64 units of layer 1 are shown, those with the largest δ",
        "6 of 32 units of layer 2 are shown, those with the largest δ",
        "20 of 2,305 parameters are shown, those with the largest gradients",
        "nothing is left out with --json",
    ):
        assert f"Note: {note}." in run.stdout
    assert re.search(r"\[61 more: \S+\]", run.stdout)
    table = truth_table("xor")
    slopes = jax.tree.leaves(trace(params, table.x[1:2], table.y[1:2], network).grads)
    steepest = max(float(np.abs(leaf).max()) for leaf in slopes)
    shown = [abs(float(text.replace("−", "-"))) for text in re.findall(r"= (−?\d\.\d+)  +\S+ → ", run.stdout)]
    assert max(shown) == pytest.approx(steepest, rel=1e-3)


def test_wrong_input_is_one_sentence(two_encodings: Checkpoint, checkpoints: Path, tmp_path: Path) -> None:
    xor, file = str(checkpoints / "xor.safetensors"), str(tmp_path / "a.safetensors")
    rows, other = str(tmp_path / "a.csv"), tmp_path / "other.csv"
    other.write_text(ROWS.replace("yes", "maybe"))
    (tmp_path / "broken.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-1])
    for arguments, message in (
        ((xor, "--row", "4"), "--row: expected a row from 0 to 3, found 4; choose one of them"),
        ((xor, "--row", "-1"), "-1 is not in the range x>=0"),
        ((xor, "--row", "two"), "'two' is not a valid integer"),
        ((xor, "--row", "1", "--all"), "expected --row or --all, found both; give one of them"),
        ((xor, "--network", "2"), "--network: expected 1, as there is only one network, found 2; choose another"),
        ((file, rows, "--network", "5"), "--network: expected 1 to 4, as there are 4 networks, found 5;"),
        ((xor, "--learning-rate", "nan"), "nan is not a finite number"),
        ((xor, "--learning-rate", "-1"), "-1.0 is not in the range"),
        ((file,), f"{file}: expected a file with rows to explain, because the checkpoint of a file does not hold"),
        ((file, rows, "--row", "2"), "expected a row with a target, found none in row 2; choose another: 0, 1, 3"),
        ((file, str(other)), "expected one of no, yes in y, found 'maybe' in row 1"),
        ((file, str(tmp_path / "nowhere.csv")), "nowhere.csv"),
        ((str(tmp_path / "broken.safetensors"), rows), "broken.safetensors: expected"),
        ((rows,), "a.csv: expected"),
    ):
        status, errors = run_main("explain", *arguments)
        assert (status, errors.count("\n")) == (2, 1), (arguments, errors)
        assert message in errors, arguments


def test_too_many_rows_are_refused(two_encodings: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(ROWS.splitlines()[0] + "\n" + "1,red,5,0,yes\n" * 1001)
    path = str(tmp_path / "a.safetensors")
    status, errors = run_main("explain", path, str(tmp_path / "long.csv"), "--all")
    assert status == 2
    assert "--all: expected at most 1,000 rows, found 1,001; choose one with --row" in errors


def test_numbers_beyond_float32_are_told(nudge_here: Nudge, tmp_path: Path, solved: Checkpoint) -> None:
    run = nudge_here("explain", "--learning-rate", "1e38", str(save_with(tmp_path, solved, 3e38)))
    assert run.returncode == 0, run.stderr
    assert "∞" in run.stdout
    assert "Note: ∞ and NaN appear where a number is too large for float32." in run.stdout


def save_with(folder: Path, checkpoint: Checkpoint, weight: float) -> Path:
    """Save the checkpoint with all weights of this size."""
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, weight, np.float32), checkpoint.params)
    ensemble = (Members(checkpoint.network, params),)
    record = checkpoint.training
    path = folder / "large.safetensors"
    save(path, Checkpoint(ensemble, checkpoint.columns, checkpoint.target, checkpoint.classes, record))
    return path

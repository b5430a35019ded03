"""`nudge sweep`: the grid, the results, the best run's checkpoint, and going on after being killed."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from model import load
from model.commands.grid import NAMES, parse_grid, value_text
from model.commands.sweep_results import summarize
from model.tables.result_files import ResultsError, read_results, write_results
from tests.commands.examples import QUICK_TRAINING, run_in_terminal, write_animals
from tests.conftest import Nudge
from tests.examples import same_bits

GRID = ("--grid", "learning_rate=0.03,0.003", "--grid", "activation=relu,tanh")
SWEEP = ("sweep", "animals.csv", "--target", "kind", *QUICK_TRAINING[:-1], "5", *GRID, "--seeds", "2")
# Kills its process when the checkpoint of the second group is written, and its results are not.
KILLED_IN_THE_SECOND_GROUP = """
import os, signal
import model.commands.sweep as module
from model.commands.cli import main

write, calls = module.write_results, []

def write_once(*arguments):
    calls.append(arguments)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)

module.write_results = write_once
main()
"""
XOR_SWEEP = ("sweep", "xor", "--epochs", "300", "--restarts", "3", "--grid", "hidden=2,3,none", "--seeds", "2")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with animals.csv."""
    write_animals(tmp_path / "animals.csv", rows=60)
    return tmp_path


def test_the_results_and_the_checkpoint_are_those_of_the_runs_one_by_one(nudge_here: Nudge, directory: Path) -> None:
    run = nudge_here(*SWEEP, "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    results = pl.read_parquet(directory / "checkpoints" / "animals.sweep.parquet")
    assert results.select("learning_rate", "activation", "seed").rows() == [
        (rate, activation, seed) for rate in (0.03, 0.003) for activation in ("relu", "tanh") for seed in (0, 1)
    ]
    means = results.group_by("combination").agg(pl.col("log loss").mean(), pl.col("log loss").std().alias("spread"))
    means = means.sort("log loss")
    assert [each["mean"] for each in told["combinations"]] == pytest.approx(means["log loss"].to_list())
    assert [each["spread"] for each in told["combinations"]] == pytest.approx(means["spread"].to_list())
    best = results.filter(combination=means["combination"][0]).sort("log loss").row(0, named=True)
    assert told["best"] == best
    own = (
        "--learning-rate",
        str(best["learning_rate"]),
        "--activation",
        best["activation"],
        "--seed",
        str(best["seed"]),
    )
    single = nudge_here("train", *SWEEP[1:-6], *own, "--out", "single.safetensors")
    assert single.returncode == 0, single.stderr
    expected, found = load(directory / "single.safetensors"), load(told["out"])
    assert found.version == told["version"]
    for one, other in zip(found.state, expected.state, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert found.training.metrics == pytest.approx(expected.training.metrics, rel=1e-5)
    assert found.training.intervals.keys() == expected.training.intervals.keys()
    assert best["validation_loss"] == pytest.approx(expected.training.loss, rel=1e-5)
    assert best["epoch"] == expected.training.epoch
    assert {path.name for path in (directory / "checkpoints").iterdir()} == {
        "animals.safetensors",
        "animals.sweep.parquet",
    }


def test_people_get_a_line_for_each_combination_the_best_first(nudge_here: Nudge, tmp_path: Path) -> None:
    run = nudge_here(*XOR_SWEEP, "--out", "a.safetensors", "--results", "b.parquet")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("hidden"))
    results = pl.read_parquet(tmp_path / "b.parquet")
    means = results.group_by("hidden").agg(pl.col("loss").mean()).sort("loss")
    assert [line.split()[:2] for line in lines[first + 1 : first + 4]] == [
        [hidden, f"{loss:.4f}"] for hidden, loss in means.rows()
    ]
    assert [line for line in lines[:first] if " of 6 runs; best loss " in line] == lines[:first]
    assert lines[-1] == "Results: b.parquet"
    assert load(tmp_path / "a.safetensors").training.loss == results.filter(hidden=means["hidden"][0])["loss"].min()


def test_a_sweep_that_is_killed_goes_on_to_the_same_outcome(
    nudge: Nudge, tmp_path: Path, environment: dict[str, str]
) -> None:
    assert nudge(*XOR_SWEEP, "--out", "whole.safetensors").returncode == 0
    command = [sys.executable, "-c", KILLED_IN_THE_SECOND_GROUP, *XOR_SWEEP, "--out", "parts.safetensors"]
    killed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = pl.read_parquet(tmp_path / "parts.sweep.parquet")
    assert before["combination"].to_list() == [0, 0]
    assert len(list((tmp_path / "parts.sweep.best").iterdir())) == 2
    assert not (tmp_path / "parts.safetensors").exists()
    resumed = nudge(*XOR_SWEEP, "--out", "parts.safetensors", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    whole, parts = (pl.read_parquet(tmp_path / f"{name}.sweep.parquet") for name in ("whole", "parts"))
    assert_frame_equal(parts.drop("seconds"), whole.drop("seconds"), check_exact=True)
    assert parts["seconds"][: len(before)].to_list() == before["seconds"].to_list()  # they were not done again
    one, other = load(tmp_path / "whole.safetensors"), load(tmp_path / "parts.safetensors")
    assert same_bits((one.ensemble, one.state), (other.ensemble, other.state))
    assert not (tmp_path / "parts.sweep.best").exists()


def test_a_sweep_is_resumed_only_with_the_same_settings(nudge_here: Nudge, tmp_path: Path) -> None:
    assert nudge_here(*XOR_SWEEP, "--out", "a.safetensors").returncode == 0
    before = [(tmp_path / name).read_bytes() for name in ("a.safetensors", "a.sweep.parquet")]
    again = nudge_here(*XOR_SWEEP, "--out", "a.safetensors", "--resume")
    assert again.returncode == 0, again.stderr
    assert [(tmp_path / name).read_bytes() for name in ("a.safetensors", "a.sweep.parquet")] == before
    (tmp_path / "a.safetensors").unlink()
    assert nudge_here(*XOR_SWEEP, "--out", "a.safetensors", "--resume").returncode == 0
    assert (tmp_path / "a.safetensors").read_bytes() == before[0]
    other = nudge_here(*XOR_SWEEP, "--out", "a.safetensors", "--resume", "--init", "he")
    assert (other.returncode, other.stderr) == (
        2,
        "nudge: a.sweep.parquet: expected results of the same table, options and grid, found those of another sweep; "
        "name another with --results, or sweep anew without --resume\n",
    )
    (tmp_path / "b.parquet").write_text("no results")
    wrong = nudge_here(*XOR_SWEEP, "--results", "b.parquet", "--resume")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert wrong.stderr.startswith(
        "nudge: b.parquet: expected the results of a sweep, found another file, or one that is damaged; "
    )


def test_a_sweep_in_which_every_run_diverges_says_so(nudge_here: Nudge, tmp_path: Path) -> None:
    run = nudge_here(
        *("sweep", "xor", "--epochs", "100", "--restarts", "1", "--activation", "gelu", "--seeds", "1"),
        *("--grid", "learning_rate=1e37,1e38", "--out", "a.safetensors"),
    )
    assert run.returncode == 1
    assert run.stderr == "nudge: every run diverged; a.sweep.parquet says when; try smaller learning rates\n"
    assert pl.read_parquet(tmp_path / "a.sweep.parquet")["loss"].to_list() == [None, None]
    assert not (tmp_path / "a.safetensors").exists()


def test_a_terminal_shows_a_bar_with_the_time_left(environment: dict[str, str], tmp_path: Path) -> None:
    text = run_in_terminal(*XOR_SWEEP, environment=environment, directory=tmp_path)
    assert "6 of 6 runs" in text
    assert "━" in text
    assert "best loss" in text
    assert ":00" in text


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (("hidden",), "--grid: expected NAME=VALUE,VALUE, such as hidden=64,64x64, found 'hidden'"),
        (("rate=1",), f"--grid: expected one of {', '.join(NAMES)}, found 'rate'; name one of them"),
        (("hidden=8x",), "--grid hidden: expected values such as 64 or 64x64, found '8x'"),
        (("weight_decay=a",), "--grid weight_decay: expected values such as 1 or 3+1, found 'a'"),
        (("epochs=0",), "--grid epochs: 0 is not in the range x>=1."),
        (("epochs=5,5",), "--grid epochs: expected different values, found 5 twice; leave one out"),
        (
            ("epochs=5", "epochs=6"),
            "--grid epochs: expected the name once, found it in another --grid too; leave one out",
        ),
        (("mask=0.1",), "--grid mask: expected the name once, found it in --mask too; leave one out"),
        (("validation=a.csv",), "--grid validation: 'a.csv' is not a valid float."),
    ],
)
def test_a_wrong_grid_gets_one_sentence(grid: tuple[str, ...], message: str) -> None:
    with pytest.raises(click.UsageError) as error:
        parse_grid(grid, ["mask"])
    assert error.value.message == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--grid", "learning_rate=-1"), "the learning rate must be a finite number above 0 in float32, not -1.0"),
        (("--grid", "class_weights=true", "--target", "a"), "xor is a truth table; leave out --target: "),
        (("--results", "."), ".: expected a file, found a directory; name another"),
        (("--seeds", "20000"), "--grid and --seeds ask for 20,000 runs; ask for at most 10,000"),
        (("--grid", "epochs=3", "--epochs", "3"), "--grid epochs: expected the name once, found it in --epochs too"),
    ],
)
def test_a_wrong_sweep_gets_one_sentence(nudge_here: Nudge, options: tuple[str, ...], message: str) -> None:
    run = nudge_here("sweep", "xor", *options)
    assert run.returncode == 2
    assert run.stderr.startswith(f"nudge: {message}")
    assert run.stderr.count("\n") == 1


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "hidden": st.lists(st.integers(1, 999), max_size=3).map(tuple),
    "weight_decay": st.lists(st.floats(0, 1e3), min_size=1, max_size=3).map(tuple),
    "learning_rate": st.floats(0, 1e3),
    "epochs": st.integers(1, 10**9),
    "class_weights": st.booleans(),
    "encodings": st.sampled_from([("numbers",), ("bins", "numbers")]),
    "schedule": st.sampled_from(["constant", "cosine"]),
}


@given(
    st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True).flatmap(
        lambda names: st.fixed_dictionaries(
            {name: st.lists(VALUES[name], min_size=1, max_size=3, unique=True) for name in names}
        )
    )
)
def test_a_grid_is_read_as_it_is_written(grid: dict[str, list[Any]]) -> None:
    written = [f"{name}={','.join(map(value_text, values))}" for name, values in grid.items()]
    assert parse_grid(written, ()) == {name: tuple(values) for name, values in grid.items()}


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 3)), st.none() | st.floats(-5, 5).map(lambda x: round(x, 3))
    )
)
def test_combinations_are_in_the_order_of_their_means(scores: dict[tuple[int, int], float | None]) -> None:
    rows = [{"combination": index, "seed": seed, "loss": loss} for (index, seed), loss in scores.items()]
    summaries = summarize(rows, "loss")
    by_combination = {
        index: [np.inf if loss is None else loss for (own, _), loss in scores.items() if own == index]
        for index in {index for index, _ in scores}
    }
    assert {each.combination: each.mean for each in summaries} == pytest.approx(
        {index: np.mean(losses) for index, losses in by_combination.items()}
    )
    assert [each.mean for each in summaries] == sorted(each.mean for each in summaries)
    for each in summaries:
        losses = by_combination[each.combination]
        assert each.rows[0]["loss"] == (None if min(losses) == np.inf else min(losses))
        is_spread = len(losses) > 1 and np.isfinite(losses).all()
        assert each.spread == pytest.approx(np.std(losses, ddof=1) if is_spread else np.nan, nan_ok=True)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (
            "animals.parquet",
            "animals.parquet: expected a file of its own, found the table; name another with --results",
        ),
        ("./animals.parquet", "animals.parquet: expected a file of its own, found the table"),
        ("checkpoints/animals.safetensors", "expected a name that ends in .parquet, found animals.safetensors"),
    ],
)
def test_results_are_written_over_nothing_else(nudge_here: Nudge, directory: Path, results: str, message: str) -> None:
    pl.read_csv(directory / "animals.csv").write_parquet(directory / "animals.parquet")
    before = (directory / "animals.parquet").read_bytes()
    run = nudge_here("sweep", "animals.parquet", *SWEEP[2:], "--results", results)
    assert run.returncode == 2
    assert message in run.stderr
    assert (directory / "animals.parquet").read_bytes() == before


def test_a_sweep_removes_no_checkpoint_of_somebody_else(nudge_here: Nudge, tmp_path: Path) -> None:
    own = tmp_path / "checkpoints" / "xor.sweep.best" / "precious.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    assert nudge_here(*XOR_SWEEP).returncode == 0
    assert [each.name for each in own.parent.iterdir()] == ["precious.safetensors"]


def test_a_checkpoint_that_was_written_over_since_is_not_called_the_best_run(nudge_here: Nudge, tmp_path: Path) -> None:
    out = tmp_path / "checkpoints" / "xor.safetensors"
    assert nudge_here(*XOR_SWEEP).returncode == 0
    best = out.read_bytes()
    assert nudge_here("train", "xor", "--epochs", "10").returncode == 0
    assert out.read_bytes() != best
    assert nudge_here(*XOR_SWEEP, "--resume").returncode == 0
    assert out.read_bytes() == best


@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_results_with_a_changed_bit_are_refused_or_the_same(place: int, bit: int) -> None:
    rows = [{"seed": seed, "loss": 0.25 * seed, "name": "a"} for seed in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.parquet")
        write_results(path, rows, "here")
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= 1 << bit
        path.write_bytes(data)
        try:
            found = read_results(path)
        except ResultsError:
            return
        assert found[0] == rows

"""`nudge train --group`, `--time` and `--validation FILE`: what is held out, and what is said about it."""

import json
import random
from pathlib import Path

import pytest

from model import load
from tests.commands.examples import run_main
from tests.conftest import Nudge

QUICK = ("--target", "sick", "--fast", "--hidden", "4", "--restarts", "2", "--ensemble", "1", "--epochs", "3")


def rows(count: int, seed: int) -> str:
    rng = random.Random(seed)
    lines = [
        f"{rng.randint(0, 19)},{day + 1},{rng.gauss(0, 1):.2f},{rng.choice(['yes', 'no'])}\n" for day in range(count)
    ]
    return "patient,day,dose,sick\n" + "".join(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with visits.csv and the further rows of new.csv."""
    (tmp_path / "visits.csv").write_text(rows(100, 0))
    (tmp_path / "new.csv").write_text(rows(30, 1))
    return tmp_path


def test_each_way_to_hold_rows_out_is_told_shown_and_kept(nudge_here: Nudge, folder: Path) -> None:
    by_option = {
        ("--group", "patient"): "rows, all those of ",
        ("--time", "day"): "the latest 15 rows by day, from 86 on",
        ("--time", "day", "--validation", "0.3"): "the latest 30 rows by day, from 71 on",
        ("--validation", "new.csv"): "the 30 rows of new.csv",
        ("--validation", "0.1"): "10 rows, drawn at random",
    }
    for index, (options, text) in enumerate(by_option.items()):
        run = nudge_here("train", "visits.csv", *QUICK, *options, "--out", f"{index}.safetensors")
        assert run.returncode == 0, run.stderr
        record = load(folder / f"{index}.safetensors").training
        assert text in record.split
        assert f"\nHeld out: {record.split}.\n" in run.stdout
        assert f"held out     {record.split}\n" in nudge_here("show", f"{index}.safetensors").stdout
    as_json = nudge_here("train", "visits.csv", *QUICK, "--time", "day", "--json")
    assert json.loads(as_json.stdout)["split"] == "the latest 15 rows by day, from 86 on"


def test_a_class_of_which_no_row_is_held_out_is_told(nudge_here: Nudge, folder: Path) -> None:
    (folder / "rare.csv").write_text(
        "a,sick\n" + "".join(f"{row},{'yes' if row == 7 else 'no'}\n" for row in range(60))
    )
    once, folds = (
        "no row of class 'yes' is held out: it has only one row",
        "class 'yes' has only one row; networks that hold it out know nothing about the class",
    )
    assert f"\nNote: {once}.\n" in nudge_here("train", "rare.csv", *QUICK).stdout
    shown = nudge_here("train", "rare.csv", *QUICK, "--folds", "2", "--ensemble", "2", "--json").stdout
    assert folds in json.loads(shown)["notes"]


def test_a_run_is_not_resumed_with_other_rows_held_out(nudge_here: Nudge, folder: Path) -> None:
    out = ("--out", "x.safetensors", "--schedule", "constant")
    for first, second in (((), ("--time", "day")), (("--time", "day"), ())):
        assert nudge_here("train", "visits.csv", *QUICK, *first, *out).returncode == 0
        longer = ("train", "visits.csv", *QUICK[:-1], "5", *out, "--resume")
        refused = nudge_here(*longer, *second)
        assert refused.returncode == 2
        assert refused.stderr == (
            "nudge: --resume: x.safetensors was trained on another table, or with other rows held out; "
            "train anew without --resume\n"
        )
        resumed = nudge_here(*longer, *first)
        assert resumed.returncode == 0, resumed.stderr


def test_inspect_leaves_the_groups_out(nudge: Nudge, folder: Path) -> None:
    for target in (("--target", "sick"), ()):
        shown = nudge("inspect", "visits.csv", *target, "--group", "patient")
        assert shown.returncode == 0, shown.stderr
        assert [line.split()[0] for line in shown.stdout.splitlines()[1:4]] == ["day", "dose", "sick"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["visits.csv", *QUICK, "--validation", "nowhere.csv"],
            "expected a share from 0 to 0.5 such as 0.2, or a file",
        ),
        (["visits.csv", *QUICK, "--validation", "15%"], "expected a share from 0 to 0.5 such as 0.2, or a file"),
        (["visits.csv", *QUICK, "--validation", "0.9"], "validation must be a share from 0 to 0.5, not 0.9"),
        (["visits.csv", *QUICK, "--validation", "v*.csv"], "visits.csv: expected other rows to hold out, found a file"),
        (["visits.csv", *QUICK, "--validation", "n*.csv", "--time", "day"], "found --time and rows for --validation;"),
        (["xor", "--validation", "new.csv"], "xor is a truth table; leave out --validation FILE: options of tables"),
        (["xor", "--group", "a"], "xor is a truth table; leave out --group: options of tables are for files"),
    ],
)
def test_wrong_ways_are_one_sentence_and_status_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    status, errors = run_main("train", *arguments)
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors

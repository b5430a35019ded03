"""Several files of one schema on the command line."""

import csv
from pathlib import Path

import jax
import numpy as np
import openpyxl
import polars as pl
import pytest

from model import load, read_table
from tests.commands.examples import QUICK_TRAINING, run_main, write_animals
from tests.conftest import Nudge


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder with the animals in three files, and in one."""
    write_animals(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    for index in range(3):
        with (tmp_path / f"part-{index}.csv").open("w", newline="") as file:
            csv.writer(file, delimiter=",;\t"[index]).writerows([header, *rows[80 * index : 80 * (index + 1)]])
    return tmp_path


def test_a_pattern_trains_the_network_of_the_whole(parts: Path, nudge_here: Nudge) -> None:
    options = ("--target", "kind", *QUICK_TRAINING)
    for tables in (["all.csv"], ["part-*.csv"]):
        run = nudge_here("train", *tables, *options)
        assert run.returncode == 0, run.stderr
    found, whole = (load(parts / "checkpoints" / f"{name}.safetensors") for name in ("part", "all"))
    digest = read_table(parts / "all.csv", "kind").digest
    assert found.training.table_digest == whole.training.table_digest == digest
    assert found.training.table == "part-*.csv"
    for one, other in zip(jax.tree.leaves(found.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_array_equal(one, other)


def test_several_files_are_scored_as_one(parts: Path, animals_checkpoint: str) -> None:
    def scored(*files: str) -> pl.DataFrame:
        out = str(parts / "scored.parquet")
        assert run_main("predict", animals_checkpoint, *files, "--out", out)[0] in (0, None)
        return pl.read_parquet(out)

    assert scored(f"{parts}/part-*.csv").equals(scored(f"{parts}/all.csv"))


def test_an_error_names_the_file_and_the_row_in_it(parts: Path, animals_checkpoint: str) -> None:
    text = (parts / "part-1.csv").read_text().splitlines()
    text[7] = text[7].replace("True", "perhaps").replace("false", "perhaps")
    (parts / "part-1.csv").write_text("\n".join(text))
    status, errors = run_main(
        "predict", animals_checkpoint, f"{parts}/part-*.csv", "--out", f"{parts}/out.csv", "--strict"
    )
    assert (status, (parts / "out.csv").exists()) == (2, False)
    assert errors.splitlines()[-1] == (
        f"nudge: {parts}/part-1.csv: expected one of false, true in the column wild, found 'perhaps' in row 7; "
        "mend it or leave the row out"
    )


def test_inspect_shows_the_columns_of_all_files(parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from model.commands.cli import cli

    shown = []
    for file in ("part-?.csv", "all.csv"):
        cli.main(["inspect", f"{parts}/{file}", "--target", "kind"], standalone_mode=False)
        shown.append(capsys.readouterr().out.splitlines())
    assert [line for line in shown[0] if "Note: read 3 files as one table, from " not in line] == shown[1]


def test_importance_is_that_of_all_files(
    parts: Path, animals_checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from model.commands.cli import cli

    for files in (["part-0.csv", "part-1.csv", "part-2.csv"], ["all.csv"]):
        cli.main(["importance", animals_checkpoint, *(f"{parts}/{file}" for file in files)], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "xor", "and"), "xor is a truth table; name it alone, or write ./xor for a file"),
        (
            ("train", "part-0.csv", "part-1.csv"),
            "part-0.csv and 1 more: expected --target with one of its columns, size, cm, color, wild, constant, kind",
        ),
        (
            ("train", "none-*.csv", "--target", "y"),
            "none-*.csv: expected a file that matches this pattern, found none; mend the pattern, or name a file",
        ),
        (
            ("inspect", "part-0.csv", "none.csv"),
            "none.csv: expected a table, found no file; name one that is there",
        ),
        (
            ("train", ".", "--target", "y"),
            ".: expected a table, found a directory; name a file in it, or a pattern such as './*.csv'",
        ),
        (("inspect",), "Missing argument 'FILE...'."),
    ],
)
def test_wrong_files_are_one_sentence(
    parts: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(parts)
    assert run_main(*arguments) == (2, f"nudge: {message}\n")


def test_a_sheet_is_scored_as_a_text_is(parts: Path, animals_checkpoint: str) -> None:
    with (parts / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [[None if text in ("", "NA") else text for text in row] for row in csv.reader(file)]
    book = openpyxl.Workbook()
    book.active.append(["about", "this"])
    sheet = book.create_sheet("Animals")
    for size, *texts in rows:
        sheet.append([float(size) if size and size[0].isdigit() else size, *texts])
    book.save(parts / "all.xlsx")
    printed, scored = {}, {}
    for name, options in (("all.csv", ()), ("all.xlsx", ("--sheet", "Animals"))):
        out = parts / f"{name}.scored.csv"
        status, errors = run_main("predict", animals_checkpoint, str(parts / name), *options, "--out", str(out))
        assert status in (0, None)
        printed[name] = errors
        scored[name] = pl.read_csv(out).select(pl.col("^(prediction|label|spread|notes).*$"))
    assert scored["all.xlsx"].equals(scored["all.csv"])
    assert scored["all.csv"].height == 240
    assert printed == {
        "all.csv": "",
        "all.xlsx": "Note: read the sheet 'Animals', and not Sheet; --sheet chooses another.\n",
    }
    status, errors = run_main("train", "xor", "--sheet", "Animals")
    assert status == 2
    assert "xor is a truth table; leave out --sheet: options of tables are for files" in errors

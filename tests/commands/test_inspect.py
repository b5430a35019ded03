"""`nudge inspect`: what would be learned from a file, before any training."""

from pathlib import Path

import pytest

from model import table_from
from model.commands.column_table import table_text
from tests.commands.examples import run_main

ROWS = "".join(f"{index};{index},5;{1 + index % 28}.2.2024;{index % 3 > 0};id {index}\n" for index in range(30))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(f";size;day;good;name\n{ROWS}")
    return path


def inspect(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    from model.commands.cli import cli

    cli.main(["inspect", *arguments], standalone_mode=False)
    return [[cell for cell in line.split("  ") if cell] for line in capsys.readouterr().out.splitlines()]


def test_each_column_is_shown_and_how_it_was_read(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header, size, day, good, *notes = inspect(capsys, str(file))
    assert [cell.strip() for cell in header] == [
        "column",
        "type",
        "range or categories",
        "scaling",
        "inputs",
        "missing",
    ]
    assert [cell.strip() for cell in size][:3] == ["size", "number", "0.5 to 29.5"]
    assert [cell.strip() for cell in day] == [
        "day",
        "date",
        "2024-02-01 to 2024-02-28",
        "scaled time, day, weekday",
        "5",
        "answered with a note",
    ]
    assert [cell.strip() for cell in good][:3] == ["good", "boolean", "false, true"]
    assert notes == [
        ["Note: left out row numbers; --columns row reads that column anyway."],
        ["Note: '0,5' in size is read as 0.5."],
        ["Note: '1.2.2024' in day is read as 2024-02-01."],
        ["Note: left out name: it has 30 different texts in 30 rows; --keep takes it anyway."],
    ]


def test_training_shows_the_same_columns_before_it_begins(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = inspect(capsys, str(file), "--target", "good")
    training = ("--epochs", "2", "--restarts", "1", "--out", str(file.with_suffix(".safetensors")))
    from model.commands.cli import cli

    cli.main(["train", str(file), "--target", "good", *training], standalone_mode=False)
    shown = [[cell for cell in line.split("  ") if cell] for line in capsys.readouterr().out.splitlines()]
    assert shown[: len(lines)] == lines


def test_of_many_columns_training_shows_the_first() -> None:
    table = table_from({f"c{index}": [1.0, 2.0] for index in range(100)} | {"y": [0, 1]}, "y")
    lines = table_text(table, 3).splitlines()
    assert [line.split()[0] for line in lines] == ["column", "c0", "c1", "c2", "…", "y"]
    assert lines[4].startswith("… and 97 more columns")
    assert len(table_text(table).splitlines()) == 102


def test_the_target_is_shown_with_its_task(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = inspect(capsys, str(file), "--target", "good", "--drop", "day", "--keep", "name")
    assert [line[0].strip() for line in lines[1:4]] == ["size", "name", "good"]
    assert [cell.strip() for cell in lines[3]] == ["good", "target, binary", "False, True"]
    lines = inspect(capsys, str(file), "--target", "size", "--columns", "day,good")
    assert [cell.strip() for cell in lines[3]][:3] == ["size", "target, regression", "0.5 to 29.5"]


def test_a_wrong_file_is_one_sentence(file: Path) -> None:
    status, errors = run_main("inspect", str(file), "--target", "price")
    assert (status, errors.count("\n")) == (2, 1)
    assert "expected a column 'price', found the columns size, day, good, name" in errors

"""The tables of bench.scaling, from times that the model itself has made."""

import re
from pathlib import Path

import pytest

from bench import cost_tables, scaling
from bench.cost_model import Links, Rows, Starts
from bench.cost_tables import LARGE_SUM, PARAMETERS, Costs, Run, Sizes, Times
from bench.scaling import BEGIN, END, measure_all, tables_of, write_between_marks
from model.training.state import chunk_count

SIZES = Sizes(starts=128, file_starts=4, rows=1000, batches=(100, 1000), epochs=((10, 90), (2, 6), (5, 25)), turns=1)
TRUE = Costs(Starts(3.0, 1e-3), Starts(4.0, 0.25), Rows(4.0, 1e-3, 1e-5, 4 * PARAMETERS))
LINKS = Links(1e-5, 1e9)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of a machine with as many cores as devices, on which everything takes what the model says."""

    def measure(run: Run, devices: int, turns: int) -> Times:
        if run.name == "starts of XOR":
            chunks = chunk_count(SIZES.starts, uses_minibatches=False)
            return Times(TRUE.xor.unit * -(-chunks // devices), TRUE.xor.start)
        if run.name == "starts of a file":
            return Times(TRUE.file.unit * max(1, 4 // devices), TRUE.file.start)
        batch = int(re.sub(r"\D", "", run.name))
        seconds = TRUE.rows.seconds(devices, LINKS, rows=SIZES.rows, batch=batch, epochs=1)
        return Times(seconds - TRUE.rows.start, TRUE.rows.start)

    def sums(devices: int) -> tuple[float, float]:
        return LINKS.all_reduce(devices, 0), LINKS.all_reduce(devices, 4 * LARGE_SUM)

    monkeypatch.setattr(scaling, "measure", measure)
    monkeypatch.setattr(scaling, "sums_of_devices", sums)
    monkeypatch.setattr(scaling, "sums_of_processes", sums)
    monkeypatch.setattr(cost_tables, "cores", lambda: 8)


def comparisons(text: str) -> list[list[str]]:
    """The cells of each line that compares a measured time with a predicted one."""
    rows = [[each.strip() for each in line.strip("|").split("|")] for line in text.splitlines()]
    return [row for row in rows if len(row) == 5 and row[1].isdigit()]


@pytest.mark.usefixtures("made_up")
def test_the_prediction_is_right_where_the_model_is() -> None:
    compared = comparisons(tables_of(measure_all(SIZES, (1, 2, 4, 8)), SIZES))
    assert len(compared) == 16
    assert {ratio for *_, ratio in compared} == {"1.00"}


@pytest.mark.usefixtures("made_up")
def test_without_a_mesh_only_one_device_is_measured() -> None:
    assert [row[-1] for row in comparisons(tables_of(measure_all(SIZES, (1,)), SIZES))] == ["1.00", "–", "–", "–"] * 4


def test_the_tables_come_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for text in ("new", "newer"):
        write_between_marks(page, text)
        assert page.read_text() == f"before\n{BEGIN}\n\n{text}\n\n{END}\nafter\n"
    page.write_text(f"before\n{BEGIN}\n")
    with pytest.raises(SystemExit, match="one is missing; add it"):
        write_between_marks(page, "new")


def test_the_page_has_the_marks() -> None:
    page = (scaling.ROOT / "docs" / "scaling.md").read_text()
    assert page.index(BEGIN) < page.index(END)


def test_a_sum_over_two_devices_takes_some_time() -> None:
    small, large = scaling.sums_of_devices(2)
    assert 0 < small < large

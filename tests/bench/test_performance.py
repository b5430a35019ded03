"""The results of `python -m bench`: ratios, bars, exponents, and the page with its pictures."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.__main__ import MODULES
from bench.comparisons import Comparison, Growth, LeftOut, Measured, Part, amount, digits
from bench.performance_page import TITLES, page
from tests.conftest import ROOT

TIME = Comparison("an epoch", "C", "s", [2.0, 3.0, 8.0], [1.0, 2.0, 2.0], bar=1.6)
RATE = Comparison("one row", "a constant", "1/s", [10.0, 30.0], [10.0, 10.0], bar=1.5)
GROWTH = Growth("an epoch", "rows", [1, 10, 100, 1000], [[5.0], [5.0], [2.0], [200.0]])


def test_a_ratio_is_the_median_of_the_turns() -> None:
    assert TIME.ratios == [2.0, 1.5, 4.0]
    assert TIME.ratio == 2.0
    assert TIME.cells() == ["an epoch", "3.00 s", "C", "2.00 s", "2.00 ×", "1.50–4.00", "at most 1.6: missed"]


def test_a_rate_must_be_above_its_bar_and_a_time_below() -> None:
    assert RATE.is_met is True
    assert RATE._replace(bar=2.5).is_met is False
    assert TIME._replace(bar=2.0).is_met is True
    assert TIME._replace(bar=None).is_met is None


def test_the_exponent_is_that_of_the_last_decade() -> None:
    assert GROWTH.exponent == pytest.approx(2.0)


@given(
    st.floats(0.1, 10),
    st.floats(-2, 3),
    st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True).filter(
        lambda sizes: sum(size * 10 >= max(sizes) for size in sizes) > 1
    ),
)
def test_the_exponent_of_a_power_is_found(factor: float, power: float, sizes: list[int]) -> None:
    growth = Growth("an epoch", "rows", sizes, [[factor * size**power] for size in sizes])
    assert growth.exponent == pytest.approx(power, abs=1e-6)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.000313, "0.000313"), (0.0999, "0.0999"), (0.1, "0.10"), (9.994, "9.99"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_a_number_has_three_digits(number: float, text: str) -> None:
    assert digits(number) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (34e-9, "s", "34.0 ns"),
        (1.5e-3, "s", "1.50 ms"),
        (75.0, "s", "75.0 s"),
        (429, "MB", "429 MB"),
        (3100, "1/s", "3,100/s"),
    ],
)
def test_an_amount_has_a_unit_that_suits_it(number: float, unit: str, text: str) -> None:
    assert amount(number, unit) == text


def test_results_are_the_same_after_a_file(tmp_path: Path) -> None:
    part = Part([TIME, RATE], [GROWTH], [LeftOut("PyTorch", "it is not installed here")], ["A note."])
    measured = Measured({"cores": "2"}, {"training": part})
    measured.write(tmp_path / "results.json")
    read = Measured.read(tmp_path / "results.json")
    assert page(read) == page(measured)
    text = page(read)
    assert "| an epoch | 3.00 s | C | 2.00 s | 2.00 × | 1.50–4.00 | at most 1.6: missed |" in text
    assert "- PyTorch is left out: it is not installed here." in text
    assert list(TITLES) == list(MODULES)


def test_one_command_measures_and_writes_the_page_and_its_pictures(tmp_path: Path) -> None:
    options = ["--tiny", "--turns", "1", "--out", str(tmp_path / "results.json"), "--docs", str(tmp_path)]
    command = [sys.executable, "-m", "bench", "--only", "minibatches", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert "scikit-learn" in run.stdout
    assert (tmp_path / "performance.md").read_text() == page(Measured.read(tmp_path / "results.json"))
    assert (tmp_path / "performance.svg").read_text().startswith("<?xml")

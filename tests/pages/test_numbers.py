"""Numbers as text, in the browser, against Python's own rounding."""

import random
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.pages.conftest import OpenPage, StartService
from tests.pages.rounding import python_text

MODULE = "/static/shared/numbers.js"


@pytest.fixture(scope="module")
def gate_address(start_service: StartService, checkpoints: Path) -> str:
    return start_service(checkpoints)


@pytest.fixture
def page(open_page: OpenPage, gate_address: str) -> Any:
    return open_page(gate_address, "/models").page


def in_browser(page: Any, function: str, values: list[Any], *rest: int) -> list[str]:
    """What a function of the module makes of each value."""
    script = f"([values, rest]) => import('{MODULE}').then(m => values.map(value => m.{function}(value, ...rest)))"
    texts: list[str] = page.evaluate(script, [values, list(rest)])
    return texts


def numbers() -> list[float]:
    """Numbers of all sizes, halves that are exact in binary, and those that only look like halves."""
    rng = random.Random(17)
    bits = [struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0] for _ in range(1500)]
    halves = [rng.randrange(-4000, 4000) / 2 ** rng.randrange(1, 9) for _ in range(1500)]
    decimals = [round(rng.uniform(-20, 20), rng.randrange(0, 6)) for _ in range(1500)]
    sizes = [rng.choice((-1, 1)) * 10 ** rng.uniform(-12, 24) for _ in range(1500)]
    edges = [0.0, -0.0, 0.5, 1.5, 2.5, -2.5, 0.125, 0.375, 999999.5, 999998.5, 9.5, 0.00001, 1e21, 2.5e22, 5e-324]
    return [
        *edges,
        *(value for value in bits if value == value and abs(value) != float("inf")),
        *halves,
        *decimals,
        *sizes,
    ]


@pytest.mark.parametrize("digits", [1, 6, 17])
def test_numbers_are_rounded_to_digits_as_python_does(page: Any, digits: int) -> None:
    values = numbers()
    assert in_browser(page, "formatNumber", values, digits) == [python_text(f"{each:.{digits}g}") for each in values]


@pytest.mark.parametrize("decimals", [0, 3, 8])
def test_numbers_are_rounded_to_decimals_as_python_does(page: Any, decimals: int) -> None:
    values = [value for value in numbers() if abs(value) < 1e30]
    assert in_browser(page, "formatFixed", values, decimals) == [python_text(f"{each:.{decimals}f}") for each in values]


def test_shares_are_rounded_before_they_become_percent(page: Any) -> None:
    shares = [value / 1000 for value in range(1001)] + [0.145, 0.0625, 1e-9, 0.99951171875, 0.9995]
    for decimals in (0, 1, 2):
        rounded = [f"{share:.{decimals + 2}f}" for share in shares]
        expected = [f"{float(text) * 100:.{decimals}f}\xa0%" for text in rounded]
        assert in_browser(page, "formatPercent", shares, decimals) == expected


def test_what_is_no_number_is_said_in_words(page: Any) -> None:
    assert in_browser(page, "formatNumber", [None, float("nan"), float("inf"), float("-inf")], 6) == [
        *("not a number", "not a number", "∞", "−∞")
    ]
    assert in_browser(page, "formatCount", [0, 999, 1000, 1234567, -1000]) == [
        "0",
        "999",
        "1,000",
        "1,234,567",
        "−1,000",
    ]

"""A learner at the page on which a network learns: what one does there, and what one reads."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from model import Layer, Network, Params, chain_rule
from tests.pages.conftest import OpenPage
from tests.pages.rounding import RAISED

# How long the page may take for an answer; its endpoints compile programs for shapes that they have not seen.
PATIENCE = 60_000
GO = """address => new Promise(done => {
    if (location.hash === new URL(address, location.href).hash) return done();
    window.addEventListener("hashchange", () => done(), {once: true});
    location.hash = address;
})"""
READ = """() => Object.fromEntries([...document.querySelectorAll('[data-name]')].map(element =>
    [element.dataset.name, [element.dataset.value ?? null, element.textContent.trim()]]))"""


class Shown(NamedTuple):
    """What is read off the page.

    Attributes:
        value: the whole number; None if there is none.
        text: what one sees.
    """

    value: float | None
    text: str


class Learner:
    """A learner in a tab of the browser.

    Args:
        open_page: the fixture.
        service: the address of the service.
        address: the part of the address behind the path, with its #.
        options: of the browser, such as color_scheme="dark".
    """

    def __init__(self, open_page: OpenPage, service: str, address: str = "", **options: Any) -> None:
        self.visit = open_page(service, f"/learn{address}", **options)
        self.page = self.visit.page
        self.settle()

    def settle(self) -> None:
        """Wait until the page has asked everything, and has drawn the answers."""
        self.page.wait_for_selector("#learn[data-settled=true]:not(:has([aria-busy=true]))", timeout=PATIENCE)

    def go(self, address: str) -> None:
        """Open another address in the same tab."""
        self.page.evaluate(GO, address)
        self.settle()

    def click(self, button: str) -> None:
        """Press the button with these words."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def open_tab(self, name: str) -> None:
        """Choose one of the panels."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        self.settle()

    def choose(self, parameter: str) -> None:
        """Click a weight or a bias of the picture. A click beside the middle does not meet a line that crosses it."""
        part = self.page.locator(f'.network [data-item="{parameter}"]')
        part.dispatch_event("click")
        self.settle()

    def shown(self) -> dict[str, Shown]:
        """Every marked number and sentence of the page."""
        found = self.page.evaluate(READ)
        return {name: Shown(as_number(value), text) for name, (value, text) in found.items()}

    def number(self, name: str) -> float:
        """One number in full."""
        value = self.shown()[name].value
        assert value is not None, name
        return value

    def text(self, name: str) -> str:
        """What one sees of something that is marked."""
        return self.shown()[name].text

    def params(self, sizes: Sequence[int] = (2, 2, 1)) -> Params:
        """The weights and biases that the picture shows."""
        return params_from(self.shown(), sizes)

    @property
    def address(self) -> str:
        """The address behind the path, when it has caught up with the page."""
        self.settle()
        self.page.wait_for_function("() => location.hash === document.querySelector('#learn').dataset.address")
        return str(self.page.evaluate("location.hash"))


def as_number(value: str | None) -> float | None:
    """The number of an attribute."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def params_from(shown: dict[str, Shown], sizes: Sequence[int]) -> Params:
    """The params that marked numbers hold."""

    def value(name: str) -> float:
        found = shown[name].value
        assert found is not None, name
        return found

    return [
        Layer(
            np.array([[value(f"{layer}.weight[{i},{j}]") for j in range(units)] for i in range(inputs)], np.float32),
            np.array([value(f"{layer}.bias[{j}]") for j in range(units)], np.float32),
        )
        for layer, (inputs, units) in enumerate(pairwise(sizes))
    ]


def rounded(value: float, digits: int) -> str:
    """A number as the page should show it, rounded half to even by decimal arithmetic on its exact value."""
    exact = Decimal(value)
    if exact == 0:
        return "0"
    kept = exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_HALF_EVEN)
    exponent = kept.adjusted()
    if -4 <= exponent < digits:
        text = f"{kept:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa = f"{kept.scaleb(-exponent).normalize():f}"
        text = f"{mantissa}·10{str(exponent).translate(RAISED)}"
    return text.replace("-", "−")


def exact_gradient(params: Params, x: np.ndarray, y: np.ndarray, network: Network) -> Params:
    """The gradient by the chain rule, in float64."""
    with jax.enable_x64(True):
        own: Params = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, np.float64)), params)
        rows = jnp.asarray(np.asarray(x, np.float64)), jnp.asarray(np.asarray(y, np.float64))
        found: Params = jax.device_get(chain_rule(own, *rows, network))
    return found

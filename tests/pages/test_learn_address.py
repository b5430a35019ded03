"""The address of the page: the whole setting is in it, and it restores everything."""

import jax
import numpy as np
import pytest

from model import Network, init_params, train_params, truth_table
from tests.examples import same_bits
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner

NETWORK, XOR = Network((2, 2, 1)), truth_table("xor")
SETTINGS = [
    "#table=xor&seed=7&epochs=1500&select=0.weight[0,1]&epsilon=0.001&scale=log",
    "#table=and&hidden=3,2&activation=tanh&seed=4&start=9&init=he&optimizer=momentum&rate=0.1&epochs=40&panel=trace&row=1&step=11",
    "#table=moons&rows=60&noise=0.2&draw=5&hidden=4&activation=gelu&optimizer=adam&epochs=30&panel=rows&show=h3&drawn=1,0",
    "#table=or&hidden=none&epochs=20&stop=0&panel=take",
]


@pytest.mark.parametrize("address", SETTINGS, ids=["nudge", "trace", "rows", "take"])
def test_it_restores_everything(open_page: OpenPage, learning: str, address: str) -> None:
    learner = Learner(open_page, learning, address)
    assert learner.address == address
    before = learner.shown()
    learner.page.reload()
    learner.settle()
    assert learner.shown() == before
    assert learner.address == address


def test_what_one_does_by_hand_is_in_it(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=3&epochs=700")
    learner.choose("0.bias[1]")
    learner.page.locator("#parameter-value").fill("0.25")
    learner.settle()
    learner.page.locator("#rate").fill("0.05")
    learner.click("Step")
    learner.settle()
    assert learner.text("epoch") == "701"
    params = train_params(
        init_params(NETWORK, key=jax.random.fold_in(jax.random.key(3), 0)), NETWORK, XOR, epochs=700
    ).params
    params[0] = params[0]._replace(bias=np.array([params[0].bias[0], 0.25], np.float32))
    expected = train_params(params, NETWORK, XOR, epochs=1, learning_rate=0.05).params
    assert same_bits(learner.params(), expected)
    other = Learner(open_page, learning, learner.address)
    assert same_bits(other.params(), expected)
    assert other.text("epoch") == "701"
    assert other.shown()["loss"] == learner.shown()["loss"]


def test_drawn_points_are_in_it(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    learner.page.select_option("#table", "drawn")
    learner.settle()
    learner.page.locator(".frame").click(position={"x": 40, "y": 50})
    learner.settle()
    learner.open_tab("Rows")
    before = learner.shown()
    assert before["table x[0,1]"].value is not None
    other = Learner(open_page, learning, learner.address)
    assert other.shown() == before


def test_going_back_and_forward(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=1")
    first = learner.params()
    learner.go("#seed=2&epochs=10")
    second = learner.params()
    learner.page.go_back()
    learner.page.wait_for_function("() => document.querySelector('[data-name=epoch]').dataset.value === '0'")
    learner.settle()
    assert same_bits(learner.params(), first)
    learner.page.go_forward()
    learner.page.wait_for_function("() => document.querySelector('[data-name=epoch]').dataset.value === '10'")
    learner.settle()
    assert same_bits(learner.params(), second)


def test_no_hidden_layer_may_be_written_as_nothing(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#hidden=")
    assert [layer.weight.shape for layer in learner.params((2, 1))] == [(2, 1)]
    assert "should be" not in learner.page.locator(".messages").inner_text()


BROKEN = {
    "#table=nothing": "table should be one of xor",
    "#rate=fast": "rate should be a number above 0, and at most 1000, not 'fast'. 0.01 is used instead.",
    "#hidden=9": "hidden should be a number from 1 to 8",
    "#params=AAAA": "params is cut off in the middle of a number.",
    "#params=AAAAAA": "The params in the address do not fit its network. Start 0 of seed 0 is used instead.",
    "#table=moons&rows=0&table=xor&colour=blue&rate=-1": "And rate should be",
    "#colour=blue": "it has no key 'colour'.",
    "#seed": "'seed' should be a name, = and a value.",
    "#select=%5": "it has a % without two digits behind it.",
    "#table=drawn&x=AACAPw&y=AACAPw": "x should hold 2 numbers",
}


def test_a_broken_one_gives_a_sentence_and_the_page_works(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    for address, sentence in BROKEN.items():
        learner.go(address)
        assert sentence in learner.page.locator(".messages").inner_text()
        assert same_bits(learner.params(), init_params(NETWORK, key=jax.random.fold_in(jax.random.key(0), 0)))
        learner.click("Step")
        learner.settle()
        assert learner.text("epoch") == "1"
        assert sentence not in learner.page.locator(".messages").inner_text()

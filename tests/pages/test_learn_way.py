"""The way of a learner at the page: from a start that gets stuck to a network that has learned its table."""

from typing import Any

import jax
import numpy as np
import pytest

from model import Network, init_params, loss, predict, train_params, truth_table
from model.network import parameter_count
from serve.learning_limits import MAX_WORK
from tests.examples import same_bits
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner, exact_gradient

NETWORK, XOR = Network((2, 2, 1)), truth_table("xor")
# Start 0 of this seed has a hidden unit that is dead.
STUCK = "#seed=1"


def start(seed: int) -> Any:
    return init_params(NETWORK, key=jax.random.fold_in(jax.random.key(seed), 0))


def test_from_a_stuck_start_to_a_solved_network(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, STUCK)
    assert learner.text("right") == "2"
    learner.page.select_option("#speed", "full")
    learner.click("Run")
    learner.page.get_by_text("It seems stuck.").wait_for()
    learner.page.get_by_role("button", name="Run", exact=True).wait_for()
    learner.settle()
    assert learner.text("right") == "3"
    learner.page.locator(".messages").get_by_role("button", name="Why is it stuck?").click()
    learner.page.locator("#tab-panel").get_by_role("button", name="Why is it stuck?").click()
    learner.page.locator(".findings").first.wait_for(timeout=60_000)
    assert learner.text("diagnosis") == "Why it is stuck: dead units."
    learner.page.get_by_role("button", name="Do this, and train on").first.click()
    learner.page.get_by_text("Solved: every row is right.").wait_for(timeout=60_000)
    learner.settle()
    assert learner.text("right") == "4"
    solved = predict(learner.params(), XOR.x, NETWORK)
    assert (np.asarray(solved > 0.5) == XOR.y).all()


def test_steps_and_runs_are_those_of_train_params(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=5")
    learner.click("Step")
    learner.settle()
    learner.click("Step")
    learner.settle()
    assert learner.text("epoch") == "2"
    assert same_bits(learner.params(), train_params(start(5), NETWORK, XOR, epochs=2).params)
    learner.click("Run")
    learner.page.wait_for_function("() => document.querySelector('[data-name=epoch]').dataset.value > 40")
    learner.click("Pause")
    learner.settle()
    epochs = int(learner.number("epoch"))
    expected = train_params(start(5), NETWORK, XOR, epochs=epochs).params
    assert same_bits(learner.params(), expected)
    learner.click("Reset")
    learner.settle()
    assert learner.text("epoch") == "0"
    assert same_bits(learner.params(), start(5))


def test_nudging_a_weight(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=0&epochs=300")
    learner.choose("0.weight[0,0]")
    params = learner.params()
    slope = float(exact_gradient(params, XOR.x, XOR.y, NETWORK)[0].weight[0, 0])
    for way in ("jvp", "chain_rule", "grad"):
        assert learner.number(f"gradient {way}") == pytest.approx(slope, rel=1e-9)
    assert learner.number("gradient nudge") == pytest.approx(slope, rel=1e-6)
    assert ("down" if slope > 0 else "up") in learner.text("sentence")
    learner.page.locator("#epsilon").fill("-1")
    learner.settle()
    assert learner.number("epsilon") == 0.1
    coarse = abs(learner.number("error"))
    learner.page.locator("#epsilon").fill("-5")
    learner.settle()
    assert abs(learner.number("error")) < coarse / 100
    before = learner.number("loss")
    direction = -0.1 if slope > 0 else 0.1
    learner.page.locator("#parameter-value").fill(str(float(params[0].weight[0, 0]) + direction))
    learner.settle()
    assert learner.number("loss") < before
    assert learner.number("0.weight[0,0]") == pytest.approx(float(params[0].weight[0, 0]) + direction)


def test_the_curve_of_a_restored_run_begins_at_its_start(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=5&epochs=2000")
    reader = learner.page.locator(".loss .curve-reader")
    share = """share => {
        const [cursor, plot] = [".u-cursor-x", ".u-over"].map(
            part => document.querySelector(`.loss ${part}`).getBoundingClientRect());
        return Math.abs(cursor.x - plot.x - share * plot.width) < 2;
    }"""
    learner.page.wait_for_function(share, arg=1)
    assert (reader.bounding_box() or {})["width"] > 100
    reader.press("Home")
    learner.page.locator("[data-name='read point']", has_text="epoch = 0:").wait_for()
    learner.page.wait_for_function(share, arg=0)
    assert learner.number("read point") == pytest.approx(float(loss(start(5), XOR.x, XOR.y, NETWORK)), rel=1e-6)


def test_the_smallest_nudge_and_a_weight_that_does_nothing(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=0&epochs=300&select=0.weight[0,0]&epsilon=1e-12")
    assert learner.number("loss above") != learner.number("loss below")
    assert learner.text("loss above") != learner.text("loss below")
    assert learner.page.locator(".error-curve .u-cursor-x:visible").count() == 0
    learner.go("#seed=7&rate=0.1&epochs=5000&select=0.weight[0,1]")
    assert "exactly 0 at every ε" in learner.text("no error")


def test_which_weight_matters_most(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=0&epochs=300")
    slopes = exact_gradient(learner.params(), XOR.x, XOR.y, NETWORK)
    shown = {name: found.value for name, found in learner.shown().items() if name.startswith("slope of ")}
    assert len(shown) == sum(leaf.size for leaf in jax.tree.leaves(slopes))
    assert shown["slope of 1.weight[0,0]"] == pytest.approx(float(slopes[1].weight[0, 0]), rel=1e-9)
    sizes = [abs(float(str(value))) for value in shown.values()]
    assert sizes == sorted(sizes, reverse=True)
    learner.page.locator(".slopes button").first.click()
    learner.settle()
    assert f"slope of {learner.page.locator('#parameter').input_value()}" == next(iter(shown))


def test_stepping_forwards_and_backwards(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=2&epochs=200&row=1&panel=trace")
    names = []
    while True:
        names.append(learner.page.locator(".step-count b").inner_text().split(" = ")[0])
        assert learner.page.locator(".step .math math").count() == 2
        assert learner.page.locator(".network .lit").count() >= 1
        if learner.page.get_by_role("button", name="Next number ›").is_disabled():
            break
        learner.click("Next number ›")
        learner.settle()
    assert names[:6] == ["z1", "h1", "z2", "h2", "z3", "p"]
    assert (
        names.index("loss") < names.index("δ3") < names.index("δ1") < names.index("gradient of the weight from a to h1")
    )
    kinds = [name.split()[0] for name in names[names.index("δ1") :]]
    assert kinds == [*["δ1", "δ2"], *["gradient"] * 9, *["new"] * 9]
    assert "may raise the loss of the other rows" in learner.page.locator(".trace").inner_text()
    learner.click("‹ Back")
    learner.settle()
    assert learner.number("step") == len(names) - 2
    learner.click("Backwards")
    learner.settle()
    assert names[int(learner.number("step"))] == "δ3"
    before, after = learner.number("trace loss"), learner.number("loss after")
    params, all_before = learner.params(), learner.number("loss")
    learner.click("Apply this update")
    learner.settle()
    assert learner.number("all rows before") == all_before
    changed = float(loss(learner.params(), XOR.x, XOR.y, NETWORK))
    assert learner.number("all rows after") == pytest.approx(changed, rel=1e-5)
    learner.page.locator(".loss .curve-reader").press("End")
    assert learner.text("read point").startswith("epoch = 201:")
    row = XOR.x[1:2], XOR.y[1:2]
    expected = jax.tree.map(lambda value, slope: value - 0.01 * slope, params, exact_gradient(params, *row, NETWORK))
    for found, wanted in zip(jax.tree.leaves(learner.params()), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert learner.number("trace loss") == pytest.approx(after, rel=1e-5)
    assert after < before


def test_a_unit_is_seen_large_and_values_under_the_pointer(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=2&epochs=200")
    learner.page.get_by_role("button", name="Unit h2: show it large").click()
    learner.settle()
    assert learner.page.locator("#surface-title").inner_text() == "What h2 hands on"
    learner.page.locator(".frame").hover(position={"x": 200, "y": 50})
    learner.settle()
    at = np.array([[learner.number("pointer x"), learner.number("pointer y")]], np.float32)
    first = learner.params()[0]
    assert learner.number("pointer value") == pytest.approx(
        float(np.maximum(at @ first.weight + first.bias, 0)[0, 1]), abs=1e-6
    )
    learner.click("The prediction")
    learner.settle()
    learner.page.locator(".frame").hover(position={"x": 60, "y": 90})
    learner.settle()
    at = np.array([[learner.number("pointer x"), learner.number("pointer y")]], np.float32)
    assert learner.number("pointer value") == pytest.approx(float(predict(learner.params(), at, NETWORK)[0]), abs=1e-6)


def test_64_starts(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=1&panel=starts")
    learner.page.locator("#starts-epochs").fill("50000")
    learner.click("Try 64 starts")
    learner.page.locator(".start").nth(63).wait_for(timeout=60_000)
    solved = int(learner.number("starts solved"))
    assert learner.page.locator(".start.solved").count() == solved
    assert 5 < solved < 40
    learner.click("Why not? Ask each one")
    learner.page.locator(".reason").first.wait_for(timeout=60_000)
    learner.click("Stop")
    learner.page.locator(".start.solved").first.click()
    learner.settle()
    assert learner.text("right") == "4"
    assert "epochs=50000" in learner.address


def test_a_learning_rate_that_is_too_large_is_explained(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#table=moons&hidden=4&rate=1000&epochs=100")
    assert "not a number" in learner.page.locator(".messages").inner_text()
    assert learner.text("loss") == "not a number"
    for tab in ("Rows", "Step through", "Nudge it", "Why stuck?"):
        learner.open_tab(tab)
        panel = learner.page.locator("#tab-panel").inner_text()
        assert "the loss is not a number any more" in panel.lower()
        assert "Computing" not in panel
    assert not [name for name in learner.shown() if name.startswith(("table prediction", "p[", "h1", "pointer"))]
    assert "nothing to draw" in learner.page.locator(".readout").inner_text()
    learner.click("Divide the learning rate by 10, and reset")
    learner.settle()
    assert learner.page.locator("#rate").input_value() == "100"
    assert np.isfinite(learner.number("loss"))


@pytest.mark.parametrize("meanwhile", ["Pause", "Reset", "edit"])
def test_a_late_answer_changes_nothing(open_page: OpenPage, learning: str, meanwhile: str) -> None:
    learner = Learner(open_page, learning, "#seed=4&select=0.weight[0,0]")
    waiting: list[Any] = []

    def hold(route: Any) -> None:
        waiting.append(route)

    learner.page.route("**/learn/train", hold)
    learner.click("Run")
    while not waiting:
        learner.page.wait_for_timeout(10)
    if meanwhile == "edit":
        learner.page.locator("#parameter-value").fill("0.5")
    else:
        learner.click(meanwhile)
    with learner.page.expect_response("**/learn/train"):
        waiting[0].continue_()
    learner.settle()
    assert learner.text("epoch") == "0"
    expected = start(4)
    if meanwhile == "edit":
        expected[0] = expected[0]._replace(weight=expected[0].weight.at[0, 0].set(0.5))
    assert same_bits(learner.params(), expected)
    assert float(loss(learner.params(), XOR.x, XOR.y, NETWORK)) == pytest.approx(learner.number("loss"), rel=1e-6)


def test_losses_that_jump_about_are_explained(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#rate=1000&epochs=200")
    assert "The learning rate is too large" in learner.page.locator(".messages").inner_text()
    learner.open_tab("Why stuck?")
    assert "The loss jumps about" in learner.page.locator(".stuck").inner_text()
    learner.go("#seed=6&rate=0.1&epochs=200")
    assert "too large" not in learner.page.locator(".messages").inner_text()


def test_reset_leads_back_to_the_seed_and_undo_to_what_there_was(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=5&select=0.weight[0,0]&epochs=40")
    trained = learner.params()
    learner.page.locator("#parameter-value").fill("0.5")
    learner.page.locator("#parameter-value").fill("0.75")
    learner.settle()
    assert learner.number("0.weight[0,0]") == 0.75
    learner.click("Undo the edit")
    learner.settle()
    assert same_bits(learner.params(), trained)
    learner.page.locator("#rate").fill("0.02")
    learner.click("Step")
    learner.settle()
    changed = learner.params()
    assert learner.text("epoch") == "41"
    learner.click("Reset")
    learner.settle()
    assert learner.text("epoch") == "0"
    assert same_bits(learner.params(), start(5))
    learner.click("Undo the reset")
    learner.settle()
    assert learner.text("epoch") == "41"
    assert same_bits(learner.params(), changed)
    other = Learner(open_page, learning, learner.address)
    assert same_bits(other.params(), changed)
    other.click("Reset")
    other.settle()
    assert same_bits(other.params(), start(5))


def test_64_starts_take_as_many_epochs_as_there_is_time_for(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#hidden=8,8,8&panel=starts")
    network = Network((2, 8, 8, 8, 1))
    assert int(learner.page.locator("#starts-epochs").input_value()) == MAX_WORK // (4 * 64 * parameter_count(network))


def test_the_step_through_begins_with_a_row_that_is_not_all_zeros(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#panel=trace")
    assert learner.page.locator("#row").input_value() == "2"


def test_it_says_that_it_is_loading(open_page: OpenPage, learning: str) -> None:
    waiting: list[Any] = []

    def hold(route: Any) -> None:
        waiting.append(route)

    visit = open_page(learning, "/learn", route=("**/learn/table", hold))
    visit.page.get_by_text("Loading the network").wait_for()
    assert "not a number" not in visit.page.locator("body").inner_text()
    waiting[0].continue_()
    visit.page.wait_for_selector("#learn[data-settled=true]")
    assert visit.page.get_by_text("Loading").count() == 0


def test_a_run_pauses_early_when_it_is_stuck_and_can_go_on(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    learner.page.select_option("#speed", "100")
    learner.click("Run")
    learner.page.get_by_text("It seems stuck.").wait_for(timeout=60_000)
    learner.page.get_by_role("button", name="Run", exact=True).wait_for()
    learner.settle()
    paused = learner.number("epoch")
    assert 2000 <= paused < 12_000
    learner.click("Run")
    learner.page.wait_for_function(f"() => document.querySelector('[data-name=epoch]').dataset.value > {paused + 300}")
    learner.click("Pause")

"""Everything that the lesson says is so: each number in it is computed anew, by the public functions."""

import json
import math
import re
import subprocess
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import (
    Hyperparameters,
    Layer,
    Network,
    Params,
    chain_rule,
    init_params,
    loss,
    predict,
    truth_table,
    why_stuck,
)
from model.network import preactivations
from model.training.train_params import train_params, train_starts
from tests.conftest import ROOT
from tests.pages.browser import skip_or_fail

LEARN = ROOT / "serve" / "static" / "learn"
XOR, GUIDE = truth_table("xor"), Network((2, 2, 1))
# The row that several steps follow: a = 1, b = 0.
ROW = 2


@cache
def lesson() -> list[dict[str, Any]]:
    """The steps of the lesson, whose script is JSON apart from the quotes around names and commas at the ends."""
    script = (LEARN / "lesson_steps.js").read_text().split("export const steps = ")[1].rstrip().rstrip(";")
    quoted = re.sub(r"^( *)(\w+):", r'\1"\2":', script, flags=re.MULTILINE)
    steps: list[dict[str, Any]] = json.loads(re.sub(r",(\s*[}\]])", r"\1", quoted))
    return steps


def step(title: str) -> dict[str, Any]:
    (found,) = [each for each in lesson() if each["title"] == title]
    return found


def words(title: str) -> str:
    """All that a step says."""
    found = step(title)
    return " ".join([*found["text"], found["question"], found["answer"]])


def setting(title: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in step(title)["address"].removeprefix("#").split("&"))


def start(title: str) -> Params:
    """The params from which the page of a step starts."""
    found = setting(title)
    key = jax.random.fold_in(jax.random.key(int(found["seed"])), int(found.get("start", 0)))
    return init_params(GUIDE, key=key)


def shown(title: str) -> Params:
    """The params that the page of a step shows: those of the start, after the epochs in its address."""
    found = setting(title)
    if "epochs" not in found:
        return start(title)
    trained = train_params(start(title), GUIDE, XOR, epochs=int(found["epochs"]), learning_rate=float(found["rate"]))
    return [Layer(*map(jnp.asarray, layer)) for layer in trained.params]


def rounded(value: float, digits: int = 4) -> str:
    """A number with significant digits and a true minus sign."""
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}".replace("-", "−")


def mean_loss(params: Params, rows: slice = slice(None)) -> float:
    return float(loss(params, XOR.x[rows], XOR.y[rows], GUIDE))


def is_solved(params: Params) -> bool:
    return bool(np.array_equal(np.asarray(predict(params, XOR.x, GUIDE)) >= 0.5, XOR.y > 0.5))


def test_the_first_steps_share_one_start() -> None:
    for title in ("What does a unit do?", "How wrong is it?", "Nudge a weight", "Let it train", "Faster is not better"):
        for one, other in zip(start(title), start("What is a weight?"), strict=True):
            assert np.array_equal(one.weight, other.weight)


def test_the_largest_weight() -> None:
    params = shown("What is a weight?")
    flat = np.concatenate([np.abs(np.asarray(layer.weight)).ravel() for layer in params])
    assert params[0].weight[1, 1] == flat.max()
    assert step("What is a weight?")["answer"] == (
        f"The one from b to hidden unit 2. Its value is {rounded(float(params[0].weight[1, 1]))}."
    )


def test_what_a_unit_does() -> None:
    assert (XOR.x[ROW] == (1, 0)).all()
    params = shown("What does a unit do?")
    z = preactivations(params, XOR.x, GUIDE)[0][ROW]
    assert z[0] > 0 > z[1]
    assert f"z2 is {rounded(float(z[1]))}." in words("What does a unit do?")


def test_how_wrong_it_is() -> None:
    title = "How wrong is it?"
    params, text = shown(title), words(title)
    losses = [mean_loss(params, slice(row, row + 1)) for row in range(4)]
    assert int(np.argmax(losses)) == ROW
    assert f"Row 2: its loss is {rounded(losses[ROW])}." in text
    assert f"a probability of only {rounded(float(predict(params, XOR.x, GUIDE)[ROW]))}." in text
    assert f"mean over all four rows: {rounded(float(np.mean(losses)))}." in text
    assert f"a loss of {rounded(math.log(2))}." in text
    assert np.mean(losses) > math.log(2)
    wrong = (np.asarray(predict(params, XOR.x, GUIDE)) >= 0.5) != (XOR.y > 0.5)
    assert np.flatnonzero(wrong).tolist() == [ROW]


def test_the_gradient_of_a_weight() -> None:
    title = "Nudge a weight"
    params = shown(title)
    assert setting(title)["select"] == "0.weight[0,0]"
    slope = float(jax.grad(loss)(params, XOR.x, XOR.y, GUIDE)[0].weight[0, 0])
    assert slope > 0
    assert f"Its gradient is {rounded(slope)}," in words(title)
    lower = [Layer(params[0].weight - np.float32([[0.1, 0], [0, 0]]), params[0].bias), params[1]]
    assert mean_loss(lower) < mean_loss(params)


def test_the_best_nudge() -> None:
    title = "How small is a good nudge?"
    params = [Layer(*(np.asarray(leaf, np.float64) for leaf in layer)) for layer in shown(title)]
    with jax.enable_x64(True):
        slope = float(jax.grad(loss)(params, XOR.x, XOR.y, GUIDE)[0].weight[0, 0])

        def error(epsilon: float) -> float:
            step = np.array([[epsilon, 0.0], [0.0, 0.0]])
            losses = [mean_loss([Layer(params[0].weight + s * step, params[0].bias), params[1]]) for s in (1, -1)]
            return abs((losses[0] - losses[1]) / (2 * epsilon) - slope)

        near = max(error(1e-5 * factor) for factor in (0.5, 1, 2))
        assert near < 1e-3 * error(0.1)
        assert near < 1e-3 * error(1e-12)
    assert setting(title)["epsilon"] == "0.1"


def test_the_way_back() -> None:
    title = "Backwards, from the loss to the weights"
    params, rows = shown(title), slice(ROW, ROW + 1)
    grads = chain_rule(params, XOR.x[rows], XOR.y[rows], GUIDE)
    delta = float(grads[1].bias[0])
    assert delta == pytest.approx(float(predict(params, XOR.x, GUIDE)[ROW] - XOR.y[ROW]), rel=1e-5)
    assert float(grads[0].bias[1]) == 0
    assert preactivations(params, XOR.x, GUIDE)[0][ROW, 1] < 0
    assert "δ2 is 0. Why?" in words(title)


def test_one_step_down() -> None:
    title = "One step down"
    params, rows, rate = shown(title), slice(ROW, ROW + 1), float(setting(title)["rate"])
    grads = jax.grad(loss)(params, XOR.x[rows], XOR.y[rows], GUIDE)
    after = jax.tree.map(lambda leaf, slope: leaf - rate * slope, params, grads)
    expected = f"It is {rounded(mean_loss(params, rows))} before, and {rounded(mean_loss(after, rows))} after."
    assert expected in words(title)


def test_the_first_epoch_after_which_every_row_is_right() -> None:
    title = "Let it train"
    params, epoch = shown(title), 0
    while not is_solved(params):
        epoch += 1
        params = train_params(params, GUIDE, XOR, epochs=1, learning_rate=float(setting(title)["rate"])).params
    assert f"After {epoch} epochs." in words(title)
    assert "stop" not in setting(title)
    further = train_params(params, GUIDE, XOR, epochs=1000, learning_rate=0.1).params
    assert mean_loss(further) < 0.1


def test_a_learning_rate_that_is_too_large() -> None:
    title = "Faster is not better"
    params, found = shown(title), setting(title)
    predictions = np.asarray(predict(params, XOR.x, GUIDE))
    assert (found["rate"], found["epochs"]) == ("3", "4000")
    assert f"the loss is {rounded(mean_loss(params))}" in words(title)
    assert predictions[1:] == pytest.approx(2 / 3, abs=1e-4)
    assert rounded(float(predictions[1]), 3) == "0.667"
    assert list(XOR.y[1:]) == [1, 1, 0]
    hidden = preactivations(params, XOR.x, GUIDE)[0]
    assert (hidden[:, 1] < 0).all()
    assert (preactivations(start(title), XOR.x, GUIDE)[0][:, 1] > 0).any()
    assert is_solved(train_params(start(title), GUIDE, XOR, epochs=4000, learning_rate=0.1).params)


def test_a_start_that_is_stuck() -> None:
    title = "Stuck"
    params = shown(title)
    assert f"The loss is {rounded(mean_loss(params))}" in words(title)
    assert (preactivations(params, XOR.x, GUIDE)[0][:, 1] < 0).all()
    grads = chain_rule(params, XOR.x, XOR.y, GUIDE)
    assert not np.any(grads[0].weight[:, 1])
    hyperparameters = Hyperparameters(epochs=5000, learning_rate=float(setting(title)["rate"]))
    diagnosis = why_stuck(params, XOR, GUIDE, hyperparameters=hyperparameters)
    first = diagnosis.findings[0]
    assert (first.kind, first.confirmed, [unit.index for unit in first.units]) == ("dead_units", True, [1])


def test_the_64_starts() -> None:
    title = "Why 64 starts?"
    key, counts = jax.random.key(int(setting(title)["seed"])), {}
    for rate in (0.03, float(setting(title)["rate"]), 0.3):
        trained, _ = train_starts(GUIDE, XOR, key=key, starts=64, epochs=50_000, learning_rate=rate)
        starts = [jax.tree.map(lambda leaf, index=index: leaf[index], trained) for index in range(64)]
        counts[rate] = sum(map(is_solved, starts))
    assert f"{counts[0.1]} of 64." in step(title)["answer"]
    assert all(12 <= count <= 20 for count in counts.values()), counts
    assert pytest.approx(1 / 100e6, rel=0.02) == 0.75**64


# What an address may say, though it is the default.
DEFAULTS = {"table=xor", "row=2"}


def test_the_addresses_can_be_read_and_are_written_the_same_way() -> None:
    script = (
        f"import {{ readAddress, writeAddress }} from '{LEARN}/address.js';"
        f"import {{ steps }} from '{LEARN}/lesson_steps.js';"
        "const read = steps.map(({ address }) => ({ address, ...readAddress(address) }));"
        "console.log(JSON.stringify(read.map(each => ({ ...each, written: writeAddress(each.setting) }))));"
    )
    try:
        run = subprocess.run(
            ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True, timeout=60
        )
    except FileNotFoundError:
        skip_or_fail("there is no node; on Debian run apt-get install nodejs npm")
    for found in json.loads(run.stdout):
        assert found["problem"] is None
        pairs = [set(text.removeprefix("#").split("&")) for text in (found["address"], found["written"])]
        assert pairs[0] - DEFAULTS == pairs[1] - DEFAULTS


def test_every_step_has_a_question_with_an_answer_and_short_paragraphs() -> None:
    assert len({each["title"] for each in lesson()}) == len(lesson()) == 11
    for each in lesson():
        assert set(each) == {"title", "text", "address", "question", "answer"}
        assert 2 <= len(each["text"]) <= 4
        assert sum(paragraph.startswith("Try it: ") for paragraph in each["text"]) == 1
        for paragraph in each["text"]:
            assert len(paragraph) <= 420
            assert max(len(sentence.split()) for sentence in re.split(r"[.?:!;] ", paragraph)) <= 32, paragraph

"""The numbers of 'Why stuck?', of the 64 starts and of an own file are those of the Python functions."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from playwright.sync_api import expect

from model import Hyperparameters, Network, init_params, loss, read_table, train_params, truth_table, why_stuck
from tests.pages.conftest import OpenPage
from tests.pages.learner import PATIENCE, Learner, rounded
from tests.pages.test_learn_numbers import spoiling

XOR, NETWORK = truth_table("xor"), Network((2, 2, 1))
START, RATE, EPOCHS = "#seed=7&rate=0.1&epochs=400", 0.1, 400
FILE = "age,height,tall\n" + "".join(f"{20 + row},{150 + 7 * row % 50},{row % 3 % 2}\n" for row in range(30))


def ask(learner: Learner, endpoint: str, name: str) -> None:
    """Press the button of the panel that asks, and wait until the answer is shown."""
    button = learner.page.locator("#tab-panel").get_by_role("button", name=name, exact=True)
    with learner.page.expect_response(f"**/learn/{endpoint}", timeout=PATIENCE):
        button.click()
    expect(button).to_be_enabled(timeout=PATIENCE)


def check_stuck(learner: Learner, _: Path) -> None:
    """Compare the trials of every finding with those of `why_stuck`."""
    learner.go(f"{START}&panel=stuck")
    ask(learner, "why-stuck", "Why is it stuck?")
    (shown_epochs,) = set(re.findall(r"After ([\d,]+) more epochs", learner.page.locator(".stuck").inner_text()))
    params = init_params(NETWORK, key=jax.random.fold_in(jax.random.key(7), 0))
    params = train_params(params, NETWORK, XOR, epochs=EPOCHS, optimizer="sgd", learning_rate=RATE).params
    hyperparameters = Hyperparameters(epochs=int(shown_epochs.replace(",", "")), restarts=1, learning_rate=RATE)
    diagnosis = why_stuck(params, XOR, NETWORK, hyperparameters=hyperparameters)
    shown = learner.shown()
    assert shown["diagnosis"].text in str(diagnosis)
    assert diagnosis.findings
    for index, finding in enumerate(diagnosis.findings):
        assert shown[f"finding[{index}]"].text == finding.sentence
        assert finding.trial is not None
        expected = {"loss random": min(finding.trial.random_losses)}
        if not finding.trial.solved:
            expected["loss with change"] = finding.trial.loss
        if not finding.trial.unchanged_solved:
            expected["loss without change"] = finding.trial.unchanged_loss
        for name, value in expected.items():
            number = shown[f"{name}[{index}]"]
            assert number.value == pytest.approx(value, rel=1e-5), name
            assert number.text == rounded(number.value, 4), name


def check_starts(learner: Learner, _: Path) -> None:
    """Compare the loss of each start that has not solved it with that of the start trained alone."""
    learner.go("#seed=5&rate=0.1&panel=starts")
    learner.page.locator("#starts-epochs").fill("500")
    learner.page.locator("#starts-epochs").press("Enter")
    ask(learner, "starts", "Try 64 starts")
    shown = learner.shown()
    losses = {}
    for index in range(64):
        key = jax.random.fold_in(jax.random.key(5), index)
        found = train_params(
            init_params(NETWORK, key=key), NETWORK, XOR, epochs=500, optimizer="sgd", learning_rate=RATE
        )
        losses[f"start loss[{index}]"] = float(loss(found.params, XOR.x, XOR.y, NETWORK))
    names = [name for name in losses if name in shown]
    assert shown["starts solved"].value == 64 - len(names)
    assert len(names) > 32
    for name in names:
        assert shown[name].value == pytest.approx(losses[name], rel=1e-5), name
        assert shown[name].text == rounded(shown[name].value, 2), name


def check_file(learner: Learner, folder: Path) -> None:
    """Compare the inputs of the rows with those that `read_table` makes of the same file."""
    (folder / "own.csv").write_text(FILE)
    table = read_table(folder / "own.csv", target="tall")
    learner.go("#panel=rows")
    learner.page.locator("#csv").set_input_files(folder / "own.csv")
    learner.page.locator(f'[data-name="table x[{len(table.y) - 1},1]"]').wait_for(timeout=PATIENCE)
    learner.settle()
    shown = learner.shown()
    for (row, column), value in np.ndenumerate(np.asarray(table.x, np.float64)):
        assert shown[f"table x[{row},{column}]"].value == pytest.approx(value, rel=1e-6), (row, column)


CHECKS: dict[str, tuple[Callable[[Learner, Path], None], list[Any]]] = {
    "why-stuck": (check_stuck, ["findings", 0, "trial", "unchanged_loss"]),
    "starts": (check_starts, ["starts", 2, "loss"]),
    "csv": (check_file, ["x", 4, 1]),
}


@pytest.mark.parametrize("endpoint", CHECKS)
def test_the_numbers_are_those_of_python_and_a_planted_error_is_found(
    open_page: OpenPage, learning: str, tmp_path: Path, endpoint: str
) -> None:
    check, path = CHECKS[endpoint]
    learner = Learner(open_page, learning)
    check(learner, tmp_path)
    answers: list[Any] = []
    learner.go("#table=and")
    learner.page.route(re.compile(rf"/learn/{endpoint}(\?|$)"), spoiling(path, answers))
    with pytest.raises(AssertionError):
        check(learner, tmp_path)
    assert answers

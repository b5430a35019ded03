"""The fields of the learner's page, and the history of what one chose in them."""

import json
import subprocess
from pathlib import Path

from serve.learning.presets import limits_as_data
from tests.pages.browser import skip_or_fail
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner

LIMITS = Path(__file__).parents[2] / "serve/static/learn/limits.js"
WRONG = {
    "#hidden-0": ["0", "9", "100", "1.5", ""],
    "#seed": ["-1", "1.5", "4294967296"],
    "#rate": ["1e6", "0", "-1"],
    "#points-rows": ["0", "2001"],
    "#points-noise": ["-1"],
    "#starts-epochs": ["0", "-5"],
    "#row": ["1.5", "1000"],
}


def test_a_number_that_is_not_allowed_stays_and_a_sentence_says_what_is(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#table=moons&rows=20&panel=starts")
    before = learner.address
    for field, texts in WRONG.items():
        if field == "#row":
            learner.open_tab("Step through")
            before = learner.address
        box = learner.page.locator(field)
        good = box.input_value()
        for text in texts:
            box.fill(text)
            box.blur()
            learner.settle()
            problem = learner.page.locator(f"{field}-problem").inner_text()
            assert problem.startswith("Only a "), (field, text)
            assert box.input_value() == text
            assert box.get_attribute("aria-invalid") == "true"
            assert box.get_attribute("aria-describedby") == f"{field[1:]}-problem"
        box.fill(good)
        box.blur()
        assert learner.page.locator(f"{field}-problem").count() == 0
        assert learner.address == before


def test_the_fields_keep_to_the_limits_of_the_endpoints() -> None:
    script = f"import {{ LIMITS }} from '{LIMITS}'; console.log(JSON.stringify(LIMITS))"
    try:
        run = subprocess.run(
            ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True, timeout=60
        )
    except FileNotFoundError:
        skip_or_fail("there is no node; on Debian run apt-get install nodejs npm")
    told = limits_as_data()
    assert json.loads(run.stdout) == {name: told[name] for name in json.loads(run.stdout)}


def test_back_undoes_the_last_choice(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=3&epochs=20")
    learner.click("Step")
    learner.settle()
    learner.open_tab("Rows")
    learner.page.select_option("#activation", "tanh")
    learner.settle()
    learner.page.select_option("#table", "and")
    learner.settle()
    learner.page.go_back()
    learner.page.wait_for_function("() => document.querySelector('#table').value === 'xor'")
    learner.settle()
    assert learner.page.locator("#activation").input_value() == "tanh"
    learner.page.go_back()
    learner.page.wait_for_function("() => document.querySelector('#activation').value === 'relu'")
    learner.settle()
    assert learner.text("epoch") == "21"
    learner.page.go_back()
    learner.page.wait_for_selector("#tab-nudge[aria-selected=true]")
    learner.settle()
    assert learner.text("epoch") == "21"


def test_a_damaged_address_keeps_what_is_good_and_stays(open_page: OpenPage, learning: str) -> None:
    address = "#seed=7&rate=fast&hidden=3&panel=rows"
    learner = Learner(open_page, learning, address)
    assert "0.01 is used instead" in learner.page.locator(".messages").inner_text()
    values = [learner.page.locator(field).input_value() for field in ("#seed", "#hidden-0", "#rate")]
    assert values == ["7", "3", "0.01"]
    # The page writes its address at most 400 milliseconds after a change. This timer ends after that one.
    learner.page.evaluate("() => new Promise(done => setTimeout(done, 410))")
    assert learner.page.evaluate("location.hash") == address
    learner.click("Step")
    assert learner.address == "#table=xor&hidden=3&seed=7&epochs=1&panel=rows"

"""The learner's page for everybody: by keyboard alone, on small screens, in the dark, and for screen readers."""

from typing import Any

import pytest

from tests.pages.browser import axe
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner
from tests.pages.test_learn_data import CSV, upload

NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "has_touch": True}
DARK: dict[str, Any] = {"color_scheme": "dark"}
# What the page may weigh, compressed, with everything that it loads.
MOST_BYTES = 150 * 1024
# The states of the page: an address, and what one does there.
STATES: dict[str, tuple[str, str]] = {
    "start": ("#table=xor", ""),
    "nudge": ("#seed=0&epochs=300&select=0.weight[0,0]", ""),
    "trace": ("#seed=0&epochs=300&panel=trace&row=2&step=9", ""),
    "stuck": ("#seed=1&epochs=20000&panel=stuck", "ask"),
    "starts": ("#seed=1&panel=starts", "try"),
    "rows": ("#table=moons&rows=40&hidden=4&epochs=50&panel=rows", ""),
    "take": ("#seed=0&epochs=300&panel=take", ""),
    "large": ("#table=spirals&rows=60&hidden=8,8,8&activation=tanh&epochs=10&select=1.weight[0,1]", ""),
    "drawn": ("#table=drawn&x=AACAPwAAgL8&y=AACAPw", ""),
    "file": ("#hidden=4&panel=rows", "upload"),
    "diverged": ("#table=moons&hidden=4&rate=1000&epochs=100", ""),
    "broken address": ("#table=nothing", ""),
    "lesson": ("#lesson=1", ""),
}


def prepare(learner: Learner, action: str) -> None:
    """Bring the page into a state that has no address."""
    panel = learner.page.locator("#tab-panel")
    if action == "ask":
        panel.get_by_role("button", name="Why is it stuck?").click()
        panel.locator(".findings").first.wait_for(timeout=60_000)
    elif action == "try":
        learner.page.locator("#starts-epochs").fill("200")
        panel.get_by_role("button", name="Try 64 starts").click()
        panel.locator(".start").nth(63).wait_for(timeout=60_000)
    elif action == "upload":
        upload(learner, CSV)
        learner.page.locator("#csv-target").wait_for(state="attached")
    learner.settle()


@pytest.mark.parametrize("options", [{}, NARROW | DARK], ids=["wide and light", "narrow and dark"])
def test_every_state_is_accessible(open_page: OpenPage, learning: str, options: dict[str, Any]) -> None:
    learner = Learner(open_page, learning, **options)
    for state, (address, action) in STATES.items():
        learner.go(address)
        prepare(learner, action)
        for details in learner.page.locator("details.folded:not([open]) > summary").all():
            details.click()
        assert axe(learner.page) == [], state
        width = learner.page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)")
        assert width == 0, f"{state}: one must scroll sideways by {width} pixels"


def press(learner: Learner, *keys: str) -> None:
    for key in keys:
        learner.page.keyboard.press(key)
    learner.settle()


def tab_to(learner: Learner, name: str) -> None:
    """Press Tab until what has this name, or this text, has the focus."""
    for _ in range(80):
        learner.page.keyboard.press("Tab")
        focused = learner.page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.ariaLabel ?? e.labels?.[0]?.innerText ?? e.innerText ?? ''; }"
        )
        if focused.strip().startswith(name):
            visible = learner.page.evaluate(
                "() => { const s = getComputedStyle(document.activeElement);"
                " return s.outlineStyle !== 'none' || document.activeElement.matches('.edge, .frame'); }"
            )
            assert visible, f"the focus on {name} cannot be seen"
            return
    pytest.fail(f"{name} cannot be reached by Tab")


def test_by_keyboard_alone(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=0&epochs=300")
    focused = "document.activeElement.dataset.item"
    tab_to(learner, "weight from a to h1")
    press(learner, "ArrowRight", "ArrowRight")
    assert learner.page.evaluate(focused) == "0.bias[0]"
    before = learner.number("0.bias[0]")
    press(learner, "+")
    assert learner.number("0.bias[0]") == pytest.approx(before + 0.1)
    press(learner, "Home", "Enter")
    assert learner.page.locator("#parameter").input_value() == "0.weight[0,0]"
    tab_to(learner, "What it predicts")
    press(learner, "ArrowRight", "ArrowUp")
    assert learner.shown()["pointer value"].value is not None
    tab_to(learner, "Nudge it")
    tab_to(learner, "Drag it")
    before = learner.number("0.weight[0,0]")
    press(learner, "ArrowRight", "ArrowRight")
    assert learner.number("0.weight[0,0]") > before
    tab_to(learner, "ε =")
    press(learner, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    assert learner.number("epsilon") == pytest.approx(1e-3)
    learner.page.locator("#tab-nudge").focus()
    press(learner, "ArrowRight")
    assert learner.page.locator("#tab-trace").get_attribute("aria-selected") == "true"
    tab_to(learner, "Next number ›")
    press(learner, "Enter", "Enter")
    assert learner.number("step") == 2
    learner.page.locator("#learn button.run").focus()
    press(learner, "Tab", "Enter")
    assert learner.text("epoch") == "301"


def test_points_are_drawn_by_keyboard(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#table=drawn&x=AACAPwAAgL8&y=AACAPw&panel=rows")
    tab_to(learner, "What it predicts")
    press(learner, "ArrowLeft", "Enter")
    assert learner.shown()["table x[1,0]"].value is not None


def test_what_it_weighs(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    sizes = learner.page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter(entry => /[/]learn(#|$)|[/]static[/]/.test(entry.name)).map(entry => entry.encodedBodySize)"
    )
    assert len(sizes) > 20
    assert all(size > 0 for size in sizes)
    assert sum(sizes) < MOST_BYTES


def test_what_is_printed(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=0&epochs=300&select=0.weight[0,0]")
    learner.page.emulate_media(media="print")
    assert learner.page.locator(".network").is_visible()
    assert learner.page.locator(".derivations").is_visible()
    assert not learner.page.locator("button.run").is_visible()

"""The pages of models for everyone: by keyboard, on narrow screens, in the dark, and with very many columns."""

from pathlib import Path
from typing import Any

import pytest

from model import load
from tests.pages.browser import axe
from tests.pages.conftest import OpenPage, StartService, open_model
from tests.pages.models import answers_of
from tests.pages.reading import change, field, sent_row, settle

NARROW = {"width": 320, "height": 640}
MAX_TABS = 60


def focused(page: Any) -> str:
    """The name of what has the focus, for people who do not see it."""
    script = (
        "() => { const e = document.activeElement; return e.ariaLabel || e.labels?.[0]?.innerText || e.innerText; }"
    )
    return str(page.evaluate(script)).split("\n")[0]


def press_until(page: Any, name: str, key: str = "Tab") -> None:
    """Press a key until the focus is on what has this name."""
    for _ in range(MAX_TABS):
        page.keyboard.press(key)
        if focused(page) == name:
            return
    raise AssertionError(f"{name} is not reached; the focus is on {focused(page)}")


def test_the_keyboard_alone_is_enough(open_page: OpenPage, address: str, directory: Path) -> None:
    page = open_page(address, "/models").page
    page.wait_for_selector(".models")
    press_until(page, "binary")
    page.keyboard.press("Enter")
    settle(page)
    page.keyboard.press("Tab")
    assert focused(page) == "To the content"
    page.keyboard.press("Enter")
    press_until(page, "count")
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    press_until(page, "size (cm), slider", "Shift+Tab")
    page.keyboard.press("End")
    press_until(page, "price is missing")
    page.keyboard.press("Space")
    press_until(page, "colour")
    page.keyboard.press("ArrowUp")
    settle(page)
    row = sent_row(page)
    assert (row["count"], row["size (cm)"], row["price"], row["colour"]) == (3, 15, None, "blue")
    shown = float(page.locator("[data-name='probability yes']").get_attribute("data-value"))
    assert shown == answers_of(load(directory / "binary.safetensors"), [row])[0]["prediction"]
    chosen = page.locator(".rank").nth(3).locator(".rank-name").text_content()
    press_until(page, page.locator(".rank").nth(3).inner_text().split("\n")[0])
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[data-name='detail'][data-column='{chosen}']")
    press_until(page, "Copy: In Python")


@pytest.mark.parametrize("task", ["multiclass", "regression", "wide", "xor"])
def test_nothing_is_cut_off_at_320_pixels(open_page: OpenPage, address: str, task: str) -> None:
    page = open_model(open_page, address, task, viewport=NARROW).page
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    outside = page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter(e => {
            const box = e.getBoundingClientRect();
            return box.width && (box.right > innerWidth + 1 || box.left < -1) && !e.closest('pre, .metrics, .unseen');
        }).map(e => e.outerHTML.slice(0, 200))"""
    )
    assert outside == []
    if task == "xor":  # whose form is short
        return
    bar = page.locator(".summary-bar")
    assert bar.is_visible()  # the prediction is below the form, and so its summary is at the foot
    page.locator(".prediction-panel").scroll_into_view_if_needed()
    bar.wait_for(state="detached")


def test_a_column_is_chosen_although_an_answer_moves_it_under_the_mouse(open_page: OpenPage, address: str) -> None:
    page = open_model(open_page, address, "regression").page
    waiting: list[Any] = []
    page.route("**/predict", lambda route: waiting.append(route), times=1)
    change(page, "price", None)
    while not waiting:
        page.wait_for_timeout(10)
    button = page.get_by_role("button", name="colour")
    button.hover()
    place = button.bounding_box()
    page.mouse.down()
    waiting[0].continue_()
    settle(page)
    assert button.bounding_box() != place
    page.mouse.up()
    page.wait_for_selector("[data-name='detail'][data-column='colour']")


@pytest.mark.parametrize(
    ("task", "scheme"), [("binary", "light"), ("binary", "dark"), ("multiclass", "dark"), ("regression", "light")]
)
def test_axe_finds_nothing_wrong(open_page: OpenPage, address: str, task: str, scheme: str) -> None:
    visit = open_model(open_page, address, task, color_scheme=scheme)
    page = visit.page
    page.get_by_role("button", name="size (cm)").click()
    page.wait_for_selector("[data-name='detail'][data-column='size (cm)']")
    page.get_by_text("The numbers of this curve").click()
    assert axe(page) == []
    change(page, "price", None)
    page.get_by_role("button", name="colour").click()
    page.wait_for_selector("[data-name='detail'][data-column='colour']")
    visit.allowed.add(400)
    settle(page)
    assert page.locator("[data-name='note']").count() == 1
    field(page, "count").fill("many")
    page.wait_for_selector("[data-name='fault']")
    assert axe(page) == []


@pytest.mark.parametrize(("name", "options"), [("wide", {}), ("xor", {"viewport": NARROW, "color_scheme": "dark"})])
def test_axe_finds_nothing_wrong_on_the_other_pages(
    open_page: OpenPage, address: str, name: str, options: dict[str, Any]
) -> None:
    page = open_page(address, "/models", **options).page
    page.wait_for_selector(".models")
    assert axe(page) == []
    assert axe(open_model(open_page, address, name, **options).page) == []
    visit = open_page(address, "/models/nothing", **options)
    visit.allowed.add(404)
    visit.page.wait_for_selector("[data-name='failure']")
    assert axe(visit.page) == []


def test_the_list_has_all_models_and_a_reload_shows_new_ones(
    open_page: OpenPage, start_service: StartService, directory: Path, tmp_path: Path
) -> None:
    for name in ("xor", "broken"):
        (tmp_path / f"{name}.safetensors").write_bytes((directory / f"{name}.safetensors").read_bytes())
    address = start_service(tmp_path, POLL="0.1")
    page = open_page(address).page  # leads to the list
    assert page.url == f"{address}/models"
    page.wait_for_selector("[data-model='broken'][data-state='broken']")
    states = "all => all.map(each => [each.dataset.model, each.dataset.state])"
    assert page.eval_on_selector_all("[data-name='model']", states) == [["broken", "broken"], ["xor", "ready"]]
    assert page.locator("[data-model='xor']").inner_text().split("\n\n") == [
        "xor default",
        "Predicts xor (0 or 1) from 2 columns.",
        f"version {load(tmp_path / 'xor.safetensors').version}",
    ]
    assert "broken.safetensors" in page.locator("[data-model='broken']").inner_text()
    name = "100% & ü's more"
    (tmp_path / f"{name}.safetensors").write_bytes((directory / "binary.safetensors").read_bytes())
    while not page.locator("[data-model$='more'][data-state='ready']").count():
        page.reload()
        page.wait_for_selector(".models")
    page.get_by_role("link", name=name).click()
    settle(page)
    assert page.locator("h1").text_content() == name


def test_a_model_that_is_not_there_or_broken_is_said_in_a_sentence(open_page: OpenPage, address: str) -> None:
    for name, status, sentence in (
        ("nothing", 404, "was expected as the model, and 'nothing' was found."),
        ("%FF", 404, "was expected as the model, and '%FF' was found."),
        ("broken", 503, "The model 'broken' cannot answer: broken.safetensors: expected a safetensors file"),
    ):
        visit = open_page(address, f"/models/{name}")
        visit.allowed.add(status)
        visit.page.wait_for_selector("[data-name='failure']")
        assert sentence in visit.page.locator("[data-name='failure']").text_content()
        assert visit.page.get_by_role("link", name="All models").is_visible()


def test_a_model_that_is_being_loaded_is_waited_for(open_page: OpenPage, address: str) -> None:
    asked = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.fallback()
            return
        error = {"error": "the model 'xor' cannot answer: it is being loaded"}
        route.fulfill(status=503, headers={"Retry-After": "1"}, json=error)

    visit = open_page(address, "/models", route=("**/description", answer))
    visit.allowed.add(503)
    visit.page.get_by_role("link", name="xor").click()
    visit.page.get_by_text("The model 'xor' cannot answer: it is being loaded.").wait_for()
    assert visit.page.locator("h1").text_content() == "One moment"
    settle(visit.page)
    assert visit.page.locator("h1").text_content() == "xor"


def test_a_key_is_asked_for_once_and_kept_for_the_tab(
    open_page: OpenPage, start_service: StartService, directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "xor.safetensors").write_bytes((directory / "xor.safetensors").read_bytes())
    address = start_service(tmp_path, API_KEYS="open-sesame")
    visit = open_page(address, "/models")
    visit.allowed.add(401)
    page = visit.page
    dialog = page.get_by_role("dialog", name="This service needs a key")
    dialog.wait_for()
    assert axe(page) == []
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("An API key was expected").wait_for()
    page.reload()
    page.get_by_label("API key").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("The service does not know that key.").wait_for()
    page.get_by_label("API key").fill("open-sesame")
    page.get_by_role("button", name="Use this key").click()
    page.get_by_role("link", name="xor").click()
    settle(page)
    assert not dialog.is_visible()
    command = page.locator("[data-name='curl']").text_content()
    assert "X-API-Key: YOUR_KEY" in command
    assert "open-sesame" not in page.content()


def test_very_many_columns_are_found_by_typing(open_page: OpenPage, address: str, directory: Path) -> None:
    page = open_model(open_page, address, "wide").page
    assert page.locator(".field").count() == 40
    page.get_by_label("Find a column").fill("column 98")
    page.get_by_text("11 of 1,000 columns match").wait_for()
    field(page, "column 987").fill("1.5")
    settle(page)
    row = sent_row(page)
    assert (len(row), row["column 987"], row["column 1"]) == (1000, 1.5, 0)
    shown = float(page.locator("[data-name='probability yes']").get_attribute("data-value"))
    assert shown == answers_of(load(directory / "wide.safetensors"), [row])[0]["prediction"]
    tried = page.locator("[data-name^='effect ']").count()
    assert 0 < tried <= 12
    button = page.get_by_role("button", name="Try the other")
    button.click()
    page.get_by_text("columns tried …").wait_for()
    field(page, "column 987").fill("1.25")  # another row: what was begun is given up
    page.wait_for_selector(".model-page[data-settled='false']")
    settle(page)
    assert page.locator("[data-name^='effect ']").count() == tried
    assert button.is_enabled()

"""The page of a served model in a browser: its numbers are those of the checkpoint, for each way to change the row."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model import Checkpoint, load, save
from tests.pages.conftest import OpenPage, StartService, open_model
from tests.pages.models import METRICS, NUMBER_METRICS, TASKS, answers_of, with_other_bias
from tests.pages.reading import (
    Numbers,
    change,
    differences,
    expected_numbers,
    field,
    number_text,
    sent_row,
    settle,
    shown_numbers,
    watched_number,
)
from tests.pages.rounding import python_text
from tests.serve.serving import get, wait_until

USUAL = {
    **{"size (cm)": 10, "count": 7, "price": 20000, "colour": "red", "shade": "shade 0", "sold": "false"},
    **{"day": "2021-12-06", "hour": "11:45", "constant": 5},
}
# Rows of a batch and a single row differ in the last bits of float32.
ROUNDING = 1e-6
# What is changed, and how the page sends it.
CHANGES: dict[str, tuple[str | None, Any]] = {
    "size (cm)": ("12.75", 12.75),
    "price": ("$31,250", "$31,250"),
    "colour": ("Zürich's", "Zürich's"),
    "shade": ("shade 17", "shade 17"),
    "sold": ("true", "true"),
    "day": ("2021-07-04", "2021-07-04"),
    "hour": (None, None),
}


@pytest.mark.parametrize("task", TASKS)
def test_the_prediction_is_that_of_the_checkpoint(
    open_page: OpenPage, address: str, directory: Path, task: str
) -> None:
    page = open_model(open_page, address, task).page
    checkpoint = load(directory / f"{task}.safetensors")
    row = dict(USUAL)
    assert sent_row(page) == row
    assert differences(shown_numbers(page), expected_numbers(checkpoint, row)) == []
    columns = list(CHANGES)
    for changed in [[name] for name in columns] if task == "binary" else [columns[:4], columns[4:]]:
        before = shown_numbers(page)
        for column in changed:
            text, row[column] = CHANGES[column]
            change(page, column, text)
        settle(page)
        assert sent_row(page) == row
        expected = expected_numbers(checkpoint, row)
        assert differences(shown_numbers(page), expected) == []
        assert differences(before, expected) != []  # the numbers before would not do


def shown_effects(page: Any) -> dict[str, tuple[list[float], str]]:
    """For each column, in the order of the ranking, the ends of its bar and the text beside it."""
    script = "all => all.map(e => [e.dataset.name.slice(7), [+e.dataset.low, +e.dataset.high], e.textContent])"
    found = page.eval_on_selector_all("[data-name^='effect ']", script)
    return {name: (ends, text) for name, ends, text in found}


def expected_effects(address: str, checkpoint: Checkpoint, task: str) -> dict[str, tuple[float, float]]:
    """The smallest and the largest prediction as each column takes its usual values, the widest first."""
    watched = "yes" if task == "binary" else str(answers_of(checkpoint, [USUAL])[0].get("label"))
    columns: Any = get(int(address.rsplit(":", 1)[1]), f"/models/{task}/description")[1]["columns"]
    spans = {}
    for column in columns:
        values = column["values"] if column["kind"] != "category" else column["values"][:30]
        rows = [USUAL, *({**USUAL, column["name"]: value} for value in values)]
        numbers = [watched_number(checkpoint, answer, watched) for answer in answers_of(checkpoint, rows)]
        spans[column["name"]] = (min(numbers), max(numbers))
    return dict(sorted(spans.items(), key=lambda item: item[1][0] - item[1][1]))


@pytest.mark.parametrize("task", TASKS)
def test_what_moves_it_is_recomputed_from_the_checkpoint(
    open_page: OpenPage, address: str, directory: Path, task: str
) -> None:
    page = open_model(open_page, address, task).page
    checkpoint = load(directory / f"{task}.safetensors")
    shown, expected = shown_effects(page), expected_effects(address, checkpoint, task)
    assert list(shown) == list(expected)
    for name, (ends, text) in shown.items():
        assert ends == pytest.approx(expected[name], rel=ROUNDING)
        low, high = (number_text(checkpoint, end) for end in ends)
        assert text == (f"always {low}" if low == high else f"{low} to {high}")
    assert expected["constant"][0] == expected["constant"][1]
    assert page.locator("[data-name='detail']").get_attribute("data-column") == next(iter(expected))


def test_a_curve_and_bars_show_the_predictions_along_a_column(
    open_page: OpenPage, address: str, directory: Path
) -> None:
    page = open_model(open_page, address, "regression").page
    checkpoint = load(directory / "regression.safetensors")

    def predicted(column: str, value: Any) -> float:
        return float(answers_of(checkpoint, [{**USUAL, column: value}])[0]["prediction"])

    page.get_by_role("button", name="size (cm)").click()
    page.wait_for_selector("[data-name='detail'][data-column='size (cm)']")
    reader = page.get_by_label("y by size (cm): read a point")
    read = page.locator("[data-name='read point']")
    values = []
    for key in ("Home", *["ArrowRight"] * 3, "End"):
        reader.press(key)
        values.append(float(read.get_attribute("data-x")))
        number = float(read.get_attribute("data-value"))
        assert number == pytest.approx(predicted("size (cm)", values[-1]), rel=ROUNDING)
        text = number_text(checkpoint, number)
        assert read.text_content() == f"size (cm) = {python_text(f'{values[-1]:g}')}: y = {text}"
    assert values == [4.0, 5.0, 6.0, 7.0, 15.0]  # whole, as in training
    page.get_by_text("The numbers of this curve").click()
    assert page.locator(".curve td").nth(1).text_content() == number_text(checkpoint, predicted("size (cm)", 4.0))

    page.get_by_role("button", name="colour").click()
    page.wait_for_selector("[data-name='detail'][data-column='colour']")
    shown = shown_numbers(page)
    for value in ("blue", "red", "Zürich's"):
        number = float(shown[f"at {value}"][0])
        assert number == pytest.approx(predicted("colour", value), rel=ROUNDING)
        assert shown[f"at {value}"][1] == number_text(checkpoint, number)


def test_the_watched_class_can_be_chosen(open_page: OpenPage, address: str, directory: Path) -> None:
    page = open_model(open_page, address, "multiclass").page
    page.get_by_label("Watch the probability of").select_option(label="kind 3")
    page.wait_for_selector("h3:has-text('probability of kind 3')")
    settle(page)
    checkpoint = load(directory / "multiclass.safetensors")
    now = watched_number(checkpoint, answers_of(checkpoint, [USUAL])[0], "kind 3")
    low, high = page.locator("[data-name='effect constant']").evaluate("e => [+e.dataset.low, +e.dataset.high]")
    assert (low, high) == pytest.approx((now, now), rel=ROUNDING)


def test_the_slider_and_the_field_say_the_same(open_page: OpenPage, address: str) -> None:
    page = open_model(open_page, address, "binary").page
    for column, key, value in (("size (cm)", "End", 15), ("count", "Home", 1), ("count", "ArrowRight", 2)):
        page.get_by_label(f"{column}, slider").press(key)
        assert field(page, column).input_value() == str(value)
    page.get_by_label("day, slider").press("Home")
    assert field(page, "day").input_value() == "2020-09-13"
    field(page, "count").fill("4")
    assert page.get_by_label("count, slider").input_value() == "4"
    page.get_by_role("button", name="Usual values").click()
    settle(page)
    assert sent_row(page) == USUAL


def expected_metrics(task: str) -> Numbers:
    """The metrics of the models, their intervals and baselines, and the loss."""
    found: Numbers = {"loss": (0.5, "0.5")}
    for name, value in (METRICS if task == "binary" else NUMBER_METRICS).items():
        decimals = 3 if task == "binary" or name == "R²" else 2
        numbers = {f"metric {name}": value, f"low of {name}": value - 0.03125, f"high of {name}": value + 0.03125}
        numbers[f"baseline of {name}"] = 0.15625
        found |= {key: (number, python_text(f"{number:.{decimals}f}")) for key, number in numbers.items()}
    return found


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_metrics_version_and_training_are_those_of_the_checkpoint(
    open_page: OpenPage, address: str, directory: Path, task: str
) -> None:
    page = open_model(open_page, address, task).page
    assert differences(shown_numbers(page), expected_metrics(task)) == []
    assert page.locator("[data-name='version']").text_content() == load(directory / f"{task}.safetensors").version
    assert page.get_by_text("a.csv, 480 rows").is_visible()


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_command_and_the_script_give_the_same_answer(
    open_page: OpenPage, address: str, directory: Path, task: str
) -> None:
    page = open_model(open_page, address, task).page
    for column, (text, _) in CHANGES.items():
        change(page, column, text)
    settle(page)
    answer = answers_of(load(directory / f"{task}.safetensors"), [sent_row(page)])[0]
    for name, command in (("curl", ["bash", "-c"]), ("python", [sys.executable, "-c"])):
        text = page.locator(f'[data-name="{name}"]').text_content()
        run = subprocess.run([*command, text], capture_output=True, text=True, timeout=60, check=True)
        told = json.loads(run.stdout) if name == "curl" else eval(run.stdout)
        assert told | answer == told


def test_a_wrong_value_is_said_at_its_field_and_mended(open_page: OpenPage, address: str) -> None:
    visit = open_model(open_page, address, "binary")
    page = visit.page
    visit.allowed.add(400)
    field(page, "count").fill("many")
    page.wait_for_selector("[data-name='fault']")
    settle(page)
    sentence = "A number was expected, and 'many' was found."
    assert page.locator("[data-name='fault']").text_content() == f"count: {sentence}"
    assert field(page, "count").get_attribute("aria-invalid") == "true"
    described_by = field(page, "count").get_attribute("aria-describedby")
    assert page.locator(f"#{described_by}").text_content() == sentence
    field(page, "count").fill("3")
    page.wait_for_selector("[data-name='fault']", state="detached")
    assert field(page, "count").get_attribute("aria-invalid") == "false"
    field(page, "count").fill("1e39")
    page.wait_for_selector("[data-name='fault']")
    assert "a finite number within ±3.4e38" in page.locator("[data-name='fault']").text_content().replace("A f", "a f")


def test_values_unlike_training_are_noted(open_page: OpenPage, address: str, directory: Path) -> None:
    page = open_model(open_page, address, "regression").page
    change(page, "price", None)
    field(page, "colour").select_option(label="another text …")
    page.get_by_label("colour, another text").fill("violet")
    settle(page)
    notes = page.locator("[data-name='note']").all_text_contents()
    assert notes == [
        "price: the value is missing, and no value was missing in training.",
        "colour: 'violet' was not seen in training.",
    ]
    checkpoint = load(directory / "regression.safetensors")
    assert differences(shown_numbers(page), expected_numbers(checkpoint, sent_row(page))) == []
    field(page, "count").fill("12")
    assert page.get_by_text("Training had only 1 to 11, so this is a guess.").is_visible()


def test_a_new_version_replaces_the_one_on_the_page(
    open_page: OpenPage, start_service: StartService, directory: Path, tmp_path: Path
) -> None:
    old = load(directory / "binary.safetensors")
    path = tmp_path / "binary.safetensors"
    save(path, old)
    address = start_service(tmp_path, POLL="0.1")
    page = open_model(open_page, address, "binary").page
    field(page, "count").fill("3")
    settle(page)
    new = save(path, with_other_bias(old))
    port = int(address.rsplit(":", 1)[1])
    wait_until(lambda: new.version in json.dumps(get(port, "/models.json")[1]))
    field(page, "count").fill("4")
    page.wait_for_selector(f"[data-name='version']:has-text('{new.version}')")
    settle(page)
    assert page.get_by_text(f"Version {new.version} has just replaced {old.version}").is_visible()
    assert sent_row(page) == USUAL | {"count": 4}
    assert differences(shown_numbers(page), expected_numbers(new, USUAL | {"count": 4})) == []


# For each path of the service, what comes before the digit that is added, and which number of the page is then wrong.
PLANTED = {
    "predict": {'"prediction":': "prediction", '"interval":[': "interval low", '"spread":': "spread"},
    "description": {
        '"name":"R²","value":': "metric R²",
        '"name":"RMSE","value":3.0625,"interval":[': "low of RMSE",
        ',"baseline":': "baseline of R²",
        '"loss":': "loss",
    },
}


@pytest.mark.parametrize("path", PLANTED)
def test_every_error_between_the_service_and_the_page_is_found(
    open_page: OpenPage, address: str, directory: Path, path: str
) -> None:
    def spoil(route: Any) -> None:
        reply = route.fetch()
        text = reply.text()
        for before in PLANTED[path]:
            assert before in text
            text = text.replace(before, f"{before}1", 1)
        route.fulfill(response=reply, body=text)

    page = open_model(open_page, address, "regression", route=(f"**/{path}", spoil)).page
    expected = expected_numbers(load(directory / "regression.safetensors"), USUAL) | expected_metrics("regression")
    found = differences(shown_numbers(page), expected)
    assert sorted(each.split(":")[0] for each in found) == sorted(PLANTED[path].values())


def test_an_error_in_what_moves_it_is_found(open_page: OpenPage, address: str, directory: Path) -> None:
    def spoil(route: Any) -> None:
        reply = route.fetch()
        rows = reply.json()
        if isinstance(rows, list) and len(rows) > 1:
            rows[3]["prediction"] += 1000
        route.fulfill(response=reply, json=rows)

    page = open_model(open_page, address, "regression", route=("**/predict", spoil)).page
    expected = expected_effects(address, load(directory / "regression.safetensors"), "regression")
    wrong = [name for name, (ends, _) in shown_effects(page).items() if ends != pytest.approx(expected[name], rel=1e-4)]
    assert wrong == ["size (cm)"]  # its fourth value

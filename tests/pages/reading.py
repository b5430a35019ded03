"""Reading a page of a model as a test does: the row that it sends, its numbers, and what they should be."""

import json
from typing import Any

from model import Checkpoint
from tests.pages.models import answers_of
from tests.pages.rounding import python_text

Numbers = dict[str, tuple[Any, str]]
# Of more classes, the page shows the likeliest.
SHOWN_CLASSES = 10


def settle(page: Any) -> None:
    """Wait until all numbers are those of the row in the form."""
    page.wait_for_selector('[data-settled="true"]')


def field(page: Any, column: str) -> Any:
    """What one fills in for a column."""
    kinds = ":is(select, input:not([type=checkbox], [type=range]))"
    return page.locator(f'[data-column="{column}"] {kinds}').first


def change(page: Any, column: str, text: str | None) -> None:
    """Change a column as a reader would; None makes its value missing."""
    if text is None:
        page.get_by_label(f"{column} is missing").check()
    elif field(page, column).evaluate("element => element.tagName") == "SELECT":
        field(page, column).select_option(text)
    else:
        field(page, column).fill(text)


def sent_row(page: Any) -> dict[str, Any]:
    """The row in the form as JSON, which the command for the terminal sends too."""
    command = page.locator('[data-name="curl"]').text_content()
    return dict(json.loads(command.split("--data-binary '")[1].strip()[:-1].replace("'\\''", "'")))


def shown_numbers(page: Any) -> Numbers:
    """Every number that the page marks, by its name: the full one, and the text that one sees."""
    script = """() => [...document.querySelectorAll('[data-name][data-value]')]
        .map(each => [each.dataset.name, each.dataset.value, each.textContent.trim()])"""
    return {name: (value, text) for name, value, text in page.evaluate(script)}


def percent(share: float) -> str:
    """A share as the page writes it: rounded to a thousandth, which is a tenth of a percent."""
    return f"{float(f'{share:.3f}') * 100:.1f}\xa0%"


def number_text(checkpoint: Checkpoint, value: float) -> str:
    """A prediction as the page writes it. The RMSE of the regression is 3, so that its numbers have two decimals."""
    return percent(value) if checkpoint.classes else python_text(f"{value:.2f}")


def expected_numbers(checkpoint: Checkpoint, row: dict[str, Any]) -> Numbers:
    """The numbers of a prediction and their texts, from the checkpoint alone."""
    (answer,) = answers_of(checkpoint, [row])
    found = {"spread": answer["spread"]}
    if not checkpoint.classes:
        found |= {"prediction": answer["prediction"]}
        found |= dict(zip(("interval low", "interval high"), answer["interval"], strict=True))
        return {name: (value, number_text(checkpoint, value)) for name, value in found.items()}
    shares = probabilities(checkpoint, answer)
    likeliest = sorted(shares, key=lambda name: -shares[name])[:SHOWN_CLASSES]
    found |= {f"probability {name}": shares[name] for name in likeliest}
    label = str(answer["label"])
    return {name: (value, percent(value)) for name, value in found.items()} | {"label": (label, label)}


def probabilities(checkpoint: Checkpoint, answer: dict[str, Any]) -> dict[str, float]:
    """The probability of each class, by its name."""
    prediction = answer["prediction"]
    shares = [1 - prediction, prediction] if isinstance(prediction, float) else list(prediction.values())
    return dict(zip(map(str, checkpoint.classes), shares, strict=True))


def watched_number(checkpoint: Checkpoint, answer: dict[str, Any], watched: str) -> float:
    """The number that the page watches: the probability of a class, or the number that is predicted."""
    return float(probabilities(checkpoint, answer)[watched] if checkpoint.classes else answer["prediction"])


def differences(shown: Numbers, expected: Numbers) -> list[str]:
    """What a page shows otherwise than expected: a number must be the same, bit for bit, and its text rounded."""
    return [
        f"{name}: {shown.get(name)} instead of {(value, text)}"
        for name, (value, text) in expected.items()
        if name not in shown or shown[name][1] != text or type(value)(shown[name][0]) != value
    ]

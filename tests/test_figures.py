"""Every figure in README and docs/ that was measured is found in the results of a benchmark."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import cost_tables, scaling
from bench.comparisons import Measured, amount, digits
from bench.performance_page import page
from tests.conftest import ROOT

DOCS = ROOT / "docs"
# docs/performance.md is made from results.json, and the tables of docs/scaling.md from scaling.json.
RESULTS = ROOT / "bench" / "results.json"
# Of benchmarks that take longer than `make bench`: what was measured, by which command, and where it stands.
RECORDS = ROOT / "bench" / "records.json"
# Of no measurement: limits, defaults, definitions and examples.
CHOSEN = ROOT / "tests" / "chosen_figures.json"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.glob("*.md") if path.name != "performance.md")]

UNITS = "×|%|ns|µs|ms|s|kB|MB|MiB|GB|GiB|seconds?|minutes?|hours?|times"
NUMBER = r"\d[\d,]*(?:\.\d+)?"
FIGURE = re.compile(rf"(?<![\w.,#/=-]){NUMBER}(?:(?:\sto\s|–){NUMBER})?\s?(?:{UNITS})(?![\w/])")


def figures(text: str) -> set[str]:
    """The numbers with a unit in a text, but for code and for what a benchmark writes into it."""
    for pattern in (r"```.*?```", r"<!-- measured.*?<!-- end -->", r"`[^`\n]*`"):
        text = re.sub(pattern, "`", text, flags=re.DOTALL)
    return {" ".join(match[0].split()) for match in FIGURE.finditer(text)}


def results_of_bench() -> Iterator[str]:
    """All figures of results.json, as they are written."""
    for part in Measured.read(RESULTS).parts.values():
        for each in part.comparisons:
            yield from each.cells()
            yield f"{digits(each.ratio)} times"
        for growth in part.growths:
            yield from (amount(seconds, "s") for seconds in growth.medians)


def recorded(document: Path) -> set[str]:
    """The figures of longer benchmarks that stand in a document."""
    records = json.loads(RECORDS.read_text(encoding="utf-8"))
    return {figure for each in records if each["document"] == document.name for figure in each["figures"]}


def chosen(document: Path) -> set[str]:
    return set(json.loads(CHOSEN.read_text(encoding="utf-8")).get(document.name, []))


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_every_figure_was_measured_or_chosen(document: Path) -> None:
    found, measured = figures(document.read_text(encoding="utf-8")), set(results_of_bench())
    assert sorted(found - measured - recorded(document) - chosen(document)) == []
    stale = (recorded(document) | chosen(document)) - found
    assert sorted(stale) == [], "these figures are listed and no longer in the document"


def test_every_record_says_how_it_was_measured() -> None:
    for record in json.loads(RECORDS.read_text(encoding="utf-8")):
        assert set(record) == {"document", "command", "measured", "figures"}
        assert re.fullmatch(r"python -m bench\.[\w. -]+", record["command"])
        module = record["command"].split()[2].replace(".", "/")
        assert (ROOT / f"{module}.py").exists() or (ROOT / module / "__main__.py").exists(), record["command"]


def test_the_page_of_the_performance_is_that_of_the_results() -> None:
    assert (DOCS / "performance.md").read_text(encoding="utf-8") == page(Measured.read(RESULTS))


def test_the_tables_of_the_scaling_are_those_of_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(scaling.RESULTS.read_text(encoding="utf-8"))
    monkeypatch.setattr(cost_tables, "cores", lambda: found["cores"])
    text = (DOCS / "scaling.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(scaling.BEGIN)
    tables = scaling.tables_of(found, cost_tables.Sizes(turns=found["turns"]))
    assert rest.partition(scaling.END)[0].strip() == tables.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It takes 3.5 s and 12 MB.", {"3.5 s", "12 MB"}),
        ("between 89.5 % and 91.2 %", {"89.5 %", "91.2 %"}),
        ("1.4 to 1.8 times as long, 1.02–1.23 × C", {"1.4 to 1.8 times", "1.02–1.23 ×"}),
        ("`sleep 3 s` in issue #12 s, 64-64", set()),
        ("```sh\n3 s\n```", set()),
    ],
)
def test_a_figure_is_a_number_with_a_unit(text: str, expected: set[str]) -> None:
    assert figures(text) == expected


def ratio_of(part: str, what: str, other: str) -> float:
    """The ratio of one comparison in the results."""
    comparisons = Measured.read(RESULTS).parts[part].comparisons
    (found,) = (each for each in comparisons if what in each.what and other in each.other)
    return found.ratio


def test_what_is_said_without_a_figure_is_what_was_measured() -> None:
    defaults, guide, readme = (
        " ".join(path.read_text(encoding="utf-8").split())
        for path in (DOCS / "defaults.md", DOCS / "guide.md", ROOT / "README.md")
    )
    assert ("faster than MLP on digits | **not reached**" in defaults) == (ratio_of("digits", "fits of", "MLP") > 1)
    memory = ratio_of("million", "1,024 a step: memory", "the table in float32")
    assert ("three times the table in float32 is **not reached**" in defaults) == (memory > 3)
    assert "less than a thousandth of the time" in guide
    assert ratio_of("training", "on the device", "NumPy") < 1e-3
    assert "faster than gunicorn's own threads" in readme
    assert ratio_of("service", "one row", "gthread") > 1

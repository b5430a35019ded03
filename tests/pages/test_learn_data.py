"""The data of a learner: points that one draws, and a file of one's own."""

from typing import Any

import jax
import numpy as np
import pytest

from model import point_set, read_table
from model.tables.point_sets import POINT_SETS
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner

CSV = "size,weight,colour,ripe\n" + "".join(
    f"{size / 4},{size * 3 % 7},{('red', 'green', 'blue')[size % 3]},{('yes', 'no')[size % 4 // 2]}\n"
    for size in range(24)
)


def upload(learner: Learner, content: str | bytes, name: str = "fruit.csv") -> None:
    body = content if isinstance(content, bytes) else content.encode()
    file: Any = {"name": name, "mimeType": "text/csv", "buffer": body}
    with learner.page.expect_response("**/learn/csv*"):
        learner.page.locator("#csv").set_input_files(file)


def test_points_that_one_draws(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#hidden=4&activation=tanh&optimizer=adam&rate=0.05&panel=rows")
    learner.page.select_option("#table", "drawn")
    learner.settle()
    learner.page.get_by_text("There is no point yet. Draw some").wait_for()
    assert learner.page.get_by_role("button", name="Run").is_disabled()
    frame = learner.page.locator(".frame")
    box = frame.bounding_box() or {"width": 0, "height": 0}
    corners = [(0.1, 0.1, 0), (0.9, 0.9, 0), (0.1, 0.9, 1), (0.9, 0.1, 1)]
    for x, y, label in corners:
        learner.page.get_by_role("radio", name=str(label)).check()
        frame.click(position={"x": x * box["width"], "y": (1 - y) * box["height"]})
        learner.settle()
    shown = learner.shown()
    for row, (x, y, label) in enumerate(corners):
        assert shown[f"table x[{row},0]"].value == pytest.approx(3 * x - 1.5, abs=0.02)
        assert shown[f"table x[{row},1]"].value == pytest.approx(3 * y - 1.5, abs=0.02)
        assert shown[f"confusion[{label},0]"].value is not None
    learner.page.select_option("#speed", "full")
    learner.click("Run")
    learner.page.get_by_text("Solved: every row is right.").wait_for(timeout=60_000)
    learner.click("Undo")
    learner.settle()
    assert "of 3" in learner.page.locator(".progress").inner_text()


def test_points_that_one_types(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#panel=rows")
    learner.page.select_option("#table", "drawn")
    learner.settle()
    learner.page.locator("#draw-x").fill("0.5")
    learner.page.locator("#draw-y").fill("-1.25")
    learner.click("Add point")
    learner.settle()
    shown = learner.shown()
    assert (shown["table x[0,0]"].value, shown["table x[0,1]"].value) == (0.5, -1.25)
    learner.page.locator("#draw-x").fill("1e9")
    learner.page.get_by_role("button", name="Add point").and_(learner.page.locator(":disabled")).wait_for()


def test_a_file_of_ones_own(open_page: OpenPage, learning: str, tmp_path: Any) -> None:
    learner = Learner(open_page, learning, "#hidden=4&panel=rows")
    upload(learner, CSV)
    learner.page.locator("#csv-target").wait_for()
    learner.settle()
    path = tmp_path / "fruit.csv"
    path.write_text(CSV)
    table = read_table(path, target="ripe")
    shown = learner.shown()
    for row, values in enumerate(np.asarray(table.x)):
        for column, value in enumerate(values):
            assert shown[f"table x[{row},{column}]"].value == pytest.approx(float(value), abs=1e-6)
    assert learner.page.locator("#across option").all_inner_texts() == ["size", "weight"]
    learner.page.select_option("#csv-target", "colour")
    learner.page.get_by_text("Class that is drawn").wait_for()
    learner.settle()
    assert learner.page.locator(".network .unit.output").count() == 3
    assert learner.page.locator(".confusion tbody tr").count() == 3
    learner.page.select_option("#csv-target", "size")
    learner.page.locator(".confusion").wait_for(state="detached")
    learner.settle()
    learner.click("Step")
    learner.settle()
    assert learner.text("epoch") == "1"
    learner.open_tab("Take along")
    assert "the address holds every row of it (24)" in learner.page.locator(".take").inner_text()


def test_classes_are_named_and_marked(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#hidden=4&panel=rows")
    upload(learner, CSV)
    learner.page.select_option("#csv-target", "colour")
    learner.page.get_by_text("Class that is drawn").wait_for()
    learner.settle()
    assert learner.page.locator(".unit.output .also").all_inner_texts() == ["blue", "green", "red"]
    assert learner.page.locator("#surface-title").inner_text() == "What it predicts: green"
    key = learner.page.locator(".class-key .class-entry")
    assert [text.strip() for text in key.all_inner_texts()] == ["blue", "green", "red"]
    assert len({shape.get_attribute("d") for shape in key.locator("path").all()}) == 3
    names = learner.page.locator(".rows:not(.confusion) tbody tr").last.locator(".class-name").all_inner_texts()
    assert names == ["blue", "green", "red"]


def test_the_pointer_reads_a_file_in_its_own_units(open_page: OpenPage, learning: str, tmp_path: Any) -> None:
    learner = Learner(open_page, learning, "#hidden=4")
    upload(learner, CSV)
    learner.page.get_by_text("Numbers of a file are scaled").wait_for()
    learner.settle()
    path = tmp_path / "fruit.csv"
    path.write_text(CSV)
    specs: Any = read_table(path, target="ripe").column_specs
    learner.page.locator(".frame").hover(position={"x": 30, "y": 40})
    learner.settle()
    for axis, name in enumerate(("pointer x", "pointer y")):
        own = specs[axis].unscale(np.array([learner.number(name)]))[0]
        assert learner.number(f"{name} in the file") == pytest.approx(float(own), rel=1e-5)


def test_long_names_stay_in_their_place(open_page: OpenPage, learning: str) -> None:
    long = "a_name_that_is_much_longer_than_its_place_on_the_page"
    options: Any = {"viewport": {"width": 320, "height": 640}}
    learner = Learner(open_page, learning, "#panel=trace", **options)
    upload(
        learner, f"{long},other_{long},y_{long}\n" + "".join(f"{row},{row * row % 7},{row % 3}.5\n" for row in range(9))
    )
    learner.page.locator("#csv-target").wait_for(state="attached")
    for panel in ("trace", "rows", "nudge"):
        learner.page.locator(f"#tab-{panel}").click()
        learner.settle()
        assert learner.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), panel
        card = learner.page.locator(".tabs").bounding_box() or {}
        for part in learner.page.locator(".tab-panel > * > *").all():
            box = part.bounding_box() or {"x": 0, "width": 0}
            assert box["x"] + box["width"] <= card["x"] + card["width"] + 1, panel
    assert learner.page.locator(".unit-label").first.get_attribute("title") == long


REFUSED: list[tuple[str | bytes, str]] = [
    ("", "nothing was found"),
    ("a,b\n", "rows"),
    ("only\n1\n2\n", "columns"),
    (b"\xff\xfe\x00\x01\x02", "the file"),
    ("a,b,y\n" + "1,2,3\n4,5,6\n" * 1100, "rows"),
    ("\n".join(",".join(f"{start}{index}" for index in range(40)) for start in ("c", "1", "2")), "inputs"),
]


def test_files_that_cannot_be_learned(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#seed=3")
    learner.visit.allowed.add(400)
    before = learner.shown()
    for content, sentence in REFUSED:
        upload(learner, content)
        learner.page.locator("#csv-problem", has_text=sentence).wait_for()
        assert learner.shown() == before


def test_a_file_that_is_too_large_is_not_sent(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    file: Any = {"name": "big.csv", "mimeType": "text/csv", "buffer": b"a,b\n" + b"1,2\n" * 600_000}
    learner.page.locator("#csv").set_input_files(file)
    learner.page.get_by_text("at most 2 MiB").wait_for()


def test_sets_of_points(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#panel=rows")
    for name in POINT_SETS:
        learner.page.select_option("#table", name)
        learner.page.locator("#points-rows").fill("30")
        learner.page.locator("#points-seed").fill("4")
        learner.settle()
        table = point_set(name, 30, 0.1, key=jax.random.key(4))
        shown = learner.shown()
        found = [[shown[f"table x[{row},{column}]"].value for column in range(2)] for row in range(30)]
        np.testing.assert_allclose(np.array(found, np.float32), np.asarray(table.x, np.float32), rtol=1e-6)


def test_another_table_changes_no_network(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#table=moons&rows=20&hidden=3&activation=gelu&optimizer=momentum")
    for table in ("xor", "circles", "and", "drawn"):
        learner.page.select_option("#table", table)
        learner.settle()
        values = [learner.page.locator(field).input_value() for field in ("#hidden-0", "#activation", "#optimizer")]
        assert values == ["3", "gelu", "momentum"]
    learner.click("Take 8 tanh units, and Adam")
    learner.settle()
    values = [learner.page.locator(field).input_value() for field in ("#hidden-0", "#activation", "#optimizer")]
    assert values == ["8", "tanh", "adam"]

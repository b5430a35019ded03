"""What a learner takes along: a checkpoint down and up, and the Python that gives the very numbers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import load
from tests.conftest import Nudge
from tests.examples import same_bits
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner
from tests.pages.test_learn_data import CSV, upload


def save(learner: Learner, button: str, path: Path) -> Path:
    with learner.page.expect_download() as download:
        learner.click(button)
    target = path / str(download.value.suggested_filename)
    download.value.save_as(target)
    return target


def test_a_checkpoint_down_and_up(open_page: OpenPage, learning: str, nudge: Nudge, tmp_path: Path) -> None:
    learner = Learner(open_page, learning, "#seed=3&epochs=400&panel=take")
    path = save(learner, "Save the checkpoint", tmp_path)
    assert path.name == "xor.safetensors"
    assert same_bits(load(path).params, learner.params())
    check = nudge("check", str(path))
    assert check.returncode == 0, check.stderr
    assert "The gradients agree" in check.stdout
    other = Learner(open_page, learning, "#table=and&panel=take")
    other.page.locator("#checkpoint").set_input_files(path)
    other.page.wait_for_function("() => document.querySelector('#table').value === 'xor'")
    other.settle()
    assert same_bits(other.params(), learner.params())
    assert other.text("epoch") == "400"


def test_a_checkpoint_of_a_file(open_page: OpenPage, learning: str, nudge: Nudge, tmp_path: Path) -> None:
    learner = Learner(open_page, learning, "#hidden=3&panel=take")
    upload(learner, CSV)
    learner.page.locator("#csv-target").wait_for()
    learner.settle()
    learner.click("Step")
    learner.settle()
    path = save(learner, "Save the checkpoint", tmp_path)
    shown = nudge("show", str(path))
    assert shown.returncode == 0, shown.stderr
    assert "colour" in shown.stdout
    (tmp_path / "fruit.csv").write_text(CSV)
    predicted = nudge("predict", str(path), "fruit.csv")
    assert predicted.returncode == 0, predicted.stderr


@pytest.mark.parametrize("content", [b"", b"nothing", bytes(200)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_checkpoint(open_page: OpenPage, learning: str, content: bytes) -> None:
    learner = Learner(open_page, learning, "#seed=3&panel=take")
    learner.visit.allowed.add(400)
    before = learner.address
    file: Any = {"name": "wrong.safetensors", "mimeType": "application/octet-stream", "buffer": content}
    learner.page.locator("#checkpoint").set_input_files(file)
    learner.page.locator(".take .message.error").wait_for()
    assert learner.address == before


@pytest.mark.parametrize(
    "address",
    ["#seed=6&start=2&epochs=900", "#table=moons&rows=40&hidden=3&activation=tanh&optimizer=adam&epochs=50"],
    ids=["xor", "moons"],
)
def test_the_python_gives_the_very_numbers(open_page: OpenPage, learning: str, tmp_path: Path, address: str) -> None:
    learner = Learner(open_page, learning, f"{address}&panel=take&select=0.weight[0,0]")
    learner.page.locator("pre code", has_text="trained = ").wait_for()
    sizes = (2, 3, 1) if "moons" in address else (2, 2, 1)
    path = save(learner, "Save it", tmp_path)
    script = path.read_text() + "\nimport numpy as np\nnp.savez('found.npz', *jax.tree.leaves(trained.params))\n"
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    found = [*np.load(tmp_path / "found.npz").values()]
    flat = [leaf for layer in learner.params(sizes) for leaf in layer]
    assert all(one.tobytes() == np.asarray(other).tobytes() for one, other in zip(found, flat, strict=True))

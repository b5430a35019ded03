"""Makes the pictures of the pages for README.md and docs/: python docs/screenshots.py, from the top of the tree.

It trains XOR and a table of penguins, serves them for learners too, and opens the pages in Chromium.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent
SIZE = {"width": 1280, "height": 960}
COMPLETE = '[data-settled="true"]'
# Each picture: the page, and the label and the option of what is chosen there.
PICTURES = {
    "model-page.png": ("/models/penguins", "Watch the probability of", "Adelie"),
    "learner-page.png": ("/learn", "Weight or bias", 1),
}
# For each species: its share, its island, and the means of the length and the depth of its bill, and of its flipper.
SPECIES = {
    "Adelie": (0.44, "Torgersen", 38.8, 18.3, 190.0),
    "Chinstrap": (0.2, "Dream", 48.8, 18.4, 196.0),
    "Gentoo": (0.36, "Biscoe", 47.5, 15.0, 217.0),
}


def write_penguins(path: Path, rows: int = 340) -> None:
    """Write a table with as many penguins, whose sizes are drawn around those of their species."""
    drawn = random.Random(0)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["species", "island", "bill length (mm)", "bill depth (mm)", "flipper (mm)"])
        for species in drawn.choices([*SPECIES], [share for share, *_ in SPECIES.values()], k=rows):
            _, island, length, depth, flipper = SPECIES[species]
            sizes = [
                round(drawn.gauss(length, 3), 1),
                round(drawn.gauss(depth, 1.1), 1),
                round(drawn.gauss(flipper, 6)),
            ]
            table.writerow([species, island if drawn.random() < 0.6 else "Dream", *sizes])


@contextlib.contextmanager
def serving(checkpoints: Path) -> Iterator[str]:
    """Serve models, and learners, on a free port. Yields the address."""
    variables = {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_LEARN": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "model", "serve", "--port", "0"]
    with subprocess.Popen(command, env=os.environ | variables, stderr=subprocess.PIPE, text=True, cwd=ROOT) as service:
        try:
            assert service.stderr is not None
            line = next(line for line in service.stderr if "Listening at" in line)
            address = next(word for word in line.split() if word.startswith("http://"))
            wait_until_loaded(address)
            yield address
        finally:
            service.send_signal(signal.SIGTERM)


def wait_until_loaded(address: str) -> None:
    """Ask for the models until all answer."""
    while True:
        with urllib.request.urlopen(f"{address}/models.json", timeout=60) as reply:
            if all(model["state"] == "ready" for model in json.load(reply)["models"]):
                return
        time.sleep(0.1)


def take_pictures(address: str) -> None:
    """Open each page, and write its picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (path, label, option) in PICTURES.items():
            page: Any = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
            page.goto(f"{address}{path}")
            page.wait_for_selector(COMPLETE)
            chosen = {"index": option} if isinstance(option, int) else {"label": option}
            page.get_by_label(label).select_option(**chosen)
            page.wait_for_selector(COMPLETE)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=HERE / name)
            page.close()
        browser.close()


def main() -> None:
    """Train, serve, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        write_penguins(Path(folder) / "penguins.csv")
        nudge = [sys.executable, "-m", "model", "train"]
        checkpoints = Path(folder) / "checkpoints"
        for options in (["xor"], [f"{folder}/penguins.csv", "--target", "species"]):
            out = checkpoints / f"{Path(options[0]).stem}.safetensors"
            subprocess.run([*nudge, *options, "--out", str(out)], check=True, cwd=ROOT)
        with serving(checkpoints) as address:
            take_pictures(address)


if __name__ == "__main__":
    main()

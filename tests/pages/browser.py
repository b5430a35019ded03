"""What the tests of pages need besides Python: Chromium, and what npm installs. Without it they skip, or fail."""

import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
# .ci/run sets it: then what is missing is a failure.
REQUIRED = "NUDGE_REQUIRE_BROWSER"
# The rules of axe: those of the WCAG 2.2 up to level AA, and what its authors recommend besides.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, or fail it if the environment says that nothing may be missing."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def chromium() -> str:
    """The path of the browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return found or skip_or_fail("there is no chromium; on Debian run apt-get install chromium")


def installed_module(name: str) -> Path:
    """The folder of a module from npm."""
    if not (NODE_MODULES / name).exists():
        skip_or_fail(f"npm's {name} is not there; run npm ci in tests/pages")
    return NODE_MODULES / name


def axe(page: Any) -> list[str]:
    """What axe-core finds wrong with a page as it is now: each rule that is broken, and where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((installed_module("axe-core") / "axe.min.js").read_text())
    found = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", RULES)
    return [
        f"{rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]

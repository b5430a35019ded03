"""The types and the style of the scripts of the pages."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pages.browser import HERE, NODE_MODULES, installed_module, skip_or_fail

STATIC = ROOT / "serve" / "static"
TOOLS = ("typescript", "eslint", "@eslint/js", "htm", "preact", "uplot")


@pytest.fixture
def tools() -> Path:
    """The folder of the commands that npm has installed."""
    if not shutil.which("node"):
        skip_or_fail("there is no node; on Debian run apt-get install nodejs npm")
    for name in TOOLS:
        installed_module(name)
    return NODE_MODULES / ".bin"


def complaints(command: list[str | Path], cwd: Path) -> str:
    run = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)
    return run.stdout + run.stderr if run.returncode else ""


def test_the_scripts_are_typed(tools: Path) -> None:
    assert complaints([tools / "tsc", "--project", HERE], STATIC) == ""


def test_a_wrong_type_is_found(tools: Path, tmp_path: Path) -> None:
    script = tmp_path / "wrong.js"
    script.write_text(f"import {{ formatFixed }} from '{STATIC}/shared/numbers.js';\nformatFixed('1', 2);\n")
    config = tmp_path / "tsconfig.json"
    config.write_text(f'{{"extends": "{HERE}/tsconfig.json", "include": ["wrong.js"]}}')
    assert "TS2345" in complaints([tools / "tsc", "--project", config], tmp_path)


def test_the_scripts_keep_the_rules(tools: Path) -> None:
    command = [tools / "eslint", "--config", HERE / "eslint.config.js", "--max-warnings", "0", "."]
    assert complaints(command, STATIC) == ""


def test_no_page_has_a_script_or_a_style_inside() -> None:
    pages = [*STATIC.glob("*.html")]
    assert pages
    for page in pages:
        text = page.read_text()
        assert "<style" not in text, page
        assert " style=" not in text, page
        assert not re.search(r"\son\w+=", text), page
        assert all(part.split(">")[1].startswith("</script") for part in text.split("<script")[1:]), page

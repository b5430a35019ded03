"""Figures, which `nudge check` and `nudge importance` draw by matplotlib."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from model.commands.shared import save_figure
from tests.commands.examples import run_main
from tests.conftest import ROOT, Nudge

# The first bytes of a file with this ending.
FIRST_BYTES = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


@pytest.fixture(params=["check", "importance"])
def draw(request: pytest.FixtureRequest, animals: Path, animals_checkpoint: str, checkpoints: Path) -> tuple[str, ...]:
    """The arguments of each command that draws, up to the name of the figure."""
    if request.param == "check":
        return "check", str(checkpoints / "xor.safetensors"), "--plot"
    return "importance", animals_checkpoint, str(animals / "animals.csv"), "--plot"


@pytest.mark.parametrize("ending", FIRST_BYTES)
def test_a_figure_has_the_format_of_its_ending(draw: tuple[str, ...], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"figure.{ending}"
    status, errors = run_main(*draw, str(path))
    assert not status
    assert errors == ""
    assert path.read_bytes().startswith(FIRST_BYTES[ending])


def test_another_ending_is_one_sentence_and_status_2(draw: tuple[str, ...], tmp_path: Path) -> None:
    status, errors = run_main(*draw, str(tmp_path / "figure.txt"))
    assert status == 2
    assert errors == "nudge: --plot: expected a name that ends in .svg, .png or .pdf, found 'figure.txt'\n"


def test_a_folder_that_is_not_there_is_one_sentence_and_status_2(draw: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "no" / "figure.svg"
    status, errors = run_main(*draw, str(path))
    assert status == 2
    assert errors == f"nudge: --plot: expected a directory {path.parent}, found none; make it first\n"


@pytest.mark.parametrize(("ending", "has_boxes"), [("svg", False), ("png", True)])
def test_letters_that_the_font_lacks_are_no_warning_of_a_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, has_boxes: bool
) -> None:
    figure, path = Figure(), tmp_path / f"figure.{ending}"
    figure.text(0.1, 0.1, "\U0001f642 \u5e74")
    save_figure(figure, path)
    sentence = f"--plot: {path} has boxes for letters that the font lacks; name an .svg file instead\n"
    assert capsys.readouterr().err == (sentence if has_boxes else "")
    assert ("\u5e74" in path.read_bytes().decode(errors="replace")) is not has_boxes


def test_a_figure_without_matplotlib_is_one_sentence_and_status_2(
    draw: tuple[str, ...], nudge: Nudge, tmp_path: Path
) -> None:
    package = tmp_path / "path" / "matplotlib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError('matplotlib')")
    run = nudge(*draw, "figure.svg", PYTHONPATH=f"{package.parent}:{ROOT}")
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == (
        "nudge: --plot: expected matplotlib, found none; install it with `pip install 'nudge-jax[plot]'`\n"
    )

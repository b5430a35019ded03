"""The command line as a whole: its commands, its version, its help, and figures in files."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from model.commands.cli import COMMANDS
from tests.conftest import ROOT, Nudge


def test_the_version_is_that_of_the_distribution(nudge: Nudge) -> None:
    assert nudge("--version").stdout == f"nudge, version {version('nudge-jax')}\n"
    assert f'version = "{version("nudge-jax")}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {version('nudge-jax')}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_help_lists_every_command_and_the_service(nudge: Nudge) -> None:
    listed = re.findall(r"^  (\w+) +[A-Z]", nudge("--help").stdout.split("Commands:")[1], re.MULTILINE)
    assert listed == sorted([*COMMANDS, "serve"])


@pytest.mark.parametrize("command", [*COMMANDS, "serve"])
def test_every_command_has_help(nudge: Nudge, command: str) -> None:
    run = nudge(command, "--help")
    assert run.returncode == 0
    assert run.stdout.startswith(f"Usage: nudge {command} ")


def test_an_unknown_command_is_one_line(nudge: Nudge) -> None:
    run = nudge("trian")
    assert run.returncode == 2
    assert run.stderr.startswith("nudge: No such command 'trian'.")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str, environment: dict[str, str]) -> None:
    completion = environment | {"_NUDGE_COMPLETE": f"{shell}_source"}
    script = subprocess.run(
        [sys.executable, "-m", "model"], capture_output=True, text=True, env=completion, check=True, cwd=ROOT
    )
    assert "_NUDGE_COMPLETE" in script.stdout


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_has_the_format_of_its_ending(
    nudge: Nudge, tmp_path: Path, checkpoints: Path, ending: str, start: bytes
) -> None:
    run = nudge("check", str(checkpoints / "xor.safetensors"), "--plot", f"figure.{ending}")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert (tmp_path / f"figure.{ending}").read_bytes().startswith(start)


def test_a_figure_without_matplotlib_is_refused_in_one_sentence(
    nudge: Nudge, tmp_path: Path, checkpoints: Path
) -> None:
    (tmp_path / "missing" / "matplotlib").mkdir(parents=True)
    (tmp_path / "missing" / "matplotlib" / "__init__.py").write_text("raise ModuleNotFoundError('matplotlib')")
    path = f"{tmp_path / 'missing'}:{ROOT}"
    run = nudge("check", str(checkpoints / "xor.safetensors"), "--plot", "a.svg", PYTHONPATH=path)
    assert run.returncode == 2
    assert run.stderr == (
        "nudge: --plot: expected matplotlib, found none; install it with `pip install 'nudge-jax[plot]'`\n"
    )

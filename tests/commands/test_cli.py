"""The command line as a whole: its commands, its version, its help, its exit status, and its output."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from model.commands.cli import COMMANDS
from tests.conftest import ROOT, Nudge

VERSION = version("nudge-jax")


def run_shell(command: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, cwd=cwd, check=False, timeout=300
    )


def test_the_version_is_that_of_the_distribution(nudge: Nudge) -> None:
    assert nudge("--version").stdout == nudge("serve", "--version").stdout == f"nudge, version {VERSION}\n"
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("arguments", ["--version", "serve --help"])
def test_commands_that_compute_nothing_do_not_load_jax(arguments: str, environment: dict[str, str]) -> None:
    program = (
        f"import atexit, sys; atexit.register(lambda: print('jax' in sys.modules)); "
        f"sys.argv = ['nudge', *{arguments.split()!r}]; from model.__main__ import main; main()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.splitlines()[-1] == "False"
    assert len(run.stdout.splitlines()) > 1


def test_the_help_lists_every_command_and_the_service(nudge_here: Nudge) -> None:
    listed = re.findall(r"^  (\w+) +[A-Z]", nudge_here("--help").stdout.split("Commands:")[1], re.MULTILINE)
    assert listed == sorted([*COMMANDS, "serve"])


def test_without_a_command_the_help_is_printed_and_the_status_is_2(nudge: Nudge) -> None:
    run = nudge()
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == nudge("--help").stdout


@pytest.mark.parametrize("command", [*COMMANDS, "serve"])
def test_every_command_has_help(nudge_here: Nudge, command: str) -> None:
    run = nudge_here(command, "--help")
    assert run.returncode == 0
    assert run.stdout.startswith(f"Usage: nudge {command} ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str, environment: dict[str, str]) -> None:
    completion = environment | {"_NUDGE_COMPLETE": f"{shell}_source"}
    script = subprocess.run(
        [sys.executable, "-m", "model"], capture_output=True, text=True, env=completion, check=True, cwd=ROOT
    )
    assert "_NUDGE_COMPLETE" in script.stdout


RATE = "the learning rate must be a finite number above 0 in float32, not"
COUNT = "must be a whole number from 1 to 2^63 - 1"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "train nothing",
            "'nothing' is no file, and none of the truth tables xor, and, or, nand, nor, xnor; name one of them",
        ),
        ("train --epochs 0", "0 is not in the range x>=1"),
        ("train --epochs many", "'many' is not a valid integer"),
        ("train --learning-rate nan", f"{RATE} nan"),
        ("train --learning-rate -1", f"{RATE} -1.0"),
        ("train --learning-rate 1e39", f"{RATE} 1e+39"),
        ("train --hidden 2,x", "'2,x' is not a list of layer sizes such as 2 or 8,8"),
        ("train --hidden 99999999999999999999", "ask for more than the 1,000,000,000 parameters and losses"),
        ("train --hidden " + "9" * 5000, "is not a list of layer sizes such as 2 or 8,8"),
        ("train --restarts 1000000", "ask for more than the 1,000,000,000 parameters and losses"),
        ("train --restarts " + "9" * 400, f"restarts {COUNT}, not 99999999"),
        ("train --epochs 9223372036854775808", f"epochs {COUNT}"),
        ("train --log-every 9223372036854775808", f"log_every {COUNT}"),
        ("train --optimizer lbfgs", "'lbfgs' is not one of 'sgd', 'momentum', 'adam'"),
        ("train --seed -1", "-1 is not in the range"),
        ("train --out x.bin", "x.bin: expected a name that ends in .safetensors"),
        ("train --out .", "expected a name that ends in .safetensors"),
        ("train --out " + "n" * 230 + ".safetensors", "expected a place to write to, found file name too long"),
        ("train --out /proc/x.safetensors", "expected a place to write to, found no such file or directory"),
        ("train --nonsense", "No such option '--nonsense'"),
        ("check", "checkpoints: expected a checkpoint in it, found none; write one with"),
        ("check none.safetensors", "none.safetensors: expected a checkpoint, found no file; write one with"),
        ("ask none.safetensors", "none.safetensors: expected a checkpoint, found no file; write one with"),
        ("show .", ".: expected a readable file, found is a directory"),
        ("check --tolerance nan", "nan is not a finite number"),
        ("check --tolerance inf", "inf is not a finite number"),
        ("trian", "No such command 'trian'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(
    nudge_here: Nudge, tmp_path: Path, command: str, message: str
) -> None:
    run = nudge_here(*command.split())
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("nudge: ")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_full_disk_is_one_sentence_and_status_1(
    environment: dict[str, str], tmp_path: Path, checkpoints: Path
) -> None:
    run = run_shell(f"{sys.executable} -m model show {checkpoints}/xor.safetensors >/dev/full", environment, tmp_path)
    assert run.returncode == 1
    assert run.stderr == "nudge: standard output cannot be written to: no space left on device; send it elsewhere\n"


def test_a_closed_pipe_is_no_error_message(environment: dict[str, str], tmp_path: Path, checkpoints: Path) -> None:
    run = run_shell(f"{sys.executable} -m model show {checkpoints}/xor.safetensors | true", environment, tmp_path)
    assert run.stderr == ""

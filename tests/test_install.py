"""`make install` finishes, or says in one sentence what is wrong and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

# The files that `make install` reads.
NEEDED_FILES = ["Makefile", "pyproject.toml", "constraints.txt", ".ci/install"]
OFFLINE = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "empty"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with NEEDED_FILES, whose name has a space."""
    tree = tmp_path / "a checkout"
    for name in NEEDED_FILES:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    (tree / "empty").mkdir()
    return tree


def write_script(path: Path, body: str) -> Path:
    """Write a shell script in which $real is the running Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nreal='{sys.executable}'\n{body}\n")
    path.chmod(0o755)
    return path


def python_with_module(folder: Path, module: str, source: str) -> Path:
    """A Python in which the source replaces a module of the standard library."""
    (folder / "modules").mkdir()
    (folder / "modules" / f"{module}.py").write_text(source)
    return write_script(folder / "python", f'PYTHONPATH="{folder}/modules" exec "$real" "$@"')


def absent_python(folder: Path) -> Path:
    return folder / "python"


def old_python(folder: Path) -> Path:
    return python_with_module(folder, "sitecustomize", "import sys; sys.version_info = (3, 9, 18, 'final', 0)")


def python_without_ensurepip(folder: Path) -> Path:
    return python_with_module(folder, "ensurepip", "raise ModuleNotFoundError('as on Debian without python3-venv')")


def make_install(tree: Path, python: Path | str = sys.executable, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `make install` as from a terminal: without the variables of make, and with Ctrl-C as it is by default."""
    inherited = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    launch = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('make', sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", launch, "make", "install", f"PYTHON={python}"],
        cwd=tree,
        env=inherited | {"LC_ALL": "C"} | variables,
        capture_output=True,
        text=True,
        start_new_session=True,
    )


def error_message(run: subprocess.CompletedProcess[str]) -> str:
    """The only line of standard error that make itself did not write."""
    assert run.returncode != 0
    (line,) = [line for line in run.stderr.splitlines() if not line.startswith("make: ")]
    return line.removeprefix("make install: ")


@pytest.mark.parametrize(
    ("make_python", "expected"),
    [
        (absent_python, "Nudge needs Python 3.11 or newer, but {python} does not run; "),
        (old_python, "Nudge needs Python 3.11 or newer, but {python} is Python 3.9.18; "),
        (
            python_without_ensurepip,
            "Nudge needs Python's venv and ensurepip, but {python} lacks them; "
            "on Debian run apt-get install {package}, or ",
        ),
    ],
)
def test_an_unsuitable_python_is_refused(
    make_python: Callable[[Path], Path], expected: str, tree: Path, tmp_path: Path
) -> None:
    python = make_python(tmp_path)
    package = "python{}.{}-venv".format(*sys.version_info)
    assert error_message(make_install(tree, python)) == (
        expected.format(python=python, package=package) + "name another: make install PYTHON=/path/to/python3.12"
    )
    assert not (tree / ".venv").exists()


def test_an_install_without_a_network_leaves_nothing(tree: Path) -> None:
    message = error_message(make_install(tree, **OFFLINE))
    assert message.startswith("pip could not install Nudge into .venv (ERROR: No matching distribution found for ")
    assert message.endswith("; check the network, then run make install again")
    assert sorted(path.name for path in tree.iterdir()) == sorted(
        {Path(name).parts[0] for name in NEEDED_FILES} | {"empty"}
    )


def test_a_folder_that_cannot_be_made_is_refused(tree: Path) -> None:
    run = make_install(tree, VENV="pyproject.toml/.venv")
    assert error_message(run).endswith("; name a folder that can be made: make install VENV=/path/to/venv")


def test_ctrl_c_leaves_nothing(tree: Path, tmp_path: Path) -> None:
    interrupts = 'case "$*" in *venv*.venv) mkdir .venv; kill -s INT 0;; *) exec "$real" "$@";; esac'
    run = make_install(tree, write_script(tmp_path / "python", interrupts))
    assert error_message(run) == "interrupted before everything was installed; run make install again"
    assert not (tree / ".venv").exists()
    assert run.returncode in {2, -signal.SIGINT}


def test_an_environment_that_was_there_stays(tree: Path) -> None:
    fails = 'case "$*" in *"pip install"*) echo "ERROR: no route" >&2; exit 1;; *) exec "$real" "$@";; esac'
    python = write_script(tree / ".venv" / "bin" / "python", fails)
    assert "(ERROR: no route)" in error_message(make_install(tree))
    assert python.exists()


def test_uv_installs_where_it_is_named(tree: Path, tmp_path: Path) -> None:
    write_script(tree / ".venv" / "bin" / "python", 'exec "$real" -c ""')
    uv = write_script(tmp_path / "uv", 'echo "$@" >calls')
    assert make_install(tree, UV=str(uv)).returncode == 0
    installed = "pip install --python .venv/bin/python --constraint constraints.txt --editable .\n"
    assert (tree / "calls").read_text() == installed
    os.utime(tree / "pyproject.toml", (2**31 - 1, 2**31 - 1))
    write_script(uv, 'echo "no such index" >&2; exit 2')
    assert error_message(make_install(tree, UV=str(uv))).startswith("uv could not install Nudge into .venv (no such")


def test_an_environment_of_an_old_python_stays(tree: Path, tmp_path: Path) -> None:
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    old_python(tmp_path).rename(python)
    assert error_message(make_install(tree)) == (
        "Nudge needs Python 3.11 or newer, but .venv/bin/python is Python 3.9.18; "
        "name another: make install PYTHON=/path/to/python3.12 VENV=.venv-3.12"
    )
    assert python.exists()


def test_an_environment_whose_python_is_gone_is_made_again(tree: Path, tmp_path: Path) -> None:
    """After an upgrade of Python the stamp is there, and the interpreter is not."""
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    (tree / ".venv" / "pyvenv.cfg").touch()
    (tree / ".venv" / ".nudge-installed").touch()
    assert "(ERROR: No matching distribution found for " in error_message(make_install(tree, **OFFLINE))
    assert not (tree / ".venv").exists()


def test_a_finished_install_is_repeated_only_if_something_changed(tree: Path) -> None:
    python = write_script(tree / ".venv" / "bin" / "python", 'echo "$@" >>calls; exec "$real" -c ""')
    for path in (python, tree / "pyproject.toml", tree / "constraints.txt"):
        os.utime(path, (1, 1))
    assert make_install(tree).returncode == 0
    calls = (tree / "calls").read_text()
    assert calls.splitlines()[-1].endswith("--constraint constraints.txt --editable .")

    assert make_install(tree).returncode == 0
    assert (tree / "calls").read_text() == calls

    newer = (tree / ".venv" / ".nudge-installed").stat().st_mtime + 1
    os.utime(tree / "constraints.txt", (newer, newer))
    assert make_install(tree).returncode == 0
    assert (tree / "calls").read_text() == 2 * calls

"""`make install` either finishes, or says in one sentence what is wrong and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ["Makefile", "pyproject.toml", "constraints.txt", ".ci/install"]
OFFLINE = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "empty"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of a checkout that `make install` reads, in a folder whose name has a space."""
    tree = tmp_path / "a checkout"
    for name in NEEDED:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    (tree / "empty").mkdir()
    return tree


def script(path: Path, body: str) -> Path:
    """An executable shell script, in which $real is this very Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nreal='{sys.executable}'\n{body}\n")
    path.chmod(0o755)
    return path


def altered(folder: Path, module: str, source: str) -> Path:
    """This Python with a module of its own replaced."""
    (folder / "modules").mkdir()
    (folder / "modules" / f"{module}.py").write_text(source)
    return script(folder / "python", f'PYTHONPATH="{folder}/modules" exec "$real" "$@"')


def absent(folder: Path) -> Path:
    return folder / "python"


def too_old(folder: Path) -> Path:
    return altered(folder, "sitecustomize", "import sys; sys.version_info = (3, 9, 18, 'final', 0)")


def without_ensurepip(folder: Path) -> Path:
    return altered(folder, "ensurepip", "raise ModuleNotFoundError('as on Debian without python3-venv')")


def make_install(tree: Path, python: Path | str = sys.executable, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it as from a terminal: nothing of the make that runs these tests, and Ctrl-C not ignored."""
    inherited = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    launch = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('make', sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", launch, "make", "install", f"PYTHON={python}"],
        cwd=tree,
        env=inherited | {"LC_ALL": "C"} | environ,
        capture_output=True,
        text=True,
        start_new_session=True,
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr that is not make's own."""
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    return line.removeprefix("make install: ")


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        (absent, "Nudge needs Python 3.11 or newer, but {python} does not run; "),
        (too_old, "Nudge needs Python 3.11 or newer, but {python} is Python 3.9.18; "),
        (
            without_ensurepip,
            "Nudge needs Python's venv and ensurepip, but {python} lacks them; "
            "on Debian run apt-get install {package}, or ",
        ),
    ],
)
def test_unfit_python(fake: Callable[[Path], Path], expected: str, tree: Path, tmp_path: Path) -> None:
    python = fake(tmp_path)
    package = "python{}.{}-venv".format(*sys.version_info)
    assert sentence(make_install(tree, python)) == (
        expected.format(python=python, package=package) + "name another: make install PYTHON=/path/to/python3.12"
    )
    assert not (tree / ".venv").exists()


def test_offline(tree: Path) -> None:
    said = sentence(make_install(tree, **OFFLINE))
    assert said.startswith("pip could not install Nudge into .venv (ERROR: No matching distribution found for ")
    assert said.endswith("; check the network, then run make install again")
    assert sorted(path.name for path in tree.iterdir()) == sorted({Path(name).parts[0] for name in NEEDED} | {"empty"})


def test_folder_that_cannot_be_made(tree: Path) -> None:
    done = make_install(tree, VENV="pyproject.toml/.venv")
    assert sentence(done).endswith("; name a folder that can be made: make install VENV=/path/to/venv")


def test_ctrl_c(tree: Path, tmp_path: Path) -> None:
    interrupts = 'case "$*" in *venv*.venv) mkdir .venv; kill -s INT 0;; *) exec "$real" "$@";; esac'
    done = make_install(tree, script(tmp_path / "python", interrupts))
    assert sentence(done) == "interrupted before everything was installed; run make install again"
    assert not (tree / ".venv").exists()
    assert done.returncode in {2, -signal.SIGINT}


def test_environment_that_was_there_stays(tree: Path) -> None:
    fails = 'case "$*" in *"pip install"*) echo "ERROR: no route" >&2; exit 1;; *) exec "$real" "$@";; esac'
    python = script(tree / ".venv" / "bin" / "python", fails)
    assert "(ERROR: no route)" in sentence(make_install(tree))
    assert python.exists()


def test_environment_of_an_old_python_stays(tree: Path, tmp_path: Path) -> None:
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    too_old(tmp_path).rename(python)
    assert sentence(make_install(tree)) == (
        "Nudge needs Python 3.11 or newer, but .venv/bin/python is Python 3.9.18; "
        "name another: make install PYTHON=/path/to/python3.12 VENV=.venv-3.12"
    )
    assert python.exists()


def test_environment_that_lost_its_python_is_made_again(tree: Path, tmp_path: Path) -> None:
    """As after an upgrade of Python: the stamp is there, the interpreter it stood for is not."""
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    (tree / ".venv" / "pyvenv.cfg").touch()
    (tree / ".venv" / ".nudge-installed").touch()
    assert "(ERROR: No matching distribution found for " in sentence(make_install(tree, **OFFLINE))
    assert not (tree / ".venv").exists()


def test_a_finished_install_is_redone_only_when_something_changed(tree: Path) -> None:
    finished = script(tree / ".venv" / "bin" / "python", 'echo "$@" >>calls; exec "$real" -c ""')
    for path in (finished, tree / "pyproject.toml", tree / "constraints.txt"):
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

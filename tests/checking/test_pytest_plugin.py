"""The fixture `assert_gradients` in a project of somebody else's."""

import subprocess
import sys
from pathlib import Path

TESTS = """
def test_right(assert_gradients):
    assert_gradients(lambda p: p**2, 1.5, by_hand=lambda p: 2 * p)

def test_wrong(assert_gradients):
    assert_gradients(lambda p: p**2, 1.5, by_hand=lambda p: -2 * p)
"""


def run_pytest(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (folder / "test_theirs.py").write_text(TESTS)
    command = [sys.executable, "-P", "-m", "pytest", "-q", "--rootdir", str(folder)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_report_is_printed_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    run = run_pytest(tmp_path, environment)
    assert run.returncode == 1
    assert "1 failed, 1 passed" in run.stdout
    assert "by_hand has the wrong sign, in params." in run.stdout
    assert "Traceback" not in run.stdout
    assert "During handling" not in run.stdout
    assert "assert_gradients(lambda" not in run.stdout


def test_a_model_of_their_own_does_not_stop_pytest(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "model.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "test_other.py").write_text("def test_other(): pass")
    run = run_pytest(tmp_path, environment)
    assert "2 failed, 1 passed" in run.stdout

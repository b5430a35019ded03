"""The commands, each in a process of its own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from model import load, truth_table
from model.training.defaults import FILE_DEFAULTS, TRUTH_TABLE_DEFAULTS
from tests.conftest import ROOT, Nudge

QUICK = ("--epochs", "20000")

EPOCHS, LEARNING_RATE, RESTARTS = (
    TRUTH_TABLE_DEFAULTS.epochs,
    TRUTH_TABLE_DEFAULTS.learning_rate,
    TRUTH_TABLE_DEFAULTS.restarts,
)


@pytest.mark.core
def test_train_ends_with_all_that_it_should(nudge: Nudge, tmp_path: Path) -> None:
    run = nudge("train")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "Epoch 100, Loss: 0.6930" or re.fullmatch(r"Epoch 100, Loss: \d\.\d{4}", lines[0])
    assert sum(line.startswith("Epoch ") for line in lines) == EPOCHS // 100
    assert lines[999].startswith(f"Epoch {EPOCHS}, Loss: 0.00")
    table = [line.split() for line in lines[1000:1005]]
    assert table[0] == ["a", "b", "xor", "prediction", "label"]
    assert [row[:3] + row[4:] for row in table[1:]] == [
        [*f"{int(a)}{int(b)}{int(y)}{int(y)}"]
        for (a, b), y in zip(truth_table("xor").x, truth_table("xor").y, strict=True)
    ]
    rest = "\n".join(lines[1005:])
    assert re.search(r"Loss 0\.00\d\d after 100,000 epochs; 4 of 4 rows right\.", rest)
    assert re.search(r"\d+ of 64 starts solved it", rest)
    assert re.search(r"The gradients agree: 9 of 9 tried agree; worst relative error \d", rest)
    checkpoint = load(tmp_path / "checkpoints" / "xor.safetensors")
    assert f"Written: checkpoints/xor.safetensors (version {checkpoint.version})" in rest
    assert "Serve it: nudge serve" in rest
    record = checkpoint.training
    assert (record.epoch, record.restarts, record.learning_rate) == (EPOCHS, RESTARTS, LEARNING_RATE)
    assert record.loss < 0.01


@pytest.mark.core
def test_the_same_command_gives_the_same_bits(nudge: Nudge, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert nudge("train", "nand", *QUICK, "--seed", "5", "--out", f"{name}.safetensors").returncode == 0
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_train_with_every_option_and_json(nudge: Nudge, tmp_path: Path) -> None:
    options = "--hidden 3,2 --activation tanh --epochs 500 --learning-rate 0.1 --optimizer adam --restarts 5 --seed 7"
    run = nudge("train", "and", *options.split(), "--log-every", "50", "--out", "deep/er/x.safetensors", "--json")
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    checkpoint = load(tmp_path / "deep" / "er" / "x.safetensors")
    assert tuple(checkpoint.network.sizes) == (2, 3, 2, 1)
    assert checkpoint.network.activation == "tanh"
    assert summary["version"] == checkpoint.version
    assert summary["optimizer"] == "adam"
    assert np.round(summary["predictions"]).tolist() == [0, 0, 0, 1]
    assert summary["max_relative_error"] <= 1e-6


def test_the_serve_command_names_what_is_not_the_default(nudge: Nudge) -> None:
    def last_line(*args: str, **extra: str) -> str:
        return nudge("train", *args, "--epochs", "10", **extra).stdout.splitlines()[-1]

    gunicorn = "nudge serve"
    assert last_line("and") == f"Serve it: {gunicorn}", "the only one"
    assert last_line("or") == f"Serve it: NUDGE_MODEL=or {gunicorn}"
    assert last_line("xor", MAKELEVEL="1") == "Serve it: make serve"
    assert last_line("and", MAKELEVEL="1") == "Serve it: NUDGE_MODEL=and make serve"
    assert last_line("and", "--out", "my models/x.safetensors") == (
        f"Serve it: NUDGE_CHECKPOINTS='my models' {gunicorn}"
    )


def test_no_hidden_layer_is_a_network_too(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge("train", "or", "--hidden", "", "--epochs", "2000", "--learning-rate", "0.5").returncode == 0
    assert tuple(load(tmp_path / "checkpoints" / "or.safetensors").network.sizes) == (2, 1)


@pytest.mark.core
def test_check_prints_the_four_and_exits_by_the_verdict(nudge: Nudge, checkpoints: Path) -> None:
    path = str(checkpoints / "xor.safetensors")
    run = nudge("check", path)
    assert run.returncode == 0
    assert run.stdout.split()[:6] == ["parameter", "nudge", "±", "jvp", "chain_rule", "grad"]
    report = json.loads(nudge("check", path, "--json").stdout)
    assert report["max_relative_error"] <= 1e-6
    first = report["parameters"][0]
    assert first["name"] == "0.weight[0,0]"
    assert {"nudge", "jvp", "chain_rule", "grad", "kink"} <= set(first)


def test_ask_is_the_guides_loop(nudge: Nudge, checkpoints: Path) -> None:
    path = str(checkpoints / "xor.safetensors")
    run = nudge("ask", path, input="1\n0\nnonsense\n1\n1\n0.5\nnan\n")
    assert run.returncode == 0
    assert run.stderr == ""
    assert re.fullmatch(
        r"Input a: Input b: Prediction: 0\.9\d{3}\n"
        r"Input a: Invalid input\. Please enter a numeric value\.\n"
        r"Input a: Input b: Prediction: 0\.0\d{3}\n"
        r"Input a: Input b: Invalid input\. Please enter a numeric value\.\n"
        r"Input a: \n",
        run.stdout,
    )


def test_show_tells_what_is_in_it(nudge: Nudge, checkpoints: Path, solved: object) -> None:
    run = nudge("show", str(checkpoints / "xor.safetensors"))
    assert run.returncode == 0
    for text in ("2-2-1, relu, binary, 9 parameters", "20,000 of 20,000", "sgd, learning rate 0.01", "0.weight[0,0]"):
        assert text in run.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "train nothing",
            "'nothing' is no file, and none of the truth tables xor, and, or, nand, nor, xnor; name one of them",
        ),
        ("train --epochs 0", "0 is not in the range x>=1"),
        ("train --epochs many", "'many' is not a valid integer"),
        ("train --learning-rate nan", "the learning rate must be a finite number above 0 in float32, not nan"),
        ("train --learning-rate -1", "the learning rate must be a finite number above 0 in float32, not -1.0"),
        ("train --learning-rate 1e39", "the learning rate must be a finite number above 0 in float32, not 1e+39"),
        ("train --hidden 2,x", "'2,x' is not a list of layer sizes such as 2 or 8,8"),
        ("train --hidden 99999999999999999999", "ask for more than the 1,000,000,000 parameters and losses"),
        ("train --hidden " + "9" * 5000, "is not a list of layer sizes such as 2 or 8,8"),
        ("train --restarts 1000000", "ask for more than the 1,000,000,000 parameters and losses"),
        ("train --restarts " + "9" * 400, "restarts must be a whole number from 1 to 2^63 - 1, not 99999999"),
        ("train --epochs 9223372036854775808", "epochs must be a whole number from 1 to 2^63 - 1"),
        ("train --log-every 9223372036854775808", "log_every must be a whole number from 1 to 2^63 - 1"),
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
        ("dance", "No such command 'dance'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(nudge: Nudge, tmp_path: Path, command: str, message: str) -> None:
    run = nudge(*command.split())
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("nudge: ")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_run_that_diverges_keeps_the_old_checkpoint(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge("train", *QUICK).returncode == 0
    before = (tmp_path / "checkpoints" / "xor.safetensors").read_bytes()
    run = nudge("train", "--learning-rate", "1e38", "--activation", "gelu", "--restarts", "3")
    assert run.returncode == 1
    assert re.fullmatch(
        r"nudge: training diverged: after epoch [\d,]+ the loss of every restart is no longer a finite number; "
        r"try a smaller learning rate, or columns of a smaller scale\. Nothing was written\.\n",
        run.stderr,
    )
    assert (tmp_path / "checkpoints" / "xor.safetensors").read_bytes() == before
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


@pytest.mark.parametrize("log_every", ["100", "1000000000"])
def test_ctrl_c_keeps_what_was_learnt(environment: dict[str, str], tmp_path: Path, log_every: str) -> None:
    command = [sys.executable, "-m", "model", "train", "--epochs", "1000000000", "--log-every", log_every]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as process:
        if log_every == "100":
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Epoch 100, Loss: ")
        else:
            wait_for_cpu_time(process.pid, seconds=4)  # well past the imports
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    checkpoint = load(tmp_path / "checkpoints" / "xor.safetensors")
    assert 0 < checkpoint.training.epoch < 1_000_000_000
    assert re.fullmatch(
        rf"nudge: stopped after epoch {checkpoint.training.epoch:,} of 1,000,000,000, loss \d\.\d+; "
        r"checkpoints/xor.safetensors keeps it\.\n",
        errors,
    )


def wait_for_cpu_time(pid: int, seconds: float) -> None:
    """Until the process has used so much of the processor; it has no output to wait for."""
    ticks = os.sysconf("SC_CLK_TCK")
    while True:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / ticks > seconds:
            return
        time.sleep(0.05)


def test_ctrl_c_during_the_imports_is_no_traceback(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("import sys; print('importing', flush=True); sys.stdin.read()")
    assert interrupted(environment, tmp_path, ["-m", "model", "train"], after="importing\n") == (
        130,
        "nudge: stopped; nothing was written.\n",
    )
    assert not (tmp_path / "checkpoints").exists()


def test_ctrl_c_after_the_training_says_what_is_kept(environment: dict[str, str], tmp_path: Path) -> None:
    """The gradients are still being checked, and the file is written."""
    status, said = interrupted(environment, tmp_path, ["-c", CHECKING, "train", "--epochs", "900"], after="checking\n")
    assert status == 130
    assert re.fullmatch(
        r"nudge: stopped after epoch 900 of 900, loss \d\.\d+; checkpoints/xor.safetensors keeps it\.\n", said
    )
    assert load(tmp_path / "checkpoints" / "xor.safetensors").training.epoch == 900


CHECKING = """
import sys
from model.commands.interrupts import interrupts
interrupts.listen()
from model.commands import check as check_command
from model.commands import cli
def check_gradients(*args, **options):
    print("checking", flush=True)
    sys.stdin.read()
check_command.check_gradients = check_gradients
cli.main()
"""


def test_a_second_ctrl_c_stops_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    """Also where the main thread does not come back to Python, as in a long epoch."""
    process = started(environment, tmp_path, ["-c", BUSY], after="held\n")
    with process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "noted\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "nudge: stopped; nothing was written.\n")
    assert process.returncode == 130


BUSY = """
import ctypes, time
from model.commands.interrupts import interrupts
interrupts.listen()
interrupts.hold()
print("held", flush=True)
while not interrupts.pressed:
    time.sleep(0.01)
print("noted", flush=True)
ctypes.CDLL(None).sleep(600)
"""


def test_a_second_ctrl_c_lets_a_file_be_written_whole(environment: dict[str, str], tmp_path: Path) -> None:
    process = started(environment, tmp_path, ["-c", WRITING], after="writing\n")
    with process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate("go on", timeout=60)
    assert (process.returncode, said) == (130, "nudge: it is written.\n")
    assert (tmp_path / "file").read_text() == "whole"


WRITING = """
import pathlib, signal, sys, time
from model.commands.interrupts import interrupts
interrupts.listen()
interrupts.hold()
interrupts.pressed = True
with interrupts.lock:
    print("writing", flush=True)
    sys.stdin.read()
    while signal.SIGINT in signal.sigpending():
        time.sleep(0.01)
    pathlib.Path("file").write_text("whole")
    interrupts.release("it is written.")
"""


def test_ctrl_c_ends_ask(environment: dict[str, str], tmp_path: Path, checkpoints: Path) -> None:
    ask = ["-m", "model", "ask", str(checkpoints / "xor.safetensors")]
    assert interrupted(environment, tmp_path, ask, after="Input a: ") == (130, "")


def started(environment: dict[str, str], cwd: Path, arguments: list[str], *, after: str) -> subprocess.Popen[str]:
    """A process that has printed these words."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment | {"PYTHONPATH": f"{cwd}:{ROOT}"},
    )
    assert process.stdout is not None
    printed = ""
    while after not in printed:
        printed += process.stdout.read(1)
        assert process.poll() is None, printed
    return process


def interrupted(environment: dict[str, str], cwd: Path, arguments: list[str], *, after: str) -> tuple[int, str]:
    """The status and the words with which a process ends when Ctrl-C is pressed after it has printed something."""
    process = started(environment, cwd, arguments, after=after)
    with process:
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)  # before its input ends, which would end it too
        return status, process.communicate()[1]


def test_a_terminal_gets_a_progress_bar(environment: dict[str, str], tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "model", "train", *QUICK],
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env=environment | {"TERM": "xterm", "COLUMNS": "100"},
    ):
        os.close(terminal)
        output = b""
        while True:
            try:
                output += os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
    os.close(controller)
    text = output.decode()
    assert "20000/20000" in text
    assert "━" in text
    assert "Epoch 100," not in text
    assert "4 of 4 rows right" in text


def test_programs_are_cached_and_it_works_where_they_cannot_be(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge("train", *QUICK, XDG_CACHE_HOME=str(tmp_path / "cache")).returncode == 0
    assert list((tmp_path / "cache" / "nudge").iterdir())
    (tmp_path / "file").touch()
    run = nudge("train", *QUICK, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert run.returncode == 0
    assert run.stderr == ""


def test_a_cache_that_a_url_names_is_jaxs_affair(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge("train", "--epochs", "100", JAX_COMPILATION_CACHE_DIR="gs://nudge/cache").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_a_platform_that_is_not_there_is_one_line(nudge: Nudge, checkpoints: Path) -> None:
    run = nudge("show", str(checkpoints / "xor.safetensors"), JAX_PLATFORMS="nonsense")
    assert run.returncode == 2
    assert run.stderr == "nudge: JAX_PLATFORMS is nonsense, and JAX cannot compute on it here; set it to cpu\n"


def test_names_beyond_ascii_do_in_any_locale(nudge: Nudge, tmp_path: Path) -> None:
    for name in ("é.safetensors", os.fsdecode(b"\xff.safetensors")):
        run = nudge("train", "--epochs", "100", "--out", name, LC_ALL="C", PYTHONUTF8="0")
        assert run.returncode == 0, run.stderr
        assert load(tmp_path / name).training.epoch == 100


def test_a_full_disk_is_one_line(environment: dict[str, str], checkpoints: Path) -> None:
    command = f"{sys.executable} -m model show {checkpoints}/xor.safetensors >/dev/full"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 1
    assert run.stderr == "nudge: standard output cannot be written to: no space left on device; send it elsewhere\n"


def test_without_standard_output_it_trains_all_the_same(environment: dict[str, str], tmp_path: Path) -> None:
    command = f"{sys.executable} -m model train --epochs 1000 >&-"
    run = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert run.returncode == 0, run.stderr
    assert load(tmp_path / "checkpoints" / "xor.safetensors").training.epoch == 1000


def test_a_closed_pipe_is_no_traceback(environment: dict[str, str], checkpoints: Path) -> None:
    command = f"{sys.executable} -m model show {checkpoints}/xor.safetensors | true"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert run.stderr == ""


def test_the_defaults_stand_in_one_place() -> None:
    from model.commands.train import train

    texts = {parameter.name: getattr(parameter, "help", "") for parameter in train.params}
    assert (EPOCHS, RESTARTS, LEARNING_RATE) == (100_000, 64, 0.01)
    for name in ("epochs", "restarts", "optimizer", "batch_size"):
        assert f"for a file {getattr(FILE_DEFAULTS, name)}" in texts[name]
    assert jax.config.jax_enable_x64 is False

"""`nudge serve`, `python -m serve` and `make serve`: where they run, their options, and how they end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.serve.examples import QUERY
from tests.serve.serving import NUDGE_SERVE, child_processes, get, has_loaded_jax, running, wait_until

PYTHON_M_SERVE = ("-m", "serve")


@pytest.fixture
def settings(environment: dict[str, str], checkpoints: Path) -> dict[str, str]:
    """The environment of a user who has set NUDGE_CHECKPOINTS."""
    return environment | {"NUDGE_CHECKPOINTS": str(checkpoints)}


@pytest.mark.parametrize("command", [NUDGE_SERVE, PYTHON_M_SERVE], ids=["nudge serve", "python -m serve"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_from_any_folder_until_a_signal_ends_it(
    settings: dict[str, str], tmp_path: Path, command: tuple[str, ...], number: signal.Signals
) -> None:
    with running(settings, tmp_path, "--bind", "127.0.0.1:0", command=command) as service:
        port = service.wait_for_port()
        status, answer = get(port, QUERY)
        assert (status, answer["label"], answer["model"]) == (200, 1, "xor")
        assert service.end(number) == 0
        assert "Traceback" not in service.output
    assert list(tmp_path.glob("nudge-*")) == [], "the directory that the workers share is removed"


def test_it_serves_in_a_folder_with_a_users_own_modules(settings: dict[str, str], tmp_path: Path) -> None:
    for name in ("model.py", "serve.py", "gunicorn.py", "gunicorn.conf.py"):
        (tmp_path / name).write_text(f"raise RuntimeError('{name} of the user was imported')\n")
    with running(settings, tmp_path, "--port", "0", "--workers", "2") as service:
        assert get(service.wait_for_port(), QUERY)[0] == 200
        assert service.end(signal.SIGINT) == 0
        assert "of the user" not in service.output


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ((), "127.0.0.1:8000"),
        (("--port", "8123"), "127.0.0.1:8123"),
        (("--host", "0.0.0.0"), "0.0.0.0:8000"),
        (("--host", "::1", "--port", "0"), "[::1]:0"),
        (("--port", "1", "--bind=127.0.0.1:2"), "127.0.0.1:2"),
        (("-b127.0.0.1:2", "--host", "0.0.0.0"), "127.0.0.1:2"),
        (("-b", "unix:socket"), "unix:socket"),
    ],
)
def test_host_and_port_are_the_address_unless_gunicorns_bind_is_given(
    settings: dict[str, str], tmp_path: Path, options: tuple[str, ...], address: str
) -> None:
    with running(settings, tmp_path, *options, "--print-config") as service:
        assert service.process.wait(timeout=60) == 0
        assert service.wait_for_output(r"bind +=.*")[0].split("= ")[1] == f"['{address}']"


def test_it_listens_on_the_host_that_is_named(settings: dict[str, str], tmp_path: Path) -> None:
    with running(settings, tmp_path, "--host", "127.0.0.2", "--port", "0") as service:
        port = service.wait_for_port()
        assert get(port, QUERY, host="127.0.0.2")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_options_of_gunicorn_are_passed_on(settings: dict[str, str], tmp_path: Path) -> None:
    with running(settings, tmp_path, "--bind", "unix:service.sock", "--workers", "2") as service:
        service.wait_for_output("Listening at: unix:service.sock")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "service.sock"))
            client.sendall(f"GET {QUERY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            reply = http.client.HTTPResponse(client)
            reply.begin()
            assert json.load(reply)["label"] == 1
        assert len(child_processes(service.process.pid)) == 2


@pytest.mark.parametrize(("value", "workers"), [("", 1), ("2", 2)])
def test_web_concurrency_is_the_number_of_workers_and_each_loads_jax_for_itself(
    settings: dict[str, str], tmp_path: Path, value: str, workers: int
) -> None:
    """A process that forks after JAX has started can deadlock."""
    with running(settings | {"WEB_CONCURRENCY": value}, tmp_path, "--port", "0") as service:
        assert get(service.wait_for_port(), QUERY)[0] == 200
        started = child_processes(service.process.pid)
        assert len(started) == workers
        assert not has_loaded_jax(service.process.pid)
        wait_until(lambda: all(has_loaded_jax(worker) for worker in started))


def test_a_wrong_web_concurrency_is_one_sentence(settings: dict[str, str], tmp_path: Path) -> None:
    with running(settings | {"WEB_CONCURRENCY": "two"}, tmp_path, "--port", "0") as service:
        assert service.process.wait(timeout=60) == 1
        expected = "WEB_CONCURRENCY: expected a whole number from 1 to 999, found 'two'; set it so, or leave it out\n"
        assert service.output == expected


def test_a_missing_checkpoint_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path, "--port", "0") as service:
        assert service.process.wait(timeout=60) == 3
        sentences = [line for line in service.output.splitlines() if "CheckpointError" in line]
        assert len(sentences) == 1
        assert "checkpoints: expected a checkpoint in it, found none; write one with" in sentences[0]
        assert "Traceback" not in service.output


@pytest.mark.parametrize("port", ["65536", "http"])
def test_a_wrong_port_is_one_sentence(settings: dict[str, str], tmp_path: Path, port: str) -> None:
    with running(settings, tmp_path, "--port", port) as service:
        assert service.process.wait(timeout=60) == 2
        assert "Invalid value for '--port'" in service.output
        assert "Traceback" not in service.output


@pytest.mark.parametrize("place", ["option", "variable"])
def test_a_configuration_of_the_users_own_replaces_ours(settings: dict[str, str], tmp_path: Path, place: str) -> None:
    (tmp_path / "own.py").write_text(
        "bind = '127.0.0.1:0'\n"
        "workers = 2\n"
        "def when_ready(server):\n"
        "    print('This is the configuration of the user.', flush=True)\n"
    )
    options = ("-c", "own.py") if place == "option" else ()
    variables = {} if place == "option" else {"GUNICORN_CMD_ARGS": "-c own.py"}
    with running(settings | variables, tmp_path, *options) as service:
        port = service.wait_for_port()
        service.wait_for_output("This is the configuration of the user")
        assert get(port, QUERY)[0] == 200
        assert len(child_processes(service.process.pid)) == 2


def test_sighup_starts_new_workers(settings: dict[str, str], tmp_path: Path) -> None:
    with running(settings, tmp_path, "--port", "0") as service:
        port = service.wait_for_port()
        assert get(port, QUERY)[0] == 200
        (old,) = child_processes(service.process.pid)
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: old not in child_processes(service.process.pid))
        assert get(port, QUERY)[0] == 200
        assert service.end() == 0


@pytest.mark.parametrize("command", [NUDGE_SERVE, PYTHON_M_SERVE], ids=["nudge serve", "python -m serve"])
def test_sigusr2_starts_a_new_master_on_the_same_port(
    settings: dict[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    """This is gunicorn's upgrade: the new master starts beside the old one, which is then asked to end."""
    with running(settings, tmp_path, "--bind", "127.0.0.1:0", command=command) as service:
        port = service.wait_for_port()
        assert get(port, QUERY)[0] == 200
        (old_worker,) = child_processes(service.process.pid)
        service.process.send_signal(signal.SIGUSR2)
        new = int(service.wait_for_output(rf"Listening at: http://\S+:{port} \((?!{service.process.pid}\))(\d+)\)")[1])
        wait_until(lambda: len(child_processes(new)) == 1)
        wait_until(lambda: has_loaded_model(service.output, child_processes(new)[0]))
        assert old_worker not in child_processes(new)
        assert service.end() == 0
        assert get(port, QUERY)[0] == 200
        assert not has_loaded_jax(new)
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: service.output.count("Shutting down: Master") == 2)
        assert "Traceback" not in service.output


def has_loaded_model(output: str, worker: int) -> bool:
    """Whether the log says that a worker has loaded the model."""
    return any(f"[{worker}]" in line and "Model xor: version" in line for line in output.splitlines())


@pytest.mark.parametrize(
    ("value", "status", "message"),
    [
        ("two", 2, "WEB_CONCURRENCY: expected a whole number from 1 to 999, found 'two'; set it so, or leave it out\n"),
        ("", 0, ""),
    ],
)
def test_make_serve_checks_the_number_of_workers(
    settings: dict[str, str], tmp_path: Path, value: str, status: int, message: str
) -> None:
    """gunicorn itself fails with a traceback if WEB_CONCURRENCY is not a number, or is empty."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "venv" / ".nudge-installed").touch()
    run = subprocess.run(
        ["make", "serve", f"VENV={tmp_path / 'venv'}", "ARGS=--check-config"],
        cwd=ROOT,
        env=settings | {"WEB_CONCURRENCY": value},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == status, run.stderr
    assert run.stderr.startswith(message)

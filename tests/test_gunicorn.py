"""The service as it runs: gunicorn, sockets, signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_serve import BAD_QUERIES

CONFIGURATION = ("-c", str(ROOT / "serve" / "gunicorn_conf.py"))


@contextmanager
def serving(
    environment: dict[str, str], cwd: Path, *options: str, application: str = "serve:create_app()"
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """gunicorn on a free port, which is handed to it as an open socket; connections wait there while it loads."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        command = [sys.executable, "-m", "gunicorn", *CONFIGURATION, "-b", f"fd://{listener.fileno()}", *options]
        with subprocess.Popen(
            [*command, application],
            cwd=cwd,
            env=environment,
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process, listener.getsockname()[1]
            finally:
                process.kill()


def get(port: int, path: str) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def service(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with serving(environment | {"NUDGE_CHECKPOINTS": str(checkpoints)}, tmp_path) as running:
        yield running


def test_the_curl_and_the_bad_inputs(service: tuple[subprocess.Popen[str], int]) -> None:
    _, port = service
    status, answer = get(port, "/predict?a=1&b=0")
    assert status == 200
    assert answer["label"] == 1
    assert answer["model"] == "xor"
    assert get(port, "/v2/health/ready") == (200, {"ready": True})
    assert get(port, "/v2/health/live") == (200, {"live": True})
    for query, message in BAD_QUERIES.items():
        assert get(port, f"/predict?{query}") == (400, {"error": message})
    curl = ["curl", "-sS", f"http://127.0.0.1:{port}/predict?a=1&b=0"]
    assert json.loads(subprocess.run(curl, capture_output=True, text=True, check=True).stdout) == answer


@pytest.mark.parametrize("chunks", [b"zz\r\n", b'5\r\n{"a":', b'5\r\n{"a":xx\r\n0\r\n\r\n', b"-1\r\n\r\n"])
def test_broken_chunks_are_a_400(service: tuple[subprocess.Popen[str], int], chunks: bytes) -> None:
    _, port = service
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + chunks)
        connection.shutdown(socket.SHUT_WR)
        reply = b""
        while chunk := connection.recv(65536):
            reply += chunk
    assert reply.startswith(b"HTTP/1.1 400")
    assert list(json.loads(reply.partition(b"\r\n\r\n")[2])) == ["error"]


def test_sigterm_answers_what_was_accepted(service: tuple[subprocess.Popen[str], int]) -> None:
    """A request whose body is still coming when SIGTERM comes is answered, and then the service ends with 0."""
    process, port = service
    assert get(port, "/v2/health/ready")[0] == 200
    body = b'{"a": 1, "b": 0}'
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:5])
        wait_until_reading(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        for line in process.stderr:
            if "Handling signal: term" in line:
                break
        connection.sendall(body[5:])
        reply = b""
        while chunk := connection.recv(65536):
            reply += chunk
    assert reply.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["label"] == 1
    assert process.wait(timeout=60) == 0


def wait_until_reading(pid: int) -> None:
    """Until gunicorn's only worker holds an accepted connection: a fourth socket beside those it began with."""
    (worker,) = (int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    while True:
        connections = Path(f"/proc/{worker}/net/tcp").read_text().splitlines()[1:]
        ours = {os.readlink(path) for path in Path(f"/proc/{worker}/fd").iterdir() if path.is_symlink()}
        established = {f"socket:[{line.split()[9]}]" for line in connections if line.split()[3] == "01"}
        if ours & established:
            return
        time.sleep(0.01)


@pytest.mark.parametrize("trouble", ["nothing to serve", "a broken checkpoint"])
def test_without_a_model_it_ends_at_once_and_says_why(
    environment: dict[str, str], tmp_path: Path, trouble: str
) -> None:
    if trouble == "a broken checkpoint":
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "xor.safetensors").write_bytes(b"broken")
    with serving(environment, tmp_path) as (process, _):
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "CheckpointError: checkpoints" in errors


def test_workers_and_threads_come_from_the_environment_and_jax_after_the_fork(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(checkpoints), "WEB_CONCURRENCY": "2", "NUDGE_THREADS": "2"}
    with serving(environment | settings, tmp_path) as (process, port):
        assert get(port, "/predict?a=0&b=0")[1]["label"] == 0
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        assert "jaxlib" not in Path(f"/proc/{process.pid}/maps").read_text()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "gthread" in errors
    assert "fork" not in errors
    assert output == "", "no access log"


def test_the_configuration_serves_any_application(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'application/json')])\n"
        "    return [b'{\"other\": true}']\n"
    )
    with serving(environment, tmp_path, application="other:application") as (_, port):
        assert get(port, "/") == (200, {"other": True})

"""The service as it runs: gunicorn, sockets, signals."""

import http.client
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
from tests.serve.test_app import BAD_QUERIES

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
            env=environment | {"TMPDIR": str(cwd)},
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
    assert get(port, "/v2/health/ready") == (200, {"live": True, "ready": True})
    assert get(port, "/v2/health/live") == (200, {"live": True})
    for query, message in BAD_QUERIES.items():
        assert get(port, f"/predict?{query}") == (400, {"error": message})
    curl = ["curl", "-sS", f"http://127.0.0.1:{port}/predict?a=1&b=0"]
    assert json.loads(subprocess.run(curl, capture_output=True, text=True, check=True).stdout) == answer


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def send(port: int, request: bytes) -> tuple[int, dict[str, object]]:
    """The answer to a request after which nothing more is sent."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        reply = b""
        while chunk := connection.recv(65536):
            reply += chunk
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("chunks", [b"zz\r\n", b'5\r\n{"a":', b'5\r\n{"a":xx\r\n0\r\n\r\n', b"-1\r\n\r\n"])
def test_broken_chunks_are_a_400(service: tuple[subprocess.Popen[str], int], chunks: bytes) -> None:
    status, answer = send(service[1], HEAD + CHUNKED + chunks)
    assert status == 400
    assert list(answer) == ["error"]


def test_a_body_is_taken_whole_or_not_at_all(environment: dict[str, str], checkpoints: Path, tmp_path: Path) -> None:
    def chunk(length: int) -> bytes:
        body = b'{"a": 1, "b": 0}'.ljust(length)
        return HEAD + CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    limited = environment | {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_MAX_BODY": "1000000"}
    with serving(limited, tmp_path) as (_, port):
        assert send(port, chunk(1_000_000))[0] == 200
        longer = "the body must be of at most 1,000,000 bytes, and a longer one was found"
        assert send(port, chunk(1_000_001)) == (413, {"error": longer})
        assert send(port, HEAD + b"Content-Length: 1000001\r\n\r\n") == (413, {"error": longer})
        cut_off = "a body of 100 bytes was expected, and 16 were found"
        assert send(port, HEAD + b'Content-Length: 100\r\n\r\n{"a": 1, "b": 0}') == (400, {"error": cut_off})


def test_a_header_does_not_move_the_application(service: tuple[subprocess.Popen[str], int]) -> None:
    request = (
        b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSCRIPT_NAME: /foo\r\nPATH_INFO: /\r\n\r\n"
    )
    assert send(service[1], request) == (200, {"live": True})


def test_a_client_that_stalls_holds_up_no_other(service: tuple[subprocess.Popen[str], int]) -> None:
    _, port = service
    with (
        socket.create_connection(("127.0.0.1", port)) as silent,
        socket.create_connection(("127.0.0.1", port)) as in_head,
        socket.create_connection(("127.0.0.1", port)) as in_body,
    ):
        in_head.sendall(HEAD)
        in_body.sendall(HEAD + b'Content-Length: 16\r\n\r\n{"a":')
        assert get(port, "/v2/health/live")[0] == 200
        in_body.sendall(b' 1, "b": 0}')
        assert in_body.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert silent.fileno() >= 0


def test_a_client_that_stalls_for_good_loses_its_connection(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    """With one thread and a second of patience, the next request waits for no longer than that."""
    settings = {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_THREADS": "1", "NUDGE_REQUEST_SECONDS": "1"}
    with serving(environment | settings, tmp_path) as (process, port):
        assert get(port, "/v2/health/ready")[0] == 200
        with socket.create_connection(("127.0.0.1", port)) as stalled:
            stalled.sendall(HEAD)
            assert get(port, "/v2/health/live")[0] == 200
            assert stalled.recv(65536) == b""
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors


def test_a_connection_is_kept_for_the_next_request(service: tuple[subprocess.Popen[str], int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service[1], timeout=60)
    for _ in range(2):
        connection.request("GET", "/v2/health/live")
        used = connection.sock
        with connection.getresponse() as reply:
            assert reply.status == 200
            reply.read()
        assert connection.sock is used is not None
    connection.close()


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
    """Until gunicorn's only worker has accepted a connection."""
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
    assert "Traceback" not in errors
    assert errors.count("CheckpointError") == 1


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
    assert "fork" not in errors
    assert output == "", "no access log"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("NUDGE_THREADS", "abc", "a whole number from 1 to 999"),
        ("NUDGE_THREADS", "0", "a whole number from 1 to 999"),
        ("WEB_CONCURRENCY", "0", "a whole number from 1 to 999"),
        ("NUDGE_LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_no_start(
    environment: dict[str, str], tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    with serving(environment | {name: value}, tmp_path) as (process, _):
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output + errors == f"{name}: expected {allowed}, found {value!r}; set it so, or leave it out\n"


def test_make_serve_checks_the_settings_before_gunicorn_reads_them(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    """gunicorn itself fails on a WEB_CONCURRENCY that is no number, also on an empty one."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    for name, module in (("python", ""), ("gunicorn", "-m gunicorn")):
        (venv / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (venv / "bin" / name).chmod(0o755)
    (venv / ".nudge-installed").touch()
    for value, status, said in (
        ("two", 2, "WEB_CONCURRENCY: expected a whole number from 1 to 999, found 'two'; set it so, or leave it out\n"),
        ("", 0, ""),
    ):
        run = subprocess.run(
            ["make", "serve", f"VENV={venv}", "ARGS=--check-config"],
            cwd=ROOT,
            env=environment | {"NUDGE_CHECKPOINTS": str(checkpoints), "WEB_CONCURRENCY": value},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == status, run.stderr
        assert run.stderr.startswith(said)


def test_an_empty_setting_is_unset(environment: dict[str, str], checkpoints: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").symlink_to(checkpoints)
    empty = {"NUDGE_CHECKPOINTS": "", "NUDGE_MODEL": "", "NUDGE_THREADS": "", "NUDGE_LOG_LEVEL": ""}
    with serving(environment | empty, tmp_path) as (_, port):
        assert get(port, "/predict?a=1&b=1")[1]["label"] == 0


def test_the_configuration_serves_any_application(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'application/json')])\n"
        "    return [b'{\"other\": true}']\n"
    )
    with serving(environment, tmp_path, application="other:application") as (_, port):
        assert get(port, "/") == (200, {"other": True})

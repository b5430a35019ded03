"""The service under load and in trouble: swapped models, killed workers, signals, rollouts and slow clients."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import Checkpoint, predict, save
from model.checkpoint import load
from tests.serve.examples import QUERY, with_other_predictions
from tests.serve.serving import Service, child_processes, get, serving, wait_until

ROWS = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.25, 0.75)]


@dataclass
class Call:
    """A request and its answer, or why it has no answer. Times are in seconds of the monotonic clock."""

    start: float
    end: float = 0.0
    row: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


def request_prediction(port: int, row: int) -> Call:
    """Ask for a prediction over a new connection."""
    a, b = ROWS[row]
    call = Call(time.monotonic(), row=row)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"GET /predict?a={a}&b={b} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = reply.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200"):
            call.answer = json.loads(body)
        else:
            call.failure = head[:60].decode() or "no answer"
    except (OSError, ValueError) as error:
        call.failure = repr(error)
    call.end = time.monotonic()
    return call


@contextmanager
def load_on(port: int, clients: int = 3) -> Iterator[list[Call]]:
    """Send requests all the time while the block runs. Yields the list of calls, which grows until the block ends."""
    calls: list[Call] = []
    stop = threading.Event()

    def ask() -> None:
        row = 0
        while not stop.is_set():
            row = (row + 1) % len(ROWS)
            calls.append(request_prediction(port, row))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def version_and_predictions(path: Path) -> tuple[str, list[float]]:
    """The version of a checkpoint, and its predictions for ROWS."""
    checkpoint = load(path)
    predictions = predict(checkpoint.params, np.array(ROWS, np.float32), checkpoint.network)
    return checkpoint.version, np.asarray(predictions).tolist()


@pytest.fixture
def models(tmp_path: Path, solved: Checkpoint) -> Path:
    save(tmp_path / "models" / "xor.safetensors", solved)
    return tmp_path / "models"


@pytest.fixture
def two_workers(environment: dict[str, str], models: Path, tmp_path: Path) -> Iterator[Service]:
    settings = {"NUDGE_CHECKPOINTS": str(models), "WEB_CONCURRENCY": "2", "NUDGE_POLL": "0.1"}
    with serving(environment | settings, tmp_path) as (process, port):
        assert get(port, "/v2/health/ready")[0] == 200
        yield process, port


# A clock that jumps back by an hour every second, and forward again.
CLOCK = """
import time
real, monotonic = time.time, time.monotonic
time.time = lambda: real() - 3600 * (int(monotonic()) % 2)
"""


@pytest.fixture
def troubled(environment: dict[str, str], models: Path, tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """A service with two workers whose clock jumps, with 200 slow bodies and pipelining clients; and its folder."""
    temporary, clock = tmp_path / "temporary", tmp_path / "clock"
    temporary.mkdir()
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(CLOCK)
    settings = {"NUDGE_CHECKPOINTS": str(models), "WEB_CONCURRENCY": "2", "NUDGE_POLL": "0.1"}
    settings["PYTHONPATH"] = f"{clock}:{environment['PYTHONPATH']}"
    is_mounted = mount_small(temporary)
    try:
        with serving(environment | settings, temporary) as (process, port):
            assert get(port, "/v2/health/ready")[0] == 200
            slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
            for connection in slow:
                connection.sendall(post_request(100)[:-50])
            with pipelining(port):
                yield (process, port), temporary
            for connection in slow:
                connection.close()
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(temporary)], check=True)


def mount_small(directory: Path) -> bool:
    """Mount a small file system in memory, and return whether this is permitted here."""
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(directory)]
    return shutil.which("mount") is not None and not subprocess.run(command, capture_output=True).returncode


@contextmanager
def pipelining(port: int) -> Iterator[None]:
    """While the block runs, send as many requests at once as fit into 64 KiB, ten times, and read the answers."""
    stop, request = threading.Event(), b"GET /predict?a=1&b=0 HTTP/1.1\r\nHost: x\r\n\r\n"
    requests = request * (65_536 // len(request))

    def send() -> None:
        for _ in range(10):
            if stop.is_set():
                return
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                client.sendall(requests + request.replace(b"Host: x", b"Host: x\r\nConnection: close"))
                while client.recv(1 << 20):
                    continue

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_no_answer_is_wrong_and_few_are_missing_whatever_happens_under_load(
    troubled: tuple[Service, Path], models: Path, solved: Checkpoint
) -> None:
    """50 files are swapped in, 20 of them broken; 10 workers are killed; one SIGHUP; one SIGTERM at the end.

    Meanwhile the temporary directory is cleaned and filled, and the volume of the checkpoints is unmounted and back.
    """
    (process, port), temporary = troubled
    path = models / "xor.safetensors"
    predictions = dict([version_and_predictions(path)])
    rng, kills = np.random.default_rng(0), list[tuple[float, float]]()
    killed_after, broken = set(range(4, 50, 5)), set(rng.choice(50, 20, replace=False).tolist())
    with load_on(port) as calls:
        for swap in range(50):
            make_trouble(swap, temporary, models)
            if swap in broken:
                data = path.read_bytes()
                truncated = path.with_suffix(".tmp")
                truncated.write_bytes(data[: int(rng.integers(1, len(data)))])
                truncated.replace(path)
            else:
                version = save(path, with_other_predictions(solved, 0.05 * (swap + 1))).version
                predictions |= dict([version_and_predictions(path)])
                before = len(calls)
                wait_until(lambda before=before, version=version: has_version(calls[before:], version))
            if swap in killed_after:
                kills.append(kill_a_worker(process, swap % 2))
            if swap == 25:
                workers = child_processes(process.pid)
                process.send_signal(signal.SIGHUP)
                wait_until(lambda workers=workers: not set(workers) & set(child_processes(process.pid)))
        version = save(path, with_other_predictions(solved, 9.0)).version
        predictions |= dict([version_and_predictions(path)])
        wait_until(lambda: len(calls) > 1000 and all(call.answer.get("version") == version for call in calls[-20:]))
        terminated = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    check_calls(calls, predictions, kills, terminated)


def make_trouble(swap: int, temporary: Path, models: Path) -> None:
    """Clean the temporary directory, fill it or make room in it, or unmount the checkpoints or mount them again."""
    filler, volume = temporary / "filler", models.with_name("volume")
    if swap in (3, 33):
        for shared in temporary.glob("nudge-*"):
            shutil.rmtree(shared, ignore_errors=True)
    elif swap == 13 and temporary.is_mount():
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
    elif swap == 23:
        filler.unlink(missing_ok=True)
        models.rename(volume)
        models.mkdir()
    if swap == 24:
        for file_in_place in models.iterdir():
            file_in_place.replace(volume / file_in_place.name)
        models.rmdir()
        volume.rename(models)


def kill_a_worker(process: subprocess.Popen[str], index: int) -> tuple[float, float]:
    """Kill a worker, wait until there is another one, and return the times just before and after the kill."""
    began, victim = time.monotonic(), child_processes(process.pid)[index]
    os.kill(victim, signal.SIGKILL)
    ended = time.monotonic()
    wait_until(lambda: has_replaced(process.pid, victim))
    return began, ended


def check_calls(
    calls: list[Call], predictions: dict[str, list[float]], kills: list[tuple[float, float]], terminated: float
) -> None:
    """Check every answer, and that every call without one has an excuse.

    Args:
        calls: all calls.
        predictions: for ROWS, by version.
        kills: the times before and after each worker was killed.
        terminated: the time just before SIGTERM was sent.
    """
    for call in calls:
        if call.answer:
            assert call.answer["prediction"] == pytest.approx(predictions[call.answer["version"]][call.row], abs=1e-6)
        else:
            may_have_been_killed = any(call.start <= after and call.end >= before for before, after in kills)
            assert may_have_been_killed or call.start >= terminated - 0.001 or call.end >= terminated, call.failure
    failed = [call for call in calls if not call.answer and call.end < terminated]
    assert len(failed) <= 3 * len(kills), "each client can have one request in the killed worker"
    unanswered = [
        call for call in calls if not call.answer and call.start < terminated - 0.001 and call.end >= terminated
    ]
    assert not unanswered, "requests that were accepted before SIGTERM are answered"


def has_replaced(master: int, worker: int) -> bool:
    """Whether gunicorn has replaced a killed worker and has two workers again."""
    workers = child_processes(master)
    return worker not in workers and len(workers) == 2


def has_version(calls: list[Call], version: str) -> bool:
    """Whether one of the answers is of this version."""
    return any(call.answer.get("version") == version for call in calls)


def test_a_rollout_behind_a_load_balancer_loses_no_request(
    environment: dict[str, str], models: Path, tmp_path: Path, solved: Checkpoint
) -> None:
    """Kubernetes does the same: the new instance is ready before the old one gets SIGTERM. The old one still answers
    (preStop) until the load balancer sends it nothing more.
    """
    version = save(tmp_path / "new" / "xor.safetensors", with_other_predictions(solved, 1.0)).version
    settings = [{"NUDGE_CHECKPOINTS": str(directory)} for directory in (models, tmp_path / "new")]
    with (
        serving(environment | settings[0], tmp_path) as (old, old_port),
        serving(environment | settings[1], tmp_path) as (_, new_port),
    ):
        assert get(old_port, "/v2/health/ready")[0] == 200
        backends = [old_port]
        with load_balancer(backends) as (port, open_connections), load_on(port, clients=4) as calls:
            wait_until(lambda: len(calls) > 50)
            assert get(new_port, "/v2/health/ready")[0] == 200
            backends.append(new_port)
            wait_until(lambda: has_version(calls, version))
            backends.remove(old_port)
            answered = len(calls)
            wait_until(lambda: len(calls) > answered + 50 and not open_connections[old_port])
            old.send_signal(signal.SIGTERM)
            old.communicate(timeout=60)
            assert old.returncode == 0
            answered = len(calls)
            wait_until(lambda: len(calls) > answered + 50)
    assert [call.failure for call in calls if not call.answer] == []
    assert {call.answer["version"] for call in calls} == {load(models / "xor.safetensors").version, version}


@contextmanager
def load_balancer(backends: list[int]) -> Iterator[tuple[int, dict[int, int]]]:
    """Pass each connection to one of the backends in turn.

    Yields a port, and a dictionary with the number of open connections of each backend.
    """
    open_connections: dict[int, int] = dict.fromkeys(backends, 0)
    lock, turn = threading.Lock(), [0]

    def pass_on(client: socket.socket) -> None:
        with client:
            with lock:
                turn[0] += 1
                backend = backends[turn[0] % len(backends)]
                open_connections[backend] = open_connections.get(backend, 0) + 1
            try:
                with socket.create_connection(("127.0.0.1", backend)) as server:
                    server.sendall(client.recv(65536))
                    for chunk in iter(lambda: server.recv(65536), b""):
                        client.sendall(chunk)
            finally:
                with lock:
                    open_connections[backend] -= 1

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=pass_on, args=(client,)).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1], open_connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_two_hundred_slow_clients_do_not_delay_others(
    environment: dict[str, str], models: Path, tmp_path: Path
) -> None:
    """A hundred clients are silent. A hundred have sent a part of a head or of a body."""
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_THREADS": "2"}
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    with serving(environment | settings, tmp_path) as (_, port):
        assert get(port, "/v2/health/ready")[0] == 200
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        try:
            for index, connection in enumerate(slow[100:]):
                connection.sendall(head[:30] if index % 2 else head + b'{"a":1,')
            for _ in range(20):
                assert get(port, QUERY)[1]["label"] == 1
            for connection in slow[100::2]:
                connection.sendall(b'"b":0}  ')
                assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            for connection in slow[101::2]:
                connection.sendall(head[30:] + b'{"a":1,"b":0}  ')
                assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        finally:
            for connection in slow:
                connection.close()


def post_request(rows: int) -> bytes:
    """A request for predictions of many rows."""
    body = json.dumps([{"a": 1, "b": 0}] * rows).encode()
    head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


def test_clients_that_do_not_read_do_not_delay_others(two_workers: Service) -> None:
    _, port = two_workers
    request = post_request(1500)
    silent_readers = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    try:
        for connection in silent_readers:
            connection.setblocking(False)
            sent = 1
            while sent:
                try:
                    sent = connection.send(request * 20)
                except BlockingIOError:
                    sent = 0
        for _ in range(20):
            assert get(port, QUERY)[1]["label"] == 1
    finally:
        for connection in silent_readers:
            connection.close()


def test_a_client_that_never_reads_loses_its_thread(environment: dict[str, str], models: Path, tmp_path: Path) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_THREADS": "1", "NUDGE_REQUEST_SECONDS": "1"}
    with serving(environment | settings, tmp_path) as (_, port), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(post_request(100_000))
        assert get(port, QUERY)[1]["label"] == 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            assert reply.status == 200


def test_requests_that_arrive_in_pieces_or_together_are_answered_in_order(two_workers: Service) -> None:
    _, port = two_workers
    body = b'{"a":1,"b":1}'
    post = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    requests = b"".join(
        [
            b"GET /predict?a=1&b=0 HTTP/1.1\r\nHost: x\r\n\r\n",
            post % (len(body), body),
            b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /predict?a=x HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /predict?a=0&b=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ]
    )
    for size in (1, 7, 100, len(requests)):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(requests), size):
                connection.sendall(requests[start : start + size])
            reply = b"".join(iter(lambda connection=connection: connection.recv(65536), b""))
        statuses = [int(part[:3]) for part in reply.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [200, 200, 200, 400, 200]
        assert reply.endswith(b"}\n")


def test_a_body_that_the_application_does_not_read_is_not_taken_for_the_next_request(two_workers: Service) -> None:
    process, port = two_workers
    smuggled = b"GET /predict?a=1&b=0 HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for path, status in ((b"/predict", 415), (b"/v2/nothing", 404), (b"/v2", 405)):
            connection.sendall(head % (path, len(smuggled)) + smuggled)
            assert read_answer(connection)[0] == status
        connection.sendall(smuggled)
        assert read_answer(connection)[0] == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)  # less than the graceful timeout
    assert process.returncode == 0


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """The status and the body of the next answer on a connection that stays open."""
    reply = b""
    while b"\r\n\r\n" not in reply:
        reply += connection.recv(65536)
    head, _, body = reply.partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)
    assert len(body) == length
    return int(head.split()[1]), body


def test_an_answer_is_sent_to_its_end_after_sigterm(two_workers: Service) -> None:
    process, port = two_workers
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(post_request(2000) * 40)
        first = connection.recv(10)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert any("Handling signal: term" in line for line in process.stderr)
        reply = first + b"".join(iter(lambda: connection.recv(65536), b""))
    process.communicate(timeout=60)
    parts = reply.split(b"HTTP/1.1 200 OK")[1:]
    assert len(parts) >= 1
    for part in parts:
        assert len(json.loads(part.partition(b"\r\n\r\n")[2])) == 2000


def test_more_silent_clients_than_connections_do_not_lock_others_out(
    environment: dict[str, str], models: Path, tmp_path: Path
) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_THREADS": "2"}
    with serving(environment | settings, tmp_path, "--worker-connections", "20") as (process, port):
        assert get(port, "/v2/health/ready")[0] == 200
        (worker,) = child_processes(process.pid)
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
        try:
            for _ in range(20):
                assert get(port, QUERY)[1]["label"] == 1
            assert child_processes(process.pid) == [worker]
        finally:
            for connection in silent:
                connection.close()


def test_what_cannot_be_read_as_a_request_is_refused_in_the_shape_of_all_errors(two_workers: Service) -> None:
    _, port = two_workers
    for request, status in (
        (b"nonsense\r\n\r\n", 400),
        (b"GET /predict?a=" + b"1" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /predict HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET /predict HTTP/1.1\r\n" + b"X: x\r\n" * 70 + b"\r\n", 431),
        (b"GET /predict HTTP/9.9\r\n\r\n", 400),
        (b"GET /predict?a=1 HTTP/1.1\r\nBad Name: x\r\n\r\n", 400),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            reply = b"".join(iter(lambda connection=connection: connection.recv(65536), b""))
        head, _, body = reply.partition(b"\r\n\r\n")
        assert int(head.split()[1]) == status, (request[:40], reply)
        assert list(json.loads(body)) == ["error"]


def test_metrics_are_the_sums_over_all_workers(two_workers: Service) -> None:
    process, port = two_workers

    def metric(name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    name = 'nudge_request_seconds_count{route="/predict",status="200"}'
    wait_until(lambda: metric("nudge_model_workers") == 2)
    before = metric(name)
    for _ in range(60):
        assert get(port, QUERY)[0] == 200
    wait_until(lambda: metric(name) - before == 60)
    victim = child_processes(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: has_replaced(process.pid, victim))
    wait_until(lambda: metric("nudge_model_workers") == 2)
    assert metric(name) - before == 60, "the counts of a killed worker are kept"

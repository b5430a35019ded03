"""The service from its start to its end: models swapped, workers killed, signals and slow clients, under load."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import Checkpoint, predict, save
from model.checkpoint import load
from tests.serve.test_gunicorn import get, serving
from tests.serve.test_registry import biased

ROWS = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.25, 0.75)]
Service = tuple[subprocess.Popen[str], int]


@dataclass
class Call:
    """A request and its answer. failure: why there is none."""

    start: float
    end: float = 0.0
    row: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


def call(port: int, row: int) -> Call:
    """Ask for a prediction over a connection of its own."""
    a, b = ROWS[row]
    made = Call(time.monotonic(), row=row)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"GET /predict?a={a}&b={b} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = reply.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200"):
            made.answer = json.loads(body)
        else:
            made.failure = head[:60].decode() or "no answer"
    except (OSError, ValueError) as error:
        made.failure = repr(error)
    made.end = time.monotonic()
    return made


@contextmanager
def load_on(port: int | Callable[[], int], clients: int = 3) -> Iterator[list[Call]]:
    """Steady requests while the block runs; the calls made, whole once it has ended."""
    calls: list[Call] = []
    over = threading.Event()

    def ask() -> None:
        row = 0
        while not over.is_set():
            row = (row + 1) % len(ROWS)
            calls.append(call(port if isinstance(port, int) else port(), row))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        over.set()
        for thread in threads:
            thread.join()


def expected_of(place: Path) -> tuple[str, list[float]]:
    """The version of a checkpoint and what it predicts for ROWS."""
    checkpoint = load(place)
    return checkpoint.version, np.asarray(
        predict(checkpoint.params, np.array(ROWS, np.float32), checkpoint.network)
    ).tolist()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(met: Callable[[], bool]) -> None:
    """Ask again until it is so; a test that waits in vain ends by the time limit of the whole run."""
    while not met():
        time.sleep(0.02)


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


def test_swaps_broken_files_killed_workers_and_signals_under_load(
    two_workers: Service, models: Path, solved: Checkpoint
) -> None:
    """50 swaps, 20 of them of broken files, 10 killed workers, one SIGHUP, one SIGTERM."""
    process, port = two_workers
    place = models / "xor.safetensors"
    predictions = dict([expected_of(place)])
    rng, kills = np.random.default_rng(0), list[tuple[float, float]]()
    killed_after, broken = set(range(4, 50, 5)), set(rng.choice(50, 20, replace=False).tolist())
    with load_on(port) as calls:
        for swap in range(50):
            if swap in broken:
                data = place.read_bytes()
                beside = place.with_suffix(".tmp")
                beside.write_bytes(data[: int(rng.integers(1, len(data)))])
                beside.replace(place)
            else:
                version = save(place, biased(solved, 0.05 * (swap + 1))).version
                predictions |= dict([expected_of(place)])
                done = len(calls)
                wait_until(lambda done=done, version=version: named(calls[done:], version))
            if swap in killed_after:
                before = time.monotonic()
                victim = children(process.pid)[swap % 2]
                os.kill(victim, signal.SIGKILL)
                kills.append((before, time.monotonic()))
                wait_until(lambda victim=victim: victim not in (now := children(process.pid)) and len(now) == 2)
            if swap == 25:
                workers = children(process.pid)
                process.send_signal(signal.SIGHUP)
                wait_until(lambda workers=workers: not set(workers) & set(children(process.pid)))
        version = save(place, biased(solved, 9.0)).version
        predictions |= dict([expected_of(place)])
        wait_until(lambda: all(each.answer.get("version") == version for each in calls[-20:]))
        terminated = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(calls) > 1000
    for each in calls:
        if each.answer:
            assert each.answer["prediction"] == pytest.approx(predictions[each.answer["version"]][each.row], abs=1e-6)
        else:
            own_worker_killed = any(each.start <= after and each.end >= before for before, after in kills)
            assert own_worker_killed or each.start >= terminated - 0.001 or each.end >= terminated, each.failure
    failed = [each for each in calls if not each.answer and each.end < terminated]
    assert len(failed) <= 3 * len(kills), "no more than the clients had in flight"
    unanswered = [
        each for each in calls if not each.answer and each.start < terminated - 0.001 and each.end >= terminated
    ]
    assert not unanswered, "accepted before SIGTERM"


def named(calls: list[Call], version: str) -> bool:
    return any(each.answer.get("version") == version for each in calls)


def test_a_rollout_behind_a_balancer_loses_nothing(
    environment: dict[str, str], models: Path, tmp_path: Path, solved: Checkpoint
) -> None:
    """As Kubernetes does it: the new instance is ready before the old one is asked to end, and the old one still
    answers (preStop) until no balancer sends it anything.
    """
    version = save(tmp_path / "new" / "xor.safetensors", biased(solved, 1.0)).version
    directories = [{"NUDGE_CHECKPOINTS": str(place)} for place in (models, tmp_path / "new")]
    with (
        serving(environment | directories[0], tmp_path) as (old, old_port),
        serving(environment | directories[1], tmp_path) as (_, new_port),
    ):
        assert get(old_port, "/v2/health/ready")[0] == 200
        backends = [old_port]
        with balancer(backends) as (port, in_flight), load_on(port, clients=4) as calls:
            wait_until(lambda: len(calls) > 50)
            assert get(new_port, "/v2/health/ready")[0] == 200
            backends.append(new_port)
            wait_until(lambda: named(calls, version))
            backends.remove(old_port)
            done = len(calls)
            wait_until(lambda: len(calls) > done + 50 and not in_flight[old_port])
            old.send_signal(signal.SIGTERM)
            old.communicate(timeout=60)
            assert old.returncode == 0
            done = len(calls)
            wait_until(lambda: len(calls) > done + 50)
    assert [each.failure for each in calls if not each.answer] == []
    assert {each.answer["version"] for each in calls} == {load(models / "xor.safetensors").version, version}


@contextmanager
def balancer(backends: list[int]) -> Iterator[tuple[int, dict[int, int]]]:
    """Hands each connection on to one of the backends in turn. in_flight: how many each of them has."""
    in_flight: dict[int, int] = dict.fromkeys(backends, 0)
    lock, turn = threading.Lock(), [0]

    def hand_on(client: socket.socket) -> None:
        with client:
            with lock:
                turn[0] += 1
                backend = backends[turn[0] % len(backends)]
                in_flight[backend] = in_flight.get(backend, 0) + 1
            try:
                with socket.create_connection(("127.0.0.1", backend)) as server:
                    server.sendall(client.recv(65536))
                    for chunk in iter(lambda: server.recv(65536), b""):
                        client.sendall(chunk)
            finally:
                with lock:
                    in_flight[backend] -= 1

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=hand_on, args=(client,)).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1], in_flight
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_two_hundred_clients_that_are_slow_hold_up_no_other(
    environment: dict[str, str], models: Path, tmp_path: Path
) -> None:
    """A hundred that are silent, a hundred that have sent a part of a head or of a body."""
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_THREADS": "2"}
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    with serving(environment | settings, tmp_path) as (_, port):
        assert get(port, "/v2/health/ready")[0] == 200
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        try:
            for index, connection in enumerate(slow[100:]):
                connection.sendall(head[:30] if index % 2 else head + b'{"a":1,')
            for _ in range(20):
                assert get(port, "/predict?a=1&b=0")[1]["label"] == 1
            for connection in slow[100::2]:
                connection.sendall(b'"b":0}  ')
                assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            for connection in slow[101::2]:
                connection.sendall(head[30:] + b'{"a":1,"b":0}  ')
                assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        finally:
            for connection in slow:
                connection.close()


def test_a_client_that_does_not_read_holds_up_no_other(two_workers: Service) -> None:
    _, port = two_workers
    rows = json.dumps([{"a": 1, "b": 0}] * 1500).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    request = head % len(rows) + rows
    greedy = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    try:
        for connection in greedy:
            connection.setblocking(False)
            sent = 1
            while sent:
                try:
                    sent = connection.send(request * 20)
                except BlockingIOError:
                    sent = 0
        for _ in range(20):
            assert get(port, "/predict?a=1&b=0")[1]["label"] == 1
    finally:
        for connection in greedy:
            connection.close()


def test_a_client_that_never_reads_loses_its_thread(environment: dict[str, str], models: Path, tmp_path: Path) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_THREADS": "1", "NUDGE_REQUEST_SECONDS": "1"}
    rows = json.dumps([{"a": 1, "b": 0}] * 100_000).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with serving(environment | settings, tmp_path) as (_, port), socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", port))
        greedy.sendall(head % len(rows) + rows)
        assert get(port, "/predict?a=1&b=0")[1]["label"] == 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            assert reply.status == 200


def test_requests_that_come_in_pieces_or_together_are_answered_in_order(two_workers: Service) -> None:
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


def test_a_body_that_nobody_reads_is_no_next_request(two_workers: Service) -> None:
    process, port = two_workers
    hidden = b"GET /predict?a=1&b=0 HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for path, status in ((b"/predict", 415), (b"/v2/nothing", 404), (b"/v2", 405)):
            connection.sendall(head % (path, len(hidden)) + hidden)
            assert answer_on(connection)[0] == status
        connection.sendall(hidden)
        assert answer_on(connection)[0] == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)  # not the whole grace time
    assert process.returncode == 0


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """The status and the body of the next answer on a connection that is kept."""
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


def test_an_answer_that_is_being_read_when_sigterm_comes_is_read_to_its_end(two_workers: Service) -> None:
    process, port = two_workers
    rows = json.dumps([{"a": 1, "b": 0}] * 2000).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall((head % len(rows) + rows) * 40)
        first = connection.recv(10)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        for line in process.stderr:
            if "Handling signal: term" in line:
                break
        reply = first + b"".join(iter(lambda: connection.recv(65536), b""))
    process.communicate(timeout=60)
    parts = reply.split(b"HTTP/1.1 200 OK")[1:]
    assert len(parts) >= 1
    for part in parts:
        assert len(json.loads(part.partition(b"\r\n\r\n")[2])) == 2000


def test_more_silent_clients_than_connections_lock_nobody_out(
    environment: dict[str, str], models: Path, tmp_path: Path
) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_THREADS": "2"}
    with serving(environment | settings, tmp_path, "--worker-connections", "20") as (process, port):
        assert get(port, "/v2/health/ready")[0] == 200
        (worker,) = children(process.pid)
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
        try:
            for _ in range(20):
                assert get(port, "/predict?a=1&b=0")[1]["label"] == 1
            assert children(process.pid) == [worker]
        finally:
            for connection in silent:
                connection.close()


def test_what_is_no_request_is_refused_in_the_one_shape(two_workers: Service) -> None:
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


def test_metrics_are_those_of_all_workers(two_workers: Service) -> None:
    process, port = two_workers

    def counted(name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    name = 'nudge_request_seconds_count{route="/predict",status="200"}'
    wait_until(lambda: counted("nudge_model_workers") == 2)
    before = counted(name)
    for _ in range(60):
        assert get(port, "/predict?a=1&b=0")[0] == 200
    wait_until(lambda: counted(name) - before == 60)
    victim = children(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in (now := children(process.pid)) and len(now) == 2)
    wait_until(lambda: counted("nudge_model_workers") == 2)
    assert counted(name) - before == 60, "what a killed worker had counted stays"

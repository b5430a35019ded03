"""The process that computes for learners, with a real gunicorn: it comes, comes back, and goes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import create_environ

from model import Network, train_params, truth_table
from serve.learn import ENDPOINTS
from serve.learning.application import create_learning_app
from serve.learning.process import NICENESS
from serve.learning.slots import FORGET_BYTES, MAX_BYTES, Slots, watch
from serve.learning_process import LearningProcess
from tests.examples import same_bits
from tests.serve.examples import QUERY, application
from tests.serve.learning.examples import NETWORK, XOR, drawn, params_data, params_of
from tests.serve.serving import Service, child_processes, get, has_loaded_jax, serving, wait_until


@contextmanager
def learning(environment: dict[str, str], checkpoints: Path, cwd: Path) -> Iterator[Service]:
    """A service with a process for learners, which answers."""
    variables = {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_LEARN": "1"}
    with serving(environment | variables, cwd) as (process, port):
        wait_until(lambda: get(port, "/learn/presets")[0] == 200)
        yield process, port


def post(port: int, name: str, body: dict[str, Any]) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    url = f"http://127.0.0.1:{port}/learn/{name}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.status, json.load(error)


def learning_process(master: int) -> int:
    """The process that computes for learners, among those that the master has started."""
    (found,) = [child for child in child_processes(master) if b"serve.learning" in command_of(child)]
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def check_that_two_learners_at_once_each_get_their_own(port: int) -> None:
    params = {seed: drawn(Network((2, 2, 1)), seed) for seed in (0, 1)}
    answers: dict[int, list[Any]] = {0: [], 1: []}

    def learn(seed: int) -> None:
        body = {"network": NETWORK, "params": params_data(params[seed]), "table": XOR, "epochs": 2000 + seed}
        answers[seed] = [post(port, "train", body) for _ in range(5)]

    threads = [threading.Thread(target=learn, args=(seed,)) for seed in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, found in answers.items():
        expected = train_params(params[seed], Network((2, 2, 1)), truth_table("xor"), epochs=2000 + seed)
        assert all(status == 200 for status, _ in found)
        assert all(same_bits(params_of(answer["params"]), expected.params) for _, answer in found)
    assert post(port, "train", {"network": NETWORK})[0] == 400
    assert post(port, "nothing", {})[0] == 404


def test_the_process_comes_comes_back_and_goes(environment: dict[str, str], checkpoints: Path, tmp_path: Path) -> None:
    with learning(environment, checkpoints, tmp_path) as (process, port):
        first = learning_process(process.pid)
        assert not has_loaded_jax(process.pid)
        assert os.getpriority(os.PRIO_PROCESS, first) == NICENESS
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0)

        check_that_two_learners_at_once_each_get_their_own(port)

        os.kill(first, signal.SIGKILL)
        wait_until(lambda: has_ended(first))
        assert get(port, QUERY)[0] == 200
        wait_until(lambda: get(port, "/learn/presets")[0] == 200)
        second = learning_process(process.pid)
        assert second != first

        process.send_signal(signal.SIGHUP)  # the workers are replaced, and it goes on
        wait_until(lambda: get(port, "/learn/presets")[0] == 200)
        assert learning_process(process.pid) == second

        left = [process.pid, *child_processes(process.pid)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert all(has_ended(pid) for pid in left)
        assert not list(tmp_path.glob("nudge-*"))


def test_the_process_goes_when_the_master_is_killed(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    with learning(environment, checkpoints, tmp_path) as (process, _):
        left = child_processes(process.pid)
        process.kill()
        wait_until(lambda: all(has_ended(pid) for pid in left))


def test_nothing_is_there_for_learners_unless_it_is_turned_on(checkpoints: Path) -> None:
    client = application(checkpoints).test_client()
    for name, methods in ENDPOINTS.items():
        for method in methods:
            assert client.open(f"/learn/{name}", method=method, json={}).status_code == 404
    assert not [path for path in (client.get("/openapi.json").json or {})["paths"] if path.startswith("/learn")]


def test_without_the_process_the_worker_says_that_it_starts(checkpoints: Path, tmp_path: Path) -> None:
    for settings in ({}, {"LEARNING_SOCKET": str(tmp_path / "nobody.sock")}):
        client = application(checkpoints, LEARN="1", **settings).test_client()
        reply = client.post("/learn/train", json={})
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
        assert list(reply.json or {}) == ["error"]
    assert client.get(QUERY).status_code == 200
    assert client.post("/learn/train", data=b" " * (2**21 + 1)).status_code == 413
    refuses = client.application.wsgi_app.refuses  # type: ignore[attr-defined]
    for path, length, is_refused in (("learn/train", 2**21, False), ("learn/train", 2**21 + 1, True)):
        head = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/{path}", "CONTENT_LENGTH": str(length)}
        assert refuses(create_environ(f"/{path}") | head) == is_refused
    assert client.get("/learn/train").status_code == 405


def test_a_process_that_breaks_off_is_a_503(checkpoints: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "broken.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)

        def break_off() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        thread = threading.Thread(target=break_off, daemon=True)
        thread.start()
        reply = application(checkpoints, LEARN="1", LEARNING_SOCKET=path).test_client().get("/learn/presets")
        thread.join(60)
    assert reply.status_code == 503


def test_the_worker_knows_the_endpoints_of_the_process() -> None:
    found: dict[str, set[str]] = {}
    for rule in create_learning_app().url_map.iter_rules():
        found.setdefault(rule.rule.removeprefix("/learn/"), set()).update(rule.methods - {"HEAD", "OPTIONS"})  # type: ignore[operator]
    assert found == {name: set(methods) for name, methods in ENDPOINTS.items()}


@pytest.mark.parametrize("path", ["/learn/train", "/%6cearn/train", "/learn%2Ftrain"])
def test_however_a_path_is_written_it_takes_no_thread_of_predictions(checkpoints: Path, path: str) -> None:
    assert application(checkpoints, LEARN="1").is_for_learners(path)
    assert not application(checkpoints, LEARN="0").is_for_learners(path)
    assert not application(checkpoints, LEARN="1").is_for_learners("/predict")


class Config:
    """What the process takes from gunicorn's configuration."""

    uid, gid = os.geteuid(), os.getegid()


class Log:
    """A log that forgets."""

    def exception(self, *_: Any) -> None:
        """Nothing."""

    error = exception


def test_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    near = LearningProcess(Path("/tmp/nudge-1"), Config, Log())
    assert near.socket == Path("/tmp/nudge-1/learn.sock")
    far = LearningProcess(tmp_path / ("d" * 90), Config, Log())
    try:
        assert len(str(far.socket)) < 100
        assert far.socket.parent.stat().st_mode & 0o777 == 0o700
    finally:
        far.end()
    assert not far.socket.parent.exists()


def test_a_process_that_ends_at_once_is_not_started_as_fast_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    starts = []

    def start(*_: Any, **__: Any) -> subprocess.Popen[bytes]:
        starts.append(now)
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        return child

    learning_process = LearningProcess(tmp_path, Config, Log())
    monkeypatch.setattr(learning_process, "_start", start)
    monkeypatch.setattr("serve.learning_process.time.monotonic", lambda: 100 + now)
    for _ in range(600):
        learning_process.look_after()
        now += 0.5
    pauses = [after - before for before, after in pairwise(starts)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_master_goes_on_if_the_process_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learning_process = LearningProcess(tmp_path, Config, Log())
    monkeypatch.setattr("serve.learning_process.sys.executable", "/nowhere/python")
    learning_process.look_after()
    assert learning_process.process is None


def test_a_request_that_is_stuck_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, left = Slots(), list[int]()
    monkeypatch.setattr("serve.learning.slots.STUCK_SECONDS", -1)
    with slots.taken():
        watch(slots, None, seconds=0, leave=left.append)
    watch(slots, -1, seconds=0, leave=left.append)  # the parent is gone
    assert left == [1, 0]


def test_a_process_with_too_much_memory_ends_between_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(max_bytes=(FORGET_BYTES, MAX_BYTES))
    client = create_learning_app(slots).test_client()
    monkeypatch.setattr("serve.learning.slots.resident_bytes", lambda: FORGET_BYTES + 1)
    assert client.get("/learn/presets").status_code == 200
    assert not slots.is_full  # the programs are forgotten, and that is enough
    monkeypatch.setattr("serve.learning.slots.resident_bytes", lambda: MAX_BYTES + 1)
    with slots.connected():
        assert client.get("/learn/presets").status_code == 200
        reply = client.get("/learn/presets")
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
        assert slots.reason_to_end() is None  # an answer is still on its way
    assert "memory" in (slots.reason_to_end() or "")


def test_a_process_whose_socket_is_gone_ends(tmp_path: Path) -> None:
    path, left = tmp_path / "learn.sock", list[int]()
    path.touch()

    def replace(_: float) -> None:
        assert path.stat().st_mtime <= time.monotonic()  # the sign of life
        path.rename(tmp_path / "old")
        path.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serve.learning.slots.time.sleep", replace)
        watch(Slots(), None, path, leave=left.append)  # another file's
    path.unlink()
    watch(Slots(), None, path, leave=left.append)
    assert left == [1, 1]


def test_the_process_comes_back_after_its_directory_is_gone_and_after_it_is_frozen(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    with learning(environment, checkpoints, tmp_path) as (process, port):
        first = learning_process(process.pid)
        path = Path(command_of(first).split(b"\0")[-4].decode())
        shutil.rmtree(path.parent)
        wait_until(lambda: has_ended(first))
        wait_until(lambda: get(port, "/learn/presets")[0] == 200)
        assert path.parent.stat().st_mode & 0o777 == 0o700

        os.kill(learning_process(process.pid), signal.SIGSTOP)
        asked = threading.Thread(target=get, args=(port, "/learn/presets"))
        asked.start()
        # The socket that listens, and the connection that waits for it.
        wait_until(lambda: Path("/proc/net/unix").read_text().count(str(path)) > 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        asked.join()
        assert process.stderr is not None
        assert "has ended (with the status 1)" in process.stderr.read()


def test_a_process_that_gives_no_sign_of_life_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times, killed = [1000.0], list[float]()
    learning_process = LearningProcess(tmp_path, Config, Log())
    monkeypatch.setattr("serve.learning_process.time.monotonic", lambda: times[-1])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        monkeypatch.setattr(child, "kill", lambda: killed.append(times[-1]))
        monkeypatch.setattr(learning_process, "_start", lambda: child)
        learning_process.look_after()
        learning_process.socket.touch()  # as it starts to listen, without a sign of life
        for now in (1299.0, 1301.0):
            times.append(now)
            learning_process.look_after()
        os.utime(learning_process.socket, (1302, 1302))
        for now in (1361.0, 1363.0):
            times.append(now)
            learning_process.look_after()
    assert killed == [1301, 1363]


def test_programs_are_forgotten_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared = []
    monkeypatch.setattr("serve.learning.slots.jax.clear_caches", lambda: cleared.append(slots.programs))
    slots = Slots(2, max_programs=3)
    for _ in range(8):
        with slots.taken():
            slots.note()
    assert cleared == [4, 4]
    assert slots.programs == 0
    with slots.taken(), slots.taken():  # both slots are free again
        assert not slots.has_stuck()


def test_forgetting_programs_changes_no_answer() -> None:
    slots = Slots(max_programs=1)
    client = create_learning_app(slots).test_client()
    answers = []
    for units in (1, 2, 1, 2):
        network = NETWORK | {"sizes": [2, units, 1]}
        params = params_data(drawn(Network((2, units, 1))))
        body = {"network": network, "params": params, "table": XOR, "epochs": 50}
        answers.append(client.post("/learn/train", json=body).json)
        assert slots.programs <= 1
    assert answers[:2] == answers[2:]


def test_no_more_compute_at_once_than_there_are_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.learning.slots.WAIT_SECONDS", 0)
    slots = Slots(1)
    client = create_learning_app(slots).test_client()
    with slots.taken():
        reply = client.get("/learn/presets")
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
    assert client.get("/learn/presets").status_code == 200

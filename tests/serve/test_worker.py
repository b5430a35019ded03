"""What the worker's loop does, turn by turn: bounds, order, refusals, memory and clients that give up."""

import socket
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from gunicorn.http.message import PP_V2_SIGNATURE
from hypothesis import given, settings
from hypothesis import strategies as st

import serve.calls
import serve.clients
import serve.http_request
import serve.worker
from tests.serve.serving import wait_until
from tests.serve.worker_in_process import MAX_BODY_BYTES, RunningWorker, running_worker

HEALTH = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
QUICK = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"


def post(path: str, body: bytes, *fields: str) -> bytes:
    """A request with a body."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(path: str, *chunks: bytes) -> bytes:
    """A request with a body in chunks."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


@pytest.fixture
def running() -> Iterator[RunningWorker]:
    with running_worker() as worker:
        yield worker


REQUESTS = st.one_of(
    st.sampled_from([QUICK, HEALTH, QUICK * 50, b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n" + QUICK]),
    st.sampled_from(
        [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n", b"\x16\x03\x01\x02", b"nonsense\r\n\r\n"]
    ),
    st.builds(post, st.sampled_from(["/quick", "/other", "/forbidden"]), st.binary(max_size=300)),
    st.builds(chunked, st.sampled_from(["/quick", "/other"]), st.binary(min_size=1, max_size=100)),
    st.binary(max_size=40),
)
# What a client does, one after the other: send bytes, in pieces as they fall; send no more; go away.
ACTIONS = st.lists(st.one_of(REQUESTS, st.just("end"), st.just("leave")), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(1, 400)), min_size=1, max_size=8))
def test_whatever_clients_send_health_waits_for_a_bounded_number_of_steps(
    clients: list[tuple[list[bytes | str], int]],
) -> None:
    """Between the request for health and its answer, the loop takes at most two turns."""
    with running_worker() as running:
        steps = list[object]()
        take_step = running.worker._step
        running.worker._step = lambda connection: (steps.append(connection), take_step(connection))[1]  # type: ignore[method-assign, assignment, func-returns-value]
        for actions, size in clients:
            client = running.connect()
            for action in actions:
                if action == "end":
                    client.shutdown(socket.SHUT_WR)
                    break
                if action == "leave":
                    client.close()
                    break
                data = action if isinstance(action, bytes) else b""
                for start in range(0, len(data), size):
                    try:
                        client.send(data[start : start + size])
                    except (BlockingIOError, ConnectionError):
                        break
                    running.turn()
        before = len(steps)
        probe = running.connect(HEALTH)
        turns = running.turn_until(lambda: probe in readable(probe))
        assert turns <= 2
        assert len(steps) - before <= turns * 2 * serve.worker.MAX_STEPS
        assert running.read(probe) == [(200, {"path": "/v2/health/live", "body": 0, "client": "127.0.0.1"})]
        running.turn_until(lambda: running.worker.calls.pending == 0)
        assert 500 not in running.application.refusals


def readable(client: socket.socket) -> list[socket.socket]:
    """The client, if an answer is there."""
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return []
    return [client]


def test_a_pipelining_client_gets_one_answer_a_turn(running: RunningWorker) -> None:
    running.connect(QUICK * 500)
    running.turn_until(lambda: bool(running.application.paths))
    before = len(running.application.paths)
    running.turn(10)
    assert len(running.application.paths) - before == 10


def test_many_clients_get_a_bounded_number_of_answers_a_turn(running: RunningWorker) -> None:
    clients = 3 * serve.worker.MAX_STEPS
    for _ in range(clients):
        running.connect(QUICK)
    counts = [0]
    while counts[-1] < clients:
        running.turn()
        counts.append(len(running.application.paths))
    assert max(after - before for before, after in pairwise(counts)) <= serve.worker.MAX_STEPS


def test_answers_come_in_the_order_of_the_requests(running: RunningWorker) -> None:
    requests = QUICK + post("/other", b"12345") + HEALTH + chunked("/other", b"123", b"4") + QUICK
    for size in (1, 7, 64, len(requests)):
        client = running.connect()
        for start in range(0, len(requests), size):
            client.send(requests[start : start + size])
            running.turn()
        answers = running.read(client, 5)
        assert [(status, answer["path"], answer["body"]) for status, answer in answers] == [
            (200, "/quick", 0),
            (200, "/other", 5),
            (200, "/v2/health/live", 0),
            (200, "/other", 4),
            (200, "/quick", 0),
        ]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /quick HTTP/1.1\r\n\r\n", 400),
        (b"GET /quick HTTP/1.0\r\n\r\n", 200),
        (b"GET /quick HTTP/1.1\nHost: x\n", 400),
        (b"GET /quick HTTP/1.1\r\nHost: x\nX: y", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /" + b"x" * 4100, 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
        (b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n", 500),
        (chunked("/other", b"x").replace(b"1\r\nx", b"1\r\nxy"), 400),
        (chunked("/other", b"x").replace(b"1\r\nx", b"f" * 8000 + b"\r\nx"), 400),
        (chunked("/other", b"x").replace(b"1\r\nx", b"-1\r\nx"), 400),
    ],
)
def test_what_is_no_request_is_refused_at_once(running: RunningWorker, request_: bytes, status: int) -> None:
    client = running.connect(request_)
    (found, answer), *_ = running.read(client)
    assert found == status
    if status != 200:
        assert list(answer) == ["error"]
        assert running.application.refusals == [status]
    running.turn_until(lambda: running.is_closed(client))


def test_a_body_that_is_expected_is_asked_for_unless_it_is_refused(running: RunningWorker) -> None:
    expecting = ("Expect: 100-continue",)
    client = running.connect(post("/other", b"", *expecting).replace(b"Length: 0", b"Length: 5"))
    running.turn_until(lambda: bool(readable(client)))
    assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"12345")
    assert running.read(client)[0][1]["body"] == 5
    for path, length in (("/forbidden", 5), ("/other", MAX_BODY_BYTES + 1)):
        client = running.connect(post(path, b"", *expecting).replace(b"Length: 0", b"Length: %d" % length))
        running.turn_until(lambda client=client: bool(readable(client)))
        reply = client.recv(10_000)
        assert reply.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"\r\nConnection: close\r\n" in reply
        running.turn_until(lambda client=client: running.is_closed(client))


def test_a_body_in_chunks_is_read_no_further_than_its_limit(running: RunningWorker) -> None:
    head = b"POST /other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = running.connect(head)
    sent = 0
    while not readable(client):
        running.turn()
        try:
            sent += client.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n") - 8
        except BlockingIOError:
            continue
    assert client.recv(10_000).startswith(b"HTTP/1.1 413 ")
    assert running.worker.clients.held_bytes <= MAX_BODY_BYTES + 200_000
    assert sent > MAX_BODY_BYTES / 2


def test_chunks_of_one_byte_are_read(running: RunningWorker) -> None:
    client = running.connect()
    request = chunked("/other", *[b"x"] * 50_000)
    send_all(running, client, request)
    assert running.read(client)[0][1]["body"] == 50_000


def test_more_chunks_than_anybody_needs_are_refused(running: RunningWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve.http_request, "MAX_CHUNKS", 100)
    assert running.read(running.connect(chunked("/other", *[b"x"] * 200)))[0][0] == 400


def send_all(running: RunningWorker, client: socket.socket, data: bytes) -> None:
    """Send all bytes, while the loop takes turns. Ends early if the worker has closed the connection."""
    while data:
        try:
            data = data[client.send(data) :]
        except BlockingIOError:
            running.turn()
        except ConnectionError:
            return


def test_slow_bodies_hold_no_thread(running: RunningWorker) -> None:
    """There are two threads."""
    slow = [running.connect(post("/other", b"12345")[:-3]) for _ in range(140)]
    for request in (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", chunked("/other", b"x"), QUICK):
        assert running.read(running.connect(request))[0][0] == 200
    for client in slow:
        client.send(b"345")
        assert running.read(client)[0][1]["body"] == 5


def test_too_many_requests_for_threads_are_a_503(running: RunningWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve.calls, "MAX_PENDING", 5)
    waiting = [running.connect(post("/slow", b"x")) for _ in range(5)]
    running.turn_until(lambda: running.worker.calls.pending == 5)
    refused = running.connect(post("/slow", b"x"))
    running.turn_until(lambda: bool(readable(refused)))
    reply = refused.recv(10_000)
    assert reply.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in reply
    assert running.read(running.connect(QUICK))[0][0] == 200
    running.application.go.set()
    assert [running.read(client)[0][0] for client in waiting] == [200] * 5


def test_what_clients_have_given_up_is_not_computed(running: RunningWorker) -> None:
    """Two threads are busy, and five requests wait, of which three are given up."""
    busy = [running.connect(post("/slow", b"x")) for _ in range(2)]
    running.turn_until(lambda: running.application.paths == ["/slow"] * 2)
    waiting = [running.connect(post(f"/other/{index}", b"x")) for index in range(5)]
    running.turn_until(lambda: running.worker.calls.pending == 7)
    for client in waiting[:3]:
        client.close()
    gone = [connection for connection in running.worker.clients.connections if connection.has_to_wait]
    running.turn_until(lambda: sum(connection.has_ended for connection in gone) == 3)
    running.application.go.set()
    assert [running.read(client)[0][0] for client in (*busy, *waiting[3:])] == [200] * 4
    assert sorted(running.application.paths) == ["/other/3", "/other/4", "/slow", "/slow"]


def test_of_too_many_connections_the_oldest_idle_and_then_the_oldest_half_sent_are_closed() -> None:
    with running_worker(worker_connections=4) as running:
        half_sent = [running.connect(QUICK[:10]) for _ in range(2)]
        idle = running.connect(QUICK)
        running.read(idle)
        newest = [running.connect(QUICK[:10])]
        running.turn(2)
        for closed in (idle, half_sent[0], half_sent[1]):
            newest.append(running.connect(QUICK[:10]))
            running.turn_until(lambda closed=closed: running.is_closed(closed))
        for client in newest:
            client.send(QUICK[10:])
            assert running.read(client)[0][0] == 200


def test_the_bytes_held_for_all_clients_are_bounded(running: RunningWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-sent bodies, and answers that are not read. The oldest connections are closed, and the newest are served."""
    monkeypatch.setattr(serve.clients, "MAX_HELD_BYTES", 3_000_000)
    for index in range(20):
        client = running.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = post("/other", b"x" * 900_000)[:-1] if index % 2 else b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
        send_all(running, client, request)
        running.turn(3)
        running.turn_until(lambda: running.worker.calls.pending == 0)
        assert running.worker.clients.held_bytes <= 3_000_000
        assert running.worker.clients.held_bytes == sum(
            connection.count_bytes() for connection in running.worker.clients.connections
        )
    assert running.worker.clients.held_bytes > 1_000_000
    client = running.connect()
    send_all(running, client, post("/other", b"x" * 900_000))
    assert running.read(client)[0][1]["body"] == 900_000


def test_large_requests_that_wait_leave_room_for_small_ones(
    running: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What large requests hold cannot be given back before they are answered. So a third one gets a 503."""
    monkeypatch.setattr(serve.clients, "MAX_HELD_BYTES", 2_000_000)
    large = post("/slow", b"x" * 900_000)
    for pending in (1, 2):
        send_all(running, running.connect(), large)
        running.turn_until(lambda pending=pending: running.worker.calls.pending == pending)
    refused = running.connect()
    send_all(running, refused, large)
    running.turn_until(lambda: bool(readable(refused)))
    assert refused.recv(10_000).startswith(b"HTTP/1.1 503 ")
    for request in (QUICK, HEALTH, post("/other", b"x" * 1000)):
        assert running.read(running.connect(request))[0][0] == 200
    running.application.go.set()


def test_nothing_is_held_for_a_connection_that_waits_for_its_next_request(running: RunningWorker) -> None:
    client = running.connect()
    send_all(running, client, post("/other", b"x" * 900_000))
    running.read(client)
    client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    running.read(client)
    (connection,) = running.worker.clients.connections
    assert connection.head is not None
    assert connection.head.request.body is None
    assert connection.unsent.obj == b""
    assert running.worker.clients.held_bytes == connection.held_bytes == 0


def test_a_worker_that_ends_waits_only_a_little_for_another_request(running: RunningWorker) -> None:
    """The first answer is made before the signal, and says that the connection stays open."""
    client = running.connect(post("/slow", b"x"))
    running.turn_until(lambda: running.worker.calls.pending == 1)
    running.application.go.set()
    wait_until(lambda: bool(running.worker.calls.finished))  # without a turn, which would take it from there
    running.worker.alive = False
    running.worker.listeners.stop()
    running.worker.clients.stop()
    running.read(client)
    (connection,) = running.worker.clients.connections
    assert connection.deadline <= time.monotonic() + serve.clients.GRACE_SECONDS
    client.send(QUICK)
    assert running.read(client)[0][0] == 200
    running.turn_until(lambda: running.is_closed(client))


def test_the_binary_line_of_a_proxy_may_come_in_pieces() -> None:
    line = PP_V2_SIGNATURE + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1]) + b"\x12\x67\x00\x50"
    with running_worker(proxy_protocol="auto") as running:
        client = running.connect()
        for byte in line + QUICK:
            client.send(bytes([byte]))
            running.turn()
        assert running.read(client)[0][1]["client"] == "192.0.2.7"


def test_large_bodies_are_answered_one_at_a_time(running: RunningWorker) -> None:
    large = post("/slow", b"x" * (serve.calls.LARGE_BODY_BYTES + 1))
    clients = [running.connect() for _ in range(3)]
    for client in clients:
        send_all(running, client, large)
    running.turn_until(lambda: running.worker.calls.pending == 3)
    running.turn_until(lambda: bool(running.application.paths))
    assert running.read(running.connect(post("/other", b"x")))[0][0] == 200
    assert running.application.paths.count("/slow") == 1
    running.application.go.set()
    assert [running.read(client)[0][0] for client in clients] == [200] * 3


def test_the_address_that_a_proxy_gives_at_the_start_holds_for_the_whole_connection() -> None:
    with running_worker(proxy_protocol="auto") as running:
        client = running.connect(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + QUICK)
        addresses = [running.read(client)[0][1]["client"]]
        for request in (QUICK, QUICK, b"GET /quick?a HTTP/1.1\r\nHost: y\r\n\r\n"):
            client.send(request)
            addresses.append(running.read(client)[0][1]["client"])
        assert addresses == ["192.0.2.7"] * 4

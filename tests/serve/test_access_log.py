"""The access log: a line for each request, which never waits for its reader; and addresses and traces in it."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import urllib.request
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from serve.access_log import MAX_LINE_BYTES, LineWriter
from serve.client_address import client_address
from tests.conftest import ROOT
from tests.serve.examples import QUERY, TENSORS, application
from tests.serve.serving import serving

pytestmark = pytest.mark.core

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PROXIES = "10.0.0.0/8, 192.0.2.1, 2001:db8::/32"
NETWORKS = [ip_network(network.strip()) for network in PROXIES.split(",")]


def logged(client: FlaskClient, capfd: pytest.CaptureFixture[str], **headers: str) -> dict[str, object]:
    """The line of a request with these headers, whose names have _ for -."""
    capfd.readouterr()
    client.get(QUERY, headers={name.replace("_", "-"): value for name, value in headers.items()})
    (line,) = capfd.readouterr().out.splitlines()
    decoded: dict[str, object] = json.loads(line)
    return decoded


def test_the_access_log_has_a_line_of_json_per_request(checkpoints: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = application(checkpoints, ACCESS_LOG="1").test_client()
    client.get(QUERY, headers={"X-Request-ID": "one"})
    client.post("/v2/models/xor/infer", json=TENSORS)
    client.get("/nothing/%0Aü")
    client.get("/" + "%0A" * 4000)
    out = capfd.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/predict", 200),
        ("POST", "/v2/models/<name>/infer", 200),
        ("GET", "none", 404),
        ("GET", "none", 404),
    ]
    assert lines[0]["id"] == "one"
    assert lines[0]["milliseconds"] > 0
    assert lines[2]["path"] == "/nothing/\nü"
    assert lines[3]["path"].startswith("/\n\n")
    assert max(map(len, out.encode().splitlines())) < MAX_LINE_BYTES
    client = application(checkpoints).test_client()
    client.get(QUERY)
    assert capfd.readouterr().out == ""


def test_a_valid_traceparent_is_returned_and_logged(checkpoints: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = application(checkpoints, ACCESS_LOG="1", CORS_ORIGINS="*").test_client()
    assert logged(client, capfd, traceparent=TRACE)["traceparent"] == TRACE
    for path in (QUERY, "/nothing", "/predict?a=x"):
        assert client.get(path, headers={"traceparent": TRACE}).headers["traceparent"] == TRACE
    later = TRACE.replace("00-", "cc-", 1)
    for valid in (later, f"{later}-what-comes", TRACE[:-2] + "00"):
        assert client.get(QUERY, headers={"traceparent": valid}).headers["traceparent"] == valid
    for invalid in (
        *("", "x", TRACE[:-1], f"{TRACE}-x", f"{TRACE}, {TRACE}", TRACE.upper(), TRACE.replace("00-", "ff-", 1)),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        f"{later}what-comes",
        TRACE.replace("4bf", "4bг", 1),
    ):
        reply = client.get(QUERY, headers={"traceparent": invalid.encode().decode("latin-1")})
        assert (reply.status_code, "traceparent" in reply.headers) == (200, False), invalid
    assert "traceparent" not in logged(client, capfd)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("10.0.0.7", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "8.8.8.8, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "8.8.8.8, 203.0.113.9 ,10.1.1.1,192.0.2.1", "203.0.113.9"),
        ("10.0.0.7", "10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("10.0.0.7", "unknown", "10.0.0.7"),
        ("10.0.0.7", "8.8.8.8, unknown, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.7", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.7", "[2001:db9::1]:4711", "2001:db9::1"),
        ("10.0.0.7", "2001:db9::1, 2001:db8::2", "2001:db9::1"),
        ("::ffff:10.0.0.7", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.1", "8.8.8.8", "203.0.113.1"),
        ("192.0.2.2", "8.8.8.8", "192.0.2.2"),
        ("", "8.8.8.8", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(peer: str, forwarded_for: str, client: str) -> None:
    assert client_address(peer, forwarded_for, NETWORKS) == client
    assert client_address(peer, forwarded_for, []) == peer


@given(forwarded_for=st.text(st.sampled_from("10.,:[]x \0é"), max_size=40))
def test_no_forwarded_address_is_refused(forwarded_for: str) -> None:
    found = client_address("10.0.0.7", forwarded_for, NETWORKS)
    assert found == "10.0.0.7" or ip_address(found)


def test_the_log_has_the_address_of_the_client(checkpoints: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = application(checkpoints, ACCESS_LOG="1", TRUSTED_PROXIES="127.0.0.0/8").test_client()
    assert logged(client, capfd, X_Forwarded_For="8.8.8.8, 203.0.113.9")["client"] == "203.0.113.9"
    assert logged(client, capfd, X_Forwarded_For="not an address")["client"] == "127.0.0.1"
    client = application(checkpoints, ACCESS_LOG="1").test_client()
    assert logged(client, capfd, X_Forwarded_For="203.0.113.9")["client"] == "127.0.0.1"


def test_a_full_pipe_takes_whole_lines_and_drops_others() -> None:
    reader, writer = os.pipe()
    lines = LineWriter(writer)
    assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK, "the pipe may be shared with other processes"
    taken = dropped = 0
    for number in range(10_000):
        if lines.write(f"{number:05} {'x' * 93}\n".encode()):
            taken += 1
        else:
            dropped += 1
    assert taken + dropped == 10_000
    assert dropped > 5000
    assert os.read(reader, 1000) == b"".join(f"{number:05} {'x' * 93}\n".encode() for number in range(10))
    data = b""
    while b"later" not in data:
        lines.write(b"later\n")
        data += os.read(reader, 65_536)
    whole, later = data.split(b"later\n", 1)[0].splitlines(), data.count(b"later\n")
    assert [int(line[:5]) for line in whole] == list(range(10, taken))
    assert {len(line) for line in whole} == {99}
    assert later >= 1
    os.close(reader)
    assert lines.write(b"nobody reads it\n") is False
    lines.close()
    os.close(writer)


def test_a_full_socket_finishes_a_line_before_the_next() -> None:
    """systemd gives a service a socket as its standard output."""
    reader, writer = socket.socketpair()
    lines = LineWriter(writer.fileno())
    line = b"x" * 30_000 + b"\n"
    while lines.write(line):
        pass
    assert writer.getblocking()
    data = b""
    reader.settimeout(60)
    while b"last\n" not in data:
        lines.write(b"last\n")
        data += reader.recv(65_536)
    for end in (reader, writer, lines):
        end.close()
    *whole, last = data.splitlines(keepends=True)
    assert set(whole) <= {line, b"last\n"}
    assert last == b"last\n"


def test_a_file_takes_every_line(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        lines = LineWriter(file.fileno())
        assert all(lines.write(b"line\n") for _ in range(1000))
    assert (tmp_path / "log").read_bytes() == b"line\n" * 1000


def test_a_service_whose_log_nobody_reads_answers_every_request(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    """Each line has about 200 bytes, and a pipe holds 65,536."""
    settings = {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_ACCESS_LOG": "1"}
    with serving(environment | settings, tmp_path) as (process, port):
        for _ in range(1000):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{QUERY}", timeout=60) as reply:
                assert reply.status == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            metrics = reply.read().decode()
        process.terminate()
        out, _ = process.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    (dropped,) = [line for line in metrics.splitlines() if line.startswith("nudge_dropped_log_lines_total")]
    assert float(dropped.split()[-1]) >= 1000 - len(lines) > 500


def test_a_service_without_standard_output_starts(environment: dict[str, str], checkpoints: Path) -> None:
    program = f"""
import os
os.close(1)
import sys
sys.stdout = None
from serve import create_app
client = create_app({{"NUDGE_CHECKPOINTS": {str(checkpoints)!r}, "NUDGE_ACCESS_LOG": "1"}}).test_client()
sys.exit(client.get({QUERY!r}).status_code - 200)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment, timeout=120)

"""The service under gunicorn with our configuration: bodies, slow clients, signals and settings."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.examples import BAD_QUERIES, QUERY
from tests.serve.serving import Service, child_processes, get, has_loaded_jax, serving, wait_until


@pytest.fixture
def service(environment: dict[str, str], checkpoints: Path, tmp_path: Path) -> Iterator[Service]:
    with serving(environment | {"NUDGE_CHECKPOINTS": str(checkpoints)}, tmp_path) as running:
        yield running


def test_predictions_refusals_and_health_over_http(service: Service) -> None:
    _, port = service
    status, answer = get(port, QUERY)
    assert status == 200
    assert answer["label"] == 1
    assert answer["model"] == "xor"
    assert get(port, "/v2/health/ready") == (200, {"live": True, "ready": True})
    assert get(port, "/v2/health/live") == (200, {"live": True})
    for query, message in BAD_QUERIES.items():
        assert get(port, f"/predict?{query}") == (400, {"error": message})
    curl = ["curl", "-sS", f"http://127.0.0.1:{port}{QUERY}"]
    assert json.loads(subprocess.run(curl, capture_output=True, text=True, check=True).stdout) == answer


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def send(port: int, request: bytes) -> tuple[int, dict[str, object]]:
    """Send a request, close that direction, and return the status and the JSON of the answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        reply = b""
        while chunk := connection.recv(65536):
            reply += chunk
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("chunks", [b"zz\r\n", b'5\r\n{"a":', b'5\r\n{"a":xx\r\n0\r\n\r\n', b"-1\r\n\r\n"])
def test_broken_chunks_are_a_400(service: Service, chunks: bytes) -> None:
    status, answer = send(service[1], HEAD + CHUNKED + chunks)
    assert status == 400
    assert list(answer) == ["error"]


def test_a_body_that_is_too_long_or_incomplete_is_refused(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    def chunked(length: int) -> bytes:
        """A request whose body has this length."""
        body = b'{"a": 1, "b": 0}'.ljust(length)
        return HEAD + CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    limited = environment | {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_MAX_BODY": "1000000"}
    with serving(limited, tmp_path) as (_, port):
        assert send(port, chunked(1_000_000))[0] == 200
        too_long = "the body must be of at most 1,000,000 bytes, and a longer one was found"
        assert send(port, chunked(1_000_001)) == (413, {"error": too_long})
        assert send(port, HEAD + b"Content-Length: 1000001\r\n\r\n") == (413, {"error": too_long})
        incomplete = "a body of 100 bytes was expected, and 16 were found"
        assert send(port, HEAD + b'Content-Length: 100\r\n\r\n{"a": 1, "b": 0}') == (400, {"error": incomplete})


def test_tls_is_served_like_plain_connections(environment: dict[str, str], checkpoints: Path, tmp_path: Path) -> None:
    """Requests come in pieces and together. A client without TLS is turned away, and one that stalls delays nobody."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.create_default_context(cafile=certificate)
    body = json.dumps([{"a": 1, "b": 0}] * 5000).encode()
    requests = [
        b"GET /predict?a=1&b=0 HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD.replace(b"Connection: close\r\n", b"") + b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        HEAD + b"Content-Length: 13\r\n\r\n" + b'{"a":1,"b":0}',
    ]
    options = ("--certfile", str(certificate), "--keyfile", str(key))
    with (
        serving(environment | {"NUDGE_CHECKPOINTS": str(checkpoints)}, tmp_path, *options) as (_, port),
        socket.create_connection(("127.0.0.1", port)),
        socket.create_connection(("127.0.0.1", port)) as plain,
        socket.create_connection(("127.0.0.1", port)) as encrypted,
    ):
        plain.sendall(requests[0])
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(65536) == b""
        with context.wrap_socket(encrypted, server_hostname="localhost") as tls:
            data = b"".join(requests)
            for start in range(0, len(data), 9999):
                tls.sendall(data[start : start + 9999])
            reply = b"".join(iter(lambda: tls.recv(65536), b""))
    assert reply.count(b"HTTP/1.1 200 OK") == 3
    assert reply.count(b'"label":1') == 5002


def test_no_header_changes_the_path_of_a_request(service: Service) -> None:
    request = (
        b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSCRIPT_NAME: /foo\r\nPATH_INFO: /\r\n\r\n"
    )
    assert send(service[1], request) == (200, {"live": True})


def test_what_proxies_say_about_a_request_never_makes_it_wrong(service: Service) -> None:
    """gunicorn refuses fields that disagree, if they come from this machine, as those of a sidecar do."""
    fields = b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\nX-Forwarded-Protocol: http\r\nX_Forwarded_For: x\r\n"
    request = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n"
    assert send(service[1], request) == (200, {"live": True})


def test_a_client_that_stalls_does_not_delay_others(service: Service) -> None:
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


def test_the_connection_of_a_client_that_never_goes_on_is_closed(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    """The time limit is one second, and there is one thread."""
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


def test_a_connection_stays_open_for_the_next_request(service: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service[1], timeout=60)
    for _ in range(2):
        connection.request("GET", "/v2/health/live")
        used_socket = connection.sock
        with connection.getresponse() as reply:
            assert reply.status == 200
            reply.read()
        assert connection.sock is used_socket is not None
    connection.close()


def test_after_sigterm_accepted_requests_are_answered(service: Service) -> None:
    """The rest of the request's body arrives after SIGTERM."""
    process, port = service
    assert get(port, "/v2/health/ready")[0] == 200
    body = b'{"a": 1, "b": 0}'
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:5])
        wait_until_reading(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert any("Handling signal: term" in line for line in process.stderr)
        connection.sendall(body[5:])
        reply = b""
        while chunk := connection.recv(65536):
            reply += chunk
    assert reply.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["label"] == 1
    assert process.wait(timeout=60) == 0


def wait_until_reading(pid: int) -> None:
    """Wait until gunicorn's only worker has accepted a connection."""
    (worker,) = child_processes(pid)

    def has_connection() -> bool:
        lines = Path(f"/proc/{worker}/net/tcp").read_text().splitlines()[1:]
        established = {f"socket:[{line.split()[9]}]" for line in lines if line.split()[3] == "01"}
        with contextlib.suppress(FileNotFoundError):  # a file may be closed meanwhile
            return any(os.readlink(path) in established for path in Path(f"/proc/{worker}/fd").iterdir())
        return False

    wait_until(has_connection)


@pytest.mark.parametrize("is_broken", [False, True], ids=["no checkpoint", "a broken checkpoint"])
def test_without_a_model_the_service_ends_at_once_and_says_why(
    environment: dict[str, str], tmp_path: Path, is_broken: bool
) -> None:
    if is_broken:
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "xor.safetensors").write_bytes(b"broken")
    with serving(environment, tmp_path) as (process, _):
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "CheckpointError: checkpoints" in errors
    assert "Traceback" not in errors
    assert errors.count("CheckpointError") == 1


def test_a_variable_that_jax_does_not_understand_ends_the_service_with_a_sentence(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(checkpoints), "JAX_NUM_CPU_DEVICES": "many"}
    with serving(environment | settings, tmp_path) as (process, _):
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert 'Invalid value "many" for JAX flag jax_num_cpu_devices; correct or unset it\n' in errors
    assert "Traceback" not in errors


def test_workers_come_from_the_environment_and_are_forked_before_jax_is_loaded(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(checkpoints), "WEB_CONCURRENCY": "2", "NUDGE_THREADS": "2"}
    with serving(environment | settings, tmp_path) as (process, port):
        assert get(port, "/predict?a=0&b=0")[1]["label"] == 0
        assert len(child_processes(process.pid)) == 2
        assert not has_loaded_jax(process.pid)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "fork" not in errors
    assert output == "", "there is no access log by default"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("NUDGE_THREADS", "abc", "a whole number from 1 to 999"),
        ("NUDGE_THREADS", "0", "a whole number from 1 to 999"),
        ("WEB_CONCURRENCY", "0", "a whole number from 1 to 999"),
        ("NUDGE_LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    environment: dict[str, str], tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    with serving(environment | {name: value}, tmp_path) as (process, _):
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output + errors == f"{name}: expected {allowed}, found {value!r}; set it so, or leave it out\n"


def test_an_empty_setting_counts_as_unset(environment: dict[str, str], checkpoints: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").symlink_to(checkpoints)
    settings = {"NUDGE_CHECKPOINTS": "", "NUDGE_MODEL": "", "NUDGE_THREADS": "", "NUDGE_LOG_LEVEL": ""}
    with serving(environment | settings, tmp_path) as (_, port):
        assert get(port, "/predict?a=1&b=1")[1]["label"] == 0


def test_the_configuration_serves_other_applications_too(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'application/json')])\n"
        "    return [b'{\"other\": true}']\n"
    )
    with serving(environment, tmp_path, application="other:application") as (_, port):
        assert get(port, "/") == (200, {"other": True})

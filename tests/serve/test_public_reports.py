"""Public reports of faults in other servers, each tried on ours. docs/operating.md has a table of them."""

import io
import json
import os
import re
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jax
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model import Checkpoint, Network, init_params, save
from tests.conftest import ROOT
from tests.examples import checkpoint_of, with_params
from tests.serve.examples import QUERY, TENSORS, with_other_predictions
from tests.serve.serving import NUDGE_SERVE, RunningCommand, child_processes, running, wait_until

WORKERS = 2
ODD_NAME = 'café "½\\'
MODELS = ("xor", "binary", "regression", "wide", "copied", ODD_NAME)
HEALTH, INFER = "/v2/health/live", "/v2/models/xor/infer"
JSON_LENGTH = "Inference-Header-Content-Length"


@dataclass
class Answer:
    """An answer as it came over the connection."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body. A token that is not JSON, such as NaN, fails the test."""
        return json.loads(self.body, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))


class Received:
    """Bytes that look to http.client like a socket."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.file.close = lambda: None  # type: ignore[method-assign]

    def makefile(self, mode: str) -> io.BytesIO:
        return self.file


def exchange(address: Any, sent: bytes, methods: tuple[str, ...] = ("GET",)) -> list[Answer]:
    """Send bytes over a new connection, and return all answers. methods: of the requests in these bytes."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(60)
        connection.connect(address)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = Received(b"".join(iter(lambda: connection.recv(65536), b"")))
    answers = []
    for method in methods:
        response = HTTPResponse(received, method=method)  # type: ignore[arg-type]
        response.begin()
        answers.append(Answer(response.status, response.headers, response.read()))
    assert received.file.read() == b"", "more was sent than the answers"
    return answers


def request_bytes(target: str, *fields: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """A request that keeps its connection. Characters beyond Latin-1 in it are sent as UTF-8."""
    length = () if body is None else (f"Content-Length: {len(body)}",)
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *fields, *length, "", ""])
    return head.encode() + (body or b"")


@dataclass
class Service:
    """A running service with two workers, at a port and a Unix socket."""

    command: RunningCommand
    port: int
    unix_socket: str

    def get(self, target: str, *fields: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """The answer to one request."""
        request = request_bytes(target, "Connection: close", *fields, method=method, body=body)
        (answer,) = exchange(("127.0.0.1", self.port), request, (method,))
        return answer

    def post(self, target: str, value: Any, *fields: str) -> Answer:
        """The answer to JSON."""
        body = json.dumps(value).encode()
        return self.get(target, "Content-Type: application/json", *fields, method="POST", body=body)

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """The value of each sample by its name and labels, as Prometheus reads it."""
        text = self.get("/metrics").body.decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels."""
        return sum(
            value for (found, pairs), value in self.metrics().items() if found == name and labels.items() <= pairs
        )

    @property
    def workers(self) -> list[int]:
        """The workers' process ids."""
        return child_processes(self.command.process.pid)

    def wait_for_models(self) -> None:
        """Wait until every worker has every model."""
        for model in MODELS:
            wait_until(lambda model=model: self.total("nudge_model_workers", model=model) == WORKERS)  # type: ignore[misc]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    """Models, and what else may lie in their directory: a link to a file that is gone, a folder and a pipe."""
    directory = tmp_path_factory.mktemp("models")
    wide = Network((2, 61, 1))  # wide enough that XLA compiles programs for it
    save(directory / "xor.safetensors", solved)
    save(directory / "copied.safetensors", solved)
    save(directory / f"{ODD_NAME}.safetensors", solved)
    save(directory / "wide.safetensors", with_params(solved, init_params(wide, key=jax.random.key(1)), wide))
    for task in ("binary", "regression"):
        save(directory / f"{task}.safetensors", checkpoint_of(task))
    (directory / "gone.safetensors").symlink_to("nothing")
    (directory / "circle.safetensors").symlink_to("circle.safetensors")
    (directory / "folder.safetensors").mkdir()
    os.mkfifo(directory / "pipe.safetensors")
    return directory


@pytest.fixture(scope="module")
def service(
    environment: dict[str, str], directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service as in a bare container: in the locale POSIX, and in a time zone with half hours."""
    settings = {"NUDGE_CHECKPOINTS": str(directory), "NUDGE_ACCESS_LOG": "1", "WEB_CONCURRENCY": str(WORKERS)}
    settings |= {"LC_ALL": "POSIX", "TZ": "NST3:30", "NUDGE_MODEL": "xor", "NUDGE_POLL": "0.1"}
    folder = tmp_path_factory.mktemp("service")
    unix_socket = str(folder / "socket")
    options = ("--bind", "127.0.0.1:0", "--bind", f"unix:{unix_socket}")
    with running(environment | settings, folder, *options) as command:
        service = Service(command, int(command.wait_for_output(r"http://127\.0\.0\.1:(\d+)")[1]), unix_socket)
        service.wait_for_models()
        yield service
        assert command.end() == 0
    assert "Traceback" not in command.output
    assert "Warning" not in command.output


def log_entries(service: Service) -> list[dict[str, Any]]:
    """The lines of the access log."""
    return [json.loads(line) for line in service.command.output.splitlines() if line.startswith('{"time"')]


# The edge: requests as clients and proxies send them


@pytest.mark.parametrize("fields", [("Transfer-Encoding: chunked",), ("Content-Length: 16",)])
def test_an_offer_of_http_2_is_ignored_and_the_body_is_read(service: Service, fields: tuple[str, ...]) -> None:
    body = b'{"a": 1, "b": 0}'
    chunks = b"10\r\n%s\r\n0\r\n\r\n" % body if "chunked" in fields[0] else body
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
    first = request_bytes("/predict", "Content-Type: application/json", *upgrade, *fields, method="POST") + chunks
    answers = exchange(("127.0.0.1", service.port), first + request_bytes(HEALTH, "Connection: close"), ("POST", "GET"))
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json == service.get(QUERY).json


@pytest.mark.parametrize("target", ["/👽", "/predict?a=👽&b=0", "/predict?a=76.9, 8.4&b=0"])
def test_a_target_that_is_no_uri_gets_an_answer(service: Service, target: str) -> None:
    answer = service.get(target)
    assert answer.status == 400
    assert list(answer.json) == ["error"]


def test_no_path_writes_control_characters_into_the_log(service: Service) -> None:
    path = '/\x1b[31m\r\n{"time":"forged"}\x9b'
    assert service.get(quote(path)).status == 404
    wait_until(lambda: any(entry["path"] == path for entry in log_entries(service)))
    assert "\x1b" not in service.command.output
    assert not any(line.startswith('{"time":"forged"') for line in service.command.output.splitlines())


@pytest.mark.parametrize(
    "target", ["/%0d%0aSet-Cookie:%20a=b", "/v2/models/%0d%0aSet-Cookie:%20a=b", "/predict?%0d%0a=1"]
)
def test_no_target_adds_a_header_to_the_answer(service: Service, target: str) -> None:
    answer = service.get(target, "X-Request-ID: a%0d%0aSet-Cookie: a=b", "Origin: http://%0d%0a")
    assert answer.status in (400, 404)
    assert "Set-Cookie" not in answer.headers
    assert answer.headers.keys() == service.get("/nothing").headers.keys()


@pytest.mark.parametrize("length", [100, 9_000, 300_000])
def test_a_body_that_is_not_read_is_no_request_and_blocks_nobody(service: Service, length: int) -> None:
    hidden = request_bytes("/v2/models/hidden")
    body = (hidden * length)[:length]
    with ExitStack() as stack:
        for _ in range(3 * WORKERS):  # each stays open until the end
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
            connection.sendall(request_bytes("/nothing", method="POST", body=body))
        for _ in range(3 * WORKERS):
            assert service.get(HEALTH).status == 200
    answers = exchange(("127.0.0.1", service.port), request_bytes("/nothing", method="POST", body=body), ("POST",))
    assert answers[0].status == 404
    assert not any("hidden" in entry["path"] for entry in log_entries(service))


def test_a_unix_socket_has_no_client_address_and_is_served(service: Service) -> None:
    requests = [request_bytes(target) for target in (QUERY, "/metrics")]
    tensors = request_bytes(INFER, "Connection: close", method="POST", body=json.dumps(TENSORS).encode())
    answers = exchange(service.unix_socket, b"".join([*requests, tensors]), ("GET", "GET", "POST"))
    assert [answer.status for answer in answers] == [200, 200, 200]
    wait_until(lambda: any(entry["client"] == "" for entry in log_entries(service)))


@pytest.mark.parametrize("target", [QUERY, HEALTH, "/metrics", "/openapi.json", "/v2/models/xor", "/nothing"])
def test_head_has_the_length_of_get_and_no_body(service: Service, target: str) -> None:
    sent = request_bytes(target, method="HEAD") + request_bytes(target, "Connection: close")
    head, get = exchange(("127.0.0.1", service.port), sent, ("HEAD", "GET"))
    assert head.status == get.status
    assert head.headers.keys() == get.headers.keys()
    assert target == "/metrics" or head.headers["Content-Length"] == str(len(get.body))


@pytest.mark.parametrize("host", ["my_service:8000", "[::1]:8000", "[::1", "a:b:c", "x..y", "\\", "ü", "%", ""])
def test_no_host_is_a_500_or_changes_the_answer(service: Service, host: str) -> None:
    expected = service.get("/v2/models/xor")
    for target, status in (("/v2/models/xor", 200), ("/nothing", 404)):
        request = request_bytes(target, "Connection: close").replace(b"Host: x", f"Host: {host}".encode())
        (answer,) = exchange(("127.0.0.1", service.port), request)
        assert answer.status in (status, 400)
        assert target == "/nothing" or answer.status == 400 or answer.body == expected.body


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_large_body_that_is_called_a_form_is_not_read_as_one(service: Service, content_type: str) -> None:
    """`curl --data @file` calls every body a form."""
    tensor = {"name": "input", "shape": [90_000, 2], "datatype": "FP32", "data": [0.25] * 180_000}
    body = json.dumps({"inputs": [tensor]}).encode()
    assert len(body) > 500_000
    answer = service.get(INFER, f"Content-Type: {content_type}", method="POST", body=body)
    assert answer.status == 200
    assert answer.json["outputs"][0]["shape"] == [90_000]


@pytest.mark.parametrize(
    "target",
    [f"{HEALTH}/", f"/{HEALTH}", "/v2//health/live", "//evil.example/v2/health/live", "/v2/models//ready", "/v2/"],
)
def test_no_path_is_redirected(service: Service, target: str) -> None:
    """A probe would follow the redirect, or count it as success."""
    for method in ("GET", "HEAD"):
        answer = service.get(target, "X-Forwarded-Proto: https", method=method)
        assert answer.status in (200, 404)
        assert "Location" not in answer.headers


def test_health_checks_that_reset_their_connection_are_not_logged(service: Service) -> None:
    def messages() -> list[str]:
        return [line for line in service.command.output.splitlines() if not line.startswith('{"time"')]

    before = messages()
    for sent in (b"", b"GET ", request_bytes(HEALTH), request_bytes("/openapi.json"), request_bytes("/metrics")) * 10:
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(sent)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets
    for _ in range(10 * WORKERS):
        assert service.get("/v2/health/ready").status == 200
    assert messages() == before


# Tensors and numbers


def infer(service: Service, model: str, inputs: list[dict[str, Any]], raw: bytes = b"", **fields: Any) -> Answer:
    """The answer to tensors. raw: the bytes after the JSON."""
    head = json.dumps({"inputs": inputs} | fields).encode()
    path = f"/v2/models/{quote(model)}/infer"
    return service.get(path, f"{JSON_LENGTH}: {len(head)}", method="POST", body=head + raw)


def tensor_of(data: list[Any], datatype: str = "FP32", **changes: Any) -> dict[str, Any]:
    """A row of XOR."""
    return {"name": "input", "shape": [1, 2], "datatype": datatype, "data": data} | changes


def columns_of(colour: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """A row with numbers and a text. colour: the bytes of the tensor of texts."""
    columns = [
        {"name": name, "shape": [1], "datatype": "INT8", "data": [1]} for name in ("size", "constant", "useless")
    ]
    text = {"name": "colour", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(colour)}}
    return [*columns, text], colour


def test_numbers_in_json_are_json_and_lose_nothing(service: Service) -> None:
    """Small and large predictions, each compared with the four bytes of its float32."""
    rows = np.random.default_rng(0).normal(0, 50, (500, 2)).astype("<f4")
    tensor = tensor_of(rows.ravel().tolist(), shape=[500, 2])
    in_json = infer(service, "wide", [tensor]).json["outputs"][0]["data"]
    asked = [{"name": "prediction", "parameters": {"binary_data": True}}]
    answer = infer(service, "wide", [tensor], outputs=asked)
    in_binary = np.frombuffer(answer.body[int(answer.headers[JSON_LENGTH]) :], "<f4")
    assert in_binary.min() < 1e-6
    assert in_binary.max() > 0.5
    assert np.array(in_json, np.float32).tobytes() == in_binary.tobytes()


@pytest.mark.parametrize("is_raw", [False, True])
def test_an_overflow_is_refused_and_never_a_nan_in_json(service: Service, is_raw: bool) -> None:
    parameters = {"binary_data_output": is_raw}
    answer = infer(service, "wide", [tensor_of([3e38, -3e38])], parameters=parameters)
    assert answer.status == 400
    assert "overflows" in answer.json["error"]


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_half_precision_may_come_in_json(service: Service, datatype: str) -> None:
    answer = infer(service, "xor", [tensor_of([1.5, -0.25], datatype)])
    assert answer.status == 200
    assert answer.json["outputs"] == infer(service, "xor", [tensor_of([1.5, -0.25])]).json["outputs"]


@pytest.mark.parametrize(
    "raw", [b"\x03\0\0\0re", b"\xff\xff\xff\xffred", b"\x03\0", b"\x03\x03\x03\x03red", b"\0\0\0\0" * 2]
)
def test_texts_with_wrong_lengths_are_refused(service: Service, raw: bytes) -> None:
    inputs, raw = columns_of(raw)
    answer = infer(service, "binary", inputs, raw)
    assert answer.status == 400
    assert "tensor 'colour': " in answer.json["error"]


SHAPES = [
    "-1",
    -1,
    None,
    {},
    [-1, 2],
    ["1", 2],
    [[1, 2]],
    [1.5, 2],
    [True, 2],
    [2**63, 2],
    [2**62, 4],
    [1, 2] + [1] * 99,
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_no_shape_ends_a_worker(service: Service, shape: Any) -> None:
    workers = service.workers
    for raw in (b"", bytes(8)):
        tensor = tensor_of([1, 0], shape=shape)
        if raw:
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": 8}
        answer = infer(service, "xor", [tensor], raw)
        assert answer.status == 400
        assert list(answer.json) == ["error"]
    assert service.workers == workers


def test_an_id_may_be_null(service: Service) -> None:
    for sent, returned in ((None, None), ("", ""), ("ü" * 1000, "ü" * 1000)):
        answer = infer(service, "xor", [tensor_of([1, 0])], id=sent)
        assert answer.status == 200
        assert (answer.json.get("id") or None) == (returned or None)


def test_labels_that_are_texts_come_in_json_and_in_bytes(service: Service) -> None:
    inputs, raw = columns_of(b"\x03\0\0\0red")
    (label,) = infer(service, "binary", inputs, raw, outputs=[{"name": "label"}]).json["outputs"][0]["data"]
    answer = infer(service, "binary", inputs, raw, outputs=[{"name": "label", "parameters": {"binary_data": True}}])
    assert answer.status == 200
    assert answer.body[int(answer.headers[JSON_LENGTH]) :] == struct.pack("<I", len(label)) + label.encode()


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udc80b"])
def test_half_a_character_is_refused_in_json(service: Service, surrogate: str) -> None:
    """JSON can spell halves of surrogate pairs, and UTF-8 cannot."""
    answers = [
        service.post("/predict", {surrogate: 1, "b": 0}),
        service.post("/predict", {"a": surrogate, "b": 0}),
        service.post("/models/binary/predict", {"size": 1, "colour": surrogate, "constant": 1, "useless": 1}),
        service.post(INFER, TENSORS | {"id": surrogate}),
        service.post(INFER, TENSORS | {"outputs": [{"name": surrogate}]}),
        service.post(INFER, {"inputs": [tensor_of([1, 0]) | {"name": surrogate}]}),
    ]
    assert [answer.status for answer in answers] == [400] * 6
    assert all(list(answer.json) == ["error"] for answer in answers)


# Metrics


def test_unknown_paths_and_methods_are_no_labels(service: Service) -> None:
    before = service.total("nudge_request_seconds_count", route="none")
    for number in range(20):
        assert service.get(f"/scan/{number}.php").status == 404
        assert service.get(f"/v2/models/scan{number}").status == 404
        assert service.get(f"/v2/models/xor/versions/scan{number}").status == 404
        assert service.get(f"/scan{number}", method=f"SCAN{number}").status == 404
        assert service.get("/predict", method=f"SCAN{number}").status == 405
    wait_until(lambda: service.total("nudge_request_seconds_count", route="none") >= before + 40)
    labels = {pair for _, labels in service.metrics() for pair in labels}
    assert not [value for _, value in labels if "scan" in value.lower()]


def test_any_name_of_a_file_is_a_label_and_a_path(service: Service) -> None:
    """Quotes, a backslash and letters beyond ASCII, in the locale POSIX."""
    assert service.total("nudge_model_workers", model=ODD_NAME) == WORKERS
    assert service.get(f"/models/{quote(ODD_NAME)}/predict?a=1&b=0").json["model"] == ODD_NAME
    assert infer(service, ODD_NAME, [tensor_of([1, 0])]).json["model_name"] == ODD_NAME


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;"
        "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text",
        "text/html",
        "",
    ],
)
def test_metrics_have_one_content_type_that_prometheus_knows(service: Service, accept: str) -> None:
    answer = service.get("/metrics", f"Accept: {accept}", "Accept-Encoding: gzip")
    assert answer.status == 200
    (content_type,) = answer.headers.get_all("Content-Type") or []
    assert re.fullmatch(r"text/plain; ?version=(0\.0\.4|1\.0\.0); ?charset=utf-8", content_type)
    assert "nudge_request_seconds" in {family.name for family in text_string_to_metric_families(answer.body.decode())}


def test_no_count_goes_back_when_a_worker_is_killed(service: Service) -> None:
    before_asking = service.total("nudge_request_seconds_count", route="/predict")
    for _ in range(20):
        service.get(QUERY)
    wait_until(lambda: service.total("nudge_request_seconds_count", route="/predict") == before_asking + 20)
    before = service.metrics()
    victim = service.workers[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in service.workers and len(service.workers) == WORKERS)
    service.wait_for_models()
    after = service.metrics()
    counts = {key: value for key, value in before.items() if key[0].endswith(("_total", "_count", "_sum", "_bucket"))}
    assert len(counts) > 20
    assert {key: value for key, value in counts.items() if after.get(key, -1) < value} == {}


def test_batches_of_many_sizes_compile_nothing(service: Service) -> None:
    wait_until(lambda: service.total("nudge_uncompiled_models") == 0)
    before = service.total("nudge_compilations_total")
    assert before > 0
    asked = service.total("nudge_rows_count", model="wide")
    for rows in range(1, 6000, 97):
        x = np.zeros((rows, 2), "<f4")
        tensor = {"name": "input", "shape": [rows, 2], "datatype": "FP32", "parameters": {"binary_data_size": x.nbytes}}
        assert infer(service, "wide", [tensor], x.tobytes()).status == 200
    wait_until(lambda: service.total("nudge_rows_count", model="wide") == asked + len(range(1, 6000, 97)))
    assert service.total("nudge_compilations_total") == before


# Files, signals and the surroundings of the process


def test_what_is_no_checkpoint_stops_no_other_model(service: Service, directory: Path, solved: Checkpoint) -> None:
    """The directory has a link to nothing, a circle of links, a folder and a pipe. More comes while it is watched."""
    for name in ("gone", "circle", "folder", "pipe"):
        assert service.get(f"/v2/models/{name}/ready").status in (404, 503)
    (directory / "also gone.safetensors").symlink_to("nothing")
    os.mkfifo(directory / "another pipe.safetensors")
    save(directory / "zz late.safetensors", solved)
    wait_until(lambda: service.get("/v2/models/zz%20late/ready").status == 200)


def test_a_file_that_is_copied_slowly_replaces_nothing_until_it_is_whole(
    service: Service, directory: Path, tmp_path: Path, solved: Checkpoint
) -> None:
    path = directory / "copied.safetensors"
    new = save(tmp_path / "new.safetensors", with_other_predictions(solved, 0.1))
    data = (tmp_path / "new.safetensors").read_bytes()
    old_answer = service.get("/models/copied/predict?a=1&b=0").json
    failures = service.total("nudge_reload_failures_total", model="copied")
    with path.open("wb") as file:  # in place, as cp does
        file.write(data[: len(data) // 2])
        file.flush()
        wait_until(lambda: service.total("nudge_reload_failures_total", model="copied") >= failures + WORKERS)
        assert service.get("/models/copied/predict?a=1&b=0").json == old_answer
        file.write(data[len(data) // 2 :])
    wait_until(lambda: service.total("nudge_model_workers", model="copied", version=new.version) == WORKERS)
    assert service.get("/models/copied/predict?a=1&b=0").json["version"] == new.version


@pytest.mark.parametrize("number", [signal.SIGWINCH, signal.SIGUSR1, signal.SIGPIPE, signal.SIGCONT])
def test_a_resized_terminal_or_rotated_log_ends_no_worker(service: Service, number: signal.Signals) -> None:
    workers = service.workers
    for process in (service.command.process.pid, *workers):
        os.kill(process, number)
    for _ in range(5 * WORKERS):
        assert service.get(QUERY).status == 200
    assert service.workers == workers


def test_times_in_both_logs_have_the_offset_that_they_are_in(service: Service) -> None:
    """The service runs 3.5 hours west of Greenwich."""
    logged = datetime.strptime(
        re.findall(r"\[(\d{4}-\S+ \S+ [+-]\d{4})\]", service.command.output)[0], "%Y-%m-%d %H:%M:%S %z"
    )
    assert logged.utcoffset() == timedelta(hours=-3.5)
    service.get(QUERY)
    wait_until(lambda: log_entries(service) != [])
    first = datetime.fromisoformat(log_entries(service)[0]["time"])
    assert first.utcoffset() is not None
    started = os.stat(f"/proc/{service.command.process.pid}").st_ctime
    assert abs(logged.timestamp() - started) < 1000  # the wrong offset would be hours off
    assert abs(first.timestamp() - started) < 1000


CLOSE_STREAMS = "import os, sys; os.close(0); os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


def test_without_standard_output_requests_are_answered(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    """Some supervisors close it, and standard input with it. The log is on standard error."""
    settings = {"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_ACCESS_LOG": "1"}
    options = ("--host", "127.0.0.1", "--port", "0")
    with running(environment | settings, tmp_path, *options, command=("-c", CLOSE_STREAMS, *NUDGE_SERVE)) as command:
        service = Service(command, command.wait_for_port(), "")
        for target in ("/v2/health/ready", QUERY, "/metrics"):
            assert service.get(target).status == 200
        assert command.end() == 0
    assert "Traceback" not in command.output


def test_a_signal_to_the_whole_group_sent_twice_loses_no_accepted_request(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path
) -> None:
    """A terminal and some supervisors signal the workers too, and not only once."""
    body = b'{"a": 1, "b": 0}'
    request = request_bytes("/predict", "Content-Type: application/json", method="POST", body=body)
    options = ("--host", "127.0.0.1", "--port", "0")
    with running(environment | {"NUDGE_CHECKPOINTS": str(checkpoints)}, tmp_path, *options) as command:
        service = Service(command, command.wait_for_port(), "")
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(request[:-5])
            assert service.get(HEALTH).status == 200  # the only worker accepts connections in their order
            for _ in range(2):
                os.killpg(command.process.pid, signal.SIGTERM)
            command.wait_for_output("Handling signal: term")
            connection.sendall(request[-5:])
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert command.process.wait(timeout=60) == 0


# The document


def test_the_table_of_reports_names_every_test_and_no_other() -> None:
    section = (ROOT / "docs" / "operating.md").read_text().split("## Public reports")[1].split("\n## ")[0]
    rows = re.findall(r"^\| \[([^\]]+)\]\((https://github\.com/\S+)\) \|.*\| `(\w+)` \|$", section, re.MULTILINE)
    reports, links, tests = zip(*rows, strict=True)
    assert len(rows) >= 20
    assert len(set(links)) == len(rows)
    assert all(link.endswith(f"/{report.rpartition('#')[2]}") for report, link in zip(reports, links, strict=True))
    own = test_the_table_of_reports_names_every_test_and_no_other.__name__
    here = {name for name in vars(sys.modules[__name__]) if name.startswith("test_")} - {own}
    assert set(tests) == here

"""What the worker asks the application, and that the head alone refuses a request."""

import io
import logging
from pathlib import Path
from typing import Any

import jax
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, Network, init_params, save
from serve.app import MAX_QUICK_WORK, Service
from tests.examples import with_params
from tests.serve.examples import QUERY, TENSORS, application

pytestmark = pytest.mark.core


class Unreadable(io.RawIOBase):
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def head(method: str, path: str, **more: str) -> dict[str, Any]:
    """The head of a request in WSGI. Its body must not be read."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "x"}
    environ |= {"SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "HTTP_X_API_KEY": "k"}
    return environ | {"wsgi.input": Unreadable()} | more


def answer(app: Service, environ: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    """The status, the body and the headers of an answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(app.wsgi_app(environ, lambda *arguments: started.append(arguments)))
    return int(started[0][0][:3]), body, dict(started[0][1])


@pytest.fixture(scope="module")
def app(checkpoints: Path) -> Service:
    return application(checkpoints, API_KEYS="k", MAX_BODY="1000", CORS_ORIGINS="*")


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        (head("POST", "/predict", HTTP_X_API_KEY="wrong"), 401),
        (head("GET", "/nothing", HTTP_X_API_KEY=""), 401),
        (head("POST", "/predict", CONTENT_LENGTH="1001"), 413),
        (head("GET", "/metrics", CONTENT_LENGTH="1001"), 413),
        (head("POST", "/v2/models/xor/infer", CONTENT_LENGTH="99999999999"), 413),
        (head("POST", "/v2/models/xor/infer", HTTP_CONTENT_ENCODING="br"), 415),
        (head("POST", "/v2/repository/index", HTTP_CONTENT_ENCODING="zstd"), 415),
        (head("POST", "/nothing"), 404),
        (head("GET", "//predict"), 404),
        (head("GET", "/models//predict"), 404),
        (head("GET", "/predict/"), 404),
        (head("GET", "/v2/models//xor"), 404),
        (head("GET", "/nowhere/x"), 404),
        (head("PUT", "/predict"), 405),
        (head("POST", "/metrics"), 405),
        (head("GET", "/v2/models/xor/infer"), 405),
    ],
    ids=lambda value: f"{value['REQUEST_METHOD']} {value['PATH_INFO']}" if isinstance(value, dict) else str(value),
)
def test_a_wrong_head_is_refused_without_its_body(app: Service, environ: dict[str, Any], status: int) -> None:
    assert app.refuses(environ)
    found, body, headers = answer(app, environ)
    assert found == status
    assert body.startswith(b'{"error":"')
    assert "Location" not in headers
    assert headers["Content-Length"] == str(len(body))
    assert app.refuses(environ), "asking again gives the same"


@pytest.mark.parametrize(
    "environ",
    [
        head("GET", "/predict"),
        head("HEAD", "/predict"),
        head("GET", "/v2/health/ready", HTTP_X_API_KEY=""),
        head("OPTIONS", "/predict", HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST", HTTP_X_API_KEY=""),
        head("OPTIONS", "/nothing", HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST", HTTP_X_API_KEY=""),
        head("POST", "/predict", CONTENT_LENGTH="1000", HTTP_CONTENT_ENCODING="gzip"),
        head("POST", "/models/unknown/predict", CONTENT_LENGTH="10"),
        head("POST", "/v2/models/xor/infer"),
    ],
    ids=lambda environ: f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}",
)
def test_other_heads_are_not_refused(app: Service, environ: dict[str, Any]) -> None:
    assert not app.refuses(environ)


def test_the_limit_of_bodies_is_known(app: Service) -> None:
    assert app.max_body_bytes == 1000


def test_only_health_and_a_few_rows_of_a_small_model_are_quick(tmp_path: Path, solved: Checkpoint) -> None:
    save(tmp_path / "größe 1.safetensors", solved)
    for name, units in (("large", 1024), ("huge", 9000)):
        network = Network((2, units, units // 8, 1))
        params = init_params(network, key=jax.random.key(0))
        save(tmp_path / f"{name}.safetensors", with_params(solved, params, network))
    app = application(tmp_path, MODEL="größe 1")
    models = app.registry.models
    assert models["größe 1"].predictor.row_work < MAX_QUICK_WORK < models["huge"].predictor.row_work
    quick = ["/v2/health/live", "/v2/health/ready", "/predict", "/models/gr%C3%B6%C3%9Fe%201/predict"]
    assert [path for path in quick if not app.is_quick(path, b"")] == []
    for path in ("/models/huge/predict", "/models/none/predict", "/models/xor", "/v2/models/xor", "/metrics", "/v2"):
        assert not app.is_quick(path, b"")
    row = b'{"a":1,"b":0}'
    for path in ("/predict", "/models/gr%C3%B6%C3%9Fe%201/predict", "/v2/models/gr%C3%B6%C3%9Fe%201/infer"):
        assert app.is_quick(path, row)
        assert app.is_quick(path, b"[" + row * 2000 + b"]")
        assert not app.is_quick(path, b"[" + row * 3000 + b"]"), "it is longer than 32 KiB"
    infer = "/v2/models/gr%C3%B6%C3%9Fe%201/infer"
    assert not app.is_quick(infer, b'{"datatype":"BYTES"}' + b" " * 1024), "texts take longer than numbers"
    assert app.is_quick("/models/large/predict", b"1")
    assert not app.is_quick("/models/large/predict", row), "it may have as many rows as bytes"
    assert not app.is_quick("//predict", b"")
    app.registry.models = {}
    assert not app.is_quick("/predict", b"")


def test_a_request_for_the_head_has_the_headers_of_the_whole(checkpoints: Path) -> None:
    client = application(checkpoints).test_client()
    for path in (QUERY, "/v2/health/live", "/predict?a=x"):
        whole, only_head = client.get(path), client.head(path)
        assert only_head.data == b""
        assert only_head.status_code == whole.status_code
        assert only_head.headers["Content-Length"] == whole.headers["Content-Length"]


def test_options_name_the_methods(checkpoints: Path) -> None:
    reply = application(checkpoints).test_client().options("/predict")
    assert reply.status_code == 200
    assert {"GET", "POST"} <= set(reply.headers["Allow"].replace(" ", "").split(","))


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_bug_is_a_500_on_both_ways(
    checkpoints: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, is_direct: bool
) -> None:
    """A bug of the direct way is never answered by Flask, as if the client were wrong."""
    app = application(checkpoints)

    def fail(*_: Any, **__: Any) -> Any:
        raise LookupError("a secret")

    for endpoint in app.extensions["nudge.answers"]:
        app.extensions["nudge.answers"][endpoint] = fail
    if not is_direct:
        monkeypatch.setattr(app.middleware, "answers", {})
    client: FlaskClient = app.test_client()
    with caplog.at_level(logging.ERROR):
        replies = [client.get(QUERY), client.post("/v2/models/xor/infer", json=TENSORS)]
    for reply in replies:
        assert (reply.status_code, reply.json) == (500, {"error": "the service failed to answer; its log says why"})
    assert caplog.text.count("LookupError: a secret") == 2

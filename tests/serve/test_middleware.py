"""What every request passes through: API keys, request IDs, headers, the ways without and with Flask."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serve.middleware import Middleware
from tests.serve.examples import BAD_QUERIES, QUERY, TENSORS, application

pytestmark = pytest.mark.core


@pytest.fixture
def client(checkpoints: Path) -> FlaskClient:
    return application(checkpoints).test_client()


def test_an_answer_has_the_id_of_its_request_or_a_new_one(client: FlaskClient) -> None:
    for path in (QUERY, "/predict?a=x", "/nothing", "/v2/health/live"):
        assert client.get(path, headers={"X-Request-ID": "job-7/a.b:c"}).headers["X-Request-ID"] == "job-7/a.b:c"
        new_ids = {client.get(path).headers["X-Request-ID"] for _ in range(2)}
        assert len(new_ids) == 2
        for invalid in ("", "a b", "x" * 129, "ü"):
            assert client.get(path, headers={"X-Request-ID": invalid}).headers["X-Request-ID"] not in ("", invalid)


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for reply in (client.get(QUERY), client.get("/nothing"), client.post("/v2/models/xor/infer", json=TENSORS)):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in reply.headers


def test_predictions_are_the_same_with_and_without_flask(client: FlaskClient) -> None:
    queries = [
        QUERY,
        "/predict?b=0&a=1",
        "/predict?a=%31&b=0",
        "/predict?a=+1&b=0",
        "/predict?a=1&b=0&",
        "/predict?a=1;b=0",
    ]
    queries += [f"/predict?{query}" for query in BAD_QUERIES]
    bodies = [TENSORS, TENSORS | {"id": "x"}, {"inputs": []}, TENSORS | {"outputs": [{"name": "label"}]}]

    def answers() -> list[tuple[int, object]]:
        replies = [client.get(query) for query in queries]
        replies += [client.post("/v2/models/xor/infer", json=body) for body in bodies]
        return [(reply.status_code, reply.json) for reply in replies]

    without_flask = answers()
    app = client.application
    middleware = app.wsgi_app
    assert isinstance(middleware, Middleware)
    app.wsgi_app = Middleware(  # type: ignore[method-assign]
        middleware.application, middleware.routes, middleware.settings, answers={}
    )
    assert answers() == without_flask
    assert {status for status, _ in without_flask} == {200, 400}


def test_every_path_but_health_needs_one_of_the_keys(checkpoints: Path) -> None:
    client = application(checkpoints, API_KEYS="secret, other").test_client()
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert client.get(path).status_code == 200
    for path in (QUERY, "/metrics", "/openapi.json", "/v2", "/nothing"):
        refused = client.get(path)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert list(refused.json or {}) == ["error"]
        for wrong in (
            {"X-API-Key": "secre"},
            {"X-API-Key": "ü"},
            {"Authorization": "Basic secret"},
            {"Authorization": "secret"},
        ):
            assert client.get(path, headers=wrong).status_code == 401
    for right in ({"X-API-Key": "secret"}, {"X-API-Key": "other"}, {"Authorization": "bearer secret"}):
        assert client.get(QUERY, headers=right).status_code == 200


def test_pages_of_the_named_origins_may_call_the_service(checkpoints: Path) -> None:
    preflight_headers = {"Access-Control-Request-Method": "POST", "Origin": "https://a.example"}
    client = application(checkpoints, CORS_ORIGINS="https://a.example,https://b.example", API_KEYS="k").test_client()
    preflight = client.options("/predict", headers=preflight_headers)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "X-API-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT"
    reply = client.get(QUERY, headers={"Origin": "https://b.example", "X-API-Key": "k"})
    assert reply.headers["Access-Control-Allow-Origin"] == "https://b.example"
    assert reply.headers["Vary"] == "Origin"
    other = client.get(QUERY, headers={"Origin": "https://c.example", "X-API-Key": "k"})
    assert "Access-Control-Allow-Origin" not in other.headers
    client = application(checkpoints, CORS_ORIGINS="*").test_client()
    assert client.get(QUERY).headers["Access-Control-Allow-Origin"] == "*"

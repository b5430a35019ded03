"""What is around every answer: ids, headers, keys, origins, the log and the counts."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, Network, init_params, save
from serve import create_app
from serve.settings import SettingError, Settings, read
from tests.serve.test_app import BAD_QUERIES

pytestmark = pytest.mark.core

ROW = "/predict?a=1&b=0"
TENSORS = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 0]}]}


def client_of(checkpoints: Path, **settings: str) -> Iterator[FlaskClient]:
    app = create_app(
        {"NUDGE_CHECKPOINTS": str(checkpoints)} | {f"NUDGE_{name}": text for name, text in settings.items()}
    )
    yield app.test_client()
    app.extensions["nudge"].stop()


@pytest.fixture
def client(checkpoints: Path) -> Iterator[FlaskClient]:
    yield from client_of(checkpoints)


def test_every_answer_has_the_requests_id_or_a_new_one(client: FlaskClient) -> None:
    for path in (ROW, "/predict?a=x", "/nothing", "/v2/health/live"):
        assert client.get(path, headers={"X-Request-ID": "job-7/a.b:c"}).headers["X-Request-ID"] == "job-7/a.b:c"
        made = {client.get(path).headers["X-Request-ID"] for _ in range(2)}
        assert len(made) == 2
        for odd in ("", "a b", "x" * 129, "ü"):
            assert client.get(path, headers={"X-Request-ID": odd}).headers["X-Request-ID"] not in ("", odd)


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for reply in (client.get(ROW), client.get("/nothing"), client.post("/v2/models/xor/infer", json=TENSORS)):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in reply.headers


def test_the_short_way_and_flasks_answer_alike(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = [
        ROW,
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

    short = answers()
    monkeypatch.setattr("serve.edge.Edge._short", lambda *_: None)
    assert answers() == short
    assert {status for status, _ in short} == {200, 400}


def test_with_keys_only_health_is_open(checkpoints: Path) -> None:
    for client in client_of(checkpoints, API_KEYS="secret, other"):
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200
        for path in (ROW, "/metrics", "/openapi.json", "/v2", "/nothing"):
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
            assert client.get(ROW, headers=right).status_code == 200


def test_only_named_origins_may_call_from_a_page(checkpoints: Path) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Origin": "https://a.example"}
    for client in client_of(checkpoints, CORS_ORIGINS="https://a.example,https://b.example", API_KEYS="k"):
        preflight = client.options("/predict", headers=ask)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert "X-API-Key" in preflight.headers["Access-Control-Allow-Headers"]
        reply = client.get(ROW, headers={"Origin": "https://b.example", "X-API-Key": "k"})
        assert reply.headers["Access-Control-Allow-Origin"] == "https://b.example"
        assert reply.headers["Vary"] == "Origin"
        other = client.get(ROW, headers={"Origin": "https://c.example", "X-API-Key": "k"})
        assert "Access-Control-Allow-Origin" not in other.headers
    for client in client_of(checkpoints, CORS_ORIGINS="*"):
        assert client.get(ROW).headers["Access-Control-Allow-Origin"] == "*"


def test_the_limits_hold_on_the_short_way_too(checkpoints: Path) -> None:
    for client in client_of(checkpoints, MAX_BODY="200", MAX_ROWS="1"):
        assert client.post("/v2/models/xor/infer", json=TENSORS).status_code == 200
        assert client.post("/v2/models/xor/infer", json=TENSORS | {"id": "x" * 200}).status_code == 413
        two = {"name": "input", "shape": [2, 2], "datatype": "FP32", "data": [1, 0, 1, 1]}
        assert client.post("/v2/models/xor/infer", json={"inputs": [two]}).status_code == 413


def test_the_log_has_a_line_of_json_for_each_request(checkpoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for client in client_of(checkpoints, ACCESS_LOG="1"):
        client.get(ROW, headers={"X-Request-ID": "one"})
        client.post("/v2/models/xor/infer", json=TENSORS)
        client.get("/nothing/%0Aü")
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(line["method"], line["route"], line["status"]) for line in lines] == [
            ("GET", "/predict", 200),
            ("POST", "/v2/models/<name>/infer", 200),
            ("GET", "none", 404),
        ]
        assert lines[0]["id"] == "one"
        assert lines[0]["milliseconds"] > 0
        assert lines[2]["path"] == "/nothing/\nü"
    for client in client_of(checkpoints):
        client.get(ROW)
        assert capsys.readouterr().out == ""


def samples(client: FlaskClient) -> dict[str, float]:
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def test_the_metrics_count_requests_rows_models_and_failures(tmp_path: Path, solved: Checkpoint) -> None:
    wide = Network((2, 61, 1))
    saved = save(tmp_path / "m.safetensors", solved)
    for client in client_of(tmp_path, POLL="3600"):
        before = samples(client)

        def grown(name: str, before: dict[str, float] = before, client: FlaskClient = client) -> float:
            return samples(client).get(name, 0.0) - before.get(name, 0.0)

        for _ in range(3):
            client.get(ROW)
        client.get("/predict?a=x")
        client.post("/predict", json=[{"a": 1, "b": 0}] * 20)
        client.get("/nothing/1")
        client.get("/nothing/2")
        assert grown('nudge_request_seconds_count{route="/predict",status="200"}') == 4
        assert grown('nudge_request_seconds_count{route="/predict",status="400"}') == 1
        assert grown('nudge_request_seconds_count{route="none",status="404"}') == 2
        assert grown('nudge_rows_sum{model="m"}') == 23
        assert grown('nudge_rows_bucket{le="16.0",model="m"}') == 3
        assert samples(client)[f'nudge_model_workers{{model="m",version="{saved.version}"}}'] == 1
        assert samples(client)['nudge_model_loaded_timestamp_seconds{model="m"}'] > 1.7e9
        registry = client.application.extensions["nudge"]
        (tmp_path / "m.safetensors").write_bytes(b"broken")
        for _ in range(3):
            registry.scan()
        assert grown('nudge_reload_failures_total{model="m"}') == 1
        params = init_params(wide, key=jax.random.key(1))
        save(tmp_path / "m.safetensors", replace(solved, network=wide, params=params))
        registry.scan()
        assert samples(client)[f'nudge_model_workers{{model="m",version="{saved.version}"}}'] == 0
        assert grown("nudge_compilations_total") >= 3


def test_settings_come_from_their_variables() -> None:
    assert read({}) == Settings()
    found = read(
        {
            "NUDGE_CHECKPOINTS": "/models",
            "NUDGE_MAX_ROWS": "10",
            "NUDGE_MAX_BODY": "1000",
            "NUDGE_API_KEYS": "a,b",
            "NUDGE_CORS_ORIGINS": "*",
            "NUDGE_ACCESS_LOG": "1",
            "NUDGE_POLL": "0.1",
            "NUDGE_THREADS": "2",
        }
    )
    expected = Settings(Path("/models"), None, 10, 1000, ("a", "b"), ("*",), True, 0.1)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ROWS", "0"),
        ("MAX_ROWS", "-1"),
        ("MAX_BODY", "1e3"),
        ("ACCESS_LOG", "yes"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("API_KEYS", "a b"),
        ("API_KEYS", ","),
        ("API_KEYS", " \n"),
        ("CORS_ORIGINS", ","),
        ("POLL", "0"),
        ("POLL", "soon"),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"^NUDGE_{name}: expected .*, found .*; set it so, or leave it out$"):
        read({f"NUDGE_{name}": value})


def test_a_failure_of_our_own_is_logged_and_told_without_details(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("model.inference.Predictor.predict", fail)
    monkeypatch.setitem(client.application.config, "PROPAGATE_EXCEPTIONS", False)
    with caplog.at_level(logging.ERROR):
        replies = [client.get(ROW), client.post("/v2/models/xor/infer", json=TENSORS)]
    for reply in replies:
        assert (reply.status_code, reply.json) == (500, {"error": "the service failed to answer; its log says why"})
    assert "a secret" in caplog.text

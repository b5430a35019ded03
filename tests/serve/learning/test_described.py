"""What /openapi.json says about learners is what they get."""

from pathlib import Path
from typing import Any

import pytest

from serve.app import Service
from serve.learn import ENDPOINTS
from serve.responses import Answer
from tests.serve.examples import application
from tests.serve.learning.examples import CSV, NETWORK, XOR, Learner
from tests.serve.learning.test_refusals import BEYOND, REQUESTS

jsonschema_rs = pytest.importorskip("jsonschema_rs")


@pytest.fixture(scope="module")
def app(checkpoints: Path) -> Service:
    return application(checkpoints, LEARN="1")


@pytest.fixture(scope="module")
def document(app: Service) -> Any:
    return app.test_client().get("/openapi.json").json


def validator(schema: Any, document: Any) -> Any:
    return jsonschema_rs.validator_for(schema | {"components": document["components"]})


def answers_of(learner: Learner) -> dict[tuple[str, str], Any]:
    """An answer of every endpoint that answers with JSON."""
    client = learner.client
    found = {(name, "post"): client.post(f"/learn/{name}", json=body) for name, body in REQUESTS.items()}
    checkpoint = found.pop(("checkpoint", "post"))
    assert checkpoint.mimetype == "application/octet-stream"
    assert found.pop(("python", "post")).mimetype == "text/x-python"
    found["checkpoint", "put"] = client.put("/learn/checkpoint", data=checkpoint.data)
    found["csv", "post"] = client.post("/learn/csv", data=CSV)
    found["presets", "get"] = client.get("/learn/presets")
    return {place: reply.json for place, reply in found.items()}


def test_the_document_is_valid(document: Any) -> None:
    pytest.importorskip("schemathesis")
    from tests.serve.test_openapi import check_document

    check_document(document)


def test_every_endpoint_is_described_and_no_other(document: Any) -> None:
    described = {
        path.removeprefix("/learn/"): {method.upper() for method in methods}
        for path, methods in document["paths"].items()
        if path.startswith("/learn/")
    }
    assert described == {name: set(methods) for name, methods in ENDPOINTS.items()}
    for name in described:
        for method in document["paths"][f"/learn/{name}"].values():
            assert method["responses"]["503"] == {"$ref": "#/components/responses/Error"}


def test_every_answer_is_as_it_is_described(document: Any, learner: Learner) -> None:
    answers = answers_of(learner)
    assert len(answers) == 12
    for (name, method), answer in answers.items():
        operation = document["paths"][f"/learn/{name}"][method]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        errors = [str(error)[:300] for error in validator(schema, document).iter_errors(answer)]
        assert errors == [], name


def test_requests_are_described_with_their_limits(document: Any) -> None:
    def check(name: str) -> Any:
        body = document["paths"][f"/learn/{name}"]["post"]["requestBody"]
        return validator(body["content"]["application/json"]["schema"], document)

    for name, body in REQUESTS.items():
        assert check(name).is_valid(body), name
        assert not check(name).is_valid(body | {"further": 1}), name
    refused = sum(not check(name).is_valid(REQUESTS[name] | changes) for name, changes, _ in BEYOND)
    assert refused > len(BEYOND) / 3  # a schema cannot say how the parts must fit


def test_a_worker_hands_on_what_the_process_answers(
    app: Service, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(path: Path | None, method: str, target: str, body: bytes) -> Answer:
        asked.append((method, target))
        reply = learner.client.open(target, method=method, data=body)
        return Answer(reply.data, list(reply.headers), reply.status_code)

    monkeypatch.setattr("serve.learn.ask", ask)
    client = app.test_client()
    start = client.post("/learn/start", json={"network": NETWORK, "start": {}})
    assert start.json == {"params": learner.start()}
    assert client.post("/learn/csv?target=size&x=1", data=CSV).status_code == 200
    body = {"network": NETWORK, "params": learner.start(), "table": XOR}
    reply = client.post("/learn/checkpoint", json=body)
    assert reply.headers["Content-Disposition"] == 'attachment; filename="xor.safetensors"'
    assert client.put("/learn/checkpoint", data=reply.data).status_code == 200
    assert client.post("/learn/forward", json={}).status_code == 400
    assert asked[:2] == [("POST", "/learn/start"), ("POST", "/learn/csv?target=size&x=1")]

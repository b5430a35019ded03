"""The document at /openapi.json: that it is one, that it says what is served, and that the service does as it says."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from model import CategoricalColumn, Checkpoint, Network, NumericColumn, load, save
from model.tables.columns import ColumnSpec, count_inputs
from serve import create_app
from tests.test_ensembles import RECORD, ensemble_of

schemathesis = pytest.importorskip("schemathesis")

import jsonschema_rs  # noqa: E402 - schemathesis brings it
from schemathesis.config import SchemathesisConfig  # noqa: E402
from schemathesis.core.failures import Failure  # noqa: E402
from schemathesis.engine import events, from_schema  # noqa: E402
from schemathesis.openapi.checks import RejectedPositiveData  # noqa: E402

COLUMNS: dict[str, ColumnSpec] = {
    "size": NumericColumn(10.0, 4.0, -3.0, 30.0, missing=True),
    "mass & weight": NumericColumn(0.0, 2.0),
    "colour": CategoricalColumn(("blue", "red")),
    "city/town": CategoricalColumn(("", "Köln", "a,b"), missing=True),
    "new": CategoricalColumn(("false", "true"), boolean=True),
    "sold": CategoricalColumn(("true",), missing=True, boolean=True),
}
INFER = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")


def mixed() -> Checkpoint:
    """An ensemble on a column of every kind."""
    network = Network((count_inputs(tuple(COLUMNS.values())), 3, 3), "tanh", "multiclass")
    classes = ("no", "yes", "perhaps")
    return Checkpoint(network, ensemble_of(network, 2), tuple(COLUMNS), "y", classes, RECORD, tuple(COLUMNS.values()))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    place = tmp_path_factory.mktemp("models")
    save(place / "xor.safetensors", solved)
    save(place / "mixed.safetensors", mixed())
    return place


def serve(directory: Path, **settings: str) -> Flask:
    """An application that looks at its directory only when it is told to."""
    app = create_app({"NUDGE_CHECKPOINTS": str(directory), "NUDGE_MODEL": "mixed", "NUDGE_MAX_ROWS": "50"} | settings)
    app.extensions["nudge"].stop()
    return app


@pytest.fixture(scope="module")
def app(directory: Path) -> Flask:
    return serve(directory)


def check_document(found: dict[str, Any]) -> None:
    """Check that it is one of OpenAPI 3.1 and, which is beyond its own schema, that references and names are right."""
    schemathesis.openapi.from_dict(json.loads(json.dumps(found)), config=SchemathesisConfig()).validate()
    components = found["components"]
    for kind in components.values():
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in kind)
    for name in components["schemas"]:
        jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": components})
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    for reference in re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(found)):
        assert reference[1] in components[reference[0]]
    assert max(Counter(operation["operationId"] for operation in operations).values()) == 1


def test_it_is_a_document_of_openapi(app: Flask) -> None:
    found = app.test_client().get("/openapi.json").json or {}
    assert found["openapi"] == "3.1.0"
    check_document(found)


def test_it_has_the_columns_that_are_served(app: Flask, directory: Path) -> None:
    found = app.test_client().get("/openapi.json").json or {}
    for path, checkpoint in (
        ("/predict", mixed()),
        ("/models/mixed/predict", mixed()),
        ("/models/xor/predict", load(directory / "xor.safetensors")),
    ):
        columns = dict(zip(checkpoint.columns, checkpoint.column_specs, strict=True))
        parameters = found["paths"][path]["get"]["parameters"]
        assert [(each["name"], each["required"]) for each in parameters] == [
            (name, not column.missing) for name, column in columns.items()
        ]
        body = found["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        reference = body["oneOf"][0]["$ref"]
        row = found["components"]["schemas"][reference.rsplit("/", 1)[1]]
        assert list(row["properties"]) == list(columns)
        assert body["oneOf"][1]["maxItems"] == 50
        validator = jsonschema_rs.validator_for(row)
        assert validator.is_valid(dict.fromkeys(columns, 0.5)) is (path == "/models/xor/predict")
    texts = {"mass & weight": 1, "colour": "red", "new": True}
    for more, fits in (
        ({}, True),
        ({"size": None, "city/town": "Köln", "sold": True}, True),
        ({"city/town": "Bonn"}, False),
        ({"sold": False}, False),
        ({"size": "1"}, False),
        ({"mass & weight": None}, False),
        ({"mass & weight": 1e39}, False),
    ):
        row = found["components"]["schemas"]["mixed.row"]
        assert jsonschema_rs.validator_for(row).is_valid(texts | more) is fits
        assert (app.test_client().post("/predict", json=texts | more).status_code == 200) is fits


def test_it_changes_with_the_models(tmp_path: Path, solved: Checkpoint) -> None:
    """Also with those whose names are none of a component or of a path."""
    save(tmp_path / "mixed.safetensors", mixed())
    app = serve(tmp_path)
    registry, client = app.extensions["nudge"], app.test_client()
    before = client.get("/openapi.json").json
    name = "größe {1} 100%?#"
    save(tmp_path / f"{name}.safetensors", replace(solved, columns=("länge", "b")))
    registry.scan()
    found = client.get("/openapi.json").json or {}
    check_document(found)
    (path,) = found["paths"].keys() - (before or {})["paths"].keys()
    parameters = found["paths"][path]["get"]["parameters"]
    assert [each["name"] for each in parameters] == ["länge", "b"]
    reply = client.get(path, query_string={"länge": "1", "b": "0"})
    assert reply.status_code == 200
    assert (reply.json or {})["model"] == name
    assert found["paths"][INFER[0]]["post"]["parameters"][0]["schema"]["enum"] == [name, "mixed"]
    for each in ("mixed", name):
        (tmp_path / f"{each}.safetensors").unlink()
        registry.scan()
    left = client.get("/openapi.json").json or {}
    check_document(left)
    assert not [path for path in left["paths"] if path.endswith("/predict")]


def test_its_examples_are_answered(app: Flask) -> None:
    client = app.test_client()
    found = client.get("/openapi.json").json or {}
    examples = found["paths"][INFER[0]]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"mixed", "xor"}
    for name, example in examples.items():
        reply = client.post(f"/v2/models/{name}/infer", json=example["value"])
        assert reply.status_code == 200, reply.json


@schemathesis.check
def one_sentence(ctx: Any, response: Any, case: Any) -> None:
    """A refusal is {"error": "one sentence"}, in which is nothing of the service's inside."""
    if response.status_code >= 400:
        refusal = response.json()
        assert list(refusal) == ["error"]
        assert isinstance(refusal["error"], str)
        ours = re.sub(QUOTED, "", refusal["error"])
        assert not re.search(r'Traceback|File "|\.py\b|/tmp|safetensors|packages|\n|\. ', ours)


# What a client has sent, as a sentence shows it.
QUOTED = r"""'([^'\\]|\\.)*'|"([^"\\]|\\.)*\""""


def is_excused(failure: Failure, case: Any, response: Any, unfit: tuple[str, ...]) -> bool:
    """Whether a request may be refused though each of its parts is as the document says. unfit: paths where all may."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return False
    # A network adds up the values of a row, and may overflow though each is in its range: no schema can say when.
    return case.operation.path in unfit or "overflows in it" in response.json()["error"]


def try_out(app: Flask, found: dict[str, Any], *, unfit: tuple[str, ...] = ()) -> Counter[tuple[str, int]]:
    """Have schemathesis try all that a document describes, and check each answer.

    Returns how many there were of each operation and status.
    """
    config = {
        "seed": 1,
        "continue-on-failure": True,
        "generation": {"deterministic": True, "max-examples": 150},
        # What a request does is over with its answer: there is no state to try.
        "phases": {"stateful": {"enabled": False}},
        # It cannot ask an application in its own process (TypeError: max_redirects); the last test asks without a key.
        # What is refused with a 413 is refused too: too many rows.
        "checks": {
            "ignored_auth": {"enabled": False},
            "negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413, 415]},
        },
    }
    schema = schemathesis.openapi.from_dict(found, config=SchemathesisConfig.from_dict(config))
    schema.app = app

    def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
        return not is_excused(failure, case, response, unfit)

    schema.hook(filter_failure)
    answers: Counter[tuple[str, int]] = Counter()
    wrong = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            wrong.append(str(event))
        elif isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            responses = [each.response for each in recorder.interactions.values()]
            answers.update((recorder.label, each.status_code) for each in responses if each)
            for name, checks in recorder.checks.items():
                for failure in [check.failure_info.failure for check in checks if check.failure_info]:
                    request, response = recorder.interactions[name].request, recorder.interactions[name].response
                    sent = f"{request.method} {request.uri} {request.body!r:.500}"
                    got = f"{response.status_code} {response.content!r:.300}" if response else "no answer"
                    wrong.append(f"{failure.title}: {failure.message}\n{sent}\n{got}")
    assert not wrong, "\n\n".join(wrong)
    return answers


def test_the_service_does_as_it_says(app: Flask) -> None:
    """With tensors at random, of which a schema says neither how many values their shape has nor which a model takes,
    nor how many bytes of the body are JSON."""
    found = app.test_client().get("/openapi.json").json or {}
    operations = [f"{method.upper()} {path}" for path, methods in found["paths"].items() for method in methods]
    answers = try_out(app, found, unfit=INFER)
    assert answers.total() > 2000
    assert [label for label in operations if not answers[label, 200]] == []


def test_tensors_that_fit_are_answered_and_others_refused(app: Flask) -> None:
    """With what the schemas of the document leave open said for XOR and two rows, in JSON."""
    found = app.test_client().get("/openapi.json").json or {}
    found["paths"] = {path: found["paths"][path] for path in INFER}
    known = {"name": "xor", "version": app.extensions["nudge"].models["xor"].version}
    for path in found["paths"].values():
        parameters = path["post"]["parameters"]
        path["post"]["parameters"] = [
            each | {"schema": {"enum": [known[each["name"]]]}} for each in parameters if each["in"] == "path"
        ]
        path["post"]["requestBody"]["content"] = {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}}
        }
    schemas = found["components"]["schemas"]
    number = schemas["xor.row"]["properties"]["a"]
    schemas["InputTensor"]["required"].append("data")
    schemas["InputTensor"]["properties"] |= {
        "name": {"const": "input"},
        "shape": {"const": [2, 2]},
        "datatype": {"enum": ["FP32", "FP64"]},
        "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "null"}}},
        "data": {"type": "array", "items": number, "minItems": 4, "maxItems": 4},
    }
    schemas["InferRequest"]["properties"]["inputs"] |= {"minItems": 1, "maxItems": 1}
    schemas["RequestedOutput"]["properties"] |= {
        "name": {"enum": ["prediction", "label"]},
        "parameters": {"type": "object", "properties": {"binary_data": {"type": "boolean"}}},
    }
    answers = try_out(app, found)
    for path in INFER:
        assert min(answers[f"POST {path}", 200], answers[f"POST {path}", 400]) > 50


def test_a_service_with_keys_says_where_it_wants_one(directory: Path) -> None:
    app = serve(directory, NUDGE_API_KEYS="secret")
    client = app.test_client()
    assert client.get("/openapi.json").status_code == 401
    found = client.get("/openapi.json", headers={"X-API-Key": "secret"}).json or {}
    check_document(found)
    assert found["security"] == [{"key": []}, {"bearer": []}]
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            needs = operation.get("security") != []
            assert ("401" in operation["responses"]) is needs
            for wrong in ({}, {"X-API-Key": "other"}):
                reply = client.open(path, method=method, headers=wrong)
                assert (reply.status_code == 401) is needs
                assert not needs or list(reply.json or {}) == ["error"]

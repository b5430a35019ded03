"""The document at /openapi.json: it is valid, it describes the models, and the service does what it says."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from model import CategoricalColumn, Checkpoint, Network, NumericColumn, load, save
from model.ensembles import Members
from model.tables.columns import ColumnSpec, count_inputs
from model.tables.date_columns import DateColumn
from model.tables.spelling import NumberSpelling
from tests.examples import RECORD, ensemble_of
from tests.extent import extent
from tests.serve.examples import application

schemathesis = pytest.importorskip("schemathesis")

import jsonschema_rs  # noqa: E402 - schemathesis requires it
from schemathesis.config import SchemathesisConfig  # noqa: E402
from schemathesis.core.failures import Failure  # noqa: E402
from schemathesis.engine import events, from_schema  # noqa: E402
from schemathesis.openapi.checks import RejectedPositiveData  # noqa: E402

COLUMNS: dict[str, ColumnSpec] = {
    "size": NumericColumn(10.0, 4.0, minimum=-3.0, maximum=30.0, missing=True),
    "mass & weight": NumericColumn(0.0, 2.0),
    "price": NumericColumn(1.0, 2.0, missing=True, spelling=NumberSpelling(".", ",", "€", "", ("tbd",))),
    "colour": CategoricalColumn(("blue", "red")),
    "city/town": CategoricalColumn(("", "Köln", "a,b"), missing=True),
    "new": CategoricalColumn(("false", "true"), boolean=True),
    "sold": CategoricalColumn(("true",), missing=True, boolean=True),
}
INFER_PATHS = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")


def mixed() -> Checkpoint:
    """An ensemble with a column of every kind."""
    network = Network((count_inputs(tuple(COLUMNS.values())), 3, 3), "tanh", "multiclass")
    classes = ("no", "yes", "perhaps")
    return Checkpoint(
        (Members(network, ensemble_of(network, 2)),), tuple(COLUMNS), "y", classes, RECORD, tuple(COLUMNS.values())
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    directory = tmp_path_factory.mktemp("models")
    save(directory / "xor.safetensors", solved)
    save(directory / "mixed.safetensors", mixed())
    return directory


def mixed_application(directory: Path, **settings: str) -> Flask:
    """The application with `mixed` as its default model."""
    return application(directory, MODEL="mixed", MAX_ROWS="50", **settings)


@pytest.fixture(scope="module")
def app(directory: Path) -> Flask:
    return mixed_application(directory)


def check_document(document: dict[str, Any]) -> None:
    """Check a document against OpenAPI 3.1. Its references and names are checked too, which the schema cannot do."""
    schemathesis.openapi.from_dict(json.loads(json.dumps(document)), config=SchemathesisConfig()).validate()
    components = document["components"]
    for named in components.values():
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in named)
    for name in components["schemas"]:
        jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": components})
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for reference in re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(document)):
        assert reference[1] in components[reference[0]]
    assert max(Counter(operation["operationId"] for operation in operations).values()) == 1


def test_the_document_is_valid(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").json or {}
    assert document["openapi"] == "3.1.0"
    check_document(document)


def test_the_document_has_the_columns_of_the_models(app: Flask, directory: Path) -> None:
    document = app.test_client().get("/openapi.json").json or {}
    for path, checkpoint in (
        ("/predict", mixed()),
        ("/models/mixed/predict", mixed()),
        ("/models/xor/predict", load(directory / "xor.safetensors")),
    ):
        columns = dict(zip(checkpoint.columns, checkpoint.column_specs, strict=True))
        parameters = document["paths"][path]["get"]["parameters"]
        assert [(parameter["name"], parameter["required"]) for parameter in parameters] == [
            (name, not column.missing) for name, column in columns.items()
        ]
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        reference = body["oneOf"][0]["$ref"]
        row = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
        assert list(row["properties"]) == list(columns)
        assert body["oneOf"][1]["maxItems"] == 50
        validator = jsonschema_rs.validator_for(row)
        assert validator.is_valid(dict.fromkeys(columns, 0.5)) is (path == "/models/xor/predict")
    required = {"mass & weight": 1, "colour": "red", "new": True}
    for values, is_valid in (
        ({}, True),
        ({"size": None, "city/town": "Köln", "sold": True}, True),
        ({"city/town": "Bonn"}, False),
        ({"sold": False}, False),
        ({"size": "1"}, True),
        ({"size": "NA"}, True),
        ({"size": "one"}, False),
        ({"mass & weight": "NA"}, False),
        ({"price": "€ 1.234,50"}, True),
        ({"price": "7 USD"}, False),
        ({"price": "tbd"}, True),
        ({"mass & weight": None}, False),
        ({"mass & weight": 1e39}, False),
    ):
        row = document["components"]["schemas"]["mixed.row"]
        assert jsonschema_rs.validator_for(row).is_valid(required | values) is is_valid
        assert (app.test_client().post("/predict", json=required | values).status_code == 200) is is_valid


# Columns of dates and durations, and values that each takes.
DATED: dict[str, tuple[ColumnSpec, list[str | float]]] = {
    "day": (DateColumn("dmy", 0.0, 86_400.0, absent=("never",), missing=True), ["31.1.2024", "2024-01-31", "never"]),
    "month": (DateColumn("ym", 0.0, 86_400.0, 0.0, 86_400.0), ["Jan-24", "2024-01", "2024-01-31"]),
    "digits": (DateColumn("digits", 0.0, 86_400.0, 0.0, 86_400.0), [20240131, "20240131", "2024-01-31"]),
    "time": (DateColumn("time", 0.0, 86_400.0), ["9h07", "09:07:00"]),
    "elapsed": (
        NumericColumn(0.0, 60.0, minimum=0.0, maximum=9.0, spelling=NumberSpelling(is_duration=True)),
        ["25:10:00", 90600],
    ),
}


def test_dates_and_durations_are_taken_as_the_document_says(tmp_path: Path) -> None:
    specs = tuple(spec for spec, _ in DATED.values())
    network = Network((count_inputs(specs), 3, 1), "tanh", "binary")
    dated = Checkpoint((Members(network, ensemble_of(network, 2)),), tuple(DATED), "y", ("no", "yes"), RECORD, specs)
    save(tmp_path / "dated.safetensors", dated)
    client = application(tmp_path, MODEL="dated").test_client()
    document = client.get("/openapi.json").json or {}
    check_document(document)
    schema = document["components"]["schemas"]["dated.row"]
    assert "0 to 9 seconds in training" in str(schema["properties"]["elapsed"])
    row = {name: values[0] for name, (_, values) in DATED.items()}
    for name, (_, values) in DATED.items():
        for value in values:
            assert jsonschema_rs.validator_for(schema).is_valid(row | {name: value})
            replies = (
                client.post("/predict", json=row | {name: value}),
                client.get("/predict", query_string=row | {name: value}),
            )
            assert [reply.status_code for reply in replies] == [200, 200], replies[0].json
        assert client.post("/predict", json=row | {name: "soon"}).status_code == 400
    (example,) = document["paths"][INFER_PATHS[0]]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ].values()
    assert client.post("/v2/models/dated/infer", json=example["value"]).status_code == 200


def test_the_document_changes_with_the_models(tmp_path: Path, solved: Checkpoint) -> None:
    """The name of a model may have characters that names of components and paths must not have."""
    save(tmp_path / "mixed.safetensors", mixed())
    app = mixed_application(tmp_path)
    registry, client = app.extensions["nudge"], app.test_client()
    before = client.get("/openapi.json").json
    name = "größe {1} 100%?#"
    save(tmp_path / f"{name}.safetensors", replace(solved, columns=("länge", "b")))
    registry.scan()
    document = client.get("/openapi.json").json or {}
    check_document(document)
    (path,) = document["paths"].keys() - (before or {})["paths"].keys()
    parameters = document["paths"][path]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["länge", "b"]
    reply = client.get(path, query_string={"länge": "1", "b": "0"})
    assert reply.status_code == 200
    assert (reply.json or {})["model"] == name
    assert document["paths"][INFER_PATHS[0]]["post"]["parameters"][0]["schema"]["enum"] == [name, "mixed"]
    (tmp_path / "mixed.safetensors").unlink()
    registry.scan()
    fewer = client.get("/openapi.json").json or {}
    assert document["paths"].keys() - fewer["paths"].keys() == {"/models/mixed/predict", "/predict"}
    registry.models = {}
    empty = client.get("/openapi.json").json or {}
    check_document(empty)
    assert not [path for path in empty["paths"] if path.endswith("/predict")]


def test_the_examples_in_the_document_are_answered(app: Flask) -> None:
    client = app.test_client()
    document = client.get("/openapi.json").json or {}
    examples = document["paths"][INFER_PATHS[0]]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"mixed", "xor"}
    for name, example in examples.items():
        reply = client.post(f"/v2/models/{name}/infer", json=example["value"])
        assert reply.status_code == 200, reply.json


@schemathesis.check
def one_sentence(ctx: Any, response: Any, case: Any) -> None:
    """A refusal is {"error": "one sentence"}, and tells nothing about the inside of the service."""
    if response.status_code >= 400:
        refusal = response.json()
        assert list(refusal) == ["error"]
        assert isinstance(refusal["error"], str)
        own_words = re.sub(QUOTED, "", refusal["error"])
        assert not re.search(r'Traceback|File "|\.py\b|/tmp|safetensors|packages|\n|\. ', own_words)


# A value that the client has sent, as a sentence quotes it.
QUOTED = r"""'([^'\\]|\\.)*'|"([^"\\]|\\.)*\""""


def is_excused(failure: Failure, case: Any, response: Any, arbitrary_paths: tuple[str, ...]) -> bool:
    """Whether a request may be refused although the document allows it.

    Args:
        failure: the failure that schemathesis reports.
        case: the request.
        response: the answer.
        arbitrary_paths: the paths where any request may be refused.
    """
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return False
    # A network adds up the values of a row. The sum may overflow although each value is in its range.
    return case.operation.path in arbitrary_paths or "overflows in it" in response.json()["error"]


def run_schemathesis(
    app: Flask, document: dict[str, Any], *, arbitrary_paths: tuple[str, ...] = ()
) -> Counter[tuple[str, int]]:
    """Let schemathesis send requests that a document describes, and check each answer.

    Args:
        app: the application.
        document: the OpenAPI document.
        arbitrary_paths: the paths where a request that the document allows may be refused.

    Returns:
        The number of answers of each operation and status.
    """
    config = {
        "seed": 1,
        "continue-on-failure": True,
        "generation": {"deterministic": True, "max-examples": extent(150, 40)},
        # The service keeps no state between requests.
        "phases": {"stateful": {"enabled": False}},
        # ignored_auth fails with an application in this process (TypeError: max_redirects). The last test asks without
        # a key. Too many rows are refused with a 413.
        "checks": {
            "ignored_auth": {"enabled": False},
            "negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413, 415]},
        },
    }
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
    schema.app = app

    def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
        return not is_excused(failure, case, response, arbitrary_paths)

    schema.hook(filter_failure)
    answers: Counter[tuple[str, int]] = Counter()
    failures = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            failures.append(str(event))
        elif isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            responses = [interaction.response for interaction in recorder.interactions.values()]
            answers.update((recorder.label, response.status_code) for response in responses if response)
            for name, checks in recorder.checks.items():
                for failure in [check.failure_info.failure for check in checks if check.failure_info]:
                    request, response = recorder.interactions[name].request, recorder.interactions[name].response
                    sent = f"{request.method} {request.uri} {request.body!r:.500}"
                    received = f"{response.status_code} {response.content!r:.300}" if response else "no answer"
                    failures.append(f"{failure.title}: {failure.message}\n{sent}\n{received}")
    assert not failures, "\n\n".join(failures)
    return answers


def test_the_service_does_what_its_document_says(app: Flask) -> None:
    """Tensors are random here, so they may be refused. A schema cannot say how many values a shape has, which tensors a
    model takes, or how many bytes of a body are JSON.
    """
    document = app.test_client().get("/openapi.json").json or {}
    operations = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    answers = run_schemathesis(app, document, arbitrary_paths=INFER_PATHS)
    assert answers.total() > 2000
    assert [label for label in operations if not answers[label, 200]] == []


def test_tensors_that_fit_the_model_are_answered_and_others_are_refused(app: Flask) -> None:
    """The document is completed: it allows only tensors in JSON, with two rows, for XOR."""
    document = app.test_client().get("/openapi.json").json or {}
    document["paths"] = {path: document["paths"][path] for path in INFER_PATHS}
    known = {"name": "xor", "version": app.extensions["nudge"].models["xor"].version}
    for path in document["paths"].values():
        parameters = path["post"]["parameters"]
        path["post"]["parameters"] = [
            parameter | {"schema": {"enum": [known[parameter["name"]]]}}
            for parameter in parameters
            if parameter["in"] == "path"
        ]
        path["post"]["requestBody"]["content"] = {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}}
        }
    schemas = document["components"]["schemas"]
    number = schemas["xor.row"]["properties"]["a"]["anyOf"][0]
    schemas["InputTensor"]["required"].append("data")
    schemas["InputTensor"]["properties"] |= {
        "name": {"const": "input"},
        "shape": {"const": [2, 2]},
        "datatype": {"enum": ["FP32", "FP64"]},
        "parameters": {"type": ["object", "null"], "properties": {"binary_data_size": {"type": "null"}}},
        "data": {"type": "array", "items": number, "minItems": 4, "maxItems": 4},
    }
    schemas["InferRequest"]["properties"]["inputs"] |= {"minItems": 1, "maxItems": 1}
    schemas["RequestedOutput"]["properties"] |= {
        "name": {"enum": ["prediction", "label"]},
        "parameters": {"type": ["object", "null"], "properties": {"binary_data": {"type": ["boolean", "null"]}}},
    }
    answers = run_schemathesis(app, document)
    for path in INFER_PATHS:
        assert min(answers[f"POST {path}", 200], answers[f"POST {path}", 400]) > 50


def test_the_document_says_which_operations_need_a_key(directory: Path) -> None:
    app = mixed_application(directory, API_KEYS="secret")
    client = app.test_client()
    assert client.get("/openapi.json").status_code == 401
    document = client.get("/openapi.json", headers={"X-API-Key": "secret"}).json or {}
    check_document(document)
    assert document["security"] == [{"key": []}, {"bearer": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needs_key = operation.get("security") != []
            assert ("401" in operation["responses"]) is needs_key
            for wrong in ({}, {"X-API-Key": "other"}):
                reply = client.open(path, method=method, headers=wrong)
                assert (reply.status_code == 401) is needs_key
                assert not needs_key or list(reply.json or {}) == ["error"]

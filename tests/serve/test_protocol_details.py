"""Details of the Open Inference Protocol that clients rely on: null, NaN, versions, and Triton's extensions."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, load, save
from serve.open_inference_messages import JSON_LENGTH
from serve.size_limits import MAX_VALUES
from tests.examples import COLUMNS, checkpoint_of
from tests.serve.examples import QUERY, TENSORS, application

pytestmark = pytest.mark.core

INFER = "/v2/models/xor/infer"
MARK = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    """XOR, and a model with texts and missing values."""
    directory = tmp_path_factory.mktemp("models")
    save(directory / "xor.safetensors", solved)
    save(directory / "multiclass.safetensors", checkpoint_of("multiclass"))
    return directory


@pytest.fixture(scope="module")
def client(directory: Path) -> FlaskClient:
    return application(directory, MODEL="xor").test_client()


def post(client: FlaskClient, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """The status and the JSON of the answer to a body of JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = client.post(path, data=body, content_type="application/json", headers=named)
    return reply.status_code, reply.json


def test_null_means_that_there_is_nothing(client: FlaskClient) -> None:
    expected = client.post(INFER, json=TENSORS).json
    (tensor,) = TENSORS["inputs"]
    for request in (
        TENSORS | {"parameters": None},
        TENSORS | {"id": None, "outputs": None},
        {"inputs": [tensor | {"parameters": None}]},
        {"inputs": [tensor | {"parameters": {"binary_data_size": None}}]},
        TENSORS | {"parameters": {"binary_data_output": None, "sequence_id": 7, "other": [{}]}},
        TENSORS | {"outputs": [{"name": name, "parameters": None} for name in ("prediction", "label")]},
        TENSORS
        | {"outputs": [{"name": name, "parameters": {"binary_data": None}} for name in ("prediction", "label")]},
    ):
        assert client.post(INFER, json=request).json == expected, request
    assert client.post("/v2/repository/index", json={"ready": None}).status_code == 200


def test_a_mark_of_the_order_of_bytes_is_ignored(client: FlaskClient) -> None:
    body = json.dumps(TENSORS).encode()
    assert post(client, INFER, MARK + body) == post(client, INFER, body)
    row = b'{"a":1,"b":0}'
    assert post(client, "/predict", MARK + row) == post(client, "/predict", row)
    assert post(client, "/predict", MARK + b"[" + row + b"]")[0] == 200
    x = np.ones((1, 2), "<f4")
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    head = MARK + json.dumps({"inputs": [tensor]}).encode()
    reply = client.post(INFER, data=head + x.tobytes(), headers={JSON_LENGTH: str(len(head))})
    assert reply.status_code == 200


def test_nan_in_json_is_a_missing_value(client: FlaskClient) -> None:
    rows = [{"colour": "red", "constant": 5, "useless": 1, "size": size} for size in (None, 2.5)]
    by_null = client.post("/models/multiclass/predict", json=rows).json
    body = json.dumps([row | {"size": row["size"] or float("nan")} for row in rows]).encode()
    assert b"NaN" in body
    assert post(client, "/models/multiclass/predict", body) == (200, by_null)
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    tensors = [
        {"name": name, "shape": [2], "datatype": "BYTES" if name == "colour" else "FP32", "data": values}
        for name, values in columns.items()
    ]
    by_null = client.post("/v2/models/multiclass/infer", json={"inputs": tensors}).json
    body = json.dumps({"inputs": tensors}).encode().replace(b"null", b"NaN")
    assert post(client, "/v2/models/multiclass/infer", body) == (200, by_null)
    status, answer = post(client, INFER, json.dumps(TENSORS).encode().replace(b"[1, 0]", b"[NaN, 0]"))
    assert (status, answer) == (
        400,
        {"error": "column a: a finite number within ±3.4e38 was expected, and nan was found in row 0"},
    )


@pytest.mark.parametrize("name", ["Infinity", "-Infinity"])
def test_infinity_in_json_is_a_400_that_names_it(client: FlaskClient, name: str) -> None:
    """In raw tensors too, an infinite number is refused."""
    expected = {"error": f"a finite number was expected, and {name} was found"}
    body = json.dumps(TENSORS).replace("[1, 0]", f"[{name}, 0]").encode()
    assert post(client, INFER, body) == (400, expected)
    assert post(client, "/predict", f'{{"a":{name},"b":0}}'.encode()) == (400, expected)


def test_gzip_of_several_members_is_one_body(client: FlaskClient) -> None:
    body = json.dumps(TENSORS).encode()
    compressed = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert post(client, INFER, compressed, Content_Encoding="gzip") == post(client, INFER, body)


ODD_BODIES = [
    b'{"inputs":[{"name":"input","shape":[1,' + b"9" * 5000 + b'],"datatype":"FP32","data":[1,0]}]}',
    b'{"inputs":[{"name":"input","shape":[1e3,2],"datatype":"FP32","data":[1,0]}]}',
    b'{"inputs":[{"name":"input","shape":"2","datatype":"FP32","data":[1,0]}]}',
    b'{"inputs":[{"name":"input","shape":null,"datatype":"FP32","data":[1,0]}]}',
    b'{"inputs":[{"name":"input","shape":[[1]],"datatype":"FP32","data":[1,0]}]}',
    b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"INT64","data":[1,' + b"9" * 5000 + b"]}]}",
    b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP64","data":[1,1e999]}]}',
    b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":' + b"[" * 5000 + b"}]}",
    b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":{"a":1}}]}',
    b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":null}]}',
    b'{"inputs":[{"name":"input","shape":[],"datatype":"FP32","data":[1]}]}',
    b'{"inputs":[{"name":"a","shape":[],"datatype":"FP32","data":[1]}]}',
    b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":' + b"9" * 99 + b"}}]}",
    b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":-1}}]}',
    b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":[]}]}',
    b'{"inputs":[],"x":' + b"[" * 100_000,
    b'{"inputs":[],"inputs":[null]}',
    b'{"inputs":[],"id":7}',
    b'{"inputs":{}}',
    b'{"inputs":[[]]}',
    b"\xff\xfe{\x00}\x00",
    b'{"inputs":[{"name":"\\ud800","shape":[1],"datatype":"FP32","data":[1]}]}',
    b"",
    b"NaN",
    b"[NaN]",
    b"\x01NaN",
]


def test_odd_bodies_are_a_400(client: FlaskClient) -> None:
    for body in ODD_BODIES:
        for path in (INFER, "/predict"):
            status, answer = post(client, path, body)
            assert (status, list(answer)) == (400, ["error"]), body[:200]


def test_a_classification_is_refused_rather_than_ignored(client: FlaskClient) -> None:
    output = {"name": "prediction", "parameters": {"classification": 2}}
    reply = client.post(INFER, json=TENSORS | {"outputs": [output]})
    assert reply.status_code == 400
    assert "no classification was expected of prediction" in (reply.json or {})["error"]


def test_version_1_is_the_current_version(client: FlaskClient, directory: Path) -> None:
    version = load(directory / "xor.safetensors").version
    reply = client.post("/v2/models/xor/versions/1/infer", json=TENSORS)
    assert reply.status_code == 200
    assert (reply.json or {})["model_version"] == version
    for path in ("", "/ready", "/config", "/stats"):
        by_alias = client.get(f"/v2/models/xor/versions/1{path}")
        assert by_alias.json == client.get(f"/v2/models/xor/versions/{version}{path}").json
        assert by_alias.status_code == 200
        assert client.get(f"/v2/models/xor/versions/2{path}").status_code == 404
    assert (client.get("/v2/models/xor").json or {})["versions"] == [version]


def test_load_and_unload_say_how_models_come(client: FlaskClient) -> None:
    for verb in ("load", "unload"):
        reply = client.post(f"/v2/repository/models/other/{verb}", json={"parameters": {"config": "{}"}})
        assert reply.status_code == 400
        assert reply.json == {
            "error": "models were expected to come and go as files, and a request to load or unload one was found; put "
            "'other.safetensors' into the directory of checkpoints, or remove it"
        }


def test_the_configuration_describes_the_tensors_without_their_rows(client: FlaskClient) -> None:
    config = client.get("/v2/models/xor/config").json or {}
    assert config["name"] == "xor"
    assert config["max_batch_size"] == 100_000
    assert config["input"] == [{"name": "input", "data_type": "TYPE_FP32", "dims": [2]}]
    assert config["output"] == [
        {"name": "prediction", "data_type": "TYPE_FP32", "dims": []},
        {"name": "label", "data_type": "TYPE_INT64", "dims": []},
    ]
    types = {
        tensor["name"]: tensor["data_type"]
        for tensor in (client.get("/v2/models/multiclass/config").json or {})["input"]
    }
    assert types == {name: "TYPE_STRING" if name == "colour" else "TYPE_FP32" for name in COLUMNS}


def statistics_of(client: FlaskClient, path: str = "/v2/models/xor/stats") -> Any:
    """The statistics of the first model of an answer."""
    return (client.get(path).json or {})["model_stats"][0]


def test_the_statistics_count_what_was_answered(directory: Path) -> None:
    client = application(directory, MODEL="xor").test_client()
    before = statistics_of(client)
    assert before["inference_count"] == before["inference_stats"]["success"]["count"] == 0
    client.get(QUERY)
    client.post("/predict", json=[{"a": 1, "b": 0}] * 5)
    client.post(INFER, json=TENSORS)
    client.get("/predict?a=x")
    client.post(INFER, json={"inputs": []})
    after = statistics_of(client)
    parts = after["inference_stats"]
    assert (after["execution_count"], after["inference_count"]) == (3, 7)
    assert (parts["success"]["count"], parts["fail"]["count"]) == (3, 2)
    computed = [parts[part]["ns"] for part in ("compute_input", "compute_infer", "compute_output")]
    assert min(computed) > 0
    assert sum(computed) <= parts["success"]["ns"]
    assert after["last_inference"] > 1.7e12
    names = [model["name"] for model in (client.get("/v2/models/stats").json or {})["model_stats"]]
    assert names == ["xor", "multiclass"] or names == ["multiclass", "xor"]


def test_the_statistics_of_a_new_version_begin_again(tmp_path: Path, solved: Checkpoint) -> None:
    save(tmp_path / "xor.safetensors", solved)
    client = application(tmp_path).test_client()
    client.get(QUERY)
    before = statistics_of(client)
    save(tmp_path / "xor.safetensors", checkpoint_of("binary"))
    client.application.extensions["nudge"].scan()
    after = statistics_of(client)
    assert after["version"] != before["version"]
    assert (before["inference_count"], after["inference_count"]) == (1, 0)


def test_threads_lose_no_counts(directory: Path) -> None:
    app = application(directory, MODEL="xor")

    def ask() -> None:
        client = app.test_client()
        for _ in range(150):
            client.get(QUERY)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics_of(app.test_client())["inference_count"] == 600


def test_many_columns_and_classes_lower_the_limit_of_rows(directory: Path) -> None:
    """Three classes and four columns: of 2^21 numbers, a quarter are rows."""
    client = application(directory, MODEL="multiclass", MAX_ROWS="1000000").test_client()
    limit = MAX_VALUES // 4
    assert (client.get("/v2/models/multiclass/config").json or {})["max_batch_size"] == limit
    tensor = {"name": "useless", "shape": [limit + 1], "datatype": "INT8", "data": []}
    reply = client.post("/v2/models/multiclass/infer", json={"inputs": [tensor, tensor | {"name": "constant"}]})
    assert reply.status_code == 400, "colour is needed"
    tensors = [tensor | {"name": name} for name in ("constant", "useless")]
    tensors.append(tensor | {"name": "colour", "datatype": "BYTES"})
    reply = client.post("/v2/models/multiclass/infer", json={"inputs": tensors})
    assert (reply.status_code, reply.json) == (
        413,
        {"error": f"at most {limit:,} rows were expected, and {limit + 1:,} were found; send them in several"},
    )

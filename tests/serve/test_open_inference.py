"""The Open Inference Protocol in this process: what is answered, what is refused, and that no bytes cause a 500."""

import gzip
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import CategoricalColumn, Checkpoint, Layer, Network, NumericColumn, init_params, load, predict, save
from model.inference import BATCH_SIZES
from serve.open_inference_messages import JSON_LENGTH
from tests.examples import checkpoint_of, values_of, with_params
from tests.extent import extent
from tests.serve.examples import application

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    """XOR; a network with two inputs and many units; and an ensemble for each task, with texts and missing values."""
    directory = tmp_path_factory.mktemp("models")
    save(directory / "xor.safetensors", solved)
    wide = Network((2, 64, 1))
    save(directory / "wide.safetensors", with_params(solved, init_params(wide, key=jax.random.key(0)), wide))
    for task in ("binary", "multiclass", "regression"):
        save(directory / f"{task}.safetensors", checkpoint_of(task))
    return directory


@pytest.fixture(scope="module")
def client(directory: Path) -> FlaskClient:
    return application(directory, MAX_ROWS="9000").test_client()


def json_tensor(array: np.ndarray, datatype: str = "FP32") -> dict[str, Any]:
    """A tensor of all columns, with its data in JSON."""
    return {"name": "input", "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}


def post_json(client: FlaskClient, body: Any, model: str = "xor", **options: Any) -> tuple[int, Any]:
    """The status and the JSON of the answer to a request."""
    reply = client.post(f"/v2/models/{model}/infer", json=body, **options)
    return reply.status_code, reply.json


def test_the_metadata_of_the_server_and_of_models(client: FlaskClient, directory: Path) -> None:
    server = client.get("/v2").json
    assert server is not None
    assert server["name"] == "nudge"
    assert "binary_tensor_data" in server["extensions"]
    version = load(directory / "xor.safetensors").version
    expected = {
        "name": "xor",
        "versions": [version],
        "platform": "nudge_jax",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [
            {"name": "prediction", "datatype": "FP32", "shape": [-1]},
            {"name": "label", "datatype": "INT64", "shape": [-1]},
        ],
    }
    assert client.get("/v2/models/xor").json == expected
    assert client.get(f"/v2/models/xor/versions/{version}").json == expected
    assert client.get("/v2/models/xor/versions/000000000000").status_code == 404
    assert client.get("/v2/models/no").json == {
        "error": "one of binary, multiclass, regression, wide, xor was expected as the model, and 'no' was found"
    }
    assert client.get("/v2/models/xor/ready").json == {"name": "xor", "ready": True}
    metadata = client.get("/v2/models/multiclass").json
    assert metadata is not None
    tensors = metadata["inputs"] + metadata["outputs"]
    assert [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in tensors] == [
        ("size", "FP32", [-1]),
        ("colour", "BYTES", [-1]),
        ("constant", "FP32", [-1]),
        ("useless", "FP32", [-1]),
        ("prediction", "FP32", [-1, 3]),
        ("label", "INT64", [-1]),
        ("spread", "FP32", [-1]),
    ]
    outputs = (client.get("/v2/models/regression").json or {})["outputs"]
    assert [(output["name"], output["datatype"]) for output in outputs] == [("prediction", "FP64"), ("spread", "FP64")]
    outputs = (client.get("/v2/models/binary").json or {})["outputs"]
    assert [output["datatype"] for output in outputs] == ["FP32", "BYTES", "FP32"]


def test_the_repository_index_lists_all_models(client: FlaskClient, directory: Path) -> None:
    entries = client.post("/v2/repository/index").json
    assert entries == client.post("/v2/repository/index", json={"ready": True}).json
    assert [(entry["name"], entry["state"]) for entry in entries or []] == [
        (name, "READY") for name in ("binary", "multiclass", "regression", "wide", "xor")
    ]
    assert (entries or [])[4]["version"] == load(directory / "xor.safetensors").version


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT64"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_every_numeric_datatype_gets_the_same_answer(
    client: FlaskClient, directory: Path, datatype: str, is_nested: bool
) -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [3, 2]])
    tensor = json_tensor(x.astype(float) if datatype[0] == "F" else x, datatype)
    if is_nested:
        tensor["data"] = x.tolist()
    status, answer = post_json(client, {"id": "7", "inputs": [tensor]})
    assert status == 200
    assert (answer["model_name"], answer["id"]) == ("xor", "7")
    checkpoint = load(directory / "xor.safetensors")
    assert answer["model_version"] == checkpoint.version
    prediction, label = answer["outputs"]
    expected = np.asarray(predict(checkpoint.params, x.astype(np.float32), checkpoint.network))
    np.testing.assert_allclose(prediction["data"], expected, rtol=1e-5)
    assert (prediction["shape"], prediction["datatype"]) == ([5], "FP32")
    assert (label["data"], label["datatype"]) == ((expected >= 0.5).astype(int).tolist(), "INT64")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_tensors_by_column_get_the_same_answers_as_predict(client: FlaskClient, task: str) -> None:
    values = values_of(40)
    colours = [("blue", "red")[int(code)] for code in values[:, 1]]
    rows = [
        {"colour": colour, "constant": 5, "useless": useless} | ({} if np.isnan(size) else {"size": size})
        for size, colour, useless in zip(values[:, 0], colours, values[:, 3], strict=True)
    ]
    by_row = client.post(f"/models/{task}/predict", json=rows).json or []
    sizes = [None if np.isnan(size) else size for size in values[:, 0]]
    tensors = [
        {"name": "size", "shape": [40], "datatype": "FP64", "data": sizes},
        {"name": "colour", "shape": [40, 1], "datatype": "BYTES", "data": [[colour] for colour in colours]},
        {"name": "useless", "shape": [40], "datatype": "FP64", "data": values[:, 3].tolist()},
        {"name": "constant", "shape": [40, 1], "datatype": "INT32", "data": [5] * 40},
    ]
    status, answer = post_json(client, {"inputs": tensors}, task)
    assert status == 200, answer
    outputs = {output["name"]: np.reshape(output["data"], output["shape"]) for output in answer["outputs"]}
    predictions = [list(row["prediction"].values()) if task == "multiclass" else row["prediction"] for row in by_row]
    np.testing.assert_allclose(outputs["prediction"], predictions, rtol=1e-6)
    np.testing.assert_allclose(outputs["spread"], [row["spread"] for row in by_row], rtol=1e-6)
    if task != "regression":
        assert outputs["label"].tolist() == [row["label"] for row in by_row]


def test_only_the_requested_outputs_are_answered(client: FlaskClient) -> None:
    tensor = json_tensor(np.ones((3, 2)))
    _, answer = post_json(client, {"inputs": [tensor], "outputs": [{"name": "label"}]})
    assert [output["name"] for output in answer["outputs"]] == ["label"]
    assert post_json(client, {"inputs": [tensor], "outputs": []})[1]["outputs"] == []
    repeated = {"inputs": [tensor], "outputs": [{"name": "label"}] * 1000}
    assert post_json(client, repeated)[1] == answer, "each output is answered once"
    assert post_json(client, {"inputs": [tensor], "outputs": [{"name": "no"}]}) == (
        400,
        {"error": "one of prediction, label was expected as an output, and 'no' was found"},
    )


def post_binary(
    client: FlaskClient, head: Any, raw: bytes, json_length: object = None, model: str = "xor"
) -> tuple[int, Any, bytes]:
    """The status, the JSON and the raw bytes of the answer to a request with raw tensors."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    headers = {JSON_LENGTH: str(len(text) if json_length is None else json_length)}
    reply = client.post(
        f"/v2/models/{model}/infer", data=text + raw, headers=headers, content_type="application/octet-stream"
    )
    end = int(reply.headers.get(JSON_LENGTH, len(reply.data)))
    return reply.status_code, json.loads(reply.data[:end]), reply.data[end:]


def raw_tensor(array: np.ndarray, datatype: str) -> dict[str, Any]:
    """A tensor of all columns, whose bytes follow the JSON."""
    return {
        "name": "input",
        "shape": list(array.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": array.nbytes},
    }


@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "<f4"), ("FP64", "<f8"), ("INT64", "<i8"), ("UINT8", "u1")])
def test_raw_tensors_get_the_same_answers_as_json(client: FlaskClient, datatype: str, dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 5, (1000, 2)).astype(dtype)
    head = {"inputs": [raw_tensor(x, datatype)], "parameters": {"binary_data_output": True}}
    status, answer, raw = post_binary(client, head, x.tobytes())
    assert status == 200, answer
    by_json = post_json(client, {"inputs": [json_tensor(x.astype(float))]})[1]
    sizes = [output["parameters"]["binary_data_size"] for output in answer["outputs"]]
    assert sizes == [4000, 8000]
    assert np.frombuffer(raw[:4000], "<f4").tolist() == by_json["outputs"][0]["data"]
    assert np.frombuffer(raw[4000:], "<i8").tolist() == by_json["outputs"][1]["data"]


def test_raw_texts_are_decoded_and_encoded(client: FlaskClient) -> None:
    colours = ["red", "blue", "red"]
    raw = b"".join(len(text).to_bytes(4, "little") + text.encode() for text in colours)
    tensors = [
        {"name": "colour", "shape": [3], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}},
        {"name": "constant", "shape": [3], "datatype": "INT8", "parameters": {"binary_data_size": 3}},
        {"name": "useless", "shape": [3], "datatype": "FP32", "data": [0, 1, 2]},
    ]
    head = {"inputs": tensors, "outputs": [{"name": "label", "parameters": {"binary_data": True}}]}
    status, answer, raw_labels = post_binary(client, head, raw + bytes([5, 5, 5]), model="binary")
    assert status == 200, answer
    assert answer["outputs"][0]["datatype"] == "BYTES"
    labels, start = [], 0
    while start < len(raw_labels):
        size = int.from_bytes(raw_labels[start : start + 4], "little")
        labels.append(raw_labels[start + 4 : start + 4 + size].decode())
        start += 4 + size
    rows = [{"colour": colour, "constant": 5, "useless": index} for index, colour in enumerate(colours)]
    assert labels == [row["label"] for row in client.post("/models/binary/predict", json=rows).json or []]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies_are_decompressed(client: FlaskClient, coding: str) -> None:
    plain = json.dumps({"inputs": [json_tensor(np.ones((2, 2)))]}).encode()
    body = gzip.compress(plain) if coding == "gzip" else zlib.compress(plain)
    headers = {"Content-Encoding": coding}

    def post(data: bytes, **more: str) -> tuple[int, Any]:
        reply = client.post("/v2/models/xor/infer", data=data, headers=headers | more, content_type="application/json")
        return reply.status_code, reply.json

    assert post(body)[0] == 200
    for broken in (body[:-3], body + b"x", plain, b"\0" * 20):
        status, answer = post(broken)
        assert status == 400
        assert coding in answer["error"]
    assert post(body, **{"Content-Encoding": "br"})[0] == 415
    row = client.post(
        "/predict",
        data=gzip.compress(b'{"a":1,"b":0}'),
        headers={"Content-Encoding": "gzip"},
        content_type="application/json",
    )
    assert row.status_code == 200


def test_the_limit_of_bodies_also_counts_after_decompression(checkpoints: Path) -> None:
    app = application(checkpoints, MAX_BODY="1000")
    row = b'{"a": 1, "b": 0}'
    for length, status in ((1000, 200), (1001, 413), (100_000, 413)):
        compressed = gzip.compress(row.ljust(length))
        assert len(compressed) < 1000
        reply = app.test_client().post(
            "/predict", data=compressed, headers={"Content-Encoding": "gzip"}, content_type="application/json"
        )
        assert reply.status_code == status
        assert ("error" in (reply.json or {})) is (status == 413)


ONES = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 1]}
WRONG_TENSORS: dict[str, tuple[dict[str, Any], str]] = {
    "datatype": (ONES | {"datatype": "FP8"}, "was expected as the datatype, not 'FP8'"),
    "shape and data": (ONES | {"shape": [2, 2]}, "4 values were expected in the shape [2, 2], not 2"),
    "negative": (ONES | {"shape": [-1, -2]}, "a list of up to 8 sizes from 0 to 1,099,511,627,776 was expected"),
    "columns": (ONES | {"shape": [2, 1]}, "[rows, 2], or a column's name, was expected as a tensor"),
    "nesting": (ONES | {"data": [[1], [1]]}, "data nested as the shape [1, 2] was expected"),
    "text": (ONES | {"data": ["1", "1"]}, "data of FP32 was expected"),
    "null": (ONES | {"data": [1, None]}, "a finite number within ±3.4e38 was expected, and nan was found in row 0"),
    "true": (ONES | {"datatype": "BOOL", "data": [True, False]}, "a number was expected, and true was found"),
    "range": (ONES | {"datatype": "UINT8", "data": [1, 256]}, "whole numbers of UINT8 were expected"),
    "fraction": (ONES | {"datatype": "INT32", "data": [1, 1.5]}, "data of INT32 was expected"),
    "large": (ONES | {"datatype": "FP64", "data": [1, 1e39]}, "a finite number within ±3.4e38 was expected, and 1e+39"),
    "half": (ONES | {"datatype": "FP16", "data": [1, 1e6]}, "finite numbers of FP16 were expected"),
    "no data": ({key: ONES[key] for key in ("name", "shape", "datatype")}, "and neither was found"),
    "name": (ONES | {"name": "c", "shape": [2]}, "and 'c' of [2] was found"),
    "one column": (ONES | {"name": "a", "shape": [2]}, "and none was found for b"),
    "text in a matrix": (ONES | {"datatype": "BYTES", "data": ["1", "x"]}, "column b: a number was expected, and 'x'"),
    "dimensions": (
        ONES | {"shape": [2**60] * 100_000},
        "a list of up to 8 sizes from 0 to 1,099,511,627,776 was expected",
    ),
    "huge": (ONES | {"shape": [2**40, 2**70]}, "a list of up to 8 sizes from 0 to 1,099,511,627,776 was expected"),
}


@pytest.mark.parametrize("name", WRONG_TENSORS)
def test_a_wrong_tensor_is_a_400_that_says_why(client: FlaskClient, name: str) -> None:
    tensor, message = WRONG_TENSORS[name]
    status, answer = post_json(client, {"inputs": [tensor]})
    assert status == 400
    assert message in answer["error"]


def test_other_wrong_requests_are_refused(client: FlaskClient) -> None:
    assert post_json(client, {"inputs": []})[0] == 400
    assert post_json(client, {"inputs": [ONES, ONES]})[0] == 400
    unequal = [ONES | {"name": "a", "shape": [2]}, ONES | {"name": "b", "shape": [1, 1]}]
    assert post_json(client, {"inputs": unequal})[0] == 400
    assert post_json(client, [1])[0] == 400
    assert post_json(client, {"inputs": "x"})[0] == 400
    assert post_json(client, {"inputs": [json_tensor(np.zeros((9001, 2)))]}) == (
        413,
        {"error": "at most 9,000 rows were expected, and 9,001 were found; send them in several"},
    )
    rows = client.post("/predict", json=[{"a": 1, "b": 0}] * 9001)
    assert rows.status_code == 413
    assert post_json(client, {"inputs": [ONES]}, "nothing")[0] == 404
    assert client.get("/v2/models/xor/infer").status_code == 405
    reply = client.post("/v2/models/xor/infer", data=b"\xff{", content_type="application/json")
    assert (reply.status_code, list(reply.json or {})) == (400, ["error"])
    status, answer = post_json(client, {"inputs": [json_tensor(np.full((2, 2), 3e38))]}, "xor")
    assert (status, "overflows in it" in answer["error"]) == (400, True)


def test_a_request_with_no_rows_is_answered(client: FlaskClient) -> None:
    for model, shape in (("xor", [0]), ("multiclass", [0, 3]), ("regression", [0])):
        metadata = client.get(f"/v2/models/{model}").json
        assert metadata is not None
        tensors = [
            {"name": tensor["name"], "shape": [0, *tensor["shape"][1:]], "datatype": tensor["datatype"], "data": []}
            for tensor in metadata["inputs"]
        ]
        status, answer = post_json(client, {"inputs": tensors}, model)
        assert status == 200, answer
        assert answer["outputs"][0]["shape"] == shape
        assert answer["outputs"][0]["data"] == []


sizes = st.one_of(st.none(), st.integers(-3, 40), st.sampled_from([True, "8", 8.0, 2**70]))
heads = st.fixed_dictionaries(
    {
        "inputs": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["input", "a", "b", "c"]),
                    "shape": st.lists(st.one_of(st.integers(-1, 4), st.just(2**62)), max_size=3),
                    "datatype": st.sampled_from(["FP32", "FP64", "INT8", "BYTES", "BOOL", "FP16", "x"]),
                    "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": sizes}),
                },
                optional={
                    "data": st.recursive(st.integers() | st.none() | st.text(max_size=2), st.lists, max_leaves=6)
                },
            ),
            max_size=3,
        )
    },
    optional={"parameters": st.fixed_dictionaries({}, optional={"binary_data_output": st.sampled_from([True, 1])})},
)


@settings(max_examples=extent(1500, 300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=heads, raw=st.binary(max_size=40), length=st.sampled_from([None, None, None, 0, 3, -1, "x", 10**9, 10**20]))
def test_no_body_with_raw_tensors_causes_a_500(client: FlaskClient, head: Any, raw: bytes, length: Any) -> None:
    status, answer, _ = post_binary(client, head, raw, length)
    if status != 200:
        assert status in (400, 413)
        assert list(answer) == ["error"]


@settings(max_examples=extent(500, 100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.integers(0, 200),
    cut=st.integers(0, 200),
    noise=st.binary(max_size=8),
    coding=st.sampled_from(["identity", "gzip", "deflate"]),
)
def test_a_damaged_body_is_refused_or_answered_completely(
    client: FlaskClient, start: int, cut: int, noise: bytes, coding: str
) -> None:
    x = np.arange(8, dtype="<f4").reshape(4, 2)
    head = json.dumps({"inputs": [raw_tensor(x, "FP32")]}).encode()
    body = head + x.tobytes()
    damaged = body[: min(start, len(body))] + noise + body[min(start + cut, len(body)) :]
    compressed = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[coding](damaged)
    reply = client.post(
        "/v2/models/xor/infer", data=compressed, headers={JSON_LENGTH: str(len(head)), "Content-Encoding": coding}
    )
    if reply.status_code != 200:
        assert reply.status_code in (400, 413)
        assert list(reply.json or {}) == ["error"]
    else:
        assert len((reply.json or {})["outputs"][0]["data"]) == 4


def test_500_batches_of_different_sizes_compile_nothing(client: FlaskClient, compilations: list[float]) -> None:
    rng = np.random.default_rng(0)
    limits = [0, 1, 2, 15, 16, 17, *(size + change for size in BATCH_SIZES for change in (-1, 0, 1)), 9000]
    for rows in [*limits, *np.exp(rng.uniform(0, np.log(9000), 500 - len(limits))).astype(int).tolist()]:
        x = rng.normal(size=(rows, 2)).astype("<f4")
        status, answer, raw = post_binary(
            client,
            {"inputs": [raw_tensor(x, "FP32")], "parameters": {"binary_data_output": True}},
            x.tobytes(),
            model=("wide", "xor")[rows % 2],
        )
        assert status == 200, answer
        assert len(raw) == rows * 12
    assert compilations == []


@pytest.mark.parametrize("model", ["xor", "wide"])
def test_a_batch_larger_than_any_program_is_predicted_exactly(client: FlaskClient, directory: Path, model: str) -> None:
    x = np.random.default_rng(1).normal(size=(2 * BATCH_SIZES[-1] + 3, 2)).astype("<f4")
    _, _, raw = post_binary(
        client,
        {"inputs": [raw_tensor(x, "FP32")], "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}]},
        x.tobytes(),
        model=model,
    )
    checkpoint = load(directory / f"{model}.safetensors")
    expected = predict(checkpoint.params, x, checkpoint.network)
    np.testing.assert_allclose(np.frombuffer(raw, "<f4"), expected, rtol=1e-5, atol=1e-7)


def test_the_datatype_of_labels_is_that_of_the_classes(tmp_path: Path, solved: Checkpoint) -> None:
    for name, classes, datatype in (
        ("ints", (3, 7), "INT64"),
        ("booleans", (False, True), "BOOL"),
        ("floats", (0.5, 1.5), "FP64"),
        ("texts", ("no", "yes"), "BYTES"),
    ):
        save(tmp_path / f"{name}.safetensors", replace(solved, classes=classes))
        client = application(tmp_path, MODEL=name).test_client()
        status, answer = post_json(client, {"inputs": [json_tensor(np.array([[0.0, 0.0], [1.0, 0.0]]))]}, name)
        assert status == 200
        assert answer["outputs"][1] == {"name": "label", "datatype": datatype, "shape": [2], "data": list(classes)}


def test_a_column_may_have_the_name_input(tmp_path: Path, solved: Checkpoint) -> None:
    network = Network((2, 1))
    params = [Layer(jnp.array([[1.0], [0.0]]), jnp.zeros(1))]
    column_specs = (NumericColumn(), CategoricalColumn(("x",)))
    checkpoint = replace(with_params(solved, params, network), columns=("input", "kind"), column_specs=column_specs)
    save(tmp_path / "xor.safetensors", checkpoint)
    client = application(tmp_path).test_client()
    tensors = [
        {"name": "input", "shape": [1], "datatype": "FP32", "data": [0.0]},
        {"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["x"]},
    ]
    status, answer = post_json(client, {"inputs": tensors})
    assert status == 200
    assert answer["outputs"][0]["data"] == [0.5]

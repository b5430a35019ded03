"""The Open Inference Protocol in process: what is answered, what is refused, and that no bytes break it."""

import gzip
import json
import zlib
from collections.abc import Iterator
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
from serve import create_app
from tests.test_ensembles import checkpoint_of, values_of

pytestmark = pytest.mark.core

LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    """XOR, the same with many units, and ensembles of each task, on a text and on numbers with missing values."""
    place = tmp_path_factory.mktemp("models")
    save(place / "xor.safetensors", solved)
    wide = Network((2, 64, 1))
    save(place / "wide.safetensors", replace(solved, network=wide, params=init_params(wide, key=jax.random.key(0))))
    for task in ("binary", "multiclass", "regression"):
        save(place / f"{task}.safetensors", checkpoint_of(task))
    return place


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[FlaskClient]:
    app = create_app({"NUDGE_CHECKPOINTS": str(directory), "NUDGE_MAX_ROWS": "9000"})
    yield app.test_client()
    app.extensions["nudge"].stop()


def whole(array: np.ndarray, datatype: str = "FP32") -> dict[str, Any]:
    return {"name": "input", "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}


def infer(client: FlaskClient, body: Any, model: str = "xor", **options: Any) -> tuple[int, Any]:
    reply = client.post(f"/v2/models/{model}/infer", json=body, **options)
    return reply.status_code, reply.json


def test_the_metadata(client: FlaskClient, directory: Path) -> None:
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
    found = client.get("/v2/models/multiclass").json
    assert found is not None
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["inputs"] + found["outputs"]] == [
        ("size", "FP32", [-1]),
        ("colour", "BYTES", [-1]),
        ("constant", "FP32", [-1]),
        ("useless", "FP32", [-1]),
        ("prediction", "FP32", [-1, 3]),
        ("label", "INT64", [-1]),
        ("spread", "FP32", [-1]),
    ]
    outputs = (client.get("/v2/models/regression").json or {})["outputs"]
    assert [(each["name"], each["datatype"]) for each in outputs] == [("prediction", "FP64"), ("spread", "FP64")]
    outputs = (client.get("/v2/models/binary").json or {})["outputs"]
    assert [each["datatype"] for each in outputs] == ["FP32", "BYTES", "FP32"]


def test_the_repository_index(client: FlaskClient, directory: Path) -> None:
    found = client.post("/v2/repository/index").json
    assert found == client.post("/v2/repository/index", json={"ready": True}).json
    assert [(each["name"], each["state"]) for each in found or []] == [
        (name, "READY") for name in ("binary", "multiclass", "regression", "wide", "xor")
    ]
    assert (found or [])[4]["version"] == load(directory / "xor.safetensors").version


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT64"])
@pytest.mark.parametrize("nested", [False, True])
def test_every_numeric_datatype_is_answered_alike(
    client: FlaskClient, directory: Path, datatype: str, nested: bool
) -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [3, 2]])
    tensor = whole(x.astype(float) if datatype[0] == "F" else x, datatype)
    if nested:
        tensor["data"] = x.tolist()
    status, answer = infer(client, {"id": "7", "inputs": [tensor]})
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
def test_tensors_by_column_mean_what_predict_says(client: FlaskClient, task: str) -> None:
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
    status, answer = infer(client, {"inputs": tensors}, task)
    assert status == 200, answer
    outputs = {each["name"]: np.reshape(each["data"], each["shape"]) for each in answer["outputs"]}
    predictions = [list(row["prediction"].values()) if task == "multiclass" else row["prediction"] for row in by_row]
    np.testing.assert_allclose(outputs["prediction"], predictions, rtol=1e-6)
    np.testing.assert_allclose(outputs["spread"], [row["spread"] for row in by_row], rtol=1e-6)
    if task != "regression":
        assert outputs["label"].tolist() == [row["label"] for row in by_row]


def test_only_the_outputs_that_are_named_are_answered(client: FlaskClient) -> None:
    tensor = whole(np.ones((3, 2)))
    _, answer = infer(client, {"inputs": [tensor], "outputs": [{"name": "label"}]})
    assert [each["name"] for each in answer["outputs"]] == ["label"]
    assert infer(client, {"inputs": [tensor], "outputs": []})[1]["outputs"] == []
    assert infer(client, {"inputs": [tensor], "outputs": [{"name": "label"}] * 1000})[1] == answer, "once is enough"
    assert infer(client, {"inputs": [tensor], "outputs": [{"name": "no"}]}) == (
        400,
        {"error": "one of prediction, label was expected as an output, and 'no' was found"},
    )


def binary(
    client: FlaskClient, head: Any, raw: bytes, length: object = None, model: str = "xor", **headers: str
) -> tuple[int, Any, bytes]:
    """The status, the JSON and the raw bytes of the answer to a binary request."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    given = {LENGTH: str(len(text) if length is None else length)} | headers
    reply = client.post(
        f"/v2/models/{model}/infer", data=text + raw, headers=given, content_type="application/octet-stream"
    )
    cut = int(reply.headers.get(LENGTH, len(reply.data)))
    return reply.status_code, json.loads(reply.data[:cut]), reply.data[cut:]


def raw_tensor(array: np.ndarray, datatype: str, size: Any = None) -> dict[str, Any]:
    return {
        "name": "input",
        "shape": list(array.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": array.nbytes if size is None else size},
    }


@pytest.mark.parametrize(("datatype", "kind"), [("FP32", "<f4"), ("FP64", "<f8"), ("INT64", "<i8"), ("UINT8", "u1")])
def test_binary_tensors_are_answered_as_json_is(client: FlaskClient, datatype: str, kind: str) -> None:
    x = np.random.default_rng(0).integers(0, 5, (1000, 2)).astype(kind)
    head = {"inputs": [raw_tensor(x, datatype)], "parameters": {"binary_data_output": True}}
    status, answer, raw = binary(client, head, x.tobytes())
    assert status == 200, answer
    by_json = infer(client, {"inputs": [whole(x.astype(float))]})[1]
    sizes = [output["parameters"]["binary_data_size"] for output in answer["outputs"]]
    assert sizes == [4000, 8000]
    assert np.frombuffer(raw[:4000], "<f4").tolist() == by_json["outputs"][0]["data"]
    assert np.frombuffer(raw[4000:], "<i8").tolist() == by_json["outputs"][1]["data"]


def test_binary_texts(client: FlaskClient) -> None:
    colours = ["red", "blue", "red"]
    raw = b"".join(len(text).to_bytes(4, "little") + text.encode() for text in colours)
    tensors = [
        {"name": "colour", "shape": [3], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}},
        {"name": "constant", "shape": [3], "datatype": "INT8", "parameters": {"binary_data_size": 3}},
        {"name": "useless", "shape": [3], "datatype": "FP32", "data": [0, 1, 2]},
    ]
    head = {"inputs": tensors, "outputs": [{"name": "label", "parameters": {"binary_data": True}}]}
    status, answer, out = binary(client, head, raw + bytes([5, 5, 5]), model="binary")
    assert status == 200, answer
    assert answer["outputs"][0]["datatype"] == "BYTES"
    found, start = [], 0
    while start < len(out):
        size = int.from_bytes(out[start : start + 4], "little")
        found.append(out[start + 4 : start + 4 + size].decode())
        start += 4 + size
    rows = [{"colour": colour, "constant": 5, "useless": i} for i, colour in enumerate(colours)]
    assert found == [row["label"] for row in client.post("/models/binary/predict", json=rows).json or []]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies(client: FlaskClient, coding: str) -> None:
    plain = json.dumps({"inputs": [whole(np.ones((2, 2)))]}).encode()
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


def test_a_body_may_not_be_larger_once_it_is_decompressed(checkpoints: Path) -> None:
    app = create_app({"NUDGE_CHECKPOINTS": str(checkpoints), "NUDGE_MAX_BODY": "1000"})
    row = b'{"a": 1, "b": 0}'
    for length, status in ((1000, 200), (1001, 413), (100_000, 413)):
        packed = gzip.compress(row.ljust(length))
        assert len(packed) < 1000
        reply = app.test_client().post(
            "/predict", data=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json"
        )
        assert reply.status_code == status
        assert ("error" in (reply.json or {})) is (status == 413)
    app.extensions["nudge"].stop()


ONES = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 1]}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "datatype": (ONES | {"datatype": "FP8"}, "was expected as the datatype, not 'FP8'"),
    "shape and data": (ONES | {"shape": [2, 2]}, "4 values were expected in the shape [2, 2], not 2"),
    "negative": (ONES | {"shape": [-1, -2]}, "up to 8 sizes of at least 0 were expected as its shape"),
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
    "whole of texts": (ONES | {"datatype": "BYTES", "data": ["1", "x"]}, "column b: a number was expected, and 'x'"),
    "dimensions": (ONES | {"shape": [2**60] * 100_000}, "up to 8 sizes of at least 0 were expected as its shape"),
    "huge": (ONES | {"shape": [2**40, 2**40]}, "a shape of at most 1,099,511,627,776 values was expected"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_tensor_that_does_not_fit_is_a_400_that_says_why(client: FlaskClient, name: str) -> None:
    tensor, message = WRONG[name]
    status, answer = infer(client, {"inputs": [tensor]})
    assert status == 400
    assert message in answer["error"]


def test_other_requests_that_do_not_fit(client: FlaskClient) -> None:
    assert infer(client, {"inputs": []})[0] == 400
    assert infer(client, {"inputs": [ONES, ONES]})[0] == 400
    assert (
        infer(client, {"inputs": [ONES | {"name": "a", "shape": [2]}, ONES | {"name": "b", "shape": [1, 1]}]})[0] == 400
    )
    assert infer(client, [1])[0] == 400
    assert infer(client, {"inputs": "x"})[0] == 400
    assert infer(client, {"inputs": [whole(np.zeros((9001, 2)))]}) == (
        413,
        {"error": "at most 9,000 rows were expected, and 9,001 were found; send them in several"},
    )
    rows = client.post("/predict", json=[{"a": 1, "b": 0}] * 9001)
    assert rows.status_code == 413
    assert infer(client, {"inputs": [ONES]}, "nothing")[0] == 404
    assert client.get("/v2/models/xor/infer").status_code == 405
    reply = client.post("/v2/models/xor/infer", data=b"\xff{", content_type="application/json")
    assert (reply.status_code, list(reply.json or {})) == (400, ["error"])
    status, answer = infer(client, {"inputs": [whole(np.full((2, 2), 3e38))]}, "xor")
    assert (status, "overflows in it" in answer["error"]) == (400, True)


def test_no_rows_are_an_answer(client: FlaskClient) -> None:
    for model, shape in (("xor", [0]), ("multiclass", [0, 3]), ("regression", [0])):
        columns = client.get(f"/v2/models/{model}").json
        assert columns is not None
        tensors = [
            {"name": each["name"], "shape": [0, *each["shape"][1:]], "datatype": each["datatype"], "data": []}
            for each in columns["inputs"]
        ]
        status, answer = infer(client, {"inputs": tensors}, model)
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


@settings(max_examples=1500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=heads, raw=st.binary(max_size=40), length=st.sampled_from([None, None, None, 0, 3, -1, "x", 10**9, 10**20]))
def test_no_binary_body_makes_a_500(client: FlaskClient, head: Any, raw: bytes, length: Any) -> None:
    status, answer, _ = binary(client, head, raw, length)
    if status != 200:
        assert status in (400, 413)
        assert list(answer) == ["error"]


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.integers(0, 200),
    cut=st.integers(0, 200),
    noise=st.binary(max_size=8),
    coding=st.sampled_from(["identity", "gzip", "deflate"]),
)
def test_a_good_body_that_is_damaged_is_refused_or_answered_whole(
    client: FlaskClient, start: int, cut: int, noise: bytes, coding: str
) -> None:
    x = np.arange(8, dtype="<f4").reshape(4, 2)
    head = json.dumps({"inputs": [raw_tensor(x, "FP32")]}).encode()
    body = head + x.tobytes()
    damaged = body[: min(start, len(body))] + noise + body[min(start + cut, len(body)) :]
    packed = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[coding](damaged)
    reply = client.post(
        "/v2/models/xor/infer", data=packed, headers={LENGTH: str(len(head)), "Content-Encoding": coding}
    )
    if reply.status_code != 200:
        assert reply.status_code in (400, 413)
        assert list(reply.json or {}) == ["error"]
    else:
        assert len((reply.json or {})["outputs"][0]["data"]) == 4


@pytest.fixture
def compilations() -> Iterator[list[float]]:
    seen: list[float] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def test_500_batches_of_random_sizes_compile_nothing(client: FlaskClient, compilations: list[float]) -> None:
    rng = np.random.default_rng(0)
    edges = [0, 1, 2, 15, 16, 17, *(size + by for size in BATCH_SIZES for by in (-1, 0, 1)), 9000]
    for rows in [*edges, *np.exp(rng.uniform(0, np.log(9000), 500 - len(edges))).astype(int).tolist()]:
        x = rng.normal(size=(rows, 2)).astype("<f4")
        status, answer, raw = binary(
            client,
            {"inputs": [raw_tensor(x, "FP32")], "parameters": {"binary_data_output": True}},
            x.tobytes(),
            model=("wide", "xor")[rows % 2],
        )
        assert status == 200, answer
        assert len(raw) == rows * 12
    assert compilations == []


@pytest.mark.parametrize("model", ["xor", "wide"])
def test_more_rows_than_the_largest_program_are_exact(client: FlaskClient, directory: Path, model: str) -> None:
    x = np.random.default_rng(1).normal(size=(2 * BATCH_SIZES[-1] + 3, 2)).astype("<f4")
    _, _, raw = binary(
        client,
        {"inputs": [raw_tensor(x, "FP32")], "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}]},
        x.tobytes(),
        model=model,
    )
    checkpoint = load(directory / f"{model}.safetensors")
    expected = predict(checkpoint.params, x, checkpoint.network)
    np.testing.assert_allclose(np.frombuffer(raw, "<f4"), expected, rtol=1e-5, atol=1e-7)


def test_labels_have_a_datatype_of_their_own(tmp_path: Path, solved: Checkpoint) -> None:
    for name, classes, datatype in (
        ("ints", (3, 7), "INT64"),
        ("truths", (False, True), "BOOL"),
        ("floats", (0.5, 1.5), "FP64"),
        ("texts", ("no", "yes"), "BYTES"),
    ):
        save(tmp_path / f"{name}.safetensors", replace(solved, classes=classes))
        app = create_app({"NUDGE_CHECKPOINTS": str(tmp_path), "NUDGE_MODEL": name})
        status, answer = infer(app.test_client(), {"inputs": [whole(np.array([[0.0, 0.0], [1.0, 0.0]]))]}, name)
        app.extensions["nudge"].stop()
        assert status == 200
        assert answer["outputs"][1] == {"name": "label", "datatype": datatype, "shape": [2], "data": list(classes)}


def test_a_column_may_be_called_input(tmp_path: Path, solved: Checkpoint) -> None:
    network = Network((2, 1))
    params = [Layer(jnp.array([[1.0], [0.0]]), jnp.zeros(1))]
    scaling = (NumericColumn(), CategoricalColumn(("x",)))
    odd = replace(solved, network=network, params=params, columns=("input", "kind"), column_specs=scaling)
    save(tmp_path / "odd.safetensors", odd)
    app = create_app({"NUDGE_CHECKPOINTS": str(tmp_path)})
    tensors = [
        {"name": "input", "shape": [1], "datatype": "FP32", "data": [0.0]},
        {"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["x"]},
    ]
    status, answer = infer(app.test_client(), {"inputs": tensors}, "odd")
    app.extensions["nudge"].stop()
    assert status == 200
    assert answer["outputs"][0]["data"] == [0.5]

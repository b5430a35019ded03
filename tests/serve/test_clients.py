"""The clients that others have written for the Open Inference Protocol, unmodified, against the service as it runs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import Checkpoint, encode, load, predict, save
from tests.serve.test_gunicorn import serving
from tests.test_ensembles import by_hand, checkpoint_of, values_of

triton = pytest.importorskip("tritonclient.http")
kserve = pytest.importorskip("kserve")

import httpx  # noqa: E402 - kserve brings it
from kserve.metrics import EXPLAIN_HIST_TIME, POST_HIST_TIME, PRE_HIST_TIME, PREDICT_HIST_TIME  # noqa: E402
from kserve.protocol.infer_type import RequestedOutput  # noqa: E402
from prometheus_client import REGISTRY  # noqa: E402
from tritonclient.utils import InferenceServerException, np_to_triton_dtype  # noqa: E402

# kserve registers what its own server counts as soon as it is imported; here /metrics of other tests would show it.
for histogram in (PRE_HIST_TIME, POST_HIST_TIME, PREDICT_HIST_TIME, EXPLAIN_HIST_TIME):
    REGISTRY.unregister(histogram)

TASKS = ("binary", "multiclass", "regression")
ROWS = 40
COLUMNS = ("size", "colour", "constant", "useless")
DATATYPES = {
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
}
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [3, 2], [200, 7]])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    """XOR, and an ensemble of each task, on a number with missing values, a text, and two numbers."""
    place = tmp_path_factory.mktemp("models")
    save(place / "xor.safetensors", solved)
    for task in TASKS:
        save(place / f"{task}.safetensors", checkpoint_of(task))
    return place


@pytest.fixture(scope="module")
def port(environment: dict[str, str], directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a service, which at its end has logged no traceback."""
    settings = {"NUDGE_CHECKPOINTS": str(directory), "NUDGE_MAX_ROWS": "5000"}
    with serving(environment | settings, tmp_path_factory.mktemp("service")) as (process, number):
        yield number
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 0


@pytest.fixture
def client(port: int) -> Iterator[Any]:
    """Triton's client, with as many connections as a test has requests on their way at once."""
    with triton.InferenceServerClient(f"127.0.0.1:{port}", concurrency=4) as client:
        yield client


def of_xor(directory: Path, x: np.ndarray) -> np.ndarray:
    """What `model.predict` says of rows."""
    checkpoint = load(directory / "xor.safetensors")
    return np.asarray(predict(checkpoint.params, x.astype(np.float32), checkpoint.network))


def of_ensemble(directory: Path, task: str) -> dict[str, np.ndarray]:
    """The outputs for `values_of(ROWS)`, by NumPy in float64."""
    checkpoint = load(directory / f"{task}.safetensors")
    x = encode(checkpoint.column_specs, list(values_of(ROWS).T))
    each = by_hand(checkpoint.params, x, checkpoint.network, checkpoint.temperature)
    mean = each.mean(axis=0)
    unit, classes = checkpoint.target_scaling, np.array(checkpoint.classes, object)
    if task == "multiclass":
        likeliest = mean.argmax(axis=1)
        spread = each[:, np.arange(ROWS), likeliest].std(axis=0)
        return {"prediction": mean, "label": classes[likeliest], "spread": spread}
    outputs = {"prediction": unit.mean + unit.scale * mean, "spread": unit.scale * each.std(axis=0)}
    return outputs | ({"label": classes[(mean >= 0.5).astype(int)]} if task == "binary" else {})


def by_column() -> dict[str, np.ndarray]:
    """`values_of(ROWS)` as a client has them: numbers with NaN, and texts."""
    size, colour, constant, useless = values_of(ROWS).T
    texts = np.array([("blue", "red")[int(code)] for code in colour], object)
    return {"size": size, "colour": texts, "constant": constant.astype(np.int32), "useless": useless.astype(np.float32)}


def check_xor(outputs: dict[str, np.ndarray], directory: Path, x: np.ndarray = X) -> None:
    """Check both outputs for rows of XOR."""
    prediction, label = outputs["prediction"], outputs["label"]
    expected = of_xor(directory, x)
    np.testing.assert_allclose(prediction, expected, rtol=1e-5, atol=1e-7)
    assert prediction.shape == (len(x),)
    assert (prediction.dtype, label.dtype) == (np.dtype(np.float32), np.dtype(np.int64))
    assert label.tolist() == (expected >= 0.5).astype(int).tolist()


def check_ensemble(outputs: dict[str, np.ndarray], directory: Path, task: str) -> None:
    """Check the outputs of an ensemble, its labels as texts or numbers."""
    wanted = of_ensemble(directory, task)
    assert set(outputs) == set(wanted)
    np.testing.assert_allclose(outputs["prediction"], wanted["prediction"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs["spread"], wanted["spread"], rtol=1e-4, atol=1e-6)
    if "label" in wanted:
        labels = [label.decode() if isinstance(label, bytes) else label for label in outputs["label"].tolist()]
        assert labels == wanted["label"].tolist()


class TestTriton:
    """tritonclient.http."""

    def tensor(self, array: np.ndarray, name: str = "input", binary: bool = True) -> Any:
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        return tensor.set_data_from_numpy(array, binary_data=binary)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        return {each["name"]: result.as_numpy(each["name"]) for each in result.get_response()["outputs"]}

    def test_the_server_and_its_models_are_live_and_ready(self, client: Any, directory: Path) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("xor")
        assert client.is_model_ready("xor", load(directory / "xor.safetensors").version)
        assert not client.is_model_ready("nothing")
        assert not client.is_model_ready("xor", "000000000000")

    def test_the_metadata(self, client: Any, directory: Path) -> None:
        server = client.get_server_metadata()
        assert server["name"] == "nudge"
        assert {"binary_tensor_data", "model_repository"} <= set(server["extensions"])
        version = load(directory / "xor.safetensors").version
        metadata = client.get_model_metadata("xor")
        assert metadata == client.get_model_metadata("xor", version)
        assert metadata["versions"] == [version]
        assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}]
        inputs = client.get_model_metadata("multiclass")["inputs"]
        assert [(each["name"], each["datatype"]) for each in inputs] == [
            (name, "BYTES" if name == "colour" else "FP32") for name in COLUMNS
        ]

    def test_the_repository_index(self, client: Any, directory: Path) -> None:
        assert client.get_model_repository_index() == [
            {"name": name, "version": load(directory / f"{name}.safetensors").version, "state": "READY", "reason": ""}
            for name in (*TASKS, "xor")
        ]

    @pytest.mark.parametrize("datatype", DATATYPES)
    @pytest.mark.parametrize("binary_in", [False, True])
    @pytest.mark.parametrize("binary_out", [False, True])
    def test_numbers_of_every_datatype(
        self, client: Any, directory: Path, datatype: str, binary_in: bool, binary_out: bool
    ) -> None:
        tensor = self.tensor(X.astype(DATATYPES[datatype]), binary=binary_in)
        assert tensor.datatype() == datatype
        outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("prediction", "label")]
        result = client.infer("xor", [tensor], outputs=outputs)
        check_xor(self.outputs(result), directory)
        assert ("data" in result.get_output("prediction")) is not binary_out

    @pytest.mark.parametrize("rows", [1, 2, 17, 300, 5000])
    def test_any_number_of_rows(self, client: Any, directory: Path, rows: int) -> None:
        x = np.random.default_rng(rows).normal(size=(rows, 2)).astype(np.float32)
        for binary in (False, True):
            check_xor(self.outputs(client.infer("xor", [self.tensor(x, binary=binary)])), directory, x)

    def test_the_metadata_is_enough_to_ask(self, client: Any) -> None:
        for model in (*TASKS, "xor"):
            metadata = client.get_model_metadata(model)
            tensors = []
            for each in metadata["inputs"]:
                shape = [3 if size == -1 else size for size in each["shape"]]
                values = np.full(shape, "red", object) if each["datatype"] == "BYTES" else np.ones(shape, np.float32)
                tensors.append(self.tensor(values, each["name"]))
            result = client.infer(model, tensors)
            for each in metadata["outputs"]:
                output = result.get_output(each["name"])
                assert output["datatype"] == each["datatype"]
                assert output["shape"] == [3, *each["shape"][1:]]
                assert result.as_numpy(each["name"]).shape == (3, *each["shape"][1:])

    @pytest.mark.parametrize("task", TASKS)
    @pytest.mark.parametrize("binary", [False, True])
    def test_texts_and_missing_values(self, client: Any, directory: Path, task: str, binary: bool) -> None:
        columns = by_column()
        # In JSON there is no NaN; rapidjson, with which the client writes, says so.
        tensors = [self.tensor(array, name, binary or name == "size") for name, array in columns.items()]
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in of_ensemble(directory, task)]
        result = client.infer(task, tensors, outputs=outputs)
        check_ensemble(self.outputs(result), directory, task)

    def test_a_column_of_rows_and_a_column_that_is_left_out(self, client: Any) -> None:
        """Of the shape [rows, 1], as Triton's own examples send it; a number that may be missing need not be there."""
        columns = by_column() | {"size": np.full(ROWS, np.nan)}
        alone = [self.tensor(array[:, None], name) for name, array in columns.items() if name != "size"]
        without = client.infer("regression", alone).as_numpy("prediction")
        tensors = [self.tensor(array, name) for name, array in columns.items()]
        assert without.tolist() == client.infer("regression", tensors).as_numpy("prediction").tolist()

    def test_only_the_outputs_that_are_named_come(self, client: Any, directory: Path) -> None:
        outputs = [
            triton.InferRequestedOutput("spread", binary_data=False),
            triton.InferRequestedOutput("label", binary_data=True),
        ]
        tensors = [self.tensor(array, name) for name, array in by_column().items()]
        result = client.infer("binary", tensors, outputs=outputs)
        assert [each["name"] for each in result.get_response()["outputs"]] == ["spread", "label"]
        assert result.as_numpy("prediction") is None
        wanted = of_ensemble(directory, "binary")
        assert [label.decode() for label in result.as_numpy("label")] == wanted["label"].tolist()
        np.testing.assert_allclose(result.as_numpy("spread"), wanted["spread"], rtol=1e-4, atol=1e-6)

    def test_the_request_id_comes_back_with_the_models_version(self, client: Any, directory: Path) -> None:
        version = load(directory / "xor.safetensors").version
        for given in ("", version):
            for request_id in ("7", "ü/é 日本"):
                result = client.infer("xor", [self.tensor(X)], model_version=given, request_id=request_id)
                response = result.get_response()
                assert (response["id"], response["model_name"]) == (request_id, "xor")
                assert response["model_version"] == version
                check_xor(self.outputs(result), directory)

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    @pytest.mark.parametrize("binary", [False, True])
    def test_compression(self, client: Any, directory: Path, coding: str, binary: bool) -> None:
        """Of requests; an answer may be as it is, whichever coding the client would take."""
        tensor = self.tensor(X.astype(np.float32), binary=binary)
        result = client.infer(
            "xor", [tensor], request_compression_algorithm=coding, response_compression_algorithm=coding
        )
        check_xor(self.outputs(result), directory)

    def test_requests_on_their_way_at_once(self, client: Any, directory: Path) -> None:
        arrays = [X[:rows].astype(np.float32) for rows in (1, 2, 3, 4, 5, 6)]
        requests = [client.async_infer("xor", [self.tensor(array)]) for array in arrays]
        for request, array in zip(requests, arrays, strict=True):
            check_xor(self.outputs(request.get_result()), directory, array)
        failing = client.async_infer("nothing", [self.tensor(arrays[0])])
        with pytest.raises(InferenceServerException, match="was expected as the model, and 'nothing' was found"):
            failing.get_result()

    def test_errors_say_what_was_expected(self, client: Any, directory: Path) -> None:
        version = load(directory / "xor.safetensors").version
        ones = self.tensor(np.ones((1, 2), np.float32))
        other = [triton.InferRequestedOutput("chance")]
        texts = self.tensor(np.array([["1", "x"]], object))
        for status, sentence, model, tensors, rest in (
            ("404", "one of binary, multiclass, regression, xor was expected as the model, and 'no' was found", "no",
             [ones], {}),
            ("404", f"version {version} of xor was expected, and '1' was found", "xor", [ones], {"model_version": "1"}),
            ("400", "one of prediction, label was expected as an output, and 'chance' was found", "xor", [ones],
             {"outputs": other}),
            ("400", "column b: a number was expected, and 'x' was found in row 0", "xor", [texts], {}),
            ("400", "input of the shape [rows, 2], or a column's name, was expected as a tensor, and 'c' of [2] was "
             "found", "xor", [self.tensor(np.ones(2), "c")], {}),
            ("413", "at most 5,000 rows were expected, and 5,001 were found; send them in several", "xor",
             [self.tensor(np.zeros((5001, 2), np.uint8))], {}),
        ):  # fmt: skip
            with pytest.raises(InferenceServerException) as raised:
                client.infer(model, tensors, **rest)
            assert (raised.value.status(), raised.value.message()) == (status, sentence)
        for ask in (client.get_model_metadata, client.get_model_config):
            with pytest.raises(InferenceServerException) as raised:
                ask("no")
            assert raised.value.status() == "404"


class TestKServe:
    """kserve.InferenceRESTClient."""

    def ask(self, port: int, method: str, *args: Any) -> Any:
        """Call a method of a new client with the address of the service."""

        async def call() -> Any:
            async with kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2")) as client:
                return await getattr(client, method)(f"http://127.0.0.1:{port}", *args)

        return asyncio.run(call())

    def infer(self, port: int, model: str, tensors: list[Any], **rest: Any) -> Any:
        return self.ask(port, "infer", kserve.InferRequest(model, tensors, **rest), model)

    def tensor(self, array: np.ndarray, name: str = "input", binary: bool = True) -> Any:
        tensor = kserve.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array, binary_data=binary)
        return tensor

    def outputs(self, response: Any) -> dict[str, np.ndarray]:
        return {each.name: each.as_numpy() for each in response.outputs}

    def test_the_server_and_its_models_are_live_and_ready(self, port: int) -> None:
        assert self.ask(port, "is_server_live") is True
        assert self.ask(port, "is_server_ready") is True
        assert self.ask(port, "is_model_ready", "xor") is True
        assert self.ask(port, "is_model_ready", "nothing") is False

    @pytest.mark.parametrize("datatype", [name for name in DATATYPES if name != "FP16"])
    def test_numbers_in_json(self, port: int, directory: Path, datatype: str) -> None:
        """Of each datatype, but FP16, which this client sends as bytes alone."""
        x = X.astype(DATATYPES[datatype])
        by_data = self.infer(port, "xor", [kserve.InferInput("input", [6, 2], datatype, x.tolist())])
        by_array = self.infer(port, "xor", [self.tensor(x, binary=False)])
        for response in (by_data, by_array):
            check_xor(self.outputs(response), directory)

    @pytest.mark.parametrize("datatype", DATATYPES)
    @pytest.mark.parametrize("binary_out", [False, True])
    def test_numbers_as_bytes(self, port: int, directory: Path, datatype: str, binary_out: bool) -> None:
        tensor = self.tensor(X.astype(DATATYPES[datatype]))
        response = self.infer(port, "xor", [tensor], parameters={"binary_data_output": binary_out})
        check_xor(self.outputs(response), directory)

    def test_ids_and_named_outputs(self, port: int) -> None:
        outputs = [RequestedOutput("label", {"binary_data": True})]
        response = self.infer(port, "xor", [self.tensor(X)], request_id="7", request_outputs=outputs)
        assert (response.id, response.model_name) == ("7", "xor")
        assert [output.name for output in response.outputs] == ["label"]
        assert response.outputs[0].as_numpy().tolist()[:4] == [0, 1, 1, 0]

    @pytest.mark.parametrize("task", TASKS)
    @pytest.mark.parametrize("binary", [False, True])
    def test_texts_and_missing_values(self, port: int, directory: Path, task: str, binary: bool) -> None:
        """In JSON too: orjson, with which this client writes, writes NaN as null."""
        tensors = [self.tensor(array, name, binary) for name, array in by_column().items()]
        response = self.infer(port, task, tensors, parameters={"binary_data_output": binary})
        check_ensemble(self.outputs(response), directory, task)

    def test_a_dictionary_is_sent_as_it_is(self, port: int, directory: Path) -> None:
        body = {"inputs": [{"name": "input", "shape": list(X.shape), "datatype": "INT64", "data": X.tolist()}]}
        check_xor(self.outputs(self.ask(port, "infer", body, "xor")), directory)

    def test_errors_say_what_was_expected(self, port: int) -> None:
        ones = [self.tensor(np.ones((1, 2), np.float32))]
        other = [RequestedOutput("chance")]
        for status, sentence, model, rest in (
            (404, "one of binary, multiclass, regression, xor was expected as the model, and 'no' was found", "no", {}),
            (400, "one of prediction, label was expected as an output, and 'chance' was found", "xor",
             {"request_outputs": other}),
        ):  # fmt: skip
            with pytest.raises(httpx.HTTPStatusError) as raised:
                self.infer(port, model, ones, **rest)
            assert raised.value.response.status_code == status
            assert str(raised.value).startswith(f"{sentence}, '{status} ")

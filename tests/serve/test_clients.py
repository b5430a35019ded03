"""The clients of Triton and of KServe for the Open Inference Protocol, unchanged, against a running service."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import Checkpoint, encode, load, predict, save
from tests.examples import checkpoint_of, predictions_by_hand, values_of
from tests.serve.serving import get, serving, wait_until

triton = pytest.importorskip("tritonclient.http")
kserve = pytest.importorskip("kserve")

import httpx  # noqa: E402 - kserve requires it
from kserve.metrics import EXPLAIN_HIST_TIME, POST_HIST_TIME, PRE_HIST_TIME, PREDICT_HIST_TIME  # noqa: E402
from kserve.protocol.infer_type import RequestedOutput  # noqa: E402
from prometheus_client import REGISTRY  # noqa: E402
from tritonclient.utils import InferenceServerException, np_to_triton_dtype  # noqa: E402

# When kserve is imported, it registers metrics of its own server. /metrics in other tests would show them.
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
    """XOR, and an ensemble for each task."""
    directory = tmp_path_factory.mktemp("models")
    save(directory / "xor.safetensors", solved)
    for task in TASKS:
        save(directory / f"{task}.safetensors", checkpoint_of(task))
    return directory


@pytest.fixture(scope="module")
def port(environment: dict[str, str], directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a service. At its end, the service must not have logged a traceback."""
    settings = {"NUDGE_CHECKPOINTS": str(directory), "NUDGE_MAX_ROWS": "5000"}
    with serving(environment | settings, tmp_path_factory.mktemp("service")) as (process, port):
        for path in directory.iterdir():
            wait_until(lambda path=path: get(port, f"/v2/models/{path.stem}/ready")[0] == 200)
        yield port
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 0


@pytest.fixture
def client(port: int) -> Iterator[Any]:
    """Triton's client, with enough connections for concurrent requests."""
    with triton.InferenceServerClient(f"127.0.0.1:{port}", concurrency=4) as client:
        yield client


def expected_of_xor(directory: Path, x: np.ndarray) -> np.ndarray:
    """The predictions of rows by `model.predict`."""
    checkpoint = load(directory / "xor.safetensors")
    return np.asarray(predict(checkpoint.params, x.astype(np.float32), checkpoint.network))


def expected_of_ensemble(directory: Path, task: str) -> dict[str, np.ndarray]:
    """The outputs for `values_of(ROWS)`, computed by NumPy in float64."""
    checkpoint = load(directory / f"{task}.safetensors")
    x = encode(checkpoint.column_specs, list(values_of(ROWS).T))
    members = predictions_by_hand(checkpoint.params, x, checkpoint.network, checkpoint.temperature)
    mean = members.mean(axis=0)
    scaling, classes = checkpoint.target_scaling, np.array(checkpoint.classes, object)
    if task == "multiclass":
        likeliest = mean.argmax(axis=1)
        spread = members[:, np.arange(ROWS), likeliest].std(axis=0)
        return {"prediction": mean, "label": classes[likeliest], "spread": spread}
    outputs = {"prediction": scaling.center + scaling.scale * mean, "spread": scaling.scale * members.std(axis=0)}
    return outputs | ({"label": classes[(mean >= 0.5).astype(int)]} if task == "binary" else {})


def arrays_of_columns() -> dict[str, np.ndarray]:
    """`values_of(ROWS)` as a client has them: numbers with NaN, and texts."""
    size, colour, constant, useless = values_of(ROWS).T
    texts = np.array([("blue", "red")[int(code)] for code in colour], object)
    return {"size": size, "colour": texts, "constant": constant.astype(np.int32), "useless": useless.astype(np.float32)}


def check_xor(outputs: dict[str, np.ndarray], directory: Path, x: np.ndarray = X) -> None:
    """Check the predictions and labels of rows of XOR."""
    prediction, label = outputs["prediction"], outputs["label"]
    expected = expected_of_xor(directory, x)
    np.testing.assert_allclose(prediction, expected, rtol=1e-5, atol=1e-7)
    assert prediction.shape == (len(x),)
    assert (prediction.dtype, label.dtype) == (np.dtype(np.float32), np.dtype(np.int64))
    assert label.tolist() == (expected >= 0.5).astype(int).tolist()


def check_ensemble(outputs: dict[str, np.ndarray], directory: Path, task: str) -> None:
    """Check the outputs of an ensemble. Labels may be bytes, as Triton's client returns texts."""
    expected = expected_of_ensemble(directory, task)
    assert set(outputs) == set(expected)
    np.testing.assert_allclose(outputs["prediction"], expected["prediction"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs["spread"], expected["spread"], rtol=1e-4, atol=1e-6)
    if "label" in expected:
        labels = [label.decode() if isinstance(label, bytes) else label for label in outputs["label"].tolist()]
        assert labels == expected["label"].tolist()


class TestTriton:
    """tritonclient.http."""

    def tensor(self, array: np.ndarray, name: str = "input", is_raw: bool = True) -> Any:
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        return tensor.set_data_from_numpy(array, binary_data=is_raw)

    def outputs(self, result: Any) -> dict[str, np.ndarray]:
        return {output["name"]: result.as_numpy(output["name"]) for output in result.get_response()["outputs"]}

    def test_the_server_and_its_models_are_live_and_ready(self, client: Any, directory: Path) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("xor")
        assert client.is_model_ready("xor", load(directory / "xor.safetensors").version)
        assert not client.is_model_ready("nothing")
        assert not client.is_model_ready("xor", "000000000000")

    def test_the_metadata_of_the_server_and_of_models(self, client: Any, directory: Path) -> None:
        server = client.get_server_metadata()
        assert server["name"] == "nudge"
        assert {"binary_tensor_data", "model_repository"} <= set(server["extensions"])
        version = load(directory / "xor.safetensors").version
        metadata = client.get_model_metadata("xor")
        assert metadata == client.get_model_metadata("xor", version)
        assert metadata["versions"] == [version]
        assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}]
        inputs = client.get_model_metadata("multiclass")["inputs"]
        assert [(tensor["name"], tensor["datatype"]) for tensor in inputs] == [
            (name, "BYTES" if name == "colour" else "FP32") for name in COLUMNS
        ]

    def test_the_repository_index_lists_all_models(self, client: Any, directory: Path) -> None:
        assert client.get_model_repository_index() == [
            {"name": name, "version": load(directory / f"{name}.safetensors").version, "state": "READY", "reason": ""}
            for name in (*TASKS, "xor")
        ]

    def test_the_configuration_and_the_statistics_of_models(self, client: Any) -> None:
        config = client.get_model_config("xor")
        assert (config["name"], config["max_batch_size"]) == ("xor", 5000)
        client.infer("xor", [self.tensor(X)], model_version="1")
        (statistics,) = client.get_inference_statistics("xor", "1")["model_stats"]
        assert statistics["inference_count"] >= len(X)
        assert len(client.get_inference_statistics()["model_stats"]) == len(TASKS) + 1

    def test_models_are_loaded_by_their_files_only(self, client: Any) -> None:
        for call in (client.load_model, client.unload_model):
            with pytest.raises(
                InferenceServerException,
                match=r"put 'xor\.safetensors' into the directory",
            ):
                call("xor")

    @pytest.mark.parametrize("datatype", DATATYPES)
    @pytest.mark.parametrize("is_raw_input", [False, True])
    @pytest.mark.parametrize("is_raw_output", [False, True])
    def test_numbers_of_every_datatype(
        self, client: Any, directory: Path, datatype: str, is_raw_input: bool, is_raw_output: bool
    ) -> None:
        tensor = self.tensor(X.astype(DATATYPES[datatype]), is_raw=is_raw_input)
        assert tensor.datatype() == datatype
        outputs = [triton.InferRequestedOutput(name, binary_data=is_raw_output) for name in ("prediction", "label")]
        result = client.infer("xor", [tensor], outputs=outputs)
        check_xor(self.outputs(result), directory)
        assert ("data" in result.get_output("prediction")) is not is_raw_output

    @pytest.mark.parametrize("rows", [1, 2, 17, 300, 5000])
    def test_any_number_of_rows(self, client: Any, directory: Path, rows: int) -> None:
        x = np.random.default_rng(rows).normal(size=(rows, 2)).astype(np.float32)
        for is_raw in (False, True):
            check_xor(self.outputs(client.infer("xor", [self.tensor(x, is_raw=is_raw)])), directory, x)

    def test_a_request_can_be_built_from_the_metadata_alone(self, client: Any) -> None:
        for model in (*TASKS, "xor"):
            metadata = client.get_model_metadata(model)
            tensors = []
            for tensor in metadata["inputs"]:
                shape = [3 if size == -1 else size for size in tensor["shape"]]
                is_text = tensor["datatype"] == "BYTES"
                values = np.full(shape, "red", object) if is_text else np.ones(shape, np.float32)
                tensors.append(self.tensor(values, tensor["name"]))
            result = client.infer(model, tensors)
            for described in metadata["outputs"]:
                output = result.get_output(described["name"])
                assert output["datatype"] == described["datatype"]
                assert output["shape"] == [3, *described["shape"][1:]]
                assert result.as_numpy(described["name"]).shape == (3, *described["shape"][1:])

    @pytest.mark.parametrize("task", TASKS)
    @pytest.mark.parametrize("is_raw", [False, True])
    def test_texts_and_missing_values(self, client: Any, directory: Path, task: str, is_raw: bool) -> None:
        columns = arrays_of_columns()
        # JSON has no NaN, and the client refuses to write one. So the column with missing values is sent as bytes.
        tensors = [self.tensor(array, name, is_raw or name == "size") for name, array in columns.items()]
        outputs = [
            triton.InferRequestedOutput(name, binary_data=is_raw) for name in expected_of_ensemble(directory, task)
        ]
        result = client.infer(task, tensors, outputs=outputs)
        check_ensemble(self.outputs(result), directory, task)

    def test_tensors_of_columns_may_have_two_dimensions_and_may_be_left_out(self, client: Any) -> None:
        """Triton's own examples send the shape [rows, 1]. A column may be left out if training had missing values."""
        columns = arrays_of_columns() | {"size": np.full(ROWS, np.nan)}
        others = [self.tensor(array[:, None], name) for name, array in columns.items() if name != "size"]
        without = client.infer("regression", others).as_numpy("prediction")
        tensors = [self.tensor(array, name) for name, array in columns.items()]
        assert without.tolist() == client.infer("regression", tensors).as_numpy("prediction").tolist()

    def test_only_the_requested_outputs_are_answered(self, client: Any, directory: Path) -> None:
        outputs = [
            triton.InferRequestedOutput("spread", binary_data=False),
            triton.InferRequestedOutput("label", binary_data=True),
        ]
        tensors = [self.tensor(array, name) for name, array in arrays_of_columns().items()]
        result = client.infer("binary", tensors, outputs=outputs)
        assert [output["name"] for output in result.get_response()["outputs"]] == ["spread", "label"]
        assert result.as_numpy("prediction") is None
        expected = expected_of_ensemble(directory, "binary")
        assert [label.decode() for label in result.as_numpy("label")] == expected["label"].tolist()
        np.testing.assert_allclose(result.as_numpy("spread"), expected["spread"], rtol=1e-4, atol=1e-6)

    def test_the_answer_has_the_requests_id_and_the_models_version(self, client: Any, directory: Path) -> None:
        version = load(directory / "xor.safetensors").version
        for requested_version in ("", version):
            for request_id in ("7", "ü/é 日本"):
                result = client.infer("xor", [self.tensor(X)], model_version=requested_version, request_id=request_id)
                response = result.get_response()
                assert (response["id"], response["model_name"]) == (request_id, "xor")
                assert response["model_version"] == version
                check_xor(self.outputs(result), directory)

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    @pytest.mark.parametrize("is_raw", [False, True])
    def test_compressed_requests(self, client: Any, directory: Path, coding: str, is_raw: bool) -> None:
        """The client also asks for a compressed answer. The service may ignore that."""
        tensor = self.tensor(X.astype(np.float32), is_raw=is_raw)
        result = client.infer(
            "xor", [tensor], request_compression_algorithm=coding, response_compression_algorithm=coding
        )
        check_xor(self.outputs(result), directory)

    def test_concurrent_requests(self, client: Any, directory: Path) -> None:
        arrays = [X[:rows].astype(np.float32) for rows in (1, 2, 3, 4, 5, 6)]
        requests = [client.async_infer("xor", [self.tensor(array)]) for array in arrays]
        for request, array in zip(requests, arrays, strict=True):
            check_xor(self.outputs(request.get_result()), directory, array)
        failing = client.async_infer("nothing", [self.tensor(arrays[0])])
        with pytest.raises(InferenceServerException, match="was expected as the model, and 'nothing' was found"):
            failing.get_result()

    def test_errors_say_what_was_expected_and_found(self, client: Any, directory: Path) -> None:
        version = load(directory / "xor.safetensors").version
        ones = self.tensor(np.ones((1, 2), np.float32))
        other = [triton.InferRequestedOutput("chance")]
        texts = self.tensor(np.array([["1", "x"]], object))
        for status, sentence, model, tensors, rest in (
            ("404", "one of binary, multiclass, regression, xor was expected as the model, and 'no' was found", "no",
             [ones], {}),
            ("404", f"version {version} of xor was expected, and '2' was found", "xor", [ones], {"model_version": "2"}),
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
        for read_model in (client.get_model_metadata, client.get_model_config):
            with pytest.raises(InferenceServerException) as raised:
                read_model("no")
            assert raised.value.status() == "404"


class TestKServe:
    """kserve.InferenceRESTClient."""

    def call_client(self, port: int, method: str, *args: Any) -> Any:
        """Call a method of a new client, with the address of the service."""

        async def call() -> Any:
            async with kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2")) as client:
                return await getattr(client, method)(f"http://127.0.0.1:{port}", *args)

        return asyncio.run(call())

    def infer(self, port: int, model: str, tensors: list[Any], **rest: Any) -> Any:
        return self.call_client(port, "infer", kserve.InferRequest(model, tensors, **rest), model)

    def tensor(self, array: np.ndarray, name: str = "input", is_raw: bool = True) -> Any:
        tensor = kserve.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array, binary_data=is_raw)
        return tensor

    def outputs(self, response: Any) -> dict[str, np.ndarray]:
        return {output.name: output.as_numpy() for output in response.outputs}

    def test_the_server_and_its_models_are_live_and_ready(self, port: int) -> None:
        assert self.call_client(port, "is_server_live") is True
        assert self.call_client(port, "is_server_ready") is True
        assert self.call_client(port, "is_model_ready", "xor") is True
        assert self.call_client(port, "is_model_ready", "nothing") is False

    @pytest.mark.parametrize("datatype", [name for name in DATATYPES if name != "FP16"])
    def test_numbers_in_json(self, port: int, directory: Path, datatype: str) -> None:
        """Every datatype except FP16, which this client sends only as raw bytes."""
        x = X.astype(DATATYPES[datatype])
        by_data = self.infer(port, "xor", [kserve.InferInput("input", [6, 2], datatype, x.tolist())])
        by_array = self.infer(port, "xor", [self.tensor(x, is_raw=False)])
        for response in (by_data, by_array):
            check_xor(self.outputs(response), directory)

    @pytest.mark.parametrize("datatype", DATATYPES)
    @pytest.mark.parametrize("is_raw_output", [False, True])
    def test_numbers_as_raw_bytes(self, port: int, directory: Path, datatype: str, is_raw_output: bool) -> None:
        tensor = self.tensor(X.astype(DATATYPES[datatype]))
        response = self.infer(port, "xor", [tensor], parameters={"binary_data_output": is_raw_output})
        check_xor(self.outputs(response), directory)

    def test_the_id_and_the_requested_outputs(self, port: int) -> None:
        outputs = [RequestedOutput("label", {"binary_data": True})]
        response = self.infer(port, "xor", [self.tensor(X)], request_id="7", request_outputs=outputs)
        assert (response.id, response.model_name) == ("7", "xor")
        assert [output.name for output in response.outputs] == ["label"]
        assert response.outputs[0].as_numpy().tolist()[:4] == [0, 1, 1, 0]

    @pytest.mark.parametrize("task", TASKS)
    @pytest.mark.parametrize("is_raw", [False, True])
    def test_texts_and_missing_values(self, port: int, directory: Path, task: str, is_raw: bool) -> None:
        """They work in JSON too, because this client writes NaN as null."""
        tensors = [self.tensor(array, name, is_raw) for name, array in arrays_of_columns().items()]
        response = self.infer(port, task, tensors, parameters={"binary_data_output": is_raw})
        check_ensemble(self.outputs(response), directory, task)

    def test_a_request_may_be_a_dictionary(self, port: int, directory: Path) -> None:
        body = {"inputs": [{"name": "input", "shape": list(X.shape), "datatype": "INT64", "data": X.tolist()}]}
        check_xor(self.outputs(self.call_client(port, "infer", body, "xor")), directory)

    def test_errors_say_what_was_expected_and_found(self, port: int) -> None:
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

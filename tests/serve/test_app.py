"""The application in this process: predictions, health, and what is refused."""

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import Checkpoint, CheckpointError, Layer, Network, Predictor, init_params, load, predict, save
from model.inference import BATCH_SIZES
from serve import create_app
from serve.registry import Registry
from serve.settings import Settings
from tests.examples import with_params
from tests.serve.examples import BAD_QUERIES, QUERY, TENSORS, application

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def client(checkpoints: Path) -> FlaskClient:
    return application(checkpoints).test_client()


@pytest.fixture(scope="module")
def probabilities(checkpoints: Path) -> dict[tuple[int, int], float]:
    """What the network predicts for each row of XOR."""
    checkpoint = load(checkpoints / "xor.safetensors")
    rows = [(a, b) for a in (0, 1) for b in (0, 1)]
    values = predict(checkpoint.params, np.array(rows, np.float32), checkpoint.network)
    return dict(zip(rows, np.asarray(values).tolist(), strict=True))


def test_a_query_is_answered_with_the_prediction_of_its_row(
    client: FlaskClient, checkpoints: Path, probabilities: dict[tuple[int, int], float]
) -> None:
    for (a, b), probability in probabilities.items():
        reply = client.get(f"/predict?a={a}&b={b}")
        assert reply.status_code == 200
        assert reply.mimetype == "application/json"
        prediction = reply.json.pop("prediction") if reply.json else None
        assert prediction == pytest.approx(probability, rel=1e-6)
        assert reply.json == {
            "prediction": prediction,
            "label": a ^ b,
            "model": "xor",
            "version": load(checkpoints / "xor.safetensors").version,
        }


def test_a_body_gets_the_same_answers_as_queries(client: FlaskClient) -> None:
    by_query = client.get("/predict?a=0.25&b=-1e-3").json
    assert client.post("/predict", json={"b": -1e-3, "a": 0.25}).json == by_query
    assert client.post("/predict", json=[{"a": 0.25, "b": -0.001}] * 2).json == [by_query, by_query]
    assert client.post("/predict", json=[]).json == []
    assert client.post("/predict", data='{"a":1,"b":0}', content_type="application/json; charset=utf-8").json


def test_a_service_with_a_model_is_live_and_ready(client: FlaskClient) -> None:
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"live": True, "ready": True}


@pytest.mark.parametrize(("query", "message"), BAD_QUERIES.items())
def test_a_wrong_query_is_a_400_that_says_why(client: FlaskClient, query: str, message: str) -> None:
    reply = client.get(f"/predict?{query}")
    assert reply.status_code == 400
    assert reply.json == {"error": message}


BAD_BODIES = {
    "": "a JSON object or array was expected, and an empty body was found",
    "{": "valid JSON was expected, and at character 1 was found: expecting property name enclosed in double quotes",
    "3": "an object with a, b was expected, and a number was found",
    '"a"': "an object with a, b was expected, and the text 'a' was found",
    "null": "an object with a, b was expected, and null was found",
    "[[1, 0]]": "an object with a, b was expected in row 0, and an array was found",
    '{"a": 1}': "the columns a, b were expected, and a was found: b is missing",
    '{"a": 1, "b": 0, "c": 0}': "the columns a, b were expected, and 'c' was found",
    '{"a": 1, "b": 0, "a": 2}': "column 'a' was expected once, and was found 2 times",
    '{"a": "one", "b": 0}': "column a: a number was expected, and 'one' was found",
    '{"a": true, "b": 0}': "column a: a number was expected, and true was found",
    '{"a": null, "b": 0}': "column a: a number was expected, and null was found",
    '{"a": {}, "b": 0}': "column a: a number was expected, and an object was found",
    '{"a": NaN, "b": 0}': "column a: a number was expected, and null was found",
    '{"a": -Infinity, "b": 0}': "a finite number was expected, and -Infinity was found",
    '{"a": 1e39, "b": 0}': "column a: a finite number within ±3.4e38 was expected, and '1e+39' was found",
    '{"a": 1e999, "b": 0}': "column a: a finite number within ±3.4e38 was expected, and 'inf' was found",
    '[{"a": 1, "b": 0}, {"a": 1, "b": []}]': "column b: a number was expected, and an array was found in row 1",
    "[" * 100_000: "a JSON object or array was expected, and one nested too deeply was found",
    '{"a": ' + "9" * 5000 + ', "b": 0}': "column a: a finite number within ±3.4e38 was expected, and 'inf' was found",
}


@pytest.mark.parametrize(("body", "message"), BAD_BODIES.items(), ids=lambda text: text[:30])
def test_a_wrong_body_is_a_400_that_says_why(client: FlaskClient, body: str, message: str) -> None:
    reply = client.post("/predict", data=body, content_type="application/json")
    assert reply.status_code == 400
    assert reply.json == {"error": message}


def test_other_mistakes_have_their_own_status_and_the_same_shape(client: FlaskClient) -> None:
    too_large = b" " * (Settings.max_body_bytes + 1)
    answers = {
        name: (reply.status_code, reply.json)
        for name, reply in {
            "method": client.delete("/predict"),
            "path": client.get("/nothing/here?x=1"),
            "type": client.post("/predict", data="a=1&b=0", content_type="text/plain"),
            "no type": client.post("/predict", data="{}"),
            "form": client.post("/predict", data={"a": "1"}),
            "bytes": client.post("/predict", data=b"\xff\xfe", content_type="application/json"),
            "large": client.post("/predict", data=too_large, content_type="application/json"),
            "health": client.post("/v2/health/live"),
        }.items()
    }
    json_type = "the content type application/json was expected, and"
    assert answers == {
        "method": (405, {"error": "'/predict' takes GET or POST, not 'DELETE'"}),
        "path": (404, {"error": "there is nothing at '/nothing/here'; predictions are at /predict"}),
        "type": (415, {"error": f"{json_type} 'text/plain' was found"}),
        "no type": (415, {"error": f"{json_type} none was found"}),
        "form": (415, {"error": f"{json_type} 'application/x-www-form-urlencoded' was found"}),
        "bytes": (400, {"error": "a body in UTF-8 was expected, and other bytes were found"}),
        "large": (413, {"error": "the body must be of at most 8,388,608 bytes, and a longer one was found"}),
        "health": (405, {"error": "'/v2/health/live' takes GET, not 'POST'"}),
    }
    assert "GET" in client.delete("/predict").headers["Allow"]


def test_a_body_with_many_names_is_refused_within_seconds(client: FlaskClient) -> None:
    """A search for each name among all others would take minutes."""
    names = [f'"{number}":0' for number in range(60_000)]
    started = time.process_time()
    reply = client.post("/predict", data="{" + ",".join([*names, names[-1]]) + "}", content_type="application/json")
    assert reply.json == {"error": "column '59999' was expected once, and was found 2 times"}
    assert time.process_time() - started < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), children),
    max_leaves=8,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values)
def test_no_json_causes_a_500(client: FlaskClient, value: Any) -> None:
    reply = client.post("/predict", data=json.dumps(value), content_type="application/json")
    check_answer(reply.status_code, reply.get_data(as_text=True))


@settings(max_examples=300)
@given(body=st.binary(max_size=40), query=st.text(max_size=20), a=st.text(max_size=8))
def test_no_bytes_and_no_query_cause_a_500(client: FlaskClient, body: bytes, query: str, a: str) -> None:
    reply = client.post("/predict", data=body, content_type="application/json")
    check_answer(reply.status_code, reply.get_data(as_text=True))
    for reply in (client.get("/predict", query_string=query), client.get("/predict", query_string={"a": a, "b": "0"})):
        check_answer(reply.status_code, reply.get_data(as_text=True))


def check_answer(status: int, text: str) -> None:
    """Check that an answer is strict JSON, and either a success or a 400 with one sentence."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not valid JSON")

    answer = json.loads(text, parse_constant=refuse)
    if status != 200:
        assert status == 400
        assert list(answer) == ["error"]


def test_no_request_compiles(compilations: list[float], tmp_path: Path, solved: Checkpoint) -> None:
    """The network is wide enough that XLA computes large batches."""
    wide = Network((2, 64, 1))
    save(tmp_path / "wide.safetensors", with_params(solved, init_params(wide, key=jax.random.key(0)), wide))
    jax.clear_caches()
    client = application(tmp_path).test_client()
    assert compilations, "the listener is told of compilations"
    compilations.clear()
    client.get("/predict?a=1&b=0")
    for rows in (0, 1, 2, 15, 16, 17, 100, 256, 257, 5000):
        reply = client.post("/predict", json=[{"a": 1, "b": 0}] * rows)
        assert reply.status_code == 200
        assert len(reply.json or []) == rows
    client.get("/predict?a=x")
    assert compilations == []


def test_a_batch_larger_than_any_program_is_predicted_exactly(checkpoints: Path) -> None:
    checkpoint = load(checkpoints / "xor.safetensors")
    predictor = Predictor(checkpoint)
    x = np.random.default_rng(0).normal(size=(2 * BATCH_SIZES[-1] + 3, 2)).astype(np.float32)
    mean = predictor.predict(x.astype(np.float64)).mean
    np.testing.assert_allclose(mean, predict(checkpoint.params, x, checkpoint.network), rtol=1e-6)


def test_values_that_overflow_in_the_network_are_refused(tmp_path: Path, solved: Checkpoint) -> None:
    large = Layer(np.full((2, 2), 9, np.float32), np.zeros(2, np.float32))
    difference = Layer(np.array([[1], [-1]], np.float32), np.zeros(1, np.float32))
    save(tmp_path / "xor.safetensors", with_params(solved, [large, difference]))
    client = application(tmp_path).test_client()
    reply = client.get("/predict?a=3e38&b=3e38")
    assert reply.status_code == 400
    assert reply.json == {
        "error": "values within the network's range were expected, and [3e+38, 3e+38] overflows in it"
    }


def test_a_directory_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint in it, found none"):
        application(tmp_path)


def test_a_default_model_that_does_not_exist_is_refused(checkpoints: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no\.safetensors: expected a checkpoint, found no file"):
        application(checkpoints, MODEL="no")


@pytest.mark.parametrize("name", ["../xor", "/etc/xor", "a\0b"])
def test_a_default_model_outside_the_directory_is_refused(checkpoints: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="NUDGE_MODEL: expected the name of a checkpoint in"):
        application(checkpoints, MODEL=name)


def test_a_broken_default_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "xor.safetensors").write_bytes(b"broken")
    with pytest.raises(CheckpointError, match=r"xor\.safetensors: expected"):
        application(tmp_path)


def test_among_several_models_the_environment_must_name_the_default(
    tmp_path: Path, solved: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("and", "or"):
        save(tmp_path / f"{name}.safetensors", solved)
    monkeypatch.setenv("NUDGE_CHECKPOINTS", str(tmp_path))
    with pytest.raises(CheckpointError, match="found and, or; name the default one with NUDGE_MODEL"):
        create_app()
    monkeypatch.setenv("NUDGE_MODEL", "or")
    reply = create_app().test_client().get(QUERY)
    assert reply.json is not None
    assert reply.json["model"] == "or"


class FailingPredictor:
    """A predictor with a bug."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def answers(self, values: np.ndarray) -> Any:
        raise RuntimeError("a secret")

    def predict(self, values: np.ndarray) -> Any:
        raise RuntimeError("a secret")


def test_a_bug_of_the_service_is_logged_and_answered_without_details(
    checkpoints: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(checkpoints)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    registry: Registry = app.extensions["nudge"]
    (model,) = registry.models.values()
    registry.models = {"xor": replace(model, predictor=FailingPredictor(model.checkpoint))}  # type: ignore[arg-type]
    client = app.test_client()
    with caplog.at_level(logging.ERROR):
        replies = [client.get(QUERY), client.post("/v2/models/xor/infer", json=TENSORS)]
    for reply in replies:
        assert (reply.status_code, reply.json) == (500, {"error": "the service failed to answer; its log says why"})
    assert caplog.text.count("RuntimeError: a secret") == 2

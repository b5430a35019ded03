"""What /metrics counts, in one process."""

from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, Network, init_params, save
from serve import metrics
from serve.registry import Registry
from tests.examples import with_params
from tests.serve.examples import QUERY, application, with_other_predictions

pytestmark = pytest.mark.core

Counter = Callable[[str], float]


@pytest.fixture
def client(tmp_path: Path, solved: Checkpoint) -> FlaskClient:
    """A client of a service with the model m."""
    save(tmp_path / "m.safetensors", solved)
    return application(tmp_path).test_client()


@pytest.fixture
def growth(client: FlaskClient) -> Counter:
    """A function that returns by how much a metric has grown since the test began."""
    before = read_metrics(client)
    return lambda name: read_metrics(client).get(name, 0.0) - before.get(name, 0.0)


def read_metrics(client: FlaskClient) -> dict[str, float]:
    """The value of each metric by its name and labels."""
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def test_requests_are_counted_by_route_and_status(client: FlaskClient, growth: Counter) -> None:
    for path in (QUERY, QUERY, "/predict?a=x", "/nothing/1", "/nothing/2"):
        client.get(path)
    client.post("/predict", json=[{"a": 1, "b": 0}])
    assert growth('nudge_request_seconds_count{route="/predict",status="200"}') == 3
    assert growth('nudge_request_seconds_count{route="/predict",status="400"}') == 1
    assert growth('nudge_request_seconds_count{route="none",status="404"}') == 2


def test_predicted_rows_are_counted(client: FlaskClient, growth: Counter) -> None:
    for _ in range(3):
        client.get(QUERY)
    client.post("/predict", json=[{"a": 1, "b": 0}] * 20)
    assert growth('nudge_rows_sum{model="m"}') == 23
    assert growth('nudge_rows_bucket{le="16.0",model="m"}') == 3


def test_loads_failures_and_compilations_are_counted(
    client: FlaskClient, growth: Counter, tmp_path: Path, solved: Checkpoint
) -> None:
    registry: Registry = client.application.extensions["nudge"]
    version = registry.models["m"].version
    assert read_metrics(client)[f'nudge_model_workers{{model="m",version="{version}"}}'] == 1
    assert read_metrics(client)['nudge_model_loaded_timestamp_seconds{model="m"}'] > 1.7e9
    (tmp_path / "m.safetensors").write_bytes(b"broken")
    for _ in range(3):
        registry.scan()
    assert growth('nudge_reload_failures_total{model="m"}') == 1
    wide = Network((2, 61, 1))  # wide enough that XLA compiles programs for it
    save(tmp_path / "m.safetensors", with_params(solved, init_params(wide, key=jax.random.key(1)), wide))
    registry.scan()
    assert registry.compile_next()
    assert f'nudge_model_workers{{model="m",version="{version}"}}' not in read_metrics(client)
    assert growth("nudge_compilations_total") >= 1


def test_thirty_swaps_leave_one_series(client: FlaskClient, tmp_path: Path, solved: Checkpoint) -> None:
    registry: Registry = client.application.extensions["nudge"]
    for swap in range(30):
        saved = save(tmp_path / "m.safetensors", with_other_predictions(solved, 0.1 * swap))
        registry.scan()
    workers = {name: value for name, value in read_metrics(client).items() if name.startswith("nudge_model_workers")}
    assert workers == {f'nudge_model_workers{{model="m",version="{saved.version}"}}': 1}


def test_the_series_of_a_model_go_with_it(client: FlaskClient, tmp_path: Path, solved: Checkpoint) -> None:
    registry: Registry = client.application.extensions["nudge"]
    save(tmp_path / "short-lived.safetensors", solved)
    registry.scan()
    client.get("/models/short-lived/predict?a=1&b=0")
    assert read_metrics(client)['nudge_rows_count{model="short-lived"}'] == 1
    (tmp_path / "short-lived.safetensors").unlink()
    registry.scan()
    assert [name for name in read_metrics(client) if "short-lived" in name] == []
    assert 'nudge_reload_failures_total{model="m"}' in read_metrics(client)


def test_notes_beyond_the_queue_are_dropped_and_counted(
    client: FlaskClient, growth: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics.count_notes()
    monkeypatch.setattr(metrics, "MAX_NOTES", 10)
    for _ in range(25):
        metrics.note_request("/a", 200, 0.1)
    assert growth('nudge_request_seconds_count{route="/a",status="200"}') == 10
    assert growth("nudge_uncounted_total") == 15


def test_a_missing_directory_and_models_that_cannot_answer_are_counted(
    client: FlaskClient, tmp_path: Path, solved: Checkpoint
) -> None:
    registry: Registry = client.application.extensions["nudge"]
    assert read_metrics(client)["nudge_directory_missing"] == 0
    (tmp_path / "m.safetensors").rename(tmp_path / "m.away")
    registry.scan()
    assert read_metrics(client)["nudge_directory_missing"] == 1
    (tmp_path / "m.away").rename(tmp_path / "m.safetensors")
    save(tmp_path / "n.safetensors", solved)
    registry.look()
    assert read_metrics(client)["nudge_directory_missing"] == 0
    assert read_metrics(client)["nudge_unready_models"] == 1
    assert read_metrics(client)["nudge_uncompiled_models"] == 0
    registry.scan()
    assert read_metrics(client)["nudge_uncompiled_models"] == 1
    assert registry.compile_next()
    assert read_metrics(client)["nudge_uncompiled_models"] == 0

"""The directory of models: what is loaded, swapped, refused and retired, and what is answered meanwhile."""

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from model import Checkpoint, CheckpointError, save
from serve.registry import Registry
from serve.settings import Settings
from tests.serve.examples import QUERY, application, with_other_predictions

pytestmark = pytest.mark.core


@pytest.fixture
def registry(tmp_path: Path, solved: Checkpoint) -> Registry:
    """A registry with the model xor. It scans its directory only if a test calls `scan`."""
    save(tmp_path / "models" / "xor.safetensors", solved)
    registry = Registry(Settings(tmp_path / "models", shared_directory=tmp_path / "shared"))
    registry.start()
    return registry


def test_a_replaced_file_is_swapped_in(registry: Registry, solved: Checkpoint) -> None:
    old = registry.default_model
    assert old is not None
    registry.scan()
    assert registry.default_model is old, "an unchanged file is not loaded again"
    saved = save(registry.settings.checkpoints / "xor.safetensors", with_other_predictions(solved, 1.0))
    registry.scan()
    assert registry.default_model is not None
    assert registry.default_model.version == saved.version != old.version
    os.utime(registry.settings.checkpoints / "xor.safetensors")
    current = registry.default_model
    registry.scan()
    assert registry.default_model is current, "the same content is not swapped in"


def test_a_new_file_is_a_new_model_and_a_deleted_one_is_retired(registry: Registry, solved: Checkpoint) -> None:
    path = registry.settings.checkpoints / "and.safetensors"
    save(path, solved)
    save(registry.settings.checkpoints / ".hidden.safetensors", solved)
    (registry.settings.checkpoints / "notes.txt").write_text("not a model")
    registry.scan()
    assert sorted(registry.models) == ["and", "xor"]
    assert registry.default_name == "xor"
    path.unlink()
    registry.scan()
    assert sorted(registry.models) == ["xor"]


def test_a_broken_file_keeps_the_old_model_and_is_logged_once(
    registry: Registry, solved: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    failed: list[str] = []
    registry.on_failure = failed.append
    path = registry.settings.checkpoints / "xor.safetensors"
    data, old = path.read_bytes(), registry.default_model
    path.write_bytes(data[:-7])
    registry.scan()
    assert failed == [], "the file may be just being written"
    with caplog.at_level(logging.ERROR, "gunicorn.error"):
        for _ in range(3):
            registry.scan()
    assert failed == ["xor"]
    assert len(caplog.records) == 1
    assert registry.default_model is old
    assert registry.failures["xor"].startswith("xor.safetensors: expected")
    assert str(path.parent) not in registry.failures["xor"]
    path.write_bytes(b"other")
    registry.scan()
    registry.scan()
    assert failed == ["xor", "xor"]
    saved = save(path, with_other_predictions(solved, 2.0))
    registry.scan()
    assert registry.failures == {}
    assert registry.default_model is not None
    assert registry.default_model.version == saved.version


def test_models_stay_while_their_directory_is_missing(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "models").rename(tmp_path / "elsewhere")
    with caplog.at_level(logging.ERROR, "gunicorn.error"):
        for _ in range(3):
            registry.scan()
    assert len(caplog.records) == 1
    assert sorted(registry.models) == ["xor"]
    assert registry.failures == {}
    (tmp_path / "elsewhere").rename(tmp_path / "models")
    registry.scan()
    assert sorted(registry.models) == ["xor"]


def test_a_file_whose_name_is_not_printable_is_ignored(registry: Registry) -> None:
    directory = os.fsencode(registry.settings.checkpoints)
    for name in (b"a\xff.safetensors", b"a\nb.safetensors"):
        os.link(directory + b"/xor.safetensors", directory + b"/" + name)
    registry.scan()
    assert sorted(registry.models) == ["xor"]


def test_a_worker_that_starts_while_the_file_is_broken_serves_the_last_good_version(
    registry: Registry, solved: Checkpoint
) -> None:
    path = registry.settings.checkpoints / "xor.safetensors"
    saved = save(path, with_other_predictions(solved, 3.0))
    registry.scan()
    path.write_bytes(b"broken")
    another = Registry(registry.settings)
    another.start()
    assert another.default_model is not None
    assert another.default_model.version == saved.version
    another.scan()
    assert another.failures.keys() == {"xor"}
    with pytest.raises(CheckpointError):
        Registry(replace(registry.settings, shared_directory=None)).start()


def test_a_worker_that_starts_without_the_default_model_says_so(registry: Registry, solved: Checkpoint) -> None:
    save(registry.settings.checkpoints / "and.safetensors", solved)
    (registry.settings.checkpoints / "xor.safetensors").unlink()
    another = Registry(registry.settings)
    another.start()
    assert sorted(another.models) == ["and"]
    assert another.default_model is None
    assert another.default_failure == "there is no checkpoint xor.safetensors"


@pytest.fixture
def client(tmp_path: Path, solved: Checkpoint) -> FlaskClient:
    save(tmp_path / "xor.safetensors", solved)
    save(tmp_path / "other.safetensors", with_other_predictions(solved, 4.0))
    return application(tmp_path).test_client()


def test_each_model_answers_under_its_name(client: FlaskClient) -> None:
    default, other = (client.get(f"{base}/predict?a=1&b=0").json for base in ("", "/models/other"))
    assert client.get("/models/xor/predict?a=1&b=0").json == default
    assert default is not None
    assert other is not None
    assert (default["model"], other["model"]) == ("xor", "other")
    assert default["version"] != other["version"]
    assert client.post("/models/other/predict", json={"a": 1, "b": 0}).json == other
    unknown = client.get("/models/nothing/predict?a=1&b=0")
    assert unknown.status_code == 404
    assert unknown.json == {"error": "one of other, xor was expected as the model, and 'nothing' was found"}


def test_without_its_default_model_the_service_is_not_ready_and_says_why(client: FlaskClient, tmp_path: Path) -> None:
    registry: Registry = client.application.extensions["nudge"]
    (tmp_path / "xor.safetensors").unlink()
    registry.scan()
    for path in (QUERY, "/v2/health/ready"):
        reply = client.get(path)
        assert reply.status_code == 503
        assert reply.json == {"error": "the default model cannot answer: there is no checkpoint xor.safetensors"}
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/models/other/predict?a=1&b=0").status_code == 200
    (tmp_path / "xor.safetensors").write_bytes(b"broken")
    for _ in range(2):
        registry.scan()
    ready = client.get("/v2/models/xor/ready")
    assert ready.status_code == 503
    assert str(tmp_path) not in json.dumps(ready.json)
    index = client.post("/v2/repository/index").json or []
    assert [(entry["name"], entry["state"]) for entry in index] == [("other", "READY"), ("xor", "UNAVAILABLE")]
    assert len(client.post("/v2/repository/index", json={"ready": True}).json or []) == 1

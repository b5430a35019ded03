"""The directory of models: what is loaded, swapped, refused and retired, and what is answered meanwhile."""

import json
import logging
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, CheckpointError, Network, Predictor, init_params, predict, save
from serve.metrics import Publisher
from serve.registry import Registry
from serve.settings import Settings
from tests.examples import with_params
from tests.serve.examples import QUERY, TENSORS, application, with_other_predictions

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


@pytest.mark.parametrize("is_empty", [False, True])
def test_models_stay_while_their_directory_is_gone_or_empty(
    registry: Registry, tmp_path: Path, solved: Checkpoint, caplog: pytest.LogCaptureFixture, is_empty: bool
) -> None:
    """A mount that is gone leaves an empty directory."""
    save(registry.settings.checkpoints / "and.safetensors", with_other_predictions(solved, 1.0))
    registry.scan()
    (tmp_path / "models").rename(tmp_path / "elsewhere")
    if is_empty:
        (tmp_path / "models").mkdir()
    caplog.clear()
    with caplog.at_level(logging.ERROR, "gunicorn.error"):
        for _ in range(3):
            registry.scan()
    assert len(caplog.records) == 1
    assert "the models are kept" in caplog.text
    assert registry.keeps_all
    assert sorted(registry.models) == ["and", "xor"]
    assert registry.failures == {}
    another = Registry(registry.settings)
    another.start()
    assert {name: model.version for name, model in another.models.items()} == {
        name: model.version for name, model in registry.models.items()
    }, "a worker that starts meanwhile serves the same"
    assert another.default_model is not None
    if is_empty:
        (tmp_path / "models").rmdir()
    (tmp_path / "elsewhere" / "and.safetensors").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "models")
    registry.scan()
    assert not registry.keeps_all
    assert sorted(registry.models) == ["xor"], "a file that is gone beside one that is there is retired"


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_loaded(
    registry: Registry, tmp_path: Path, solved: Checkpoint
) -> None:
    path = registry.settings.checkpoints / "xor.safetensors"
    before, versions = path.stat(), {str(registry.models["xor"].version)}
    for shift, in_place in ((1.0, False), (2.0, True)):
        saved = save(tmp_path / "new.safetensors", with_other_predictions(solved, shift))
        if in_place:
            path.write_bytes((tmp_path / "new.safetensors").read_bytes())
        else:
            (tmp_path / "new.safetensors").replace(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        registry.scan()
        assert registry.models["xor"].version == saved.version
        versions.add(saved.version)
    assert len(versions) == 3


def test_clocks_that_are_set_back_do_not_matter(
    registry: Registry, solved: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = registry.settings.checkpoints / "xor.safetensors"
    monkeypatch.setattr("time.time", lambda: 86_400.0)
    saved = save(path, with_other_predictions(solved, 1.0))
    os.utime(path, (86_400, 86_400))
    registry.scan()
    assert registry.models["xor"].version == saved.version


def test_a_config_map_is_swapped_like_files(tmp_path: Path, solved: Checkpoint) -> None:
    """Kubernetes writes a new directory, and moves a link to it in the place of the old one."""
    models = tmp_path / "models"
    models.mkdir()
    versions = [save(models / f"..{turn}" / "m.safetensors", with_other_predictions(solved, turn)) for turn in (1, 2)]
    (models / "..data").symlink_to("..1")
    (models / "m.safetensors").symlink_to("..data/m.safetensors")
    registry = Registry(Settings(models))
    registry.start()
    assert registry.models["m"].version == versions[0].version
    (models / "..data_tmp").symlink_to("..2")
    (models / "..data_tmp").replace(models / "..data")
    registry.scan()
    assert registry.models["m"].version == versions[1].version
    (models / "..data").unlink()
    registry.scan()
    assert sorted(registry.models) == ["m"]


def test_a_retirement_leaves_the_copy_to_the_workers_that_still_serve_it(
    registry: Registry, tmp_path: Path, solved: Checkpoint
) -> None:
    save(registry.settings.checkpoints / "and.safetensors", with_other_predictions(solved, 1.0))
    another = Registry(registry.settings)
    publishers = [Publisher(registry), Publisher(another)]
    registry.scan()
    another.start()
    for publisher in publishers:
        publisher.publish()
    copies = tmp_path / "shared" / "models"
    both = ["and.safetensors", "xor.safetensors"]
    assert sorted(os.listdir(copies)) == both
    (registry.settings.checkpoints / "and.safetensors").unlink()
    registry.scan()
    publishers[0].publish()
    assert sorted(registry.models) == ["xor"]
    assert sorted(os.listdir(copies)) == both, "another worker serves it"
    another.scan()
    publishers[1].publish()
    assert sorted(os.listdir(copies)) == ["xor.safetensors"]


def test_copies_that_someone_has_removed_are_written_again(registry: Registry, tmp_path: Path) -> None:
    expected = {path: path.read_bytes() for path in (tmp_path / "shared").rglob("*") if path.is_file()}
    assert sorted(path.name for path in expected) == ["default", "xor.safetensors"]
    shutil.rmtree(tmp_path / "shared")
    registry.scan()
    assert {path: path.read_bytes() for path in (tmp_path / "shared").rglob("*") if path.is_file()} == expected


def test_only_allowed_versions_are_served(tmp_path: Path, solved: Checkpoint) -> None:
    path = tmp_path / "models" / "xor.safetensors"
    first, second, other = (save(path, with_other_predictions(solved, shift)) for shift in (2.0, 1.0, 0.0))
    settings = Settings(
        path.parent, allowed_versions=(first.version, second.digest), shared_directory=tmp_path / "shared"
    )
    with pytest.raises(CheckpointError, match="expected a version in NUDGE_ALLOWED_VERSIONS, found " + other.version):
        Registry(settings).start()
    save(path, first)
    registry = Registry(settings)
    registry.start()
    save(path, other)
    for _ in range(2):
        registry.scan()
    assert registry.models["xor"].version == first.version
    assert registry.failures["xor"].startswith("xor.safetensors: expected a version in NUDGE_ALLOWED_VERSIONS")
    another = Registry(settings)
    another.start()
    assert another.models["xor"].version == first.version, "the last allowed one"
    save(path, second)
    registry.scan()
    assert registry.models["xor"].version == second.version
    assert registry.failures == {}


def test_models_are_loaded_behind_the_default_one(tmp_path: Path, solved: Checkpoint) -> None:
    for name in ("a", "b", "xor", "z"):
        save(tmp_path / f"{name}.safetensors", solved)
    registry = Registry(Settings(tmp_path))
    registry.start()
    assert sorted(registry.models) == ["xor"]
    assert registry.failures == dict.fromkeys(("a", "b", "z"), "it is being loaded")
    assert registry.load_next()
    assert sorted(registry.models) == ["a", "xor"]
    save(tmp_path / "xor.safetensors", with_other_predictions(solved, 1.0))
    registry.look()
    version = registry.models["xor"].version
    registry.load_next()
    assert registry.models["xor"].version != version, "the default model comes first"
    assert sorted(registry.failures) == ["b", "z"]
    while registry.load_next():
        pass
    assert sorted(registry.models) == ["a", "b", "xor", "z"]
    assert registry.failures == {}


def test_a_worker_that_replaces_another_one_never_fails_to_start(
    tmp_path: Path, solved: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The directory of the workers is gone too, so that there is no copy."""
    settings = Settings(tmp_path / "models", is_replacement=True)
    registry = Registry(settings)
    registry.start()
    assert registry.default_model is None
    saved = save(tmp_path / "models" / "m.safetensors", solved)
    registry.scan()
    assert registry.default_model is not None
    assert registry.default_model.version == saved.version


def test_a_model_that_is_being_loaded_says_so(client: FlaskClient, tmp_path: Path, solved: Checkpoint) -> None:
    registry: Registry = client.application.extensions["nudge"]
    save(tmp_path / "late.safetensors", solved)
    registry.look()
    for reply in (
        client.get("/v2/models/late/ready"),
        client.get("/models/late/predict?a=1&b=0"),
        client.post("/v2/models/late/infer", json=TENSORS),
    ):
        assert reply.status_code == 503
        assert reply.json == {"error": "the model 'late' cannot answer: it is being loaded"}
        assert int(reply.headers["Retry-After"]) > 0
    index = client.post("/v2/repository/index").json or []
    assert {entry["name"]: entry["reason"] for entry in index} == {"late": "it is being loaded", "other": "", "xor": ""}
    assert client.get("/v2/health/ready").status_code == 200
    registry.load_next()
    assert client.get("/v2/models/late/ready").status_code == 200


def test_no_request_waits_for_a_compilation(
    tmp_path: Path, solved: Checkpoint, monkeypatch: pytest.MonkeyPatch, compilations: list[float]
) -> None:
    """XLA compiles for ever. Meanwhile the model answers, and so do one that is loaded behind it and a new version."""
    wide = Network((2, 47, 1))
    params = init_params(wide, key=jax.random.key(0))
    save(tmp_path / "a.safetensors", with_params(solved, params, wide))
    save(tmp_path / "b.safetensors", solved)
    is_compiling, can_end = threading.Event(), threading.Event()

    def compile_for_ever(predictor: Predictor) -> None:
        is_compiling.set()
        can_end.wait()

    monkeypatch.setattr(Predictor, "compile", compile_for_ever)
    registry = Registry(Settings(tmp_path, default_model="a"))
    registry.start()
    registry.scan()
    compilations.clear()
    thread = threading.Thread(target=registry.compile_next)
    thread.start()
    try:
        assert is_compiling.wait(60)
        values = np.random.default_rng(0).normal(size=(5000, 2))
        expected = predict(params, values.astype(np.float32), wide)
        compilations.clear()
        found = registry.models["a"].predictor.predict(values)
        np.testing.assert_allclose(found.mean, expected, rtol=1e-4, atol=1e-6)
        assert registry.models["b"].predictor.answers(values[:1])
        assert compilations == []
    finally:
        can_end.set()
        thread.join()


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

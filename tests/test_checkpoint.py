"""Checkpoints: exact, refused when a byte is off, whole even when the writer is killed."""

import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
import safetensors.numpy

from model import Checkpoint, CheckpointError, Layer, Network, init_params, load, save
from model.checkpoint import check_path, default_checkpoint

pytestmark = pytest.mark.core


@pytest.mark.parametrize("sizes", [(2, 2, 1), (1, 1), (3, 17, 5, 2)])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_round_trip_is_exact_to_the_bit(
    sizes: tuple[int, ...], activation: str, tmp_path: Path, solved: Checkpoint
) -> None:
    network = Network(sizes, activation)
    params = init_params(network, key=jax.random.key(1))
    columns = tuple(f'column "{index}" \\"digest\\":\\"é' for index in range(sizes[0]))
    checkpoint = replace(solved, network=network, params=params, columns=columns, column_specs=())
    saved = save(tmp_path / "x.safetensors", checkpoint)
    loaded = load(tmp_path / "x.safetensors")
    for found, expected in zip(jax.tree.leaves(loaded.params), jax.tree.leaves(params), strict=True):
        assert found.dtype == jnp.float32
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()
    for name in (
        "network",
        "columns",
        "target",
        "classes",
        "training",
        "column_specs",
        "target_scaling",
        "temperature",
        "digest",
    ):
        assert getattr(loaded, name) == getattr(saved, name)
    assert len(saved.digest) == 64
    assert saved.version == saved.digest[:12]


def test_the_file_is_plain_safetensors_with_one_key_of_metadata(checkpoints: Path) -> None:
    with safetensors.safe_open(checkpoints / "xor.safetensors", "numpy") as file:
        assert set(file.keys()) == {"params.0.weight", "params.0.bias", "params.1.weight", "params.1.bias"}
        assert list(file.metadata()) == ["nudge"]
        metadata = json.loads(file.metadata()["nudge"])
    expected = {"format", "network", "columns", "target", "classes", "scaling", "training", "digest"}
    assert expected | {"target_scaling", "temperature", "members"} == set(metadata)
    assert metadata["training"]["epoch"] == 20_000


def test_truncation_at_every_byte_is_refused(checkpoints: Path, tmp_path: Path) -> None:
    whole = (checkpoints / "xor.safetensors").read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors: expected .*, found .*; .*nudge train"):
            load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="changed or cut off"):
        load(path)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_flip_of_any_byte_is_refused(checkpoints: Path, tmp_path: Path, flip: int) -> None:
    whole = (checkpoints / "xor.safetensors").read_bytes()
    path = tmp_path / "flipped.safetensors"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            load(path)


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(checkpoints: Path, tmp_path: Path) -> None:
    """The writer forks once it is ready, and the child, which only writes files, is killed: 200 times."""
    path = tmp_path / "xor.safetensors"
    path.write_bytes((checkpoints / "xor.safetensors").read_bytes())
    first = load(path)
    killer = random.Random(0)
    kills = 0
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(path)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        for _ in range(200):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            time.sleep(killer.uniform(0, 0.004))  # any moment will do
            os.kill(child, signal.SIGKILL)
            assert parent.stdout.readline() == f"{-signal.SIGKILL}\n"
            values = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(load(path).params)])
            old = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(first.params)])
            assert np.unique(values).size == 1 or np.array_equal(values, old)
            kills += 1
        parent.stdin.close()
    assert kills == 200
    assert np.unique(values).size == 1, "no writer ever got as far as replacing the file"


KILLED = """
import os, sys
from dataclasses import replace
import numpy as np
from model import Layer, load, save
path = sys.argv[1]
checkpoint = load(path)
old = [Layer(*map(np.asarray, layer)) for layer in checkpoint.params]
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        value = 0
        while True:
            value += 1
            params = [Layer(np.full_like(w, value), np.full_like(b, value)) for w, b in old]
            save(path, replace(checkpoint, params=params))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_saving_respects_the_umask_and_a_link(tmp_path: Path, solved: Checkpoint) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "xor.safetensors"
    link.symlink_to(tmp_path / "real" / "v1.safetensors")
    save(link, solved)
    assert link.is_symlink()
    mode = stat.S_IMODE((tmp_path / "real" / "v1.safetensors").stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    assert mode == 0o666 & ~umask
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["v1.safetensors"]


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(
    tmp_path: Path, solved: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "xor.safetensors"
    save(path, solved)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="no space left on device"):
        save(path, solved)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["xor.safetensors"]


def test_parameters_that_are_not_finite_or_do_not_fit_are_not_saved(tmp_path: Path, solved: Checkpoint) -> None:
    first, second = solved.params
    broken: dict[str, Any] = {
        "finite numbers in params.0.bias, found nan": [Layer(first.weight, np.array([np.nan, 0], np.float32)), second],
        "the tensors": [first],
    }
    for message, params in broken.items():
        with pytest.raises(CheckpointError, match=message):
            save(tmp_path / "x.safetensors", replace(solved, params=params))
    assert list(tmp_path.iterdir()) == []


def test_save_refuses_all_that_load_would(tmp_path: Path, solved: Checkpoint) -> None:
    record = msgspec.structs.replace
    changes: dict[str, dict[str, Any]] = {
        "expected 2 different columns, found 'a'": {"columns": ("a",)},
        "expected 2 different columns, found 'a, a'": {"columns": ("a", "a")},
        "expected 2 different classes, found '0, 0'": {"classes": (0, 0)},
        "`float`, got `null` - at `$.training.loss`": {"training": record(solved.training, loss=float("nan"))},
        "`int`, got `str` - at `$.training.seed`": {"training": record(solved.training, seed="0")},
        "can hold, found a value of the type ndarray": {"training": record(solved.training, loss=np.zeros(2))},
    }
    for message, change in changes.items():
        with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
            save(tmp_path / "x.safetensors", replace(solved, **change))
        assert str(caught.value).endswith("; nothing was written")
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_jax_or_numpy_is_a_number(tmp_path: Path, solved: Checkpoint) -> None:
    training = msgspec.structs.replace(solved.training, loss=jnp.float32(0.5), seed=np.int64(3))
    save(tmp_path / "x.safetensors", replace(solved, training=training))
    loaded = load(tmp_path / "x.safetensors").training
    assert (loaded.loss, loaded.seed) == (0.5, 3)


def rewrite(path: Path, change: Any) -> None:
    """Write the file anew with changed tensors and metadata and a digest that is right."""
    import hashlib

    with safetensors.safe_open(path, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        metadata = json.loads(file.metadata()["nudge"])
    change(tensors, metadata)
    metadata["digest"] = "0" * 64
    blank = safetensors.numpy.save(tensors, {"nudge": json.dumps(metadata, separators=(",", ":"))})
    digest = hashlib.sha256(blank).hexdigest().encode()
    path.write_bytes(blank.replace(b"0" * 64, digest, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(format=2), "expected format 3, found format 2"),
        (lambda t, m: m.update(surprise=1), "unknown field `surprise`"),
        (lambda t, m: m["network"].update(activation="elu"), "activation must be one of"),
        (lambda t, m: m["network"].update(sizes=[2, 3, 1]), r"expected the tensors .* found"),
        (lambda t, m: t.update({"params.0.bias": t["params.0.bias"].astype(np.float16)}), "float32, found float16"),
        (
            lambda t, m: t.update({"params.0.bias": np.array([np.inf, 0], np.float32)}),
            "finite numbers in params.0.bias",
        ),
        (lambda t, m: m.update(columns=["a"]), "expected 2 different columns, found 'a'"),
        (lambda t, m: m.update(columns=["a", "a"]), "expected 2 different columns, found 'a, a'"),
        (lambda t, m: m.update(classes=[0, 1, 2]), "expected 2 different classes, found '0, 1, 2'"),
        (lambda t, m: t.pop("params.1.bias"), r"expected the tensors"),
    ],
)
def test_a_file_with_a_right_digest_and_wrong_contents_is_refused(
    checkpoints: Path, tmp_path: Path, change: Any, message: str
) -> None:
    path = tmp_path / "xor.safetensors"
    path.write_bytes((checkpoints / "xor.safetensors").read_bytes())
    rewrite(path, lambda tensors, metadata: None)
    load(path)
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refusals_name_file_expected_found_and_remedy(tmp_path: Path, solved: Checkpoint) -> None:
    missing = tmp_path / "none.safetensors"
    with pytest.raises(CheckpointError) as caught:
        load(missing)
    assert str(caught.value) == f"{missing}: expected a checkpoint, found no file; write one with `nudge train`"
    with pytest.raises(CheckpointError, match="expected a readable file, found is a directory"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match=r"expected a name that ends in \.safetensors, found 'x\.bin'"):
        save(tmp_path / "x.bin", solved)
    with pytest.raises(CheckpointError, match=r"expected a readable file, found .*null"):
        load(tmp_path / "a\0b")
    with pytest.raises(CheckpointError, match=r"expected a name for a file, found .*null"):
        check_path(tmp_path / "a\0.safetensors")
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="expected a file, found a directory"):
        check_path(tmp_path / "d.safetensors")


@pytest.mark.parametrize("name", ["file/x", "loop/x", "n" * 230, "/proc/x"])
def test_where_a_file_cannot_be_is_known_before_training(tmp_path: Path, solved: Checkpoint, name: str) -> None:
    """A name may be short enough while that of the temporary file is too long."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    place = tmp_path / f"{name}.safetensors"
    for refuse in (check_path, lambda path: save(path, solved)):
        with pytest.raises(CheckpointError, match=r"expected a place to write to, found .*; name another, such as"):
            refuse(place)


def test_checking_a_place_leaves_nothing_but_its_directory(tmp_path: Path) -> None:
    check_path(tmp_path / "new" / "x.safetensors")
    assert [path.name for path in tmp_path.rglob("*")] == ["new"]


def test_the_default_is_the_only_one_or_xor(tmp_path: Path, solved: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint in it, found none"):
        default_checkpoint(tmp_path)
    save(tmp_path / "and.safetensors", solved)
    assert default_checkpoint(tmp_path).stem == "and"
    save(tmp_path / "or.safetensors", solved)
    with pytest.raises(CheckpointError, match="xor among them, found and, or"):
        default_checkpoint(tmp_path)
    save(tmp_path / "xor.safetensors", solved)
    assert default_checkpoint(tmp_path).stem == "xor"

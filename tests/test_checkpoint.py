"""Checkpoints are exact, are refused if a byte has changed, and are whole even if their writer is killed."""

import hashlib
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
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
import safetensors.numpy

from model import Checkpoint, CheckpointError, Layer, Network, init_params, load, save
from model.checkpoint import check_path, default_checkpoint, parse, read
from tests.conftest import ROOT
from tests.examples import checkpoint_of, same_bits, with_bins, with_knee, with_params

pytestmark = pytest.mark.core


@pytest.mark.parametrize("sizes", [(2, 2, 1), (1, 1), (3, 17, 5, 2)])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_loaded_checkpoint_has_the_bits_that_were_saved(
    sizes: tuple[int, ...], activation: str, tmp_path: Path, solved: Checkpoint
) -> None:
    network = Network(sizes, activation)
    params = init_params(network, key=jax.random.key(1))
    columns = tuple(f'column "{index}" \\"digest\\":\\"é' for index in range(sizes[0]))
    checkpoint = replace(with_params(solved, params, network), columns=columns, column_specs=())
    saved = save(tmp_path / "x.safetensors", checkpoint)
    loaded = load(tmp_path / "x.safetensors")
    assert {leaf.dtype for leaf in jax.tree.leaves(loaded.params)} == {jnp.dtype(jnp.float32)}
    assert same_bits(loaded.params, params)
    for name in (
        "network",
        "columns",
        "target",
        "classes",
        "training",
        "column_specs",
        "target_scaling",
        "temperature",
        "threshold",
        "residuals",
        "task",
        "member_count",
        "digest",
    ):
        assert getattr(loaded, name) == getattr(saved, name)
    assert len(saved.digest) == 64
    assert saved.version == saved.digest[:12]


def test_the_file_is_safetensors_with_one_key_of_metadata(checkpoints: Path) -> None:
    with safetensors.safe_open(checkpoints / "xor.safetensors", "numpy") as file:
        assert set(file.keys()) == {"params.0.weight", "params.0.bias", "params.1.weight", "params.1.bias"}
        assert list(file.metadata()) == ["nudge"]
        metadata = json.loads(file.metadata()["nudge"])
    expected = {"format", "ensemble", "columns", "target", "classes", "scaling", "training", "digest"}
    assert expected | {"target_scaling", "residuals", "temperature", "threshold"} == set(metadata)
    network = {"sizes": [2, 2, 1], "activation": "relu", "task": "binary"}
    assert metadata["ensemble"] == [{"network": network, "count": 1, "sees_bins": False}]
    assert metadata["training"]["epoch"] == 20_000


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_networks_of_two_encodings_are_saved_and_loaded_with_the_same_bits(task: str, tmp_path: Path) -> None:
    """The bins are not in the file: they follow from the edges of the columns."""
    checkpoint = with_bins(checkpoint_of(task))
    saved = save(tmp_path / "x.safetensors", checkpoint)
    loaded = load(tmp_path / "x.safetensors")
    assert same_bits(loaded.ensemble, checkpoint.ensemble)
    assert [members.network for members in loaded.ensemble] == [members.network for members in checkpoint.ensemble]
    assert [members.bins is None for members in loaded.ensemble] == [True, False]
    assert (loaded.member_count, loaded.column_specs, loaded.digest) == (4, checkpoint.column_specs, saved.digest)
    with safetensors.safe_open(tmp_path / "x.safetensors", "numpy") as file:
        names = {f"{params}.{layer}.{leaf}" for params in ("params", "params2") for layer in "01" for leaf in WEIGHTS}
        assert set(file.keys()) == names
        assert np.array_equal(file.get_tensor("params2.1.bias"), checkpoint.ensemble[1].params[1].bias)
        described = json.loads(file.metadata()["nudge"])["ensemble"]
    assert [(each["count"], each["sees_bins"], each["network"]["sizes"][0]) for each in described] == [
        (2, False, 6),
        (2, True, 3 + 1 + 2 + 1 + 2),  # bins of the size and whether it is missing, colours, the constant, other bins
    ]


WEIGHTS = ("weight", "bias")


def test_what_was_measured_on_rows_held_out_is_saved(tmp_path: Path) -> None:
    checkpoint = with_knee(checkpoint_of("regression"))
    save(tmp_path / "x.safetensors", checkpoint)
    loaded = load(tmp_path / "x.safetensors")
    assert (loaded.residuals, loaded.target_scaling) == (checkpoint.residuals, checkpoint.target_scaling)


MISFITS: dict[str, tuple[Any, str]] = {
    "no networks": (lambda t, m: m.update(ensemble=[]), "expected at least one network, found none"),
    "a count of 0": (lambda t, m: m["ensemble"][0].update(count=0), "expected at least one network, found none"),
    "a wrong count": (lambda t, m: m["ensemble"][1].update(count=3), r"expected the tensors .* found"),
    "no bins": (lambda t, m: m["ensemble"][1].update(sees_bins=False), "expected columns of 9 inputs, found 6"),
    "bins": (lambda t, m: m["ensemble"][0].update(sees_bins=True), "expected columns of 6 inputs, found 9"),
    "other bins": (lambda t, m: m["scaling"][0].update(edges=[0, 1]), "expected columns of 9 inputs, found 7"),
    "another task": (lambda t, m: m["ensemble"][1]["network"].update(task="regression"), "that all predict like"),
    "a tensor too few": (lambda t, m: t.pop("params2.0.bias"), r"expected the tensors .* found"),
    "a tensor too many": (lambda t, m: t.update({"params3.0.bias": np.zeros(3, np.float32)}), "expected the tensors"),
    "no number": (
        lambda t, m: t.update({"params2.1.bias": np.full((2, 1), np.nan, np.float32)}),
        "finite numbers in params2.1.bias, found nan",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_networks_that_do_not_fit_together_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.safetensors"
    save(path, with_bins(checkpoint_of("binary")))
    change, message = MISFITS[name]
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_a_file_is_parsed_without_a_device(checkpoints: Path) -> None:
    path = checkpoints / "xor.safetensors"
    parsed, loaded = parse(path, read(path)), load(path)
    assert {type(leaf) for leaf in jax.tree.leaves(parsed.params)} == {np.ndarray}
    assert same_bits(parsed.params, loaded.params)
    assert parsed.digest == loaded.digest


def test_a_file_cut_at_any_byte_is_refused(checkpoints: Path, tmp_path: Path) -> None:
    whole = (checkpoints / "xor.safetensors").read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors: expected .*, found .*; .*nudge train"):
            load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="changed or cut off"):
        load(path)


@pytest.mark.parametrize("flipped_bits", [0x01, 0x20, 0x80, 0xFF])
def test_a_file_with_any_byte_changed_is_refused(checkpoints: Path, tmp_path: Path, flipped_bits: int) -> None:
    whole = (checkpoints / "xor.safetensors").read_bytes()
    path = tmp_path / "changed.safetensors"
    for position, byte in enumerate(whole):
        path.write_bytes(whole[:position] + bytes([byte ^ flipped_bits]) + whole[position + 1 :])
        with pytest.raises(CheckpointError):
            load(path)


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(checkpoints: Path, tmp_path: Path) -> None:
    """The writer forks 200 times. Each child only writes files, and is killed."""
    path = tmp_path / "xor.safetensors"
    path.write_bytes((checkpoints / "xor.safetensors").read_bytes())
    old_values = parameter_values(path)
    rng = random.Random(0)
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FORKING_WRITER, str(path)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        for _ in range(200):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            time.sleep(rng.uniform(0, 0.004))
            os.kill(child, signal.SIGKILL)
            assert parent.stdout.readline() == f"{-signal.SIGKILL}\n"
            values = parameter_values(path)
            assert np.unique(values).size == 1 or np.array_equal(values, old_values)
        parent.stdin.close()
    assert np.unique(values).size == 1, "no writer replaced the file before it was killed"


def parameter_values(path: Path) -> np.ndarray:
    """All parameters in a file, in one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(load(path).params)])


# For each line of its input it forks a writer whose parameters are all 1, then all 2, and so on.
FORKING_WRITER = """
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
            save(path, replace(checkpoint, ensemble=(checkpoint.ensemble[0]._replace(params=params),)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_saving_follows_links_and_respects_the_umask(tmp_path: Path, solved: Checkpoint) -> None:
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


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, solved: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "xor.safetensors"
    save(path, solved)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match="no space left on device"):
        save(path, solved)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["xor.safetensors"]


def test_parameters_that_are_not_finite_or_do_not_fit_are_not_saved(tmp_path: Path, solved: Checkpoint) -> None:
    first, second = solved.params
    changes: dict[str, Any] = {
        "finite numbers in params.0.bias, found nan": [Layer(first.weight, np.array([np.nan, 0], np.float32)), second],
        "the tensors": [first],
    }
    for message, params in changes.items():
        with pytest.raises(CheckpointError, match=message):
            save(tmp_path / "x.safetensors", with_params(solved, params))
    assert list(tmp_path.iterdir()) == []


def test_save_refuses_what_load_would_refuse(tmp_path: Path, solved: Checkpoint) -> None:
    training = solved.training
    replace_training = partial(msgspec.structs.replace, training)
    changes: dict[str, dict[str, Any]] = {
        "expected 2 different columns, found 'a'": {"columns": ("a",)},
        "expected 2 different columns, found 'a, a'": {"columns": ("a", "a")},
        "expected 2 different classes, found '0, 0'": {"classes": (0, 0)},
        "`float`, got `null` - at `$.training.loss`": {"training": replace_training(loss=float("nan"))},
        "`int`, got `str` - at `$.training.seed`": {"training": replace_training(seed="0")},
        "can hold, found a value of the type ndarray": {"training": replace_training(loss=np.zeros(2))},
    }
    for message, change in changes.items():
        with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
            save(tmp_path / "x.safetensors", replace(solved, **change))
        assert str(caught.value).endswith("; nothing was written")
    assert list(tmp_path.iterdir()) == []


def test_a_scalar_of_jax_or_numpy_is_saved_as_a_number(tmp_path: Path, solved: Checkpoint) -> None:
    training = msgspec.structs.replace(solved.training, loss=jnp.float32(0.5), seed=np.int64(3))
    save(tmp_path / "x.safetensors", replace(solved, training=training))
    loaded = load(tmp_path / "x.safetensors").training
    assert (loaded.loss, loaded.seed) == (0.5, 3)


def rewrite(path: Path, change: Any) -> None:
    """Change the tensors and the metadata of a file, and give it the digest of its new bytes."""
    with safetensors.safe_open(path, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is not a dict
        metadata = json.loads(file.metadata()["nudge"])
    change(tensors, metadata)
    metadata["digest"] = "0" * 64
    blank = safetensors.numpy.save(tensors, {"nudge": json.dumps(metadata, separators=(",", ":"))})
    digest = hashlib.sha256(blank).hexdigest().encode()
    path.write_bytes(blank.replace(b"0" * 64, digest, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(format=3), "expected format 4, found format 3"),
        (lambda t, m: m.update(threshold=1.5), "expected a threshold from 0 to 1, found 1.5"),
        (lambda t, m: m.update(format=5, surprise=1), "expected format 4, found format 5"),
        (lambda t, m: m.update(surprise=1), "unknown field `surprise`"),
        (lambda t, m: m["ensemble"][0]["network"].update(activation="elu"), "activation must be one of"),
        (lambda t, m: m["ensemble"][0]["network"].update(sizes=[2, 3, 1]), r"expected the tensors .* found"),
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
def test_wrong_contents_are_refused_even_if_the_digest_is_right(
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


def test_a_refusal_names_the_file_what_was_expected_what_was_found_and_what_to_do(
    tmp_path: Path, solved: Checkpoint
) -> None:
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
def test_a_file_that_cannot_be_written_is_refused_before_training(
    tmp_path: Path, solved: Checkpoint, name: str
) -> None:
    """The long name itself is short enough, but that of the temporary file is too long."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    path = tmp_path / f"{name}.safetensors"
    message = r"expected a place to write to, found .*; name another, such as"
    with pytest.raises(CheckpointError, match=message):
        check_path(path)
    with pytest.raises(CheckpointError, match=message):
        save(path, solved)


def test_checking_a_path_leaves_only_its_directory(tmp_path: Path) -> None:
    check_path(tmp_path / "new" / "x.safetensors")
    assert [path.name for path in tmp_path.rglob("*")] == ["new"]


def test_the_default_checkpoint_is_the_only_one_or_xor(tmp_path: Path, solved: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint in it, found none"):
        default_checkpoint(tmp_path)
    save(tmp_path / "and.safetensors", solved)
    assert default_checkpoint(tmp_path).stem == "and"
    save(tmp_path / "or.safetensors", solved)
    with pytest.raises(CheckpointError, match="xor among them, found and, or"):
        default_checkpoint(tmp_path)
    save(tmp_path / "xor.safetensors", solved)
    assert default_checkpoint(tmp_path).stem == "xor"

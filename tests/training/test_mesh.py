"""Training on a mesh of eight virtual devices, against one device."""

import json
import pickle
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Network, train, truth_table
from model.training.mesh import make_mesh
from model.training.placement import ArrayInLanes, Placement, place_chunks
from tests.conftest import ROOT
from tests.examples import same_bits
from tests.training.meshes import BY_RESTARTS, BY_ROWS, DEVICES, FIRST_EPOCHS, RUNS


@pytest.fixture(scope="module")
def found(environment: dict[str, str]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.training.meshes"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment | {"JAX_NUM_CPU_DEVICES": str(DEVICES)},
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def test_restarts_have_the_same_bits_on_every_mesh(found: dict[str, Any]) -> None:
    assert len(found["bits"]) == len(RUNS) * len(BY_RESTARTS)
    assert [place for place, is_same in found["bits"].items() if not is_same] == []


def test_shared_rows_lead_to_the_same_losses_and_params(found: dict[str, Any]) -> None:
    assert len(found["losses"]) == len(FIRST_EPOCHS) * len(BY_ROWS)
    assert max(found["losses"].values()) < 1e-5
    assert max(found["params"].values()) < 1e-4


@given(st.integers(1, 200), st.integers(1, 4))
def test_every_chunk_is_trained_once(chunks: int, threads: int) -> None:
    placement = Placement(make_mesh(1), threads, chunks)
    trained = [chunk for lane in placement.lanes for chunk in range(lane.first, lane.first + lane.size)]
    assert trained == list(range(chunks))
    tree = {"numbers": np.arange(chunks), "rows": np.arange(2.0 * chunks).reshape(chunks, 2)}
    joined = placement.join([placement.share(tree, lane) for lane in placement.lanes])
    assert all(map(np.array_equal, jax.tree.leaves(tree), jax.tree.leaves(joined)))


def test_chunks_stay_where_they_are_trained_from_one_stretch_to_the_next() -> None:
    placement = Placement(make_mesh(1), 2, 5)
    trained = [placement.share(np.arange(5.0), lane) for lane in placement.lanes]
    joined = placement.join(trained)
    assert all(placement.share(joined, lane) is part for lane, part in zip(placement.lanes, trained, strict=True))
    assert np.asarray(joined).tolist() == [0, 1, 2, 3, 4]
    others = Placement(make_mesh(1), 3, 5)
    cut_anew = [np.asarray(others.share(joined, lane))[: lane.size].tolist() for lane in others.lanes]
    assert cut_anew == [[0, 1], [2, 3], [4]]


def test_a_state_is_arrays_wherever_it_was_trained() -> None:
    *_, progress = train(Network((2, 2, 1)), truth_table("xor"), key=jax.random.key(0), epochs=200, restarts=70)
    is_in_lanes = [isinstance(leaf, ArrayInLanes) for leaf in jax.tree.leaves(progress.placed)]
    assert all(is_in_lanes) == (progress.run.parts[0].placement.threads > 1)
    copy = pickle.loads(pickle.dumps(progress.state))
    assert same_bits(copy, progress.state)
    assert same_bits(jax.jit(lambda state: state)(progress.state), progress.result().state)
    assert all(isinstance(leaf, np.ndarray | jax.Array) for leaf in jax.tree.leaves(progress.state))


def test_threads_are_no_more_than_chunks() -> None:
    assert place_chunks(make_mesh(1), 1).threads == 1
    assert 1 <= place_chunks(make_mesh(1), 3).threads <= 3


@pytest.mark.parametrize(("restart", "data"), [(2, 1), (1, 2), (None, 2)])
def test_a_mesh_with_more_devices_than_there_are_is_refused(restart: int | None, data: int) -> None:
    message = rf"^the mesh must have at most as many devices as there are, 1, not restart={restart or 1} × data={data}$"
    with pytest.raises(ValueError, match=message):
        make_mesh(restart, data)


def test_an_optimizer_that_asks_for_all_rows_is_refused_where_rows_are_shared(found: dict[str, Any]) -> None:
    assert found["refusal"].startswith("the optimizer must be a name where devices share the rows")

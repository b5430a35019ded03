"""Training on meshes of many devices, to be run in a process that has them: prints what differs from one device.

JAX_NUM_CPU_DEVICES=8 python -m tests.training.meshes
"""

import json
from typing import Any

import jax
import numpy as np
import optax

from model import Network, Result, fit
from model.training.mesh import make_mesh
from tests.training.examples import EARLY_STOPPING, KEY, NOISY_TABLE, TANH_NETWORK, XOR

DEVICES = 8
# The shapes of meshes, [restart, data].
BY_RESTARTS, BY_ROWS = [(2, 1), (4, 1), (8, 1)], [(1, 2), (2, 4), (1, 8)]
# 66 restarts are three chunks; 7 are seven, of which some end early; one is a chunk by itself.
RUNS: dict[str, tuple[Network, Any, dict[str, Any]]] = {
    "sgd": (Network((2, 2, 1)), XOR, {"epochs": 300, "restarts": 66, "log_every": 30}),
    "adam": (Network((2, 5, 3, 1)), XOR, {"epochs": 30, "restarts": 33, "optimizer": "adam", "log_every": 1}),
    "minibatches": (TANH_NETWORK, NOISY_TABLE, EARLY_STOPPING | {"epochs": 25, "restarts": 7}),
    "windows": (TANH_NETWORK, NOISY_TABLE, EARLY_STOPPING | {"epochs": 9, "restarts": 3, "window": 20}),
    "one restart": (TANH_NETWORK, NOISY_TABLE, EARLY_STOPPING | {"epochs": 9, "restarts": 1, "ensemble": 1}),
}
FIRST_EPOCHS: dict[str, dict[str, Any]] = {
    "adam": {"epochs": 10},
    "minibatches": {"epochs": 10, "class_weights": True},
    "windows": {},
}


def train(name: str, shape: tuple[int, int], changes: dict[str, Any]) -> Result:
    network, table, options = RUNS[name]
    return fit(network, table, key=KEY, mesh=make_mesh(*shape), **(options | changes))


def leaves_of(result: Result) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves((result.params, result.state, result.losses))]


def main() -> None:
    assert jax.device_count() == DEVICES
    found: dict[str, Any] = {"bits": {}, "losses": {}, "params": {}}
    for name in RUNS:
        alone = train(name, (1, 1), {})
        for shape in BY_RESTARTS:
            result = train(name, shape, {})
            pairs = zip(leaves_of(alone), leaves_of(result), strict=True)
            same = all(one.tobytes() == other.tobytes() for one, other in pairs)
            same_history = all(map(np.array_equal, alone.history, result.history, [True] * 3))
            found["bits"][f"{name} on {shape}"] = same and same_history
    for name, changes in FIRST_EPOCHS.items():
        alone = train(name, (1, 1), changes)
        for shape in BY_ROWS:
            result = train(name, shape, changes)
            place = f"{name} on {shape}"
            found["losses"][place] = float(np.abs(alone.history.losses - result.history.losses).max())
            pairs = zip(leaves_of(alone), leaves_of(result), strict=True)
            found["params"][place] = max(float(np.abs(one - other).max()) for one, other in pairs)
    try:
        fit(Network((2, 1)), XOR, key=KEY, optimizer=optax.lbfgs(), mesh=make_mesh(1, 2))
    except ValueError as error:
        found["refusal"] = str(error)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

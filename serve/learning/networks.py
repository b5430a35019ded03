"""From messages to networks, params and the state of an optimizer, and back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from model.hyperparameters import INITS, OPTIMIZERS
from model.messages import quote
from model.network import Layer, Network, Params
from model.training.train_params import opt_state_shapes
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.learning import checks
from serve.learning.numbers_in_json import shortest
from serve.learning_messages import LayerMessage, NetworkMessage, StartMessage, TrainingMessage

# The most steps that the device's whole numbers count.
LARGEST_COUNT = 2**31 - 1


def network_of(message: NetworkMessage) -> Network:
    """The network of a message. Raises RequestError if there is no such network, or if it is too large."""
    checks.check_sizes(message.sizes)
    try:
        return Network(message.sizes, message.activation, message.task)
    except ValueError as error:
        raise RequestError(f"network: {error}") from None


def params_of(message: list[LayerMessage], network: Network) -> Params:
    """The params of a message, in NumPy's float32. Raises RequestError if they are not those of the network."""
    expected = list(pairwise(network.sizes))
    if len(message) != len(expected):
        raise RequestError(f"params: {len(expected)} layers were expected, and {len(message)} were found")
    params = []
    for index, (layer, (inputs, units)) in enumerate(zip(message, expected, strict=True)):
        weight = array_of(f"params[{index}].weight", layer.weight, (inputs, units))
        params.append(Layer(weight, array_of(f"params[{index}].bias", layer.bias, (units,))))
    return params


def opt_state_of(message: list[Any] | None, optimizer: str, network: Network) -> list[np.ndarray] | None:
    """The state of an optimizer. Raises RequestError if it is not that of this optimizer and network."""
    if message is None:
        return None
    shapes = opt_state_shapes(optimizer, network)
    if len(message) != len(shapes):
        raise RequestError(
            f"opt_state: {len(shapes)} arrays were expected for {optimizer}, and {len(message):,} were found; after "
            "another optimizer, send null"
        )
    found = []
    for index, (each, shape) in enumerate(zip(message, shapes, strict=True)):
        array_of(f"opt_state[{index}]", each, shape)
        if not shape:  # the number of steps, which float32 does not always hold
            checks.check_range(f"opt_state[{index}]", each, 0, LARGEST_COUNT)
            if each != int(each):
                raise RequestError(f"opt_state[{index}]: a whole number was expected, and {each} was found")
        found.append(np.array(each))
    return found


def array_of(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Nested lists as an array of this shape in float32. Raises RequestError if they are no such array."""
    try:
        array = np.array(values)
    except ValueError:  # lists of different lengths
        array = None
    if array is not None and array.dtype.kind not in "iuf":
        array = None
    if array is None or array.shape != shape:
        raise RequestError(
            f"{name}: numbers of the shape {list(shape)} were expected, and "
            f"{'others' if array is None else f'the shape {list(array.shape)}'} were found"
        )
    with np.errstate(over="ignore"):
        numbers: np.ndarray = array.astype(np.float32)
    checks.check_finite(name, numbers)
    return numbers


def check_training(training: TrainingMessage) -> None:
    """Raise RequestError if there is no such optimizer, or if its learning rate is out of range."""
    if training.optimizer not in OPTIMIZERS:
        names = ", ".join(OPTIMIZERS)
        raise RequestError(
            f"training.optimizer: one of {names} was expected, and {quote(training.optimizer)} was found"
        )
    rate, low, high = training.learning_rate, limits.MIN_LEARNING_RATE, limits.MAX_LEARNING_RATE
    if not low <= rate <= high:
        found = f"{checks.shown(rate)} was found"
        raise RequestError(
            f"the learning rate: a number above 0 and at most {high:,g} was expected, and {found}; 0.1 often works"
            if rate <= 0 or rate > high
            else f"the learning rate: at least {low:g} was expected, and {found}; 0.1 often works"
        )


def check_start(start: StartMessage) -> None:
    """Raise RequestError if there is no such start."""
    checks.check_range("start.seed", start.seed, 0, limits.MAX_SEED)
    checks.check_range("start.index", start.index, 0, limits.MAX_INDEX)
    check_init("start.init", start.init)


def check_init(name: str, init: str) -> None:
    """Raise RequestError if there is no such way to draw params."""
    if init not in INITS:
        raise RequestError(f"{name}: one of {', '.join(INITS)} was expected, and {quote(init)} was found")


def params_as_data(params: Params) -> list[dict[str, Any]]:
    """Params for JSON, in the shortest decimals of float32."""
    return [
        {name: shortest(np.asarray(leaf, np.float32)) for name, leaf in layer._asdict().items()} for layer in params
    ]


def params_as_numbers(params: Params) -> list[dict[str, Any]]:
    """A pytree like params for JSON, in float64."""
    return [{name: np.asarray(leaf, np.float64).tolist() for name, leaf in layer._asdict().items()} for layer in params]

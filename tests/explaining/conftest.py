"""Traces of random networks of every task and activation. They are computed once, because compiling takes longest."""

from itertools import product

import pytest

from model import Network, Trace, trace
from model.activations import ACTIVATIONS
from tests.explaining.networks import Example, example_of

SCALES = (1.0, 1e-4, 6.0)


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Networks with rows. Every task has every activation, and each has parameters of every size."""
    found = []
    for number, (task, activation) in enumerate(product(("binary", "multiclass", "regression"), ACTIVATIONS)):
        outputs = 3 if task == "multiclass" else 1 + number % 2
        network = Network((2, *((), (2,), (4, 3), (4, 3))[number % 4], outputs), activation, task)
        for seed, scale in enumerate(SCALES):
            found.append(example_of(network, 1 + 2 * (number % 2), seed, scale))
    return found


@pytest.fixture(scope="session")
def traces(examples: list[Example]) -> list[Trace]:
    """What `trace` gives for each of them."""
    return [trace(*example) for example in examples]

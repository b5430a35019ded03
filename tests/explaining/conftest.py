"""Traces of random networks of every task and activation. They are computed once, because compiling takes longest."""

import pytest

from model import Trace, trace
from tests.explaining.networks import NETWORKS, SCALES, Arguments, Example, drawn_example


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Networks with rows. Every task has every activation, and each has parameters of every size."""
    return [drawn_example(Arguments(place, place, scale)) for place in range(len(NETWORKS)) for scale in SCALES]


@pytest.fixture(scope="session")
def traces(examples: list[Example]) -> list[Trace]:
    """What `trace` gives for each of them."""
    return [trace(*example) for example in examples]

"""Traces of random networks of every task and activation. They are computed once, because compiling takes longest."""

import pytest

from model import Trace
from model.explaining.steps import Steps, explain_rows
from tests.explaining.networks import NETWORKS, SCALES, Arguments, Example, compiled_trace, drawn_example


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Networks with rows. Every task has every activation, and each has parameters of every size."""
    return [drawn_example(Arguments(place, place, scale)) for place in range(len(NETWORKS)) for scale in SCALES]


@pytest.fixture(scope="session")
def traces(examples: list[Example]) -> list[Trace]:
    """The trace of each of them."""
    return [compiled_trace(example) for example in examples]


@pytest.fixture(scope="session")
def explained(examples: list[Example]) -> list[Steps]:
    """What a learner is told of each of them."""
    return [explain_rows(*example) for example in examples]

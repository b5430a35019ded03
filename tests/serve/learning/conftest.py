"""What the tests of the process that computes for learners share."""

import pytest

from serve.learning.application import create_learning_app
from tests.serve.learning.examples import Learner


@pytest.fixture(scope="package")
def learner() -> Learner:
    """Asks the application, in this process."""
    return Learner(create_learning_app().test_client())

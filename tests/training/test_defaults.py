"""The hyperparameters and the network that a table gets by default."""

import numpy as np
import pytest

from model import Network, Table, default_network, table_from_arrays, truth_table
from model.training.defaults import (
    FILE_DEFAULTS,
    FILE_HIDDEN,
    TRUTH_TABLE_DEFAULTS,
    default_hyperparameters,
    file_hyperparameters,
)


def table_with(rows: int, classes: tuple[str, ...]) -> Table:
    y = np.arange(rows) % max(len(classes), 2)
    return table_from_arrays(np.zeros((rows, 3)), y, classes)


def test_a_truth_table_gets_the_hyperparameters_of_the_guide() -> None:
    assert default_hyperparameters(truth_table("and")) == TRUTH_TABLE_DEFAULTS
    assert default_network(truth_table("and")) == Network((2, 2, 1))


def test_a_file_gets_hyperparameters_for_its_number_of_rows() -> None:
    assert default_hyperparameters(table_with(400, ("a", "b"))) == file_hyperparameters(400)


@pytest.mark.parametrize("rows", [0, 1, 333])
def test_a_small_file_gets_the_full_weight_decay(rows: int) -> None:
    assert file_hyperparameters(rows) == FILE_DEFAULTS


def test_more_rows_get_less_weight_decay_and_larger_batches() -> None:
    many, most = file_hyperparameters(100_000), file_hyperparameters(10**7)
    assert many.weight_decay == pytest.approx([each / 300 for each in FILE_DEFAULTS.weight_decay])
    assert (many.batch_size, most.batch_size) == (512, 1024)


@pytest.mark.parametrize(
    ("classes", "outputs", "task"),
    [((), 1, "regression"), (("a", "b"), 1, "binary"), (("a", "b", "c"), 3, "multiclass")],
)
def test_a_network_has_the_outputs_that_the_task_needs(classes: tuple[str, ...], outputs: int, task: str) -> None:
    assert default_network(table_with(9, classes)) == Network((3, *FILE_HIDDEN, outputs), "relu", task)
    assert default_network(table_with(9, classes), (), "tanh") == Network((3, outputs), "tanh", task)

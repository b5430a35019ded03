"""The hyperparameters and the network that a table gets if no others are named."""

from __future__ import annotations

import math

from model.hyperparameters import Hyperparameters, replace
from model.network import Network, parameter_count
from model.tables.streamed_table import StreamedTable
from model.tables.table import Table
from model.tasks import TASKS

TRUTH_TABLE_DEFAULTS = Hyperparameters()
TRUTH_TABLE_HIDDEN = (2,)

# These do well on tables of some hundred to some thousand rows, see docs/defaults.md.
FILE_BATCH_SIZE = 64
FILE_DEFAULTS = Hyperparameters(
    epochs=60,
    restarts=8,
    ensemble=8,
    encodings=("numbers", "bins"),
    init="he",
    optimizer="adam",
    learning_rate=0.01,
    schedule="cosine",
    weight_decay=(1.0, 0.3),
    clip=1.0,
    batch_size=FILE_BATCH_SIZE,
    validation=0.15,
    folds=4,
    patience=10,
    target_scale="auto",
    log_every=10,
)
FILE_HIDDEN = (64, 64)
# One layer, one encoding, and the same rows held out by all restarts: less time, and somewhat worse.
FAST_DEFAULTS = replace(
    FILE_DEFAULTS,
    epochs=200,
    ensemble=4,
    encodings=("numbers",),
    schedule="constant",
    weight_decay=(3.0, 1.0),
    folds=1,
    target_scale="linear",
)
FAST_HIDDEN = (100,)

# Weight decay is prior knowledge, and more rows need less of it. Tables of up to so many rows get all of it.
FULL_DECAY_ROWS = 1000 / 3
# A batch has one in so many rows, but not fewer than FILE_BATCH_SIZE and not more than the largest.
ROWS_PER_BATCH_ROW, LARGEST_BATCH = 128, 1024
# The size of a window of rows that are read from a file: the larger, the better they are shuffled.
WINDOW_BYTES, WINDOW_BATCHES = 16 << 20, 8
# About what a sum over two processes takes, and a product; and the products of a step for each row and parameter.
COLLECTIVE_SECONDS, PRODUCT_SECONDS, PRODUCTS_PER_PARAMETER = 2e-4, 1e-10, 3
STEPS_PER_EPOCH = 20


def default_hyperparameters(table: Table, *, fast: bool = False) -> Hyperparameters:
    """The hyperparameters that a table is trained with if no others are named.

    Args:
        table: what is learned from.
        fast: as in `file_hyperparameters`.

    Returns:
        The guide's for a truth table, otherwise those of `file_hyperparameters`.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> default_hyperparameters(truth_table("xor")).epochs
        100000
    """
    if table.complete:
        return TRUTH_TABLE_DEFAULTS
    rows = len(table.y) if table.held_out is None else int((~table.held_out).sum())
    defaults = file_hyperparameters(rows, fast=fast)
    return replace(defaults, window=default_window(table)) if isinstance(table, StreamedTable) else defaults


def default_window(table: Table) -> int:
    """How many rows of a table are in memory at a time, if they are read from a file.

    Args:
        table: what is learned from.

    Returns:
        So many rows that they take 16 MiB, and at least those of eight of the largest batches.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> default_window(truth_table("xor"))
        2097152
    """
    return max(WINDOW_BYTES // (4 * table.input_count), WINDOW_BATCHES * LARGEST_BATCH)


def file_hyperparameters(rows: int, *, fast: bool = False) -> Hyperparameters:
    """The defaults for a number of rows: the more rows, the smaller the weight decay and the larger the batches.

    Args:
        rows: how many the table has, from 0.
        fast: whether they are those of `FAST_DEFAULTS` instead of `FILE_DEFAULTS`.

    Returns:
        The hyperparameters.

    Example:
        >>> file_hyperparameters(1000).weight_decay, file_hyperparameters(1_000_000).batch_size
        ((0.3333333333333333, 0.09999999999999999), 1024)
    """
    defaults = FAST_DEFAULTS if fast else FILE_DEFAULTS
    batch_size = 1 << max(rows // ROWS_PER_BATCH_ROW, 1).bit_length() - 1
    return replace(
        defaults,
        weight_decay=tuple(decay * min(1.0, FULL_DECAY_ROWS / max(rows, 1)) for decay in defaults.weight_decay),
        batch_size=min(max(batch_size, FILE_BATCH_SIZE), LARGEST_BATCH),
    )


def batch_of_shared_rows(hyperparameters: Hyperparameters, network: Network, rows: int) -> Hyperparameters:
    """The hyperparameters for a mesh whose devices share the rows of each step.

    Each device adds up the gradient of its share before the devices add up theirs. So that this sum, which takes about
    200 µs between processes, does not take longer than the step, a step has enough rows to compute for as long.

    Args:
        hyperparameters: of which the batch size counts.
        network: the description of the network.
        rows: how many the table has, from 1.

    Returns:
        The same with a batch size that is at least as large, and otherwise at most a twentieth of the rows.

    Example:
        >>> h = Hyperparameters(batch_size=32)
        >>> [batch_of_shared_rows(h, Network((30, *hidden, 1)), 10**6).batch_size for hidden in ((4,), (64, 64))]
        [8192, 128]
    """
    if hyperparameters.batch_size is None:
        return hyperparameters
    computing = PRODUCT_SECONDS * PRODUCTS_PER_PARAMETER * parameter_count(network)
    wanted = 1 << math.ceil(math.log2(max(COLLECTIVE_SECONDS / computing, 1.0)))
    return replace(hyperparameters, batch_size=max(hyperparameters.batch_size, min(wanted, rows // STEPS_PER_EPOCH)))


def default_network(
    table: Table, hidden: tuple[int, ...] | None = None, activation: str = "relu", *, fast: bool = False
) -> Network:
    """A network for a table.

    Args:
        table: what is learned from.
        hidden: the units of each hidden layer; by default 2 for a truth table, and two layers of 64 for any other.
        activation: of the hidden layers: relu, tanh, sigmoid or gelu.
        fast: whether the default for any other table is one layer of 100.

    Returns:
        A network with the table's inputs, these hidden layers, and as many outputs as the task needs.

    Raises:
        ValueError: if hidden or activation are not those of a Network.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> default_network(truth_table("xor"))
        Network(sizes=(2, 2, 1), activation='relu', task='binary')
    """
    if hidden is None:
        hidden = TRUTH_TABLE_HIDDEN if table.complete else FAST_HIDDEN if fast else FILE_HIDDEN
    outputs = TASKS[table.task].output_count(len(table.classes))
    return Network((table.input_count, *hidden, outputs), activation, table.task)

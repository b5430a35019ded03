"""A table whose inputs stay in a temporary file, because they may be larger than the memory."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from model.tables.column_fitting import FLOAT32_BYTES, THREADS, encode_frame, encode_piece
from model.tables.columns import ColumnSpec, count_inputs
from model.tables.encoding import aligned_empty
from model.tables.memory import available_memory, check_memory, return_memory
from model.tables.row_file import RowFile, temporary_folder
from model.tables.table import Table

if TYPE_CHECKING:
    from model.tables.stored_frame import StoredFrame

# The share of the memory that a table may take, because training needs some too.
LARGEST_SHARE = 0.75


class Streaming(NamedTuple):
    """Whether the inputs of a table stay in a file.

    Attributes:
        always: whether they do even if they fit into memory.
        say: is told how large the file will be, before it is written.
    """

    always: bool
    say: Callable[[str], None]


@dataclass(frozen=True, eq=False)
class StreamedTable(Table):
    """A table with its inputs in a file; everything else is in memory.

    The rows are those of the table in memory, in the same order. But if the table has groups, the rows are sorted by
    their groups, so that the rows of a group can be read together.

    Attributes:
        x: all inputs. They are read into memory when they are asked for.
        file: has the inputs of all rows.
        hashes: SHA-256 of the inputs as they are in the files that were read: of all rows, and of the rows that are not
            from a file for validation.

    Raises:
        TableError: at the first use of x, if the inputs do not fit into memory.
    """

    x: Float[np.ndarray, "rows inputs"] = field(init=False, repr=False)
    file: RowFile = field(kw_only=True, repr=False)
    hashes: tuple[Any, Any] = field(kw_only=True, repr=False)

    def __getattr__(self, name: str) -> Any:
        if name != "x":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        rows, inputs = len(self.y), self.input_count
        check_memory(rows * inputs * FLOAT32_BYTES, f"{rows:,} rows of {inputs:,} inputs", available_memory())
        x = aligned_empty(rows, inputs)
        self.read_inputs(0, x)
        return x

    @property
    def input_count(self) -> int:
        """How many inputs the columns have together."""
        return self.file.width

    def inputs(self, rows: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen inputs"]:
        """The inputs of some rows, given by their indices."""
        return self.file.take(rows)

    def read_inputs(self, start: int, x: Float[np.ndarray, "rows inputs"]) -> None:
        """Write the inputs of the rows from `start` on into x, as many as it has."""
        self.file.read_into(start, x)

    def prepare_inputs(self, start: int, rows: int) -> None:
        """Let the system fetch so many rows from `start` on, which will be read soon."""
        self.file.prepare(start, rows)

    def append_inputs(self, x: Float[np.ndarray, "held inputs"]) -> dict[str, Any]:
        """Write the inputs of further rows, from a file for validation. Returns the attributes that change."""
        self.file.write(len(self.y), x)
        longer = self.hashes[0].copy()
        longer.update(np.ascontiguousarray(x).data)
        return {"hashes": (longer, self.hashes[1])}

    def _hash_inputs(self) -> hashlib._Hash:
        inputs_hash: hashlib._Hash = self.hashes[0].copy()
        return inputs_hash

    @cached_property
    def inputs_digest(self) -> str:
        """The digest of the inputs of the rows of the file, by which the file is known again."""
        digest: str = self.hashes[1].hexdigest()
        return digest


def table_of_frame(
    frame: StoredFrame, specs: Mapping[str, ColumnSpec], streaming: Streaming | None = None, **known: Any
) -> Table:
    """The table of a frame, in memory or with its inputs in a file.

    Args:
        frame: with the columns. Each piece is forgotten when it is encoded.
        specs: of the columns, by their names.
        streaming: whether the inputs stay in a file; None if they never do.
        known: the attributes of the table but for its inputs.

    Returns:
        The table.

    Raises:
        TableError: if neither the memory nor the folder for temporary files has room for the inputs.
    """
    size = len(frame) * count_inputs(tuple(specs.values())) * FLOAT32_BYTES
    if streaming is None or not (streaming.always or size > LARGEST_SHARE * available_memory()):
        return Table(x=encode_frame(frame, specs), **known)
    return _streamed(frame, specs, known, streaming, size)


def _streamed(
    frame: StoredFrame, specs: Mapping[str, ColumnSpec], known: Mapping[str, Any], streaming: Streaming, size: int
) -> StreamedTable:
    from rich.filesize import decimal

    file = RowFile(count_inputs(tuple(specs.values())), len(frame))
    what = f"{len(frame):,} rows of {file.width:,} inputs"
    streaming.say(f"{what} take {decimal(size)} in a temporary file in {temporary_folder()} until the end")
    groups, named = known.get("groups"), dict(known)
    named["notes"] += ("the rows are read from a temporary file in each epoch",)
    places = None
    if groups is not None:
        order = np.argsort(groups, kind="stable")
        named |= {"y": known["y"][order], "groups": groups[order]}
        places = np.argsort(order, kind="stable")
    inputs_hash = _write_inputs(file, _encoded_pieces(frame, specs), places)
    return_memory()
    return StreamedTable(file=file, hashes=(inputs_hash, inputs_hash), **named)


def _write_inputs(file: RowFile, pieces: Iterator[np.ndarray], places: np.ndarray | None) -> hashlib._Hash:
    """Write the inputs of rows that follow each other, to their places in the file. Returns the hash of the inputs."""
    inputs_hash, start = hashlib.sha256(), 0
    for x in pieces:
        inputs_hash.update(x.data)
        if places is None:
            file.write(start, x)
        else:
            file.write_at(places[start : start + len(x)], x)
        start += len(x)
    return inputs_hash


def _encoded_pieces(frame: StoredFrame, specs: Mapping[str, ColumnSpec]) -> Iterator[Float[np.ndarray, "rows inputs"]]:
    """Yield the inputs of each piece, while threads encode the next ones."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[np.ndarray]] = deque()
        for index in range(len(frame.ends())):
            waiting.append(pool.submit(encode_piece, frame, specs, index))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def sorted_by_group(table: Table) -> Table:
    """A table in memory with its rows sorted by their groups, as those of a streamed table are.

    Args:
        table: with groups or without.

    Returns:
        The table; the same one if it has no groups.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> table = replace(truth_table("xor"), groups=np.array([1, 0, 1, 0]))
        >>> sorted_by_group(table).x.tolist()
        [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
    """
    if table.groups is None:
        return table
    order = np.argsort(table.groups, kind="stable")
    weights = None if table.weights is None else table.weights[order]
    return replace(table, x=table.x[order], y=table.y[order], groups=table.groups[order], weights=weights)

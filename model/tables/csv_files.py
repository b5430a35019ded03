"""A CSV file -> columns of inferred types, or batches of text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from model.messages import join_rows, quote
from model.tables.codes import are_mostly_beyond
from model.tables.column_selection import Selection
from model.tables.common_types import common_type
from model.tables.csv_blocks import Block, blocks, parse_block
from model.tables.csv_header import EMPTY_LAST, ROW_NUMBER, ROW_NUMBERS, Layout
from model.tables.decoding import PlainText
from model.tables.errors import PathLike, TableError
from model.tables.frames import Types, pl
from model.tables.memory import check_memory
from model.tables.parsing import BLANKS
from model.tables.storage import Storage
from model.tables.stored_columns import StoredColumn, stored_frames
from model.tables.type_inference import infer_type

SAMPLED_ROWS = 10_000  # from which types are guessed

In = TypeVar("In")
Out = TypeVar("Out")


def read_csv(
    text: PlainText,
    layout: Layout,
    select: Selection,
    memory: int,
    elsewhere: Mapping[str, pl.DataType],
    storage: Storage,
) -> tuple[list[StoredColumn], tuple[str, ...]]:
    """The selected columns of a CSV file.

    Their types are guessed from the first rows. If later rows do not fit, the file is read again with those columns as
    text.

    Args:
        text: the file, as plain text.
        layout: of the file.
        select: from the names of all columns to the names of those to read.
        memory: bytes that may be used.
        elsewhere: the types of the columns in other files of the same table. Each column gets a type that holds its
            values in all files.
        storage: keeps the columns.

    Returns:
        The columns, in the order in which they are selected, and a note if rows that repeat the header are left out.

    Raises:
        TableError: if the file is not a table, or is larger than the memory.
    """
    if not storage.is_bounded:
        check_memory(text.size, "a file", memory)
    selected = select(layout.names, layout.left_out)
    left_out = [name for name in layout.left_out if name not in selected]
    guessed = _guess_types(text, layout, selected, memory, storage)
    types: Types = {name: common_type([elsewhere.get(name, dtype), dtype]) for name, dtype in guessed.items()}
    types |= dict.fromkeys(left_out, pl.String())
    storage.expect(len(types))
    end = storage.end
    columns, misfits, repeated = _parsed(text.path, layout, types, storage)
    if misfits:
        columns.clear()
        storage.forget(end)
        columns, _, _ = _parsed(text.path, layout, types | dict.fromkeys(misfits, pl.String), storage)
    for name in left_out:
        _check_left_out(columns[name].load(), layout.left_out[name])
    notes = (f"left out the header where it is repeated, in row {join_rows(repeated)}",) if repeated else ()
    return [_with_all_digits(columns[name]) for name in selected], notes


def _with_all_digits(column: StoredColumn) -> StoredColumn:
    """The column; as texts if most of its values are whole numbers beyond 2^53, because those are ids."""
    if column.dtype != pl.Int64:
        return column
    numbers = column.load()
    return column.replaced(numbers, numbers.cast(pl.String)) if are_mostly_beyond(numbers.alias("")) else column


def _check_left_out(column: pl.Series, why: str) -> None:
    """Raise TableError if a column was left out because of its first rows, but a later row does not fit."""
    series = column.alias("").str.strip_chars(BLANKS)
    if why == EMPTY_LAST:
        wrong = series.is_not_null()
    elif why == ROW_NUMBERS:
        wrong = ~series.str.contains(rf"^{ROW_NUMBER.pattern}$").fill_null(False)
    else:
        return
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        found = f"{quote(series[row] or '')} in row {row + 1:,} of the column {column.name!r}"
        raise TableError(f"{why}, as in the first rows", found, "name the column in the header, or mend it")


def csv_batches(path: PathLike, layout: Layout) -> Iterator[tuple[pl.DataFrame, int]]:
    """The text of a CSV file, block by block.

    Args:
        path: the file, as plain text.
        layout: of the file.

    Returns:
        An iterator of frames of texts, each with the position in the file after it.

    Raises:
        TableError: at once, or at a later block, if the file is not a table.
    """
    kept = [name for name in layout.names if layout.left_out.get(name) != EMPTY_LAST]
    types: Types = dict.fromkeys(kept, pl.String)

    def parse(block: Block) -> tuple[pl.DataFrame, int]:
        return parse_block(path, block, layout, types, raw=True), block.end

    return _computed_ahead(parse, blocks(path, layout))


def _guess_types(
    text: PlainText, layout: Layout, selected: Sequence[str], memory: int, storage: Storage
) -> dict[str, pl.DataType]:
    """The types of the columns, from the first rows. Raises TableError if all rows would not fit into the memory."""
    block = next(blocks(text.path, layout))
    frame = parse_block(text.path, block, layout, dict.fromkeys(selected, pl.String))
    sample = [infer_type(column, bool(layout.decimal)) for column in frame.head(SAMPLED_ROWS).get_columns()]
    height = frame.height * (text.size - layout.start) // (block.end - layout.start)
    width = sum(column.estimated_size() for column in sample) / min(SAMPLED_ROWS, frame.height)
    check_memory(storage.memory_of(height, len(sample), int(height * width)), f"about {height:,} rows", memory)
    return {column.name: column.dtype for column in sample}


def _parsed(
    path: PathLike, layout: Layout, types: Types, storage: Storage
) -> tuple[dict[str, StoredColumn], set[str], list[int]]:
    """The columns, the names of those that have values of another type, and the rows that repeat the header.

    If some column has values of another type, the columns lack rows.
    """
    misfits: set[str] = set()
    repeated: list[int] = []

    def parse(block: Block) -> pl.DataFrame | set[str]:
        try:
            return parse_block(path, block, layout, types)
        except pl.exceptions.PolarsError:
            return _misfits(path, block, layout, types)

    def told() -> Iterator[Block]:
        for block in blocks(path, layout):
            repeated.extend(block.repeated)
            yield block

    def fitting() -> Iterator[pl.DataFrame]:
        for part in _computed_ahead(parse, told()):
            if isinstance(part, set):
                misfits.update(part)
            elif not misfits:
                yield part

    return stored_frames(fitting(), storage), misfits, repeated


def _misfits(path: PathLike, block: Block, layout: Layout, types: Types) -> set[str]:
    """The columns that have values of another type in a block; all columns if none is found."""
    frame = parse_block(path, block, layout, dict.fromkeys(types, pl.String))
    found = {column.name: column.dtype for column in map(infer_type, frame.get_columns()) if column.count()}
    fitting = {name: (dtype, pl.String, pl.Float64 if dtype == pl.Int64 else dtype) for name, dtype in found.items()}
    return {name for name in found if types[name] not in fitting[name]} or set(types)


def _computed_ahead(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Yield the function of each item, computed in a thread while the next item is made."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Out]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()

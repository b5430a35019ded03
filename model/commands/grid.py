"""The option --grid: some values for each of some hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from model.commands.option_types import LayerSizes, NameList, NumberList
from model.commands.training_options import TRAINING_PARAMETERS, chosen_settings
from model.messages import quote
from model.tables.table import Table
from model.training.preparation import check_table
from model.training.sweep_plan import Combination, combine

# A grid cannot name these: they change no training, or choose all other defaults.
NOT_IN_GRIDS = {"fast", "threshold", "log_every"}
MAX_RUNS = 10_000
# A network without a hidden layer.
NO_PARTS = "none"
NAMES = tuple(name for name in TRAINING_PARAMETERS if name not in NOT_IN_GRIDS)
# What stands between the parts of one value, where `nudge train` has a comma; and examples.
_PARTS: dict[type, tuple[str, str]] = {
    LayerSizes: ("x", "64 or 64x64"),
    NumberList: ("+", "1 or 3+1"),
    NameList: ("+", "numbers or numbers+bins"),
}


def parse_grid(texts: Sequence[str], given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """The grid that some options ask for.

    Args:
        texts: what follows each --grid, such as hidden=64,64x64.
        given: the names of the hyperparameters that have an option of their own.

    Returns:
        The values of each hyperparameter, by its name.

    Raises:
        click.UsageError: if a name or a value is wrong.

    Example:
        >>> parse_grid(["hidden=8,16x4", "learning-rate=0.1"], ())
        {'hidden': ((8,), (16, 4)), 'learning_rate': (0.1,)}
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        written, equals, values = text.partition("=")
        name = written.strip().replace("-", "_")
        if not equals:
            raise click.UsageError(f"--grid: expected NAME=VALUE,VALUE, such as hidden=64,64x64, found {quote(text)}")
        if name not in NAMES:
            raise click.UsageError(
                f"--grid: expected one of {', '.join(NAMES)}, found {quote(written)}; name one of them"
            )
        if name in grid or name in given:
            other = "another --grid" if name in grid else f"--{name.replace('_', '-')}"
            raise click.UsageError(f"--grid {name}: expected the name once, found it in {other} too; leave one out")
        grid[name] = tuple(_parse_value(name, part.strip()) for part in values.split(","))
        twice = [value_text(value) for value in grid[name] if grid[name].count(value) > 1]
        if twice:
            raise click.UsageError(f"--grid {name}: expected different values, found {twice[0]} twice; leave one out")
    return grid


def _parse_value(name: str, text: str) -> Any:
    option = TRAINING_PARAMETERS[name]
    kind = {"class_weights": click.BOOL, "validation": click.FLOAT}.get(name, option.type)
    mark, examples = _PARTS.get(type(kind), ("", ""))
    try:
        return kind.convert(_with_commas(text, mark) if mark else text, option, None)
    except click.BadParameter as error:
        found = f"expected values such as {examples}, found {quote(text)}" if mark else error.message
        raise click.UsageError(f"--grid {name}: {found}") from None


def _with_commas(text: str, mark: str) -> str:
    return "" if text == NO_PARTS else text.replace(mark, ",")


def value_text(value: Any) -> str:
    """A value of a grid, as it is written there.

    Args:
        value: of a hyperparameter.

    Returns:
        The text.

    Example:
        >>> value_text((64, 32)), value_text(0.003), value_text(("numbers", "bins"))
        ('64x32', '0.003', 'numbers+bins')
    """
    if isinstance(value, tuple):
        are_sizes = all(isinstance(each, int) for each in value)
        return NO_PARTS if not value else ("x" if are_sizes else "+").join(map(value_text, value))
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def combination_text(values: dict[str, Any]) -> str:
    """What a grid names in one combination.

    Args:
        values: by the names of the hyperparameters.

    Returns:
        The names and the values; empty without a grid.

    Example:
        >>> combination_text({"hidden": (8, 8), "learning_rate": 0.1})
        'hidden 8x8, learning_rate 0.1'
    """
    return ", ".join(f"{name} {value_text(value)}" for name, value in values.items())


def combine_grid(
    data: Table, grid: dict[str, tuple[Any, ...]], seeds: int, options: dict[str, Any]
) -> list[Combination]:
    """Every combination of the values of a grid.

    Args:
        data: what is learned from.
        grid: some values for each name.
        seeds: with how many each is trained.
        options: all options of training, by their names.

    Returns:
        The combinations, in the order of the grid.

    Raises:
        click.UsageError: if one cannot be trained, or if there are too many.
    """
    chosen = combine(grid)
    if len(chosen) * seeds > MAX_RUNS:
        raise click.UsageError(f"--grid and --seeds ask for {len(chosen) * seeds:,} runs; ask for at most {MAX_RUNS:,}")
    combinations = []
    for values in chosen:
        named = options | values
        fast, hidden, activation = (named.pop(name) for name in ("fast", "hidden", "activation"))
        network, hyperparameters = chosen_settings(data, fast, hidden, activation, named)
        try:
            check_table(network, data, hyperparameters)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        combinations.append(Combination(values, network, hyperparameters))
    return combinations

"""Units and rows in words."""

from __future__ import annotations

from collections.abc import Sequence

from model.diagnosing.activity import Unit
from model.explaining.arithmetic import number_text
from model.explaining.names import unit_number
from model.explaining.precision import Precision
from model.messages import escape_unprintable, join_rows
from model.network import Network
from model.tables.table import Table

# Units and rows that a sentence names.
MAX_NAMED = 4


def units_text(units: Sequence[Unit], network: Network) -> str:
    """Hidden units in words, counted from 1 through all layers.

    Args:
        units: the units, at least one.
        network: the description of the network.

    Returns:
        The words.

    Example:
        >>> units_text([Unit(0, 0), Unit(0, 1)], Network((2, 2, 1)))
        'hidden units 1 and 2'
        >>> units_text([Unit(0, 1), Unit(1, 0), Unit(1, 2)], Network((2, 3, 3, 1)))
        'hidden units 2, 4 and 6'
    """
    names = [str(unit_number(unit.layer, unit.index, network)) for unit in units]
    return f"hidden unit{'s' if len(units) > 1 else ''} {_join(names)}"


def short_number(value: float, digits: int = 3) -> str:
    """A number as a sentence shows it.

    Args:
        value: any number.
        digits: its significant digits.

    Returns:
        The text, with a true minus sign.

    Example:
        >>> short_number(-0.6837), short_number(1.26e20)
        ('−0.6837', '1.26·10²⁰')
    """
    return number_text(value, Precision(digits))


def rows_text(rows: Sequence[int], table: Table) -> str:
    """Rows in words: those of a truth table by their values, others by their number.

    Args:
        rows: the indices of the rows, from 0.
        table: the table.

    Returns:
        The words.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> rows_text([1, 2], truth_table("xor"))
        'a=0 b=1 and a=1 b=0'
    """
    if not rows:
        return "no row"
    if len(rows) == len(table.y):
        return "every row"
    if not table.complete or len(rows) > MAX_NAMED:
        return f"row{'s' if len(rows) > 1 else ''} {join_rows(rows)} (counted from 0)"
    return _join([" ".join(f"{c}={v:g}" for c, v in zip(table.columns, table.x[row], strict=True)) for row in rows])


def _join(names: Sequence[str]) -> str:
    named = [escape_unprintable(name) for name in names[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        named.append(f"{len(names) - MAX_NAMED} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"

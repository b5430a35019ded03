"""How a function is checked: the options, and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from model.arrays import is_count
from model.checking.errors import NotCheckableError
from model.checking.findings import Derivative

# Two derivatives that share six digits agree: the constants in people's rules have no more digits.
TOLERANCE = 1e-6
# The derivations that count: reverse mode, forward mode, and the gradient by hand.
METHODS = ("grad", "jvp", "by_hand")
# Names in a report that a gradient by hand cannot have.
RESERVED_NAMES = frozenset({"parameter", "verdict", *(field.name for field in fields(Derivative))})


@dataclass(frozen=True)
class CheckOptions:
    """How a function is checked. `check_options` says whether these values can be used.

    Attributes:
        by_hand: a gradient that somebody wrote, or None.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.
        budget: how many entries are tried one by one; None for as many as are affordable.
        seed: of the sample and the directions.
        order: 1, or 2 if the function is a Hessian-vector product.
        modes: the derivations that count, of METHODS.
        frozen: names of leaves that are not nudged, or of what they are in.
        must_move: names of leaves whose gradient must not be zero, or of what they are in.
        surrogate: the name of the function whose gradient is meant, if it is another one.
        on_progress: called with what is known, and what is done next, before every long step.
    """

    by_hand: Any = None
    tolerance: Any = TOLERANCE
    budget: Any = None
    seed: Any = 0
    order: Any = 1
    modes: tuple[str, ...] = METHODS
    frozen: tuple[str, ...] = ()
    must_move: tuple[str, ...] = ()
    surrogate: str = ""
    on_progress: Callable[[str], None] = lambda stage: None

    @property
    def by_hand_name(self) -> str:
        """The name of the gradient by hand in the report."""
        if self.surrogate:
            return "grad_of_fun"
        name = getattr(self.by_hand, "__name__", "")
        return name if name.isidentifier() and name not in RESERVED_NAMES else "by_hand"


def check_options(options: CheckOptions) -> None:
    """Raise NotCheckableError if an option has a value that it cannot have.

    Args:
        options: of any values.

    Example:
        >>> check_options(CheckOptions(order=3))
        Traceback (most recent call last):
        model.checking.errors.NotCheckableError: order must be 1 or 2, not 3; 2 checks Hessian-vector products as well
    """
    order, tolerance, seed, budget = options.order, options.tolerance, options.seed, options.budget
    if isinstance(order, bool) or order not in (1, 2):
        raise NotCheckableError(f"order must be 1 or 2, not {order!r}; 2 checks Hessian-vector products as well")
    if not (isinstance(tolerance, float | int | np.floating) and 0 <= tolerance < np.inf):
        raise NotCheckableError(
            f"tolerance must be a finite number from 0, not {tolerance!r}; leave it out for {TOLERANCE}"
        )
    if not is_count(seed, minimum=0):
        raise NotCheckableError(f"seed must be a whole number from 0, not {seed!r:.40}; leave it out for 0")
    if budget is not None and not is_count(budget):
        raise NotCheckableError(f"budget must be a whole number from 1, not {budget!r}; leave it out for the default")
    if options.by_hand is not None and not callable(options.by_hand):
        raise NotCheckableError(
            f"by_hand must be a function that returns a gradient, not {options.by_hand!r:.40}; pass the function itself"
        )
    if not set(options.modes) <= set(METHODS) or len(options.modes) == 0:
        raise NotCheckableError(f"modes must be some of {', '.join(METHODS)}, not {options.modes!r:.60}")
    if options.modes == ("by_hand",) and options.by_hand is None:
        raise NotCheckableError("modes has by_hand alone, but by_hand was not given; pass a gradient, or other modes")
    frozen = [name for name in options.must_move if is_named(name, options.frozen)]
    if frozen:
        raise NotCheckableError(f"must_move must name leaves that are not frozen, but {frozen[0]} is; freeze fewer")


def as_names(option: str, names: Any) -> tuple[str, ...]:
    """One name or several as a tuple.

    Args:
        option: the name of the option, for the message.
        names: a string, or a sequence of strings.

    Returns:
        The names.

    Raises:
        NotCheckableError: if it is anything else.

    Example:
        >>> as_names("frozen", "encoder"), as_names("frozen", ["a", "b.weight"])
        (('encoder',), ('a', 'b.weight'))
    """
    if isinstance(names, str):
        return (names,)
    if isinstance(names, Sequence) and all(isinstance(name, str) for name in names):
        return tuple(names)
    raise NotCheckableError(f"{option} must be a name or a list of names, not {names!r:.60}; a report shows the names")


def is_named(leaf: str, names: Sequence[str]) -> bool:
    """Whether a leaf has one of these names, or lies in something that has.

    Args:
        leaf: the name of a leaf, as a report shows it.
        names: of leaves, or beginnings of names that end before a dot or a bracket.

    Returns:
        True if one fits.

    Example:
        >>> is_named("layers.0.weight", ["layers.0"]), is_named("layers.01.weight", ["layers.0"])
        (True, False)
    """
    return any(leaf == name or leaf.startswith((f"{name}.", f"{name}[")) for name in names)

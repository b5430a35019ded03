"""What jaxtyping's import hook puts around each function, at a third of the price: it checks types and shapes.

jaxtyping's own decorator binds the arguments of each call twice and checks them twice. This one lets beartype check
them once, in a context of jaxtyping in which the name of an axis means one size.
"""

import dataclasses
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, get_type_hints
from unittest.mock import patch

import jaxtyping
from beartype import beartype
from jaxtyping import jaxtyped

_resolved: dict[Hashable, dict[str, Any]] = {}


def check_calls(item: Any) -> Any:
    """The function with the checks that its annotations ask for; of a dataclass, its `__init__`."""
    if isinstance(item, type):
        if dataclasses.is_dataclass(item):
            item.__init__ = check_calls(item.__init__)
        return item
    with patch.object(item, "__annotations__", _annotations(item)):
        checked = beartype(item)

    @wraps(item)
    def call(*arguments: Any, **named: Any) -> Any:
        if jaxtyping.config.jaxtyping_disable:
            return item(*arguments, **named)
        with jaxtyped("context"):
            return checked(*arguments, **named)

    return call


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Those that mean something when the function is defined; some name what only mypy imports, or a later class."""
    key = function.__module__, function.__qualname__, function.__code__
    if key not in _resolved:
        _resolved[key] = {}
        for name, annotation in function.__annotations__.items():
            holder = type("holder", (), {"__annotations__": {name: annotation}})
            try:
                _resolved[key] |= get_type_hints(holder, function.__globals__, include_extras=True)
            except Exception:
                continue
    return dict(_resolved[key])

"""A plugin for pytest: the fixture `assert_gradients`.

It stands at the top, because pytest loads it in every project, also in one with a `model.py` of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def assert_gradients() -> Callable[..., None]:
    """`model.assert_gradients`, whose report is printed without a traceback.

    Returns:
        A function of a function, its params and its other arguments, with the options of `model.assert_gradients`.
    """

    def check(fun: Any, params: Any, *args: Any, **options: Any) -> None:
        __tracebackhide__ = True
        try:
            from model import assert_gradients
        except ImportError as error:
            pytest.fail(f"expected nudge's package model, found another: {error}; rename yours", pytrace=False)
        report = ""
        try:
            assert_gradients(fun, params, *args, **options)
        except AssertionError as error:
            report = str(error)
        if report:  # here, where no exception is being handled that pytest would print too
            pytest.fail(report, pytrace=False)

    return check

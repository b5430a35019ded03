"""Types of options: lists, finite numbers, and functions of somebody's module."""

from __future__ import annotations

import csv
import importlib
import math
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import click

from model.checking.errors import describe_type, summarize_error
from model.evaluation.thresholds import Threshold, parse_threshold
from model.messages import quote, split_names
from model.tables.file_patterns import is_pattern
from model.tables.parsing import parse_number

Parameter = click.Parameter | None
Context = click.Context | None


class NameList(click.ParamType[tuple[str, ...]]):
    """Names of columns, separated by commas; names that have a comma are in quotes."""

    name = "A,B,…"

    def convert(self, value: object, param: Parameter, ctx: Context) -> tuple[str, ...]:
        """The names."""
        try:
            return value if isinstance(value, tuple) else split_names(str(value))
        except csv.Error as error:
            self.fail(f"{quote(value)} is not a list of names such as a,b or 'a,\"b, c\"': {error}", param, ctx)


class LayerSizes(click.ParamType[tuple[int, ...]]):
    """The units of each hidden layer, separated by commas; empty for no hidden layer."""

    name = "N,N,…"

    def convert(self, value: object, param: Parameter, ctx: Context) -> tuple[int, ...]:
        """The sizes."""
        if isinstance(value, tuple):
            return value
        sizes = str(value).split(",") if value else []
        if not all(re.fullmatch("[1-9][0-9]{0,29}", size) for size in sizes):
            self.fail(f"{quote(value)} is not a list of layer sizes such as 2 or 8,8", param, ctx)
        return tuple(int(size) for size in sizes)


class NumberList(click.ParamType[tuple[float, ...]]):
    """Numbers, separated by commas."""

    name = "X,X,…"

    def convert(self, value: object, param: Parameter, ctx: Context) -> tuple[float, ...]:
        """The numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(parse_number(part) for part in str(value).split(","))
        except ValueError as error:
            self.fail(f"{quote(value)} is not a list of numbers such as 1 or 3,1: {error}", param, ctx)


class MeshShape(click.ParamType[dict[str, int]]):
    """Among how many devices each axis of a mesh is shared: restart=R,data=D, or one of the two."""

    name = "restart=R,data=D"

    def convert(self, value: object, param: Parameter, ctx: Context) -> dict[str, int]:
        """The numbers by the names of the axes."""
        if isinstance(value, dict):
            return value
        found = re.findall(r"(?:^|,)(restart|data)=([1-9][0-9]{0,5})(?=,|$)", str(value))
        shape = {axis: int(count) for axis, count in found}
        if not shape or str(value).count(",") != len(shape) - 1:
            self.fail(f"{quote(value)} is not a shape such as restart=2,data=4", param, ctx)
        return shape


class ShareOrFile(click.ParamType[float | str]):
    """A share of the rows, or the name of a file or a pattern."""

    name = "SHARE|FILE"

    def convert(self, value: object, param: Parameter, ctx: Context) -> float | str:
        """The share as a number, or the name as it is."""
        if isinstance(value, float):
            return value
        text = str(value)
        try:
            return parse_number(text)
        except ValueError:
            if not (os.path.lexists(text) or is_pattern(text)):
                self.fail(f"expected a share from 0 to 0.5 such as 0.2, or a file, found {quote(text)}", param, ctx)
            return text


class ThresholdRule(click.ParamType[Threshold]):
    """A threshold from 0 to 1, or the rule by which it is chosen."""

    name = "threshold"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """How --help shows it; click would write a name in capitals."""
        return "X|f1|cost:FP,FN"

    def convert(self, value: object, param: Parameter, ctx: Context) -> Threshold:
        """The threshold or the rule."""
        try:
            return parse_threshold(str(value))
        except ValueError:
            self.fail(f"{quote(value)} is not a number from 0 to 1, f1, or two costs such as cost:1,5", param, ctx)


class FiniteRange(click.FloatRange):
    """A finite number in a range; for click, nan lies in every range."""

    def convert(self, value: Any, param: Parameter, ctx: Context) -> float:
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number", param, ctx)
        return number


class ImportedFunction(click.ParamType[Callable[..., Any]]):
    """A function of somebody's module, as module:function. The current directory is searched too."""

    name = "module:function"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> Callable[..., Any]:
        """Import the function. Whatever the module raises is told in one line."""
        module, _, attribute = str(value).partition(":")
        if not (module and attribute):
            self.fail(f"{quote(value)} is not of the form module:function, such as my_module:loss", param, ctx)
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            found: Any = importlib.import_module(module)
            for name in attribute.split("."):
                found = getattr(found, name)
        except Exception as error:  # a user's module may raise anything
            self.fail(f"{quote(value)} cannot be imported: {summarize_error(error)}", param, ctx)
        if not callable(found):
            self.fail(f"{quote(value)} is not a function but {describe_type(found)}", param, ctx)
        function: Callable[..., Any] = found
        return function

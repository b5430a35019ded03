"""Types of options: lists, finite numbers, and functions of the user's module."""

import math
from pathlib import Path
from typing import Any

import click
import pytest

from model.commands.option_types import FiniteRange, ImportedFunction, LayerSizes, NameList, NumberList, ThresholdRule


@pytest.mark.parametrize(
    ("option_type", "text", "value"),
    [
        (NameList(), 'a,"b, c"', ("a", "b, c")),
        (NameList(), "", ()),
        (LayerSizes(), "8,16", (8, 16)),
        (LayerSizes(), "", ()),
        (NumberList(), "3,0.5", (3.0, 0.5)),
        (FiniteRange(0), "1e-3", 1e-3),
        (ThresholdRule(), "0.25", 0.25),
        (ThresholdRule(), "cost:1,5", "cost:1,5"),
        (ImportedFunction(), "math:sqrt", math.sqrt),
        (ImportedFunction(), "pathlib:Path.exists", Path.exists),
    ],
)
def test_an_option_is_converted(option_type: click.ParamType[Any], text: str, value: object) -> None:
    assert option_type.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("option_type", "text", "message"),
    [
        (NameList(), '"a', "'\"a' is not a list of names such as a,b or 'a,\"b, c\"': "),
        (LayerSizes(), "8,0", "'8,0' is not a list of layer sizes such as 2 or 8,8"),
        (NumberList(), "1,x", "'1,x' is not a list of numbers such as 1 or 3,1: a number was expected"),
        (FiniteRange(0), "nan", "nan is not a finite number"),
        (FiniteRange(0), "-1", "-1.0 is not in the range x>=0"),
        (ImportedFunction(), "math", "'math' is not of the form module:function, such as my_module:loss"),
        (ImportedFunction(), "math:pi", "'math:pi' is not a function but a float"),
        (ImportedFunction(), "math:nothing", "'math:nothing' cannot be imported: AttributeError: "),
    ],
)
def test_a_wrong_option_is_refused(option_type: click.ParamType[Any], text: str, message: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        option_type.convert(text, None, None)
    assert caught.value.message.startswith(message)

"""Hyperparameters: their ranges, and changing some of them."""

import re
from typing import Any

import numpy as np
import pytest

from model import Hyperparameters
from model.hyperparameters import replace


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience must be a whole number from 1 to 2^63 - 1, not 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number from 1 to 2^63 - 1, not 1.5"),
        ({"init": "zeros"}, "the init must be one of normal, he, not 'zeros'"),
        ({"schedule": "linear"}, "the schedule must be one of constant, cosine, not 'linear'"),
        ({"weight_decay": -1.0}, "weight_decay must be finite numbers from 0, not (-1.0,)"),
        ({"weight_decay": ()}, "weight_decay must be finite numbers from 0, not ()"),
        ({"clip": float("inf")}, "clip must be a finite number from 0, not inf"),
        ({"validation": 0.51}, "validation must be a share from 0 to 0.5, not 0.51"),
        ({"ensemble": 65}, "ensemble must be at most restarts, 64, not 65"),
    ],
)
def test_a_value_out_of_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Hyperparameters(**options)


@pytest.mark.parametrize("weight_decay", [0.5, (0.5,), [0.5], np.float32(0.5), np.array([0.5])])
def test_weight_decay_is_one_number_or_several(weight_decay: Any) -> None:
    assert Hyperparameters(weight_decay=weight_decay).weight_decay == (0.5,)
    assert Hyperparameters(weight_decay=[3, 1]).weight_decay == (3, 1)


@pytest.mark.parametrize(
    "options", [{"batch_size": 9}, {"validation": 0.1}, {"class_weights": True}, {"weight_decay": (0.0, 1.0)}]
)
def test_some_options_need_minibatches(options: dict[str, Any]) -> None:
    assert not Hyperparameters().uses_minibatches
    assert Hyperparameters(**options).uses_minibatches


def test_restarts_and_ensemble_are_changed_to_fit_each_other() -> None:
    start = Hyperparameters(restarts=8, ensemble=4)
    assert (replace(start, restarts=2).restarts, replace(start, restarts=2).ensemble) == (2, 2)
    assert (replace(start, ensemble=9).restarts, replace(start, ensemble=9).ensemble) == (9, 9)
    assert replace(start, restarts=6) == Hyperparameters(restarts=6, ensemble=4)
    with pytest.raises(ValueError, match="ensemble must be at most restarts, 3, not 9"):
        replace(start, restarts=3, ensemble=9)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError, match="momentum"):
        replace(Hyperparameters(), momentum=0.9)

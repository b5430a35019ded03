"""One parameter nudged by many epsilons, and why its slope is wrong at both ends."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from model import Layer, Network, Params, truth_table
from model.explaining.nudge_errors import EPSILONS, NudgeErrors, nudge_errors

TABLE = truth_table("or")
SMOOTH = Network((2, 1))


def params_of(bias: float) -> Params:
    return [Layer(np.array([[0.75], [-0.5]], np.float32), np.array([bias], np.float32))]


def errors_of(bias: float = 0.25, epsilon: float = 1e-4, parameter: str = "0.bias[0]") -> NudgeErrors:
    return nudge_errors(params_of(bias), TABLE.x, TABLE.y, SMOOTH, parameter=parameter, epsilon=epsilon)


def slopes_by_hand(bias: float) -> tuple[float, float]:
    """The first and the third derivative of the loss by the bias."""
    p = expit(TABLE.x.astype(np.float64) @ [0.75, -0.5] + bias)
    return float((p - TABLE.y).mean()), float((p * (1 - p) * (1 - 2 * p)).mean())


def test_the_error_of_a_large_nudge_is_that_of_the_series() -> None:
    first, third = slopes_by_hand(0.25)
    found = errors_of()
    assert found.grad == pytest.approx(first, rel=1e-12)
    assert [each.epsilon for each in found.curve] == EPSILONS.tolist()
    for each in found.curve[:9]:  # from 0.1 to 0.001
        assert each.error == pytest.approx(third * each.epsilon**2 / 6, rel=0.02)


def test_the_error_of_a_small_nudge_is_that_of_rounding() -> None:
    found = errors_of()
    for each in found.curve[-16:]:
        assert abs(each.error) <= 4 * 2.0**-53 / each.epsilon
    assert max(abs(each.error) for each in found.curve[-8:]) > 1e-7


def test_the_sentence_says_what_limits_an_epsilon() -> None:
    assert "bend" in errors_of(epsilon=0.1).at_epsilon
    assert "rounding" in errors_of(epsilon=1e-11).at_epsilon
    for each in (errors_of(), errors_of(epsilon=1e-12)):
        assert "epsilon²" in each.large_reason
        assert "16 digits" in each.small_reason


@pytest.mark.parametrize("size", [1.0, 50.0, 1e6])
def test_the_sentence_counts_the_rounding_of_the_weight_too(size: float) -> None:
    """A weight of 1e6 has no digits for a nudge of 1e-12, and the loss at z = 0 is as small as ever."""
    params = [Layer(np.array([[size]]), np.array([-size]))]
    for epsilon in (1e-12, 1e-10):
        found = nudge_errors(
            params, np.ones((1, 1)), np.ones(1), Network((1, 1)), parameter="0.weight[0,0]", epsilon=epsilon
        )
        assert "rounding" in found.at_epsilon or found.chosen.error == 0


def relu(bias: float, epsilon: float, **rest: Any) -> NudgeErrors:
    """A relu whose z on the second and the third row is the bias plus 1."""
    params = [Layer(np.ones((2, 1), np.float32), np.array([bias])), Layer(np.ones((1, 1), np.float32), np.zeros(1))]
    network = Network((2, 1, 1))
    return nudge_errors(params, TABLE.x, TABLE.y, network, parameter="0.bias[0]", epsilon=epsilon, **rest)


def test_a_kink_is_found_within_the_nudge_and_only_there() -> None:
    near, far = relu(-1.001, 0.01), relu(-1.001, 0.0005)
    assert near.kink is True
    assert "ReLU" in near.at_epsilon
    assert abs(near.chosen.error) > 1e-3
    assert far.kink is False
    assert "ReLU" in far.large_reason
    assert errors_of().kink is False


def test_rows_of_padding_make_no_kink() -> None:
    weights = np.array([0.0, 2.0, 0.0, 2.0])  # the first row, whose z is the bias, does not count
    assert relu(0.001, 0.01, weights=weights).kink is False
    assert relu(0.001, 0.01).kink is True


def test_a_parameter_that_does_nothing_has_no_error() -> None:
    found = relu(-5.0, 0.1)
    assert (found.grad, found.chosen.slope, found.chosen.error) == (0.0, 0.0, 0.0)
    assert "to the last digit" in found.at_epsilon


def test_a_loss_that_is_not_finite_is_said() -> None:
    huge = [Layer(np.full((2, 1), 1e300), np.zeros(1)), Layer(np.full((1, 1), 1e300), np.zeros(1))]
    found = nudge_errors(huge, TABLE.x, TABLE.y, Network((2, 1, 1)), parameter="0.bias[0]", epsilon=0.1)
    assert "not a finite number" in found.at_epsilon


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"parameter": "0.bias[1]"}, "the parameter must be a name such as 0.weight"),
        ({"epsilon": 0.0}, "epsilon must be a finite number above 0"),
        ({"epsilon": float("inf")}, "epsilon must be a finite number above 0"),
    ],
)
def test_what_is_out_of_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        errors_of(**wrong)

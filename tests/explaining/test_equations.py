"""The equations of a trace: each has the operands of its result, and gives the result, also as it is printed."""

from collections import Counter

import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from model import Layer, Network, Trace, trace
from model.explaining.arithmetic import equation_parts, formula, number_text
from model.explaining.equations import Equation, Equations
from model.explaining.expressions import Expression, Sum, children, evaluate, numbers_in, shorten
from model.network import parameter_count
from tests.explaining.networks import NETWORKS, Arguments, arguments, compiled_trace, drawn_example, example_of
from tests.explaining.printed_arithmetic import read_arithmetic

pytestmark = pytest.mark.core

# Of the largest term of a sum: float32 is so exact.
ROUNDING = 3e-6


def size_of(expression: Expression) -> float:
    """The size of the largest term in an expression, or of the expression itself."""
    inner = [abs(evaluate(term)) for term in expression.terms] if isinstance(expression, Sum) else []
    return max([abs(evaluate(expression)), *inner, *(size_of(part) for part in children(expression))])


def assert_equal_up_to_rounding(equation: Equation) -> None:
    assert evaluate(equation.expression) == pytest.approx(
        equation.result, rel=1e-5, abs=ROUNDING * size_of(equation.expression)
    ), equation


def assert_printed_numbers_agree(equation: Equation) -> None:
    """What is printed has a value that is rounded to the printed result, if every number is taken as a rounded one."""
    text, result_text = equation_parts(equation)
    found, result = read_arithmetic(text), read_arithmetic(result_text)
    slack = ROUNDING * size_of(equation.expression)
    assert found.low - slack <= result.high, (text, result_text)
    assert result.low <= found.high + slack, (text, result_text)


@settings(max_examples=25)
@given(drawn=arguments())
def test_every_result_is_the_value_of_its_expression(drawn: Arguments) -> None:
    example = drawn_example(drawn)
    for equation in Equations(compiled_trace(example)):
        assert_equal_up_to_rounding(equation)


@settings(max_examples=25)
@given(drawn=arguments())
def test_the_printed_arithmetic_gives_the_printed_result(drawn: Arguments) -> None:
    example = drawn_example(drawn)
    for equation in Equations(compiled_trace(example)):
        assert_printed_numbers_agree(equation)
        shortened = msgspec.structs.replace(equation, expression=shorten(equation.expression, 4))
        assert_printed_numbers_agree(shortened)
        assert evaluate(shortened.expression) == pytest.approx(evaluate(equation.expression), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_reader_with_a_calculator_gets_nearly_the_printed_result(task: str) -> None:
    """The middle of what was printed is within a hundredth of the result, or of the largest number in it."""
    place = next(place for place, each in enumerate(NETWORKS) if (each.task, each.activation) == (task, "tanh"))
    for seed in range(5):
        for equation in Equations(compiled_trace(drawn_example(Arguments(place, seed, 1.0)))):
            text, result_text = equation_parts(equation)
            low, high = read_arithmetic(text)
            result = sum(read_arithmetic(result_text)) / 2
            assert abs((low + high) / 2 - result) <= 0.01 * abs(result) + 1e-3 * size_of(equation.expression), text
            assert high - low <= 0.05 * abs(result) + 2e-3 * size_of(equation.expression), text


@settings(max_examples=25)
@given(drawn=arguments())
def test_there_is_one_equation_for_every_number(drawn: Arguments) -> None:
    example = drawn_example(drawn)
    traced, network = compiled_trace(example), example.network
    rows, units, hidden = len(example.x), sum(network.sizes[1:]), sum(network.sizes[1:-1])
    counts = Counter(equation.kind for equation in Equations(traced))
    losses = np.size(traced.losses)
    assert (
        counts
        == Counter(
            {
                "preactivation": rows * units,
                "activation": rows * hidden,
                "prediction": rows * network.sizes[-1],
                "row loss": losses if losses > 1 else 0,
                "loss": 1,
                "delta": rows * units,
                "gradient": parameter_count(network),
                "update": parameter_count(network),
            }
        )
        + Counter()
    )


def test_a_symbol_means_the_same_number_wherever_it_stands(traces: list[Trace]) -> None:
    """What an equation computes is what others take, so that a reader can follow each number back to the inputs."""
    for traced in traces:
        if len(traced.targets) > 1:
            continue
        equations = list(Equations(traced))
        values: dict[str, float] = {f"x{index + 1}": float(value) for index, value in enumerate(traced.inputs[0][0])}
        values |= {each.of: each.result for each in equations if each.kind not in ("gradient", "update")}
        known = 0
        for equation in equations:
            for number in numbers_in(equation.expression):
                if number.symbol in values:
                    known += 1
                    assert number.value == values[number.symbol], (equation.of, number)
        assert known > len(equations) / 2


@pytest.mark.parametrize("seed", range(3))
def test_the_results_are_in_the_trace_at_their_places(seed: int) -> None:
    for place in range(0, len(NETWORKS), 4):
        assert_results_are_at_their_places(compiled_trace(drawn_example(Arguments(place, seed, 1.0))))


def assert_results_are_at_their_places(traced: Trace) -> None:
    for equation in Equations(traced):
        row, layer, unit, source = equation.row, equation.layer, equation.unit, equation.input
        if equation.kind in ("gradient", "update"):
            assert layer is not None
            entry = (traced.grads if equation.kind == "gradient" else traced.updated)[layer]
            expected = np.asarray(entry.bias)[unit] if source is None else np.asarray(entry.weight)[source, unit]
            name = f"bias[{unit}]" if source is None else f"weight[{source},{unit}]"
            assert equation.of == f"{layer}.{name}"
        elif equation.kind in ("preactivation", "delta"):
            assert layer is not None
            zs, deltas = traced.preactivations, traced.deltas
            expected = np.asarray((zs if equation.kind == "preactivation" else deltas)[layer])[row, unit]
        else:
            continue
        assert equation.result == float(expected)


def test_the_arithmetic_of_the_guides_network() -> None:
    params = [
        Layer(jnp.array([[-3.171, 2.5], [3.171, -2.5]]), jnp.array([-4e-5, 0.25])),
        Layer(jnp.array([[2.0], [3.0]]), jnp.array([-1.0])),
    ]
    traced = trace(params, jnp.array([[1.0, 0.0]]), jnp.array([1.0]), Network((2, 2, 1)))
    lines = [" = ".join([each.of, formula(each.expression), *equation_parts(each)]) for each in Equations(traced, "ab")]
    assert lines[:2] == [
        "z1 = a·0.weight[0,0] + b·0.weight[1,0] + 0.bias[0] = 1·(−3.171) + 0·3.171 − 0.00004 = −3.171",
        "h1 = relu(z1) = relu(−3.171) = 0",
    ]
    assert "z3 = h1·1.weight[0,0] + h2·1.weight[1,0] + 1.bias[0] = 0·2 + 2.75·3 − 1 = 7.25" in lines
    assert "δ2 = δ3·1.weight[1,0]·relu′(z2) = −0.0007097·3·1 = −0.002129" in lines


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e18])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_logits_of_any_size_have_a_finite_loss_that_the_expression_gives(task: str, scale: float) -> None:
    network = Network((2, 3 if task == "multiclass" else 2), task=task)
    for seed in range(4):
        for equation in Equations(trace(*example_of(network, 2, seed, scale))):
            assert np.isfinite(equation.result)
            if equation.kind in ("row loss", "loss", "prediction"):
                assert_equal_up_to_rounding(equation)


def test_numbers_that_are_not_finite_are_written_as_such() -> None:
    params = [Layer(jnp.array([[jnp.nan, 3e38]]), jnp.array([0.0, 3e38])), Layer(jnp.ones((2, 1)), jnp.zeros(1))]
    traced = trace(params, jnp.array([[1.0]]), jnp.array([1.0]), Network((1, 2, 1), "tanh"))
    texts = {equation.of: " = ".join(equation_parts(equation)) for equation in Equations(traced)}
    assert texts["z1"] == "1·NaN + 0 = NaN"
    assert texts["z2"] == "1·3.000·10³⁸ + 3.000·10³⁸ = ∞"
    assert texts["p"] == "sigmoid(NaN) = NaN"


def test_a_wrong_class_or_a_wrong_number_of_names_is_refused() -> None:
    params, x, y, network = example_of(Network((2, 3), task="multiclass"), 2, seed=0)
    with pytest.raises(ValueError, match="y must be the index of a class, from 0 to 2"):
        Equations(trace(params, x, np.array([0, 3]), network))
    with pytest.raises(ValueError, match="inputs must be 2 names, one for each input, not 3"):
        Equations(trace(params, x, y, network), ("a", "b", "c"))


def test_equations_are_json() -> None:
    traced = trace(*example_of(Network((2, 2, 1)), 1, seed=0))
    written = msgspec.json.encode(list(Equations(traced)))
    assert msgspec.json.decode(written, type=list[Equation]) == list(Equations(traced))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.56, "1235"), (99999.6, "100000"), (0.99996, "1.0000"), (1e-4, "0.0001"), (5e8, "5.000·10⁸"), (-0.0, "0")],
)
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert number_text(value) == text

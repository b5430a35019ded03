"""The MathML of an equation says what its text says, and is well formed."""

from xml.etree import ElementTree

import pytest

from model import Trace
from model.explaining.arithmetic import equation_parts, formula
from model.explaining.equations import Equation, Equations
from model.explaining.expressions import ONE, Call, Negative, Number, Product, Quotient, Sum
from model.explaining.mathml import formula_mathml, mathml_of, numbers_mathml
from model.explaining.names import input_symbols
from model.explaining.notation import in_numbers, in_symbols, left_side
from tests.explaining.drawn_mathml import read_mathml

pytestmark = pytest.mark.core

A, B = Number(2.0, "a"), Number(-3.5, "b")


def without_spaces(text: str) -> str:
    return "".join(text.split())


def test_it_says_what_the_text_says(traces: list[Trace]) -> None:
    for traced in traces:
        for equation in Equations(traced):
            left = left_side(equation).text
            assert read_mathml(formula_mathml(equation)) == without_spaces(f"{left}={formula(equation.expression)}")
            parts, result = equation_parts(equation)
            expected = f"{left}={result}" if parts == result else f"{left}={parts}={result}"
            assert read_mathml(numbers_mathml(equation)) == without_spaces(expected)


@pytest.mark.parametrize(
    "expression",
    [
        Quotient(Sum((A, B)), Number(4.0)),
        Quotient(B, Sum((A, B))),
        Quotient(Product((B, A)), Product((A, B))),
        Call("exp", Sum((A, Negative(B)))),
        Call("exp", B),
        Call("exp", Number(-1e-12)),
        Call("square", B),
        Call("square", Call("exp", A)),
        Negative(Call("log", Sum((ONE, Call("exp", Negative(A)))))),
        Product((A, Negative(Number(5e9)), Sum((A, B)))),
        Sum((Number(1.0), Number(0.25, "3 more"))),
    ],
)
def test_brackets_stand_where_one_line_needs_them(expression: Quotient) -> None:
    equation = Equation("q", "delta", expression, 1.0)
    assert read_mathml(mathml_of(in_symbols(expression))) == without_spaces(formula(expression))
    assert read_mathml(mathml_of(in_numbers(expression))) == without_spaces(equation_parts(equation)[0])


def test_a_fraction_and_a_power_need_no_brackets_on_a_page() -> None:
    drawn = mathml_of(in_symbols(Quotient(Sum((A, B)), Call("exp", Sum((A, B))))))
    assert "(" not in drawn
    assert drawn.startswith("<math><mfrac><mrow><mi>a</mi><mo>+</mo>")


def test_symbols_have_subscripts_and_a_sign_before_a_number_is_no_operator() -> None:
    expression = Product((Number(0.5, "δ12"), Number(-2.0, "0.weight[1,0]"), Number(1.0, "relu′(z3)")))
    drawn = formula_mathml(Equation("0.bias[3]", "gradient", expression, -1.0))
    assert "<msub><mi>δ</mi><mn>12</mn></msub>" in drawn
    assert "<msub><mi>0.weight</mi><mrow><mo>[</mo><mn>1</mn><mo>,</mo><mn>0</mn><mo>]</mo></mrow></msub>" in drawn
    assert "<mi>relu′</mi><mrow><mo>(</mo><msub><mi>z</mi><mn>3</mn></msub><mo>)</mo></mrow>" in drawn
    assert numbers_mathml(Equation("z1", "preactivation", B, -3.5)) == (
        '<math><msub><mi>z</mi><mn>1</mn></msub><mo>=</mo><mo form="prefix">−</mo><mn>3.5</mn></math>'
    )


@pytest.mark.parametrize("name", ["a<b>", "a&amp;b", '"', "</math><script>", "a\nb", "\x00", "é"])
def test_a_name_is_text_and_nothing_else(name: str) -> None:
    (name_element,) = ElementTree.fromstring(mathml_of(in_symbols(Number(1.0, name))))
    assert name_element.tag == "mi"
    assert name_element.text == "".join(each if each.isprintable() else repr(each)[1:-1] for each in name)
    assert not list(name_element)


@pytest.mark.parametrize("name", ["z1", "h2", "δ3", "y", "p", "ŷ", "loss", "loss4", "relu", "e", "a b", "", "1a", "x1"])
def test_a_name_that_means_something_else_in_a_formula_is_no_symbol(name: str) -> None:
    assert input_symbols(("a", name)) == ("x1", "x2")
    assert input_symbols(("a", "a")) == ("x1", "x2")
    assert input_symbols(("age", "été")) == ("age", "été")

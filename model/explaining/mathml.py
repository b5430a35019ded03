"""Expressions as MathML, which browsers draw themselves (W3C, MathML Core)."""

from __future__ import annotations

import re
from html import escape

from model.explaining.equations import Equation
from model.explaining.marks import EQUALS, Brackets, Digits, Fraction, Group, Name, Notation, Power, Row, Sign, Square
from model.explaining.notation import in_symbols, left_side, numbers_of
from model.messages import escape_unprintable

# z1, a parameter such as 0.weight[1,0], and the derivative of an activation such as relu′(z1).
_NUMBERED = re.compile(r"(z|h|δ|p|y|ŷ|x|loss)([0-9]+)")
_PARAMETER = re.compile(r"([0-9]+\.(?:weight|bias))\[([0-9,]+)\]")
# A parameter by what it connects, such as w[a→h1] and b[h1].
_BY_ENDS = re.compile(r"([wb])\[(?:([^\s→]+)(→))?([^\s→]+)\]")
_SLOPE = re.compile(r"(\w+′)\((\w+)\)")
# Spaces that a browser does not trim.
_SPACE = "\N{NO-BREAK SPACE}"


def formula_mathml(equation: Equation) -> str:
    """An equation in symbols.

    Args:
        equation: any.

    Returns:
        A math element.

    Example:
        >>> from model.explaining.expressions import Number
        >>> formula_mathml(Equation("ŷ", "prediction", Number(0.5, "z1"), 0.5))
        '<math><mi>ŷ</mi><mo>=</mo><msub><mi>z</mi><mn>1</mn></msub></math>'
    """
    return mathml_of(Row((left_side(equation), EQUALS, in_symbols(equation.expression))))


def numbers_mathml(equation: Equation) -> str:
    """An equation with its numbers plugged in, and its result.

    Args:
        equation: any.

    Returns:
        A math element. Of an equation that is one number, the number is written once.

    Example:
        >>> from model.explaining.expressions import Number
        >>> numbers_mathml(Equation("ŷ", "prediction", Number(0.5, "z1"), 0.5))
        '<math><mi>ŷ</mi><mo>=</mo><mn>0.5</mn></math>'
    """
    return mathml_of(numbers_notation(equation))


def numbers_notation(equation: Equation) -> Notation:
    """An equation with its numbers plugged in, and its result.

    Args:
        equation: any.

    Returns:
        How it is written. Of an equation that is one number, the number is written once.
    """
    parts, result = numbers_of(equation)
    middle = () if parts == result else (EQUALS, parts)
    return Row((left_side(equation), *middle, EQUALS, result))


def mathml_of(notation: Notation) -> str:
    """Something written, as MathML.

    Args:
        notation: how it is written.

    Returns:
        A math element.

    Example:
        >>> mathml_of(Fraction(Name("a<b"), Digits(False, "2")))
        '<math><mfrac><mi>a&lt;b</mi><mn>2</mn></mfrac></math>'
    """
    return f"<math>{''.join(_elements(notation))}</math>"


def _elements(notation: Notation) -> list[str]:
    """The elements that stand beside each other."""
    match notation:
        case Digits():
            return _digits(notation)
        case Name(text):
            return _name(text)
        case Sign(text, is_between):
            return [f"<mo>{text}</mo>" if is_between else f'<mo form="prefix">{text}</mo>']
        case Row(parts):
            return [element for part in parts for element in _elements(part)]
        case Brackets(of):
            return [f"<mrow><mo>(</mo>{''.join(_elements(of))}<mo>)</mo></mrow>"]
        case Group(of):
            return _elements(of)
        case Square(of):
            return [f"<msup>{_one(of)}<mn>2</mn></msup>"]
        case Power(exponent):
            return [f"<msup><mi>e</mi>{_one(exponent)}</msup>"]
        case Fraction(above, below):
            return [f"<mfrac>{_one(above)}{_one(below)}</mfrac>"]


def _one(notation: Notation) -> str:
    """The elements as one."""
    elements = _elements(notation)
    return elements[0] if len(elements) == 1 else f"<mrow>{''.join(elements)}</mrow>"


def _digits(digits: Digits) -> list[str]:
    elements = ['<mo form="prefix">−</mo>'] if digits.is_negative else []
    elements.append(f"<mn>{digits.size}</mn>")
    if digits.power is not None:
        power = _one(Digits(digits.power < 0, str(abs(digits.power))))
        elements += ["<mo>·</mo>", f"<msup><mn>10</mn>{power}</msup>"]
    return elements


def _name(text: str) -> list[str]:
    if found := _NUMBERED.fullmatch(text):
        return [f"<msub><mi>{found[1]}</mi><mn>{found[2]}</mn></msub>"]
    if found := _PARAMETER.fullmatch(text):
        places = "<mo>,</mo>".join(f"<mn>{place}</mn>" for place in found[2].split(","))
        return [f"<msub><mi>{found[1]}</mi><mrow><mo>[</mo>{places}<mo>]</mo></mrow></msub>"]
    if found := _BY_ENDS.fullmatch(text):
        start = [] if found[2] is None else [*_name(found[2]), "<mo>→</mo>"]
        return [f"<msub><mi>{found[1]}</mi><mrow>{''.join([*start, *_name(found[4])])}</mrow></msub>"]
    if found := _SLOPE.fullmatch(text):
        return [f"<mi>{found[1]}</mi>", *_elements(Brackets(Name(found[2])))]
    words, space, parameter = text.rpartition(" ")
    if words and (_PARAMETER.fullmatch(parameter) or _BY_ENDS.fullmatch(parameter)):
        return [f"<mi>{words}{space.replace(' ', _SPACE)}</mi>", *_name(parameter)]
    return [f"<mi>{escape(escape_unprintable(text))}</mi>"]

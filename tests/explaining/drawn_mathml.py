"""A reader of MathML: what it draws, written in one line."""

from xml.etree import ElementTree

ALLOWED = {"math", "mrow", "mi", "mn", "mo", "mfrac", "msub", "msup"}


def read_mathml(text: str) -> str:
    """What a formula says, without spaces. A fraction and a power get brackets where one line needs them."""
    root = ElementTree.fromstring(text)
    assert root.tag == "math"
    assert {element.tag for element in root.iter()} <= ALLOWED
    return "".join(map(_line, root))


def _line(element: ElementTree.Element) -> str:
    parts = [_line(child) for child in element]
    match element.tag:
        case "mi" | "mn" | "mo":
            assert not parts
            assert element.text
            return "".join(element.text.split())
        case "mfrac":
            above, below = parts
            return f"{_grouped(above, '+−')}/{_grouped(below, '+−·/')}"
        case "msup":
            base, power = parts
            if base == "e":
                return f"e^{_grouped(power, '+−·/')}"
            digits = "−0123456789"
            assert set(power) <= set(digits)
            return base + power.translate(str.maketrans(digits, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        case "msub":
            base, below = parts
            return f"{base}[{below}]" if base in ("w", "b") else base + below
    assert not element.text
    return "".join(parts)


def _grouped(text: str, signs: str) -> str:
    """The text in brackets if one of the signs stands outside brackets. A minus sign at the start of a sum is none."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        is_start = place == 0 and "·" not in signs
        if depth == 0 and character in signs and not is_start:
            return f"({text})"
    return text

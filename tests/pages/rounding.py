"""Numbers as the pages write them, from Python's own rounding."""

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def python_text(text: str) -> str:
    """The text of Python's `format` with a true minus sign, a power of ten and no sign before zero."""
    mantissa, _, exponent = text.partition("e")
    if not any(digit in mantissa for digit in "123456789"):
        mantissa = mantissa.removeprefix("-")
    return mantissa.replace("-", "−") + (f"·10{str(int(exponent)).translate(RAISED)}" if exponent else "")

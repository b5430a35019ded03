"""Numbers as the pages write them, from Python's own rounding."""


def python_text(text: str) -> str:
    """The text of Python's `format` with a true minus sign, a short exponent and no sign before zero."""
    mantissa, _, exponent = text.partition("e")
    if not any(digit in mantissa for digit in "123456789"):
        mantissa = mantissa.removeprefix("-")
    return (mantissa + (f"e{int(exponent)}" if exponent else "")).replace("-", "−")

"""The error of a check that cannot be made, and words for what was found."""

from __future__ import annotations

from typing import Any

import jax

from model.messages import RefusalError

# Characters that are shown of another error's message.
MAX_ERROR_CHARACTERS = 300


class NotCheckableError(RefusalError):
    """The arguments cannot be checked. The message is one sentence: what was expected, what was found, what to do."""


class NoGradientError(NotCheckableError):
    """No method has a gradient of the function."""


# A function raises one of these if JAX cannot trace it, because it needs its values in Python or NumPy.
TRACING_ERRORS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.UnexpectedTracerError,
)


def describe_value(value: Any) -> str:
    """A value as a message shows it.

    Args:
        value: any object.

    Returns:
        An array's dtype and shape; of anything else its repr, cut to 40 characters, and its type.

    Example:
        >>> import numpy as np
        >>> describe_value(np.zeros((2, 3))), describe_value("a")
        ('float64[2, 3]', "'a', a str")
        >>> describe_value(3)
        '3, an int'
    """
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}{list(value.shape)}"
    return f"{value!r:.40}, {describe_type(value)}"


def describe_type(value: Any) -> str:
    """The type of a value, with its article.

    Args:
        value: any object.

    Returns:
        Two words.

    Example:
        >>> describe_type(3), describe_type(None)
        ('an int', 'a NoneType')
    """
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def summarize_error(error: BaseException) -> str:
    """What an exception says, short enough to stand within a sentence.

    Args:
        error: any exception.

    Returns:
        Its type and the first line of its message, without the full stop; a long line ends at a space outside of
        brackets. If JAX could not trace the function, that.

    Example:
        >>> summarize_error(ZeroDivisionError("division by zero."))
        'ZeroDivisionError: division by zero'
    """
    if isinstance(error, TRACING_ERRORS):
        return f"JAX cannot trace it, because it needs values in NumPy or Python ({type(error).__name__})"
    first_line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {_shorten(first_line).rstrip('.')}" if first_line else type(error).__name__


def _shorten(text: str) -> str:
    """The text, or its beginning up to a space outside of brackets and quotes."""
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    depth, end = 0, 0
    for position, character in enumerate(text[:MAX_ERROR_CHARACTERS]):
        depth += (character in "([{") - (character in ")]}")
        if character == " " and depth <= 0:
            end = position
    return f"{text[: end or MAX_ERROR_CHARACTERS].rstrip(',;:')} …"

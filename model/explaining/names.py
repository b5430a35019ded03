"""What the parts of a network are called, in formulas and in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from model.messages import escape_unprintable
from model.network import Network

# Symbols of numbers that a trace computes, and names of functions. An input that is called so gets another symbol.
_TAKEN = re.compile(r"(?:x|z|h|δ|p|y|ŷ|loss)[0-9]*|e|log|relu|tanh|sigmoid|gelu|new|gradient|of")
# A longer name of an input is no symbol.
MAX_SYMBOL = 20


class Names(NamedTuple):
    """What the inputs, the target and its classes are called.

    Attributes:
        inputs: of each input.
        target: of the target.
        classes: of each class; empty if they are not known, or in a regression.
    """

    inputs: tuple[str, ...]
    target: str = "y"
    classes: tuple[str, ...] = ()

    def class_name(self, index: int) -> str:
        """What a class is called; its index if that is not known."""
        return escape_unprintable(self.classes[index]) if index < len(self.classes) else str(index)


def input_symbols(names: Sequence[str]) -> tuple[str, ...]:
    """The symbols of inputs in formulas.

    Args:
        names: of each input.

    Returns:
        The names themselves if each is a short word that means nothing else in a formula; otherwise x1, x2 and so on.

    Example:
        >>> input_symbols(["a", "b"]), input_symbols(["a", "bill length"]), input_symbols(["a", "z1"])
        (('a', 'b'), ('x1', 'x2'), ('x1', 'x2'))
    """
    numbered = tuple(f"x{index + 1}" for index in range(len(names)))
    are_words = all(name.isidentifier() and len(name) <= MAX_SYMBOL and not _TAKEN.fullmatch(name) for name in names)
    return tuple(names) if are_words and len(set(names)) == len(names) else numbered


def unit_number(layer: int, unit: int, network: Network) -> int:
    """The number of a unit, counted from 1 through all layers, as in z3, h3 and δ3.

    Args:
        layer: the index of the layer that computes it.
        unit: its index in that layer.
        network: the description of the network.

    Returns:
        The number.

    Example:
        >>> unit_number(0, 1, Network((2, 2, 1))), unit_number(1, 0, Network((2, 3, 3, 1)))
        (2, 4)
    """
    return sum(network.sizes[1 : layer + 1]) + unit + 1


def capital(words: str) -> str:
    """Words with a capital at the start.

    Args:
        words: at least one letter.

    Returns:
        The words.

    Example:
        >>> capital("hidden unit 1")
        'Hidden unit 1'
    """
    return words[0].upper() + words[1:]


class PartNames:
    """What units and parameters are called in sentences.

    Args:
        network: the description of the network.
        names: of the inputs, the target and its classes.
    """

    def __init__(self, network: Network, names: Names) -> None:
        self.network, self._given = network, names
        self.last = len(network.sizes) - 2

    def class_name(self, index: int) -> str:
        """What a class is called."""
        return self._given.class_name(index)

    def unit(self, layer: int, unit: int) -> str:
        """What a unit is called; of the last layer, an output."""
        if layer < self.last:
            return f"hidden unit {unit_number(layer, unit, self.network)}"
        if self.network.sizes[-1] == 1:
            return "the output"
        if self.network.task == "multiclass":
            return f"the output of class {self.class_name(unit)}"
        return f"output {unit + 1}"

    def source(self, layer: int, source: int) -> str:
        """What an input of a layer is called: a column, or a hidden unit."""
        return self.unit(layer - 1, source) if layer else escape_unprintable(self._given.inputs[source])

    def parameter(self, layer: int, unit: int, source: int | None) -> str:
        """What a weight, or of no source a bias, is called."""
        whose = self.unit(layer, unit)
        return f"the bias of {whose}" if source is None else f"the weight from {self.source(layer, source)} to {whose}"

    def target(self, output: int) -> str:
        """What the target of an output is called."""
        name = escape_unprintable(self._given.target)
        return f"{name} {output + 1}" if self.network.sizes[-1] > 1 and self.network.task != "multiclass" else name

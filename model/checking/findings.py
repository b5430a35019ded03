"""What a check found: the numbers and the verdict of every derivative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.checking.error_patterns import Diagnosis
from model.checking.verdicts import Verdict

# A derivative smaller than this is measured against this size rather than its own.
SIZE_FLOOR = 1e-6


@dataclass(frozen=True)
class Derivative:
    """The derivative by one parameter, or along one direction, by each method; None if a method does not have it.

    Attributes:
        name: the parameter's place in the pytree, such as 0.weight[0,1], or what the direction is.
        nudge: by differences of values.
        error: how far off `nudge` may be; infinite if nothing is known.
        jvp: by forward mode.
        by_hand: as somebody wrote it.
        grad: by reverse mode.
        verdict: on all of them.
        wrong: the methods that are wrong.
        relative_error: the largest |a - b| / max(|a|, |b|, 1e-6) of any two methods. Of the nudge, only what its error
            does not explain counts, and nothing at a kink or a jump. NaN if a derivative is not finite.
        order: 1, or 2 for the derivative of a Hessian-vector product.
        sides: by differences to the left and to the right, at a kink or a jump; None elsewhere.
    """

    name: str
    nudge: float
    error: float
    jvp: float | None
    by_hand: float | None
    grad: float | None
    verdict: Verdict
    wrong: tuple[str, ...] = ()
    relative_error: float = 0.0
    order: int = 1
    sides: tuple[float, float] | None = None

    @property
    def kink(self) -> bool:
        """Whether the derivatives on the two sides differ, so that any number between them is right."""
        return self.verdict == Verdict.KINK


@dataclass(frozen=True)
class Findings:
    """What a check found.

    Attributes:
        parameters: the derivatives by the parameters that were tried, in the order of the pytree.
        directions: the derivatives along random directions through many parameters.
        entries: how many parameters there are.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.
        diagnoses: what is wrong.
        taylor_order: the order of the remainder of Taylor's series with the gradient in it: 2 if the gradient is right,
            1 if it is wrong; None if rounding hides it.
        adjoint_error: how far forward and reverse mode differ along a random direction, relative to their size.
        visible: the error of a single parameter that would have been seen although it was not tried, in 99 of 100
            parameters.
        notes: why a method has no derivatives, by the method's name.
        by_hand_name: the name of the gradient by hand.
    """

    parameters: tuple[Derivative, ...]
    directions: tuple[Derivative, ...] = ()
    entries: int = 0
    tolerance: float = 1e-6
    diagnoses: tuple[Diagnosis, ...] = ()
    taylor_order: float | None = None
    adjoint_error: float | None = None
    visible: float | None = None
    notes: tuple[tuple[str, str], ...] = ()
    by_hand_name: str = "by_hand"

    @property
    def rows(self) -> tuple[Derivative, ...]:
        """All derivatives, by parameters and along directions."""
        return (*self.parameters, *self.directions)

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of any derivative; NaN if one is not finite, 0 without parameters."""
        return float(np.max([row.relative_error for row in self.rows], initial=0.0))

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: every verdict is agrees, kink, jump, too noisy to tell, or not differentiable."""
        return all(row.verdict.ok for row in self.rows)

    @property
    def is_known(self) -> bool:
        """Whether anything could be told: a derivative agrees, is wrong, or lies at a kink or a jump."""
        unknown = (Verdict.NOISY, Verdict.NOT_DIFFERENTIABLE)
        return any(row.verdict not in unknown for row in self.rows)

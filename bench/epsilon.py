"""The error of the nudge against epsilon, measured on random networks and drawn for docs/gradients.md.

    python -m bench.epsilon

Writes docs/error-against-epsilon.svg and prints where the error is smallest. Takes two minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model import Network, Params, init_params, loss, nudge
from model.checking import FLOOR, TOLERANCE
from model.gradients import EPSILON, one_at_a_time
from model.network import ACTIVATIONS, preactivations
from model.text import aligned

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "error-against-epsilon.svg"

SIZES = ((3, 1), (3, 4, 1), (3, 5, 4, 1), (3, 4, 4, 4, 1))
SEEDS, ROWS = 25, 8
EPSILONS = np.logspace(-8, 0, 49)  # six a decade
DEFAULT = int(np.argmin(np.abs(np.log(EPSILONS / EPSILON))))


def central(fun: Callable[..., jax.Array], params: Params, *args: Any, epsilon: float) -> Params:
    """One plain central difference, (fun(p + epsilon) - fun(p - epsilon)) / 2 epsilon."""

    def derivative(step: Callable[[jax.Array], Params]) -> jax.Array:
        return (fun(step(epsilon), *args) - fun(step(-epsilon), *args)) / (2 * epsilon)

    return one_at_a_time(derivative, params)


def errors(key: jax.Array, network: Network) -> jax.Array:
    """The largest relative error of any parameter away from a kink, [epsilons, 2]: of `central` and of `nudge`."""
    of_params, of_x, of_y = jax.random.split(key, 3)
    params = jax.tree.map(lambda leaf: leaf.astype(float), init_params(network, key=of_params))
    x = jax.random.normal(of_x, (ROWS, network.sizes[0]))
    y = jax.random.bernoulli(of_y, shape=(ROWS,)).astype(float)
    grads = flat(jax.grad(loss)(params, x, y, network))

    def positive(params: Params) -> jax.Array:
        hidden = preactivations(params, x, network)[:-1]
        return jnp.concatenate([jnp.ravel(z > 0) for z in hidden]) if hidden else jnp.ones(1, bool)

    def at(epsilon: jax.Array) -> jax.Array:
        # By the sign of every ReLU's input on the way, which is another road than that of model.gradients.jump.
        def crosses(step: Callable[[jax.Array], Params]) -> jax.Array:
            return jnp.any(jax.vmap(lambda h: positive(step(h)))(epsilon * jnp.linspace(-1, 1, 9)) != positive(params))

        kink = flat(one_at_a_time(crosses, params)) & (network.activation == "relu")
        ways = jnp.stack([flat(way(loss, params, x, y, network, epsilon=epsilon)) for way in (central, nudge)])
        size = jnp.maximum(jnp.maximum(jnp.abs(ways), jnp.abs(grads)), FLOOR)
        return jnp.max(jnp.where(kink, 0, jnp.abs(ways - grads) / size), axis=1)

    return jax.lax.map(at, jnp.asarray(EPSILONS))


def flat(tree: Params) -> jax.Array:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def main() -> None:
    networks = [Network(sizes, activation) for activation in ACTIVATIONS for sizes in SIZES]
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), SEEDS)
        measured = np.concatenate([jax.jit(jax.vmap(errors, (0, None)))(keys, network) for network in networks])
    plain, extrapolated = measured[..., 0], measured[..., 1]

    rows = [["", "at epsilon", "10 %", "median", "90 %", "largest"]]
    for name, error in (("central difference", plain), ("nudge", extrapolated)):
        best, safest = (int(np.argmin(value)) for value in (np.percentile(error, 90, axis=0), np.max(error, axis=0)))
        for remark, index in (("smallest 90 %", best), ("smallest largest", safest), ("default", DEFAULT)):
            quantiles = np.percentile(error[:, index], [10, 50, 90, 100])
            rows.append([f"{name}, {remark}", f"{EPSILONS[index]:.1e}", *(f"{value:.1e}" for value in quantiles)])
    print(f"The largest relative error in each of {len(measured)} random networks:\n")
    print(aligned(rows))
    PICTURE.write_text(picture(plain, extrapolated))
    print(f"\nWritten: docs/{PICTURE.name}")


WIDTH, HEIGHT = 760, 500
LEFT, RIGHT, TOP, BOTTOM = 84, 730, 78, 426
LARGEST, SMALLEST = 1, 1e-14
INK, SOFT, GRID = "#1f2933", "#5f6c7b", "#e6eaee"
PLAIN, EXTRAPOLATED = "#c2570c", "#1d5fbf"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def across(epsilon: float) -> float:
    decades = np.log10(EPSILONS[-1] / EPSILONS[0])
    return LEFT + (RIGHT - LEFT) * float(np.log10(epsilon / EPSILONS[0])) / decades


def down(error: float) -> float:
    return TOP + (BOTTOM - TOP) * float(np.log10(LARGEST / error) / np.log10(LARGEST / SMALLEST))


def points(errors: Sequence[float] | np.ndarray) -> list[str]:
    return [
        f"{across(e):.1f},{down(min(max(error, SMALLEST), LARGEST)):.1f}"
        for e, error in zip(EPSILONS, errors, strict=True)
    ]


def text(x: float, y: float, words: str, fill: str = INK, size: int = 13, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" font-size="{size}" text-anchor="{anchor}"{more}>{words}</text>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{more}/>'


def power(exponent: int) -> str:
    return "1" if exponent == 0 else f"10{str(exponent).translate(SUPERSCRIPT)}"


def curve(errors: np.ndarray, colour: str) -> list[str]:
    """The median of errors [networks, epsilons] and the band from 10 to 90 %."""
    low, middle, high = (points(np.percentile(errors, percent, axis=0)) for percent in (10, 50, 90))
    return [
        f'<polygon points="{" ".join(low + high[::-1])}" fill="{colour}" fill-opacity="0.14"/>',
        f'<polyline points="{" ".join(middle)}" fill="none" stroke="{colour}" stroke-width="2.4" '
        'stroke-linejoin="round" stroke-linecap="round"/>',
    ]


def picture(plain: np.ndarray, extrapolated: np.ndarray) -> str:
    """The SVG, on a white panel of its own, so that it reads on any background."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d" '
        "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\">",
        '<title id="t">The error of the nudge against epsilon</title>',
        '<desc id="d">On logarithmic axes. Towards large epsilon the error grows by truncation: as its square for '
        "one central difference, as its sixth power for the extrapolated nudge; towards small epsilon it grows by "
        "rounding, as one over epsilon. The nudge's error is smallest near the default, 0.01.</desc>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10" fill="#ffffff" stroke="#d5dbe1"/>',
        text(LEFT, 34, "The error of the nudge against epsilon", size=17, more=' font-weight="600"'),
        text(
            LEFT,
            54,
            f"Largest relative error in each of {len(plain)} random networks, in float64: the median, and 10 to 90 %",
            SOFT,
        ),
    ]
    for exponent in range(-8, 1):
        x = across(10.0**exponent)
        parts += [line(x, TOP, x, BOTTOM, GRID), text(x, BOTTOM + 20, power(exponent), SOFT, anchor="middle")]
    for exponent in range(-14, 1, 2):
        y = down(10.0**exponent)
        parts += [line(LEFT, y, RIGHT, y, GRID), text(LEFT - 10, y + 4.5, power(exponent), SOFT, anchor="end")]
    middle = (TOP + BOTTOM) / 2
    turned = f' transform="rotate(-90 28 {middle:.1f})"'
    parts += [
        text((LEFT + RIGHT) / 2, BOTTOM + 46, "epsilon, the nudge", anchor="middle"),
        text(28, middle, "relative error", anchor="middle", more=turned),
        line(LEFT, down(TOLERANCE), RIGHT, down(TOLERANCE), SOFT, ' stroke-dasharray="2 4"'),
        text(across(1.7e-3), down(TOLERANCE) - 6, "tolerance", SOFT, 12),
        line(across(EPSILON), TOP, across(EPSILON), BOTTOM, INK, ' stroke-width="1.2" stroke-dasharray="5 4"'),
        text(across(EPSILON) + 8, TOP + 18, f"default, {EPSILON:g}"),
        *curve(plain, PLAIN),
        *curve(extrapolated, EXTRAPOLATED),
    ]
    return "\n".join([*parts, *labels(), "</svg>", ""])


def labels() -> list[str]:
    """The words along the curves."""
    bold = ' font-weight="600"'
    return [
        text(across(2e-4), down(3e-3), "one central difference", PLAIN, 13, "end", bold),
        text(across(2e-4), down(3e-3) + 17, "truncation ∝ ε²", PLAIN, 13, "end"),
        text(RIGHT - 6, down(6e-14), "extrapolated nudge", EXTRAPOLATED, 13, "end", bold),
        text(RIGHT - 6, down(6e-14) + 17, "truncation ∝ ε⁶", EXTRAPOLATED, 13, "end"),
        text(across(1.4e-8), down(4e-10), "rounding ∝ 1/ε", more=bold),
    ]


if __name__ == "__main__":
    main()

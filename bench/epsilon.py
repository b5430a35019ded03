"""The error of the nudge against epsilon, measured on random networks and drawn for docs/gradients.md.

    python -m bench.epsilon

Writes docs/error-against-epsilon.svg and prints where the error is smallest. Takes two minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from model import Network, Params, init_params, loss, nudge
from model.checking.check import TOLERANCE
from model.checking.epsilon_plot import BLUE, GRAY, ORANGE, epsilon_axes
from model.checking.report import SIZE_FLOOR
from model.gradients import EPSILON, one_at_a_time
from model.messages import align_columns
from model.network import ACTIVATIONS, preactivations

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
        # By the sign of every ReLU's input on the way, which no finite difference knows of.
        def crosses(step: Callable[[jax.Array], Params]) -> jax.Array:
            return jnp.any(jax.vmap(lambda h: positive(step(h)))(epsilon * jnp.linspace(-1, 1, 9)) != positive(params))

        kink = flat(one_at_a_time(crosses, params)) & (network.activation == "relu")
        ways = jnp.stack([flat(way(loss, params, x, y, network, epsilon=epsilon)) for way in (central, nudge)])
        size = jnp.maximum(jnp.maximum(jnp.abs(ways), jnp.abs(grads)), SIZE_FLOOR)
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
    print(align_columns(rows))
    draw(plain, extrapolated).savefig(PICTURE)
    print(f"\nWritten: docs/{PICTURE.name}")


def draw(plain: np.ndarray, extrapolated: np.ndarray) -> Figure:
    """The medians, and the bands from 10 to 90 %."""
    subtitle = f"Largest relative error in each of {len(plain)} random networks, in float64: median, and 10 to 90 %"
    figure, axes = epsilon_axes("The error of the nudge against epsilon", subtitle)
    curves = (
        (plain, ORANGE, "one central difference, truncation ∝ ε²"),
        (extrapolated, BLUE, "extrapolated nudge, truncation ∝ ε⁶"),
    )
    for errors, color, label in curves:
        low, middle, high = (np.percentile(errors, percent, axis=0) for percent in (10, 50, 90))
        axes.plot(EPSILONS, middle, color=color, label=label)
        axes.fill_between(EPSILONS, low, high, color=color, alpha=0.14)
    axes.axhline(TOLERANCE, color=GRAY, linestyle=":", label="tolerance")
    axes.axvline(EPSILON, color="black", linestyle="--", label=f"default, {EPSILON:g}")
    axes.text(1.4e-8, 4e-10, "rounding ∝ 1/ε", fontweight="bold")
    axes.set(xlim=(EPSILONS[0], EPSILONS[-1]), ylim=(1e-14, 1.0))
    axes.legend(loc="upper left", bbox_to_anchor=(0.28, 1.0))
    return figure


if __name__ == "__main__":
    main()

"""The error of finite differences against epsilon, measured on random networks and drawn for docs/gradients.md.

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
from model.activations import ACTIVATIONS
from model.checking.check import TOLERANCE
from model.checking.epsilon_plot import BLUE, GRAY, INK, ORANGE, add_legend, epsilon_axes
from model.checking.findings import SIZE_FLOOR
from model.commands.shared import save_figure
from model.gradients import EPSILON, map_parameters
from model.messages import align_columns
from model.network import preactivations

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "error-against-epsilon.svg"

SIZES = ((3, 1), (3, 4, 1), (3, 5, 4, 1), (3, 4, 4, 4, 1))
SEEDS, ROWS = 25, 8
EPSILONS = np.logspace(-8, 0, 49)  # six a decade
DEFAULT_INDEX = int(np.argmin(np.abs(np.log(EPSILONS / EPSILON))))
# Points on the way from -epsilon to epsilon at which the sign of every ReLU's input is looked at.
POINTS_ON_THE_WAY = 9


def central_difference(fun: Callable[..., jax.Array], params: Params, *args: Any, epsilon: float) -> Params:
    """One plain central difference, (fun(p + epsilon) - fun(p - epsilon)) / 2 epsilon."""

    def derivative(step: Callable[[jax.Array], Params]) -> jax.Array:
        return (fun(step(epsilon), *args) - fun(step(-epsilon), *args)) / (2 * epsilon)

    return map_parameters(derivative, params)


def largest_errors(key: jax.Array, network: Network) -> jax.Array:
    """[epsilons, 2]: the largest relative error of any parameter away from a kink.

    The first column is that of `central_difference`, the second that of `nudge`.
    """
    params_key, x_key, y_key = jax.random.split(key, 3)
    params = jax.tree.map(lambda leaf: leaf.astype(float), init_params(network, key=params_key))
    x = jax.random.normal(x_key, (ROWS, network.sizes[0]))
    y = jax.random.bernoulli(y_key, shape=(ROWS,)).astype(float)
    grads = flatten(jax.grad(loss)(params, x, y, network))

    def is_positive(params: Params) -> jax.Array:
        hidden = preactivations(params, x, network)[:-1]
        return jnp.concatenate([jnp.ravel(z > 0) for z in hidden]) if hidden else jnp.ones(1, bool)

    def errors_at(epsilon: jax.Array) -> jax.Array:
        def crosses_kink(step: Callable[[jax.Array], Params]) -> jax.Array:
            """Whether a ReLU's input changes its sign on the way, of which no finite difference knows."""
            offsets = epsilon * jnp.linspace(-1, 1, POINTS_ON_THE_WAY)
            return jnp.any(jax.vmap(lambda offset: is_positive(step(offset)))(offsets) != is_positive(params))

        has_kink = flatten(map_parameters(crosses_kink, params)) & (network.activation == "relu")
        methods = (central_difference, nudge)
        found = jnp.stack([flatten(method(loss, params, x, y, network, epsilon=epsilon)) for method in methods])
        size = jnp.maximum(jnp.maximum(jnp.abs(found), jnp.abs(grads)), SIZE_FLOOR)
        return jnp.max(jnp.where(has_kink, 0, jnp.abs(found - grads) / size), axis=1)

    return jax.lax.map(errors_at, jnp.asarray(EPSILONS))


def flatten(tree: Params) -> jax.Array:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def main() -> None:
    networks = [Network(sizes, activation) for activation in ACTIVATIONS for sizes in SIZES]
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), SEEDS)
        measured = [jax.jit(jax.vmap(largest_errors, (0, None)))(keys, network) for network in networks]
    errors = np.concatenate(measured)
    central, extrapolated = errors[..., 0], errors[..., 1]
    print(f"The largest relative error in each of {len(errors)} random networks:\n")
    print(align_columns(table(central, extrapolated)))
    save_figure(draw(central, extrapolated), PICTURE)
    print(f"\nWritten: docs/{PICTURE.name}")


def table(central: np.ndarray, extrapolated: np.ndarray) -> list[list[str]]:
    """The quantiles of the errors [networks, epsilons] at the best epsilons and at the default."""
    rows = [["", "at epsilon", "10 %", "median", "90 %", "largest"]]
    for name, errors in (("central difference", central), ("nudge", extrapolated)):
        smallest_high, smallest_largest = np.argmin(np.percentile(errors, 90, axis=0)), np.argmin(errors.max(axis=0))
        indices = {"smallest 90 %": smallest_high, "smallest largest": smallest_largest, "default": DEFAULT_INDEX}
        for remark, index in indices.items():
            quantiles = np.percentile(errors[:, index], [10, 50, 90, 100])
            rows.append([f"{name}, {remark}", f"{EPSILONS[index]:.1e}", *(f"{value:.1e}" for value in quantiles)])
    return rows


def draw(central: np.ndarray, extrapolated: np.ndarray) -> Figure:
    """The medians of the errors [networks, epsilons], and the bands from 10 to 90 %."""
    subtitle = f"Largest relative error in each of {len(central)} random networks, in float64: median, and 10 to 90 %"
    figure, axes = epsilon_axes("Error of finite differences against epsilon", subtitle, "truncation")
    curves = (
        (central, ORANGE, "one central difference, truncation ∝ ε²"),
        (extrapolated, BLUE, "extrapolated nudge, truncation ∝ ε⁶"),
    )
    for errors, color, label in curves:
        low, middle, high = np.percentile(errors, (10, 50, 90), axis=0)
        axes.plot(EPSILONS, middle, color=color, label=label)
        axes.fill_between(EPSILONS, low, high, color=color, alpha=0.16, linewidth=0)
    axes.axvline(EPSILON, color=INK, linestyle="--", linewidth=1, label=f"default epsilon, {EPSILON:g}")
    axes.axhline(TOLERANCE, color=GRAY, linestyle=":", label=f"tolerance of the check, {TOLERANCE:g}")
    axes.set(xlim=(EPSILONS[0], EPSILONS[-1]), ylim=(1e-14, 1.0))
    add_legend(axes, columns=2)
    return figure


if __name__ == "__main__":
    main()

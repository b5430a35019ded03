"""Functions around rules with right and wrong derivatives: plain, composed, in a scan, under vmap, in unlike leaves.

Each generator yields at least ten right and ten wrong cases of one kind, others for each seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.checking.corpus import Case

# Right cases, and wrong ones, of each kind.
MIN_CASES = 10

Elementwise = Callable[[Any], Any]

# Elementwise functions, each with its derivative.
FUNCTIONS: dict[str, tuple[Elementwise, Elementwise]] = {
    "sine": (jnp.sin, jnp.cos),
    "tanh": (jnp.tanh, lambda x: 1 - jnp.tanh(x) ** 2),
    "square": (lambda x: x**2, lambda x: 2 * x),
    "exponential": (lambda x: jnp.exp(0.5 * x), lambda x: 0.5 * jnp.exp(0.5 * x)),
    "bell": (lambda x: jnp.exp(-(x**2)), lambda x: -2 * x * jnp.exp(-(x**2))),
    "softplus": (lambda x: jnp.logaddexp(x, 0), jax.nn.sigmoid),
    "rational": (lambda x: x / (2 + x**2), lambda x: (2 - x**2) / (2 + x**2) ** 2),
}


def rule(
    value: Elementwise,
    slope: Elementwise,
    primal: Elementwise | None = None,
    pull: Callable[[Any, Any], Any] = lambda ct, slope: ct * slope,
    is_forward: bool = False,
) -> Elementwise:
    """A function with a custom rule.

    Args:
        value: the function.
        slope: its derivative according to the rule.
        primal: what the rule's forward pass returns; the value by default.
        pull: the cotangent (or tangent) and the slope -> the cotangent (or tangent) on the other side.
        is_forward: whether it is a custom_jvp, otherwise a custom_vjp.
    """
    primal = primal or value
    if is_forward:
        function = jax.custom_jvp(lambda x: value(x))
        function.defjvp(lambda primals, tangents: (primal(primals[0]), pull(tangents[0], slope(primals[0]))))
        return function
    function = jax.custom_vjp(lambda x: value(x))
    function.defvjp(lambda x: (primal(x), x), lambda x, ct: (pull(ct, slope(x)),))
    return function


def surroundings(rng: np.random.Generator) -> Iterator[tuple[str, Callable[[Elementwise], Any], Any]]:
    """Ways to use an elementwise function f: a name, f -> a function of params, and params. Endless."""
    for dtype in cycle([np.float32, np.float64, np.float32]):
        v = (rng.uniform(0.3, 1.2, 4) * rng.choice([-1, 1], 4)).astype(dtype)
        w = rng.normal(size=(3, 2)).astype(dtype)
        tree = {"a": v, "b": np.float32(0.7), "c": (w * dtype(1e3), 1)}
        yield "plain", lambda f: lambda p: jnp.sum(f(p)), v
        yield "composed", lambda f: lambda p: jnp.sum(jnp.cos(f(jnp.sin(p))) * p) ** 2, v
        yield (
            "in a scan",
            lambda f: lambda p: jnp.sum(jax.lax.scan(lambda c, e: (0.5 * f(c) + e, f(e)), p, jnp.stack([p, 2 * p]))[1]),
            v,
        )
        yield (
            "carried in a scan",
            lambda f: lambda p: jnp.sum(jax.lax.fori_loop(0, 3, lambda _, c: 0.5 * f(c) + p, p)),
            v,
        )
        yield "under vmap", lambda f: lambda p: jnp.sum(jax.vmap(lambda row: f(row) ** 2)(p)), w
        yield (
            "in unlike leaves",
            lambda f: lambda p: jnp.sum(f(p["a"]) * p["b"]) + jnp.sum(f(1e-3 * p["c"][0])) * f(p["b"]),
            tree,
        )
        yield "an array", lambda f: lambda p: 3 * f(p), v
        yield "checkpointed", lambda f: jax.checkpoint(lambda p: jnp.mean(f(f(p)))), w
        yield "in a branch", lambda f: lambda p: jnp.sum(jax.lax.cond(p[0] < 9, lambda p: f(p), lambda p: p, p)), v
        yield "jitted", lambda f: jax.jit(lambda p: jnp.sum(f(0.5 * p) ** 3)), v
        yield "many", lambda f: lambda p: jnp.mean(f(p)), np.tile(v, 40)
        yield "several results", lambda f: lambda p: {"loss": jnp.sum(f(p)), "size": 1e6 * jnp.sum(p**2)}, v


def drawn(rng: np.random.Generator) -> Iterator[tuple[str, Elementwise, Elementwise]]:
    """Functions in a random order, again and again."""
    for name in cycle(rng.permutation(list(FUNCTIONS))):
        yield (str(name), *FUNCTIONS[str(name)])


def in_surroundings(
    rng: np.random.Generator,
    kind: str,
    rules: dict[str, Callable[[Elementwise, Elementwise], Elementwise]],
    mistake: Any,
) -> Iterator[Case]:
    """Each rule in the next surroundings, of the next functions, until there are at least ten cases."""
    places, functions = surroundings(rng), drawn(rng)
    for what, make in rules.items():
        for _ in range(-(-MIN_CASES // len(rules))):
            (place, use, params), (name, value, slope) = next(places), next(functions)
            yield Case(f"{kind}: {what}, {name}, {place}", use(make(value, slope)), params, mistake=mistake)


def rules_with_their_own_values(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 1: what the rule's forward pass returns."""
    right = {
        "the same": lambda f, s: rule(f, s),
        "the same, forward": lambda f, s: rule(f, s, is_forward=True),
        "another formula": lambda f, s: rule(f, s, lambda x: 0.5 * f(x) + 0.5 * f(x)),
        "another formula, forward": lambda f, s: rule(f, s, lambda x: f(x + 1e-30), is_forward=True),
        "a rounding away": lambda f, s: rule(f, s, lambda x: f(x) * (1 + 1e-15)),
    }
    wrong = {
        "three times": lambda f, s: rule(f, s, lambda x: 3 * f(x)),
        "three times, with its slope": lambda f, s: rule(f, lambda x: 3 * s(x), lambda x: 3 * f(x)),
        "plus seven": lambda f, s: rule(f, s, lambda x: f(x) + 7),
        "plus seven, forward": lambda f, s: rule(f, s, lambda x: f(x) + 7, is_forward=True),
        "another function": lambda f, s: rule(f, lambda x: 3 * x**2, lambda x: x**3),
        "another function, forward": lambda f, s: rule(f, lambda x: 3 * x**2, lambda x: x**3, is_forward=True),
        "a little more": lambda f, s: rule(f, s, lambda x: f(x) * (1 + 1e-4)),
    }
    yield from in_surroundings(rng, "values", right, None)
    yield from in_surroundings(rng, "values", wrong, "any")


def rules_of_the_cotangent(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 2: what the rule does with the cotangent, or with the tangent."""
    right = {
        "times the slope": lambda f, s: rule(f, s),
        "in another order": lambda f, s: rule(f, s, pull=lambda ct, s: (2 * ct) * (s / 2)),
        "by einsum": lambda f, s: rule(f, s, pull=lambda ct, s: jnp.einsum("...,...->...", ct, s)),
        "zeros kept": lambda f, s: rule(f, s, pull=lambda ct, s: jnp.where(ct == 0, 0, ct * s)),
        "forward": lambda f, s: rule(f, s, is_forward=True),
        "forward, in another order": lambda f, s: rule(f, s, pull=lambda t, s: s * (t * 4) / 4, is_forward=True),
    }
    wrong = {
        "ignored": lambda f, s: rule(f, s, pull=lambda ct, s: s),
        "squared": lambda f, s: rule(f, s, pull=lambda ct, s: ct**2 * s),
        "absolute": lambda f, s: rule(f, s, pull=lambda ct, s: abs(ct) * s),
        "clipped": lambda f, s: rule(f, s, pull=lambda ct, s: jnp.clip(ct, -1, 1) * s),
        "its sign": lambda f, s: rule(f, s, pull=lambda ct, s: jnp.sign(ct) * s),
        "the first alone": lambda f, s: rule(f, s, pull=lambda ct, s: ct.ravel()[0] * s + 0.3 * s * (ct.size == 1)),
        "its mean": lambda f, s: rule(f, s, pull=lambda ct, s: (jnp.mean(ct) + 0.2 * (ct.size == 1)) * s),
        "its positive part": lambda f, s: rule(f, s, pull=lambda ct, s: jax.nn.relu(ct) * s),
        "bounded": lambda f, s: rule(f, s, pull=lambda ct, s: jnp.tanh(ct) / np.tanh(1) * s),
        "ignored, forward": lambda f, s: rule(f, s, pull=lambda t, s: s + 0 * t, is_forward=True),
        "absolute, forward": lambda f, s: rule(f, s, pull=lambda t, s: abs(t) * s, is_forward=True),
    }
    yield from in_surroundings(rng, "cotangent", right, None)
    yield from in_surroundings(rng, "cotangent", wrong, "any")


def singular_entries(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 3: some entries at which the slope is infinite, beside others."""
    powers = {
        "square root": lambda x: jnp.sign(x) * jnp.sqrt(jnp.abs(x)),
        "cube root": lambda x: jnp.cbrt(x),
        "power": lambda x: jnp.sign(x) * jnp.abs(x) ** 0.7,
    }
    slopes = {
        "square root": lambda x: 0.5 / jnp.sqrt(jnp.abs(x) + 1e-30),
        "cube root": lambda x: 1 / (3 * jnp.cbrt(x * x + 1e-40)),
        "power": lambda x: 0.7 * (jnp.abs(x) + 1e-40) ** -0.3,
    }
    points = [
        np.array([0.0, 0, 4, 9]),
        np.array([0.0, 2, 3]),
        np.array([[0.0, 1.5], [7, 0]]),
        np.zeros(6) + np.arange(6),
    ]
    mistakes = cycle([("wrong sign", -1.0), ("twice", 2.0), ("half", 0.5)])
    for name, value in powers.items():
        for index, point in enumerate(points):
            params = jnp.asarray(point * rng.uniform(0.5, 2), jnp.float32)
            for what, factor in (("right", 1.0), next(mistakes)):
                f = rule(value, lambda x, s=slopes[name], k=factor: k * s(x))
                use = singular_sum if index else singular_scan
                mistake = None if factor == 1 else "any"
                yield Case(f"singular: {what}, {name} at point {index}", use(f), params, mistake=mistake)


def singular_sum(f: Elementwise) -> Callable[[Any], Any]:
    return lambda p: jnp.sum(f(p))


def singular_scan(f: Elementwise) -> Callable[[Any], Any]:
    return lambda p: jax.lax.scan(lambda c, e: (c + f(e), None), jnp.zeros((), p.dtype), p)[0]


def results_of_unlike_size(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 4: a result that is tiny, huge or constant beside one whose rule may be wrong."""
    others: dict[str, Callable[[Any], Any]] = {
        "a tiny residual": lambda p: 1e-12 * jnp.sum(p**2),
        "a huge sum": lambda p: 1e12 * jnp.sum(p**2),
        "a constant": lambda p: jnp.full(3, 1e-12) + 0 * p[0],
        "rounding": lambda p: jnp.sum(p - jnp.mean(p)),
        "an array": lambda p: 1e5 * p[:, None] * p,
        "a tiny array": lambda p: jnp.outer(p, p) * 1e-15,
    }
    functions = drawn(rng)
    for name, other in others.items():
        for what, factor in (("right", 1.0), ("twice", 2.0), ("sign", -1.0), ("right again", 1.0)):
            function, value, slope = next(functions)
            f = rule(value, lambda x, s=slope, k=factor: k * s(x))
            params = jnp.asarray(rng.uniform(0.4, 1.5, 3), jnp.float32)
            fun = lambda p, f=f, other=other: (other(p), jnp.sum(f(p)))  # noqa: E731
            mistake = None if factor == 1 else "any"
            yield Case(f"unlike: {what}, {function} beside {name}", fun, params, mistake=mistake)


def functions_that_are_rounding(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 5: values that cancel to nothing, so that the derivative is 0."""
    functions: dict[str, Callable[[Any], Any]] = {
        "less the mean": lambda p: jnp.sum(p - jnp.mean(p)),
        "sin² + cos² − 1": lambda p: jnp.sum(jnp.sin(p) ** 2 + jnp.cos(p) ** 2 - 1),
        "log exp": lambda p: jnp.sum(jnp.log(jnp.exp(p)) - p),
        "rank 1": lambda p: jnp.linalg.det(jnp.outer(p, p)),
        "arctanh tanh": lambda p: jnp.sum(jnp.arctanh(jnp.tanh(0.5 * p)) - 0.5 * p),
        "softmax − 1": lambda p: jnp.sum(jax.nn.softmax(p)) - 1,
        "a difference": lambda p: jnp.sum(p @ p - jnp.sum(p * p)),
        "cosh² − sinh² − 1": lambda p: jnp.sum(jnp.cosh(p) ** 2 - jnp.sinh(p) ** 2 - 1),
        "square of the root": lambda p: jnp.sum(jnp.sqrt(p**2) ** 2 - p**2),
        "norm of the unit vector": lambda p: jnp.linalg.norm(p / jnp.linalg.norm(p)) - 1,
        "distributed": lambda p: jnp.sum((p + 1) * (p - 1) - (p**2 - 1)),
        "in a scan": lambda p: jax.lax.scan(
            lambda c, e: (c + jnp.log(jnp.exp(e)) - e, None), jnp.zeros((), p.dtype), p
        )[0],
        "under vmap": lambda p: jnp.sum(jax.vmap(lambda e: jnp.sin(e) ** 2 + jnp.cos(e) ** 2 - 1)(p)),
        "a thousandfold": lambda p: 1e3 * jnp.sum(jnp.log(jnp.exp(p)) - p),
        "in unlike leaves": lambda p: jnp.sum(p - jnp.mean(p)) * jnp.sum(1e3 * p) + jnp.sum(jnp.log(jnp.exp(p)) - p),
    }
    for name, fun in functions.items():
        params = jnp.asarray(rng.uniform(0.3, 1.5, 4) * rng.choice([-1, 1], 4), jnp.float32)
        yield Case(f"rounding: {name}", fun, params)
        f = jax.custom_vjp(fun)
        f.defvjp(lambda x, fun=fun: (fun(x), x), lambda x, ct: (1e-3 * ct * x,))
        yield Case(f"rounding: {name}, with a slope", f, params, mistake="any")


def functions_that_round_inside(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 5: intermediate results are rounded more coarsely than params, so that small steps show another slope."""
    many, around = rng.normal(size=200), 100 + rng.normal(size=40)
    small, line = rng.uniform(0.3, 1.5, 3), np.linspace(-3, 5, 100)
    in_float32 = lambda f: lambda p: f(p.astype(jnp.float32))  # noqa: E731
    less_mean = lambda p: jnp.sum(p - jnp.mean(p))  # noqa: E731
    functions: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
        "less the mean, around 100": (less_mean, around),
        "less the mean, on a line": (less_mean, line),
        "less the mean, in float32": (in_float32(less_mean), line),
        "z-scores": (lambda p: jnp.sum((p - jnp.mean(p)) / jnp.std(p)), many),
        "z-scores around 10,000": (lambda p: jnp.sum((p - jnp.mean(p)) / jnp.std(p)), 1e4 + many),
        "log-sum-exp far away": (lambda p: jax.nn.logsumexp(p + 1e4) - 1e4 + 0.1 * jnp.sum(p**2), small),
        "log-sum-exp, less itself": (
            lambda p: jax.nn.logsumexp(p + 1e4) - 1e4 - jax.nn.logsumexp(p) + 1e-3 * jnp.sum(p**2),
            small,
        ),
        "a large part that cancels": (lambda p: jnp.sum((p * 1e10 + p) - p * 1e10 - p), small),
        "an offset": (lambda p: jnp.sum((p + 1e6) - 1e6 - p), many),
        "an offset under vmap": (lambda p: jnp.sum(jax.vmap(lambda e: jnp.sin(e) + 1e8 - 1e8)(p)), small),
        "an offset in a scan": (
            lambda p: jax.lax.scan(lambda c, e: (c + (jnp.cos(e) + 1e8 - 1e8), None), 0 * p[0], p)[0],
            small,
        ),
    }
    for name, (fun, params) in functions.items():
        with jax.enable_x64(True):
            params = jnp.asarray(params)
        yield Case(f"round inside: {name}", fun, params)
        f = jax.custom_vjp(fun)
        f.defvjp(
            lambda x, fun=fun: (fun(x), x),
            lambda x, ct, fun=fun: (jax.vjp(fun, x)[1](ct)[0] + ct * 0.3 * jnp.eye(len(x), dtype=x.dtype)[0],),
        )
        yield Case(f"round inside: {name}, off by 0.3 at one entry", f, params, mistake="any")
    # Teeth of the function itself: an angle that is wrapped, and a number that is doubled again and again.
    wrapped: dict[str, Callable[[Any], Any]] = {
        "wrapped by arctan2": lambda p: jnp.sum(jnp.arctan2(jnp.sin(1e6 * p), jnp.cos(1e6 * p))),
        "wrapped by exp": lambda p: jnp.sum(jnp.angle(jnp.exp(1e6j * p))),
        "doubled": lambda p: (
            2.0**-20 * jnp.sum(jax.lax.fori_loop(0, 20, lambda _, z: jnp.where(z < 0.5, 2 * z, 2 * z - 1), p / 2))
        ),
    }
    with jax.enable_x64(True):
        params = jnp.asarray(small)
    for name, fun in wrapped.items():
        yield Case(f"teeth: {name}", fun, params)
        f = jax.custom_vjp(fun)
        f.defvjp(lambda x, fun=fun: (fun(x), x), lambda x, ct: (0.0 * ct * x,))
        yield Case(f"teeth: {name}, with no slope", f, params, mistake="any")


def functions_of_bits(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 6: functions that are others in float64."""
    as_int = lambda x: jax.lax.bitcast_convert_type(x, jnp.int32)  # noqa: E731
    as_float = lambda i: jax.lax.bitcast_convert_type(i, jnp.float32)  # noqa: E731
    functions: dict[str, tuple[Elementwise, Elementwise]] = {
        "absolute": (lambda x: as_float(as_int(x) & 0x7FFFFFFF), jnp.sign),
        "negative": (lambda x: as_float(as_int(x) ^ jnp.int32(-(2**31))), lambda x: -jnp.ones_like(x)),
        "twice": (lambda x: as_float(as_int(x) + (1 << 23)), lambda x: 2 * jnp.ones_like(x)),
        "half": (lambda x: as_float(as_int(x) - (1 << 23)), lambda x: jnp.full_like(x, 0.5)),
        "copied sign": (
            lambda x: as_float((as_int(jnp.abs(x)) & 0x7FFFFFFF) | (as_int(x) & jnp.int32(-(2**31)))),
            jnp.ones_like,
        ),
    }
    for name, (value, slope) in functions.items():
        for place, use in (
            ("plain", lambda f: lambda p: jnp.sum(f(p) ** 2)),
            ("scan", lambda f: lambda p: jax.lax.scan(lambda c, e: (c + f(e) * e, None), jnp.float32(0), p)[0]),
        ):
            params = jnp.asarray(rng.uniform(0.5, 1.9, 4) * rng.choice([-1, 1], 4), jnp.float32)
            for what, factor in (("right", 1.0), ("wrong sign", -1.0)):
                f = rule(value, lambda x, s=slope, k=factor: k * s(x))
                mistake = None if factor == 1 else "any"
                yield Case(f"bits: {what}, {name}, {place}", use(f), params, mistake=mistake, has_exact_grad=False)


def loops_in_branches(rng: np.random.Generator) -> Iterator[Case]:
    """Kind 7: a loop in a branch of a condition that never ends for points that take another branch."""

    def newton(x: Any) -> Any:
        """The square root, by a loop that never ends for a negative x."""
        allowed = 8 * jnp.finfo(x.dtype).eps * jnp.abs(x)
        return jax.lax.while_loop(lambda y: ~(jnp.abs(y * y - x) < allowed), lambda y: 0.5 * (y + x / y), 1 + 0 * x)

    @jax.custom_vjp
    def root(x: Any) -> Any:
        return newton(x)

    root.defvjp(lambda x: (newton(x), x), lambda x, ct: (ct / (2 * newton(x)),))
    uses: dict[str, Callable[[Any], Any]] = {
        "cond": lambda x: jax.lax.cond(x > 0, root, lambda x: -x * x, x),
        "switch": lambda x: jax.lax.switch((x > 0).astype(int), [lambda x: x**3, root], x),
        "composed": lambda x: jnp.sin(jax.lax.cond(x > 0, root, lambda x: jnp.cos(x), 2 * x)),
        "nested": lambda x: jax.lax.cond(
            x < 5, lambda x: jax.lax.cond(x > 0, root, lambda x: jnp.exp(x), x), lambda x: x, x
        ),
        "scan": lambda x: jax.lax.scan(
            lambda c, e: (c + jax.lax.cond(e * x > 0, root, lambda z: z * z, e * x), None), 0 * x, jnp.arange(1.0, 3)
        )[0],
    }
    for name, use in uses.items():
        for sign in (-1.0, 1.0):
            x = jnp.float32(sign * rng.uniform(0.5, 2))
            yield Case(f"branch: {name} at {sign:+.0f}", use, x)
            f = jax.custom_vjp(use)
            f.defvjp(lambda x, use=use: jax.vjp(use, x), lambda pull, ct: (1.5 * pull(ct)[0],))
            yield Case(f"branch: {name} at {sign:+.0f}, off", f, x, mistake="any")


KINDS = (
    rules_with_their_own_values,
    rules_of_the_cotangent,
    singular_entries,
    results_of_unlike_size,
    functions_that_are_rounding,
    functions_that_round_inside,
    functions_of_bits,
    loops_in_branches,
)


def rule_cases(seed: int) -> Iterator[Case]:
    """All cases, right and wrong."""
    for kind in KINDS:
        yield from kind(np.random.default_rng(seed))

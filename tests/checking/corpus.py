"""Functions with right gradients, and functions with the mistakes that people make in gradients, for tests and bench.

`right_cases(seed)` and `wrong_cases(seed)` yield cases with other shapes, scales and numbers for each seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model import Network, chain_rule, init_params, loss


@dataclass(frozen=True)
class Case:
    """A function at a point.

    Attributes:
        name: what is special about it; unique.
        fun: called with params and args.
        params: the point.
        args: the other arguments of fun.
        by_hand: a gradient that is checked together with JAX's own, or None.
        mistake: the kind of the diagnosis of what is wrong with the gradient: `any` if no kind fits, None if it is
            right.
        has_exact_grad: whether jax.grad in float64 is exact, so that the differences can be compared with it.
        options: keyword arguments of `check_gradients`.
    """

    name: str
    fun: Callable[..., Any]
    params: Any
    args: tuple[Any, ...] = ()
    by_hand: Callable[..., Any] | None = None
    mistake: str | None = None
    has_exact_grad: bool = True
    options: dict[str, Any] = field(default_factory=dict)


def network_case(rng: np.random.Generator, activation: str, sizes: tuple[int, ...], rows: int) -> Case:
    net = Network(sizes, activation)
    params = init_params(net, key=jax.random.key(int(rng.integers(2**31))))
    x = rng.normal(size=(rows, sizes[0])).astype(np.float32)
    y = rng.integers(0, 2, rows if sizes[-1] == 1 else (rows, sizes[-1])).astype(np.float32)
    return Case(f"network {sizes} {activation}", loss, params, (x, y, net), chain_rule)


def smooth_functions(rng: np.random.Generator) -> Iterator[Case]:
    """Functions of a pytree {w [a, b], b [b]} of rows x [n, a], y [n, b]."""
    a, b, n = (int(rng.integers(3, 6)) for _ in range(3))
    n += 3
    w, bias = rng.normal(size=(a, b)), rng.normal(size=b)
    x, y = rng.normal(size=(n, a)), rng.normal(size=(n, b))
    params = {"w": jnp.asarray(w, jnp.float32), "b": jnp.asarray(bias, jnp.float32)}
    labels = np.eye(b, dtype=np.float32)[rng.integers(0, b, n)]
    tree = {
        "least squares": lambda p, x, y: jnp.mean((x @ p["w"] + p["b"] - y) ** 2),
        "least squares, summed": lambda p, x, y: 0.5 * jnp.sum((x @ p["w"] + p["b"] - y) ** 2),
        "logistic": lambda p, x, y: jnp.mean(jnp.logaddexp(0.0, (x @ p["w"] + p["b"]) * jnp.sign(y))),
        "log cosh": lambda p, x, y: jnp.mean(jnp.log(jnp.cosh(x @ p["w"] + p["b"] - y))),
        "Poisson": lambda p, x, y: jnp.mean(jnp.exp(x @ p["w"] * 0.3 + p["b"]) - y * (x @ p["w"] * 0.3 + p["b"])),
        "tanh layer": lambda p, x, y: jnp.mean((jnp.tanh(x @ p["w"] + p["b"]) - y) ** 2),
        "Gauss": lambda p, x, y: jnp.mean(jnp.exp(-((x @ p["w"] + p["b"] - y) ** 2))),
        "correlation": lambda p, x, y: -jnp.sum((x @ p["w"]) * y) / jnp.sqrt(1 + jnp.sum((x @ p["w"] + p["b"]) ** 2)),
        "ridge": lambda p, x, y: jnp.mean((x @ p["w"] + p["b"] - y) ** 2) + 0.1 * jnp.sum(p["w"] ** 2),
    }
    for name, fun in tree.items():
        yield Case(name, fun, params, (jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)))
    yield Case(
        "cross-entropy",
        lambda p, x, y: -jnp.mean(jnp.sum(y * jax.nn.log_softmax(x @ p["w"] + p["b"]), axis=1)),
        params,
        (jnp.asarray(x, jnp.float32), labels),
    )
    v = jnp.asarray(rng.normal(size=a), jnp.float32)
    spd = w @ w.T + a * np.eye(a)
    of_vector = {
        "Rosenbrock": lambda p: jnp.sum(100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2),
        "log-sum-exp": lambda p: jax.nn.logsumexp(3 * p),
        "softmax of one": lambda p: jax.nn.softmax(p)[0],
        "norm": lambda p: jnp.linalg.norm(p),
        "product": lambda p: jnp.prod(p + 2),
        "cumulated": lambda p: jnp.sum(jnp.cumsum(jnp.sin(p)) ** 2),
        "sorted": lambda p: jnp.sum(jnp.sort(p) * jnp.arange(p.size)),
        "indexed": lambda p: p[jnp.array([0, 1, 0])].sum() ** 2 + jnp.sum(p.at[0].multiply(3.0) ** 3),
        "quadratic form": lambda p: p @ jnp.asarray(spd) @ p,
        "Fourier": lambda p: jnp.sum(jnp.abs(jnp.fft.rfft(p)) ** 2 * jnp.arange(1, p.size // 2 + 2)),
        "layer norm": lambda p: jnp.sum(((p - p.mean()) / jnp.sqrt(p.var() + 1e-5)) ** 3),
        "scan": lambda p: jax.lax.scan(lambda c, e: (jnp.tanh(c * e + 0.5), c), jnp.ones((), p.dtype), p)[0],
        "scan in float32": lambda p: jax.lax.scan(lambda c, e: (jnp.tanh(c * e + 0.5), None), jnp.float32(1), p)[0],
        "cond": lambda p: jax.lax.cond(p[0] > 0, lambda p: jnp.sum(p**2), lambda p: jnp.sum(jnp.sin(p)), p),
        "fori": lambda p: jax.lax.fori_loop(0, 4, lambda _, q: jnp.sin(q) + 0.3 * p, p).sum(),
        "while": lambda p: jax.lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, jnp.cos(s[1] + p)), (0, p))[
            1
        ].sum(),
        "solve": lambda p: jnp.sum(jnp.linalg.solve(jnp.asarray(spd) + jnp.outer(p, p), p)),
        "log determinant": lambda p: jnp.linalg.slogdet(jnp.asarray(spd) + jnp.outer(p, p))[1],
        "Cholesky": lambda p: jnp.sum(jnp.linalg.cholesky(jnp.asarray(spd) + jnp.outer(p, p)) ** 3),
        "inverse": lambda p: jnp.trace(jnp.linalg.inv(jnp.asarray(spd) + jnp.diag(p**2))),
        "eigenvalues": lambda p: jnp.sum(jnp.linalg.eigvalsh(jnp.asarray(spd) + jnp.outer(p, p)) ** 1.5),
        "convolution": lambda p: jnp.sum(jnp.convolve(p, jnp.array([1.0, -2.0, 0.5])) ** 2),
        "attention": lambda p: jnp.sum(jax.nn.softmax(jnp.outer(p, p)) @ jnp.sin(p)),
        "checkpointed": jax.checkpoint(lambda p: jnp.sum(jnp.sin(jnp.sin(p)) ** 2)),
        "vmapped": lambda p: jnp.sum(jax.vmap(lambda q: jnp.exp(-(q**2)))(p)),
        "gradient inside": lambda p: jnp.sum(jax.grad(lambda q: jnp.sum(q**4))(p) ** 2),
        "softplus": lambda p: jnp.sum(jax.nn.softplus(20 * p)),
        "gelu": lambda p: jnp.sum(jax.nn.gelu(p)),
        "erf": lambda p: jnp.sum(jax.scipy.special.erf(p) + jax.scipy.special.gammaln(jnp.abs(p) + 1)),
        "masked": lambda p: jnp.sum(jnp.where(jnp.arange(p.size) % 2 == 0, p**2, jnp.cos(p))),
    }
    for name, fun in of_vector.items():
        yield Case(name, fun, v)


def scaled_functions(rng: np.random.Generator) -> Iterator[Case]:
    """Arguments and values from 1e-8 to 1e8."""
    for power in (-8, -5, -3, 3, 5, 8):
        scale = 10.0**power
        p = rng.uniform(0.5, 2, size=3) * rng.choice([-1.0, 1.0], 3)
        yield Case(f"argument 1e{power}", lambda p, s=scale: jnp.sum((p / s) ** 3), p * scale)
        yield Case(f"square of argument 1e{power}", lambda p: jnp.sum(p**2), jnp.asarray(p * scale, jnp.float32))
        yield Case(f"value 1e{power}", lambda p, s=scale: s * jnp.sum(jnp.sin(p)), p)
        yield Case(f"frequency 1e{power}", lambda p, s=scale: jnp.sum(jnp.sin(s * p)) / s, p)
        yield Case(f"logarithm at 1e{power}", lambda p: jnp.sum(jnp.log(jnp.abs(p))), p * scale)
        yield Case(f"from zero, scale 1e{power}", lambda p, s=scale: jnp.sum(jnp.tanh(p / s)), np.zeros(2))
        yield Case(f"offset 1e{power}", lambda p, s=scale: s + jnp.sum(jnp.exp(p)), p)
    yield Case("tiny", lambda p: 1e-12 * jnp.sum(p**2), rng.normal(size=3))
    yield Case("tiny on one", lambda p: 1 + 1e-9 * jnp.sum(p**2), rng.normal(size=3))
    yield Case("1000 a + b", lambda p: 1000 * p["a"] + p["b"] ** 2, {"a": 1.5, "b": float(rng.normal())})
    yield Case(
        "sum of thousands",
        lambda p: jnp.sum(jnp.sin(p)),
        jnp.asarray(rng.normal(size=3000), jnp.float32),
        (),
        options={"budget": 200},
    )
    yield Case(
        "mean of thousands",
        lambda p: jnp.mean(p**2),
        jnp.asarray(rng.normal(size=2500), jnp.float32),
        (),
        options={"budget": 200},
    )


def low_precision_functions(rng: np.random.Generator) -> Iterator[Case]:
    p = rng.uniform(0.5, 1.5, size=4)
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
        name = jnp.dtype(dtype).name
        yield Case(f"{name} leaf", lambda p: jnp.sum(jnp.sin(p) * p), jnp.asarray(p, dtype))
        yield Case(
            f"{name} inside",
            lambda p, d=dtype: jnp.sum(jnp.sin(p.astype(d)) ** 2).astype(jnp.float32),
            p,
            has_exact_grad=False,
        )
        yield Case(f"{name} result", lambda p, d=dtype: jnp.sum(jnp.exp(p)).astype(d), p, has_exact_grad=False)
        yield Case(
            f"{name} product",
            lambda p, d=dtype: jnp.sum(jnp.outer(p, p).astype(d) @ jnp.ones(4, d)),
            p,
            has_exact_grad=False,
        )
    mixed = {
        "h": jnp.asarray(p, jnp.float16),
        "b": jnp.asarray(p, jnp.bfloat16),
        "s": jnp.asarray(p, jnp.float32),
        "d": p,
    }
    yield Case(
        "mixed leaves",
        lambda t: sum(jnp.sum(leaf.astype(jnp.float32) ** 2) for leaf in t.values()),
        mixed,
        has_exact_grad=False,
    )
    odd = {
        "n": 3,
        "k": jnp.arange(2),
        "none": None,
        "empty": jnp.zeros((0, 2)),
        "s": 0.5,
        "w": jnp.asarray(p),
        "name": "tanh",
    }
    yield Case(
        "whole numbers, None, empty, text", lambda t: jnp.sum(t["w"] ** t["n"]) * t["s"] + jnp.sum(t["empty"]), odd
    )


def functions_with_kinks(rng: np.random.Generator) -> Iterator[Case]:
    p = jnp.asarray([0.0, *rng.normal(size=2)], jnp.float32)
    functions = {
        "relu": lambda p: jnp.sum(jax.nn.relu(p)),
        "abs": lambda p: jnp.sum(jnp.abs(p)),
        "relu and a square": lambda p: jnp.sum(jax.nn.relu(p) + p**2),
        "leaky relu": lambda p: jnp.sum(jax.nn.leaky_relu(p)),
        "largest of equals": lambda p: jnp.maximum(p[0], 0 * p[1]) + jnp.sum(p**2),
        "clip": lambda p: jnp.sum(jnp.clip(p, 0.0, 1.0)),
        "hinge": lambda p: jnp.mean(jnp.maximum(0.0, 1 - (p + 1))),
        "Huber": lambda p: jnp.sum(jnp.where(jnp.abs(p) < 1, p**2 / 2, jnp.abs(p) - 0.5)),
        "l1": lambda p: jnp.sum((p - 1) ** 2) + 0.1 * jnp.sum(jnp.abs(p)),
        "elu": lambda p: jnp.sum(jax.nn.elu(p)),
        "relu6 deep": lambda p: jnp.sum(jax.nn.relu6(3 * jax.nn.relu(p) - 0.0)),
        "max pool": lambda p: jnp.max(jnp.concatenate([p, p])) ** 2,
    }
    for name, fun in functions.items():
        yield Case(f"{name} at its kink", fun, p, has_exact_grad=False)
    for power in range(1, 10):
        yield Case(
            f"kink at 1e-{power}",
            lambda p, d=10.0**-power: jnp.sum(jax.nn.relu(p - d) + jnp.exp(p)),
            jnp.zeros(2),
            has_exact_grad=power < 6,
        )
    yield Case("floor", lambda p: jnp.sum(jnp.floor(3 * p)) + jnp.sum(p), p + 0.1)
    yield Case("step beside", lambda p: jnp.sum(jnp.where(p > 1e-3, 1.0, 0.0) + p**2), p * 0)
    yield Case("step at", lambda p: jnp.sum(jnp.where(p > 0, 1.0, 0.0) + p), p * 0, has_exact_grad=False)
    for activation in ("relu", "tanh", "sigmoid", "gelu"):
        for sizes in ((2, 2, 1), (3, 5, 4, 2), (4, 6, 5, 3, 1)):
            yield network_case(rng, activation, sizes, int(rng.integers(1, 9)))


def custom_rules(rng: np.random.Generator) -> Iterator[Case]:
    """Custom rules that are right."""
    p = jnp.asarray(rng.normal(size=3), jnp.float32)
    yield Case("custom_vjp", with_vjp(lambda p: jnp.sum(jnp.sin(p)), lambda p: jnp.cos(p)), p)
    yield Case("custom_jvp", with_jvp(lambda p: jnp.sum(p**3), lambda p: 3 * p**2), p)
    yield Case(
        "custom_vjp in float32",
        with_vjp(lambda p: jnp.sum(jnp.sin(p)), lambda p: jnp.cos(p.astype(jnp.float32)).astype(p.dtype)),
        p,
        has_exact_grad=False,
    )
    yield Case(
        "custom_vjp, bfloat16 residuals",
        with_vjp(lambda p: jnp.sum(p**2), lambda p: (2 * p.astype(jnp.bfloat16)).astype(p.dtype)),
        p,
        has_exact_grad=False,
    )
    yield Case(
        "seven digits of π",
        with_vjp(lambda p: jnp.sum(jnp.sin(jnp.pi * p)), lambda p: 3.141593 * jnp.cos(jnp.pi * p)),
        p,
        has_exact_grad=False,
    )
    yield Case("jitted", jax.jit(with_vjp(lambda p: jnp.sum(jnp.exp(p)), jnp.exp)), p)
    yield Case(
        "scanned rule",
        lambda p: jax.lax.scan(lambda c, e: (c + with_vjp(jnp.sin, jnp.cos)(e), None), jnp.zeros((), p.dtype), p)[0],
        p,
    )


def numpy_functions(rng: np.random.Generator) -> Iterator[Case]:
    w, x, y = rng.normal(size=(3, 2)), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    yield Case(
        "NumPy",
        lambda p, x, y: np.mean((np.tanh(x @ p["w"]) - y) ** 2),
        {"w": w},
        (x, y),
        lambda p, x, y: {"w": x.T @ (2 * (np.tanh(x @ p["w"]) - y) * (1 - np.tanh(x @ p["w"]) ** 2)) / y.size},
        has_exact_grad=False,
    )

    def branches(p: Any) -> Any:
        return jnp.sum(p**2) if p[0] > 0 else jnp.sum(jnp.sin(p))

    yield Case("branches in Python", branches, jnp.asarray(rng.normal(size=3)))

    def one(p: Any) -> float:
        total = 0.0
        for value in p:
            total += value**2 if value > 0 else -value
        return total

    yield Case("lists of floats", one, [0.5, -1.0, 2.0], (), lambda p: [1.0, -1.0, 4.0], has_exact_grad=False)
    yield Case(
        "NumPy in float32",
        lambda p: np.float32(np.sum(np.float32(p) ** 2)),
        rng.normal(size=3),
        (),
        lambda p: 2 * p,
        has_exact_grad=False,
    )


def array_functions(rng: np.random.Generator) -> Iterator[Case]:
    p, m = jnp.asarray(rng.normal(size=3)), jnp.asarray(rng.normal(size=(4, 3)))
    yield Case("array", lambda p: jnp.tanh(m @ p), p)
    yield Case("tree", lambda p: {"a": jnp.sin(p), "b": (p[0] * p[1], jnp.outer(p, p))}, p)
    yield Case("large and small results", lambda p: (1e8 * jnp.sin(p), 1e-8 * p**2), p)
    yield Case("Hessian", lambda p: jnp.sum(jnp.sin(m @ p) ** 2), p, options={"order": 2})
    yield Case("three hundred results", lambda p: jnp.sin(jnp.outer(jnp.arange(100.0), p)), p)


def right_cases(seed: int) -> Iterator[Case]:
    """Cases that must pass."""
    for family in (
        smooth_functions,
        scaled_functions,
        low_precision_functions,
        functions_with_kinks,
        custom_rules,
        numpy_functions,
        array_functions,
    ):
        yield from family(np.random.default_rng(seed))


def with_vjp(fun: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The function with this gradient as its rule in reverse mode."""
    ruled = jax.custom_vjp(fun)
    ruled.defvjp(
        lambda *args: (fun(*args), args),
        lambda args, ct: (
            jax.tree.map(lambda g: g * ct, gradient(*args)),
            *(jax.tree.map(jnp.zeros_like, arg) for arg in args[1:]),
        ),
    )
    return ruled


def with_jvp(fun: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The function of one argument with this gradient as its rule in both modes."""
    ruled = jax.custom_jvp(fun)

    def rule(primals: Any, tangents: Any) -> Any:
        terms = jax.tree.map(lambda g, t: jnp.sum(g * t), gradient(*primals), tangents[0])
        return fun(*primals), sum(jax.tree.leaves(terms))

    ruled.defjvp(rule)
    return ruled


Change = Callable[[Any], Any]


def changes_of_numbers(rng: np.random.Generator) -> dict[str, tuple[str, Change]]:
    """Changes of a gradient {w [a, b], b [b]}, by name: the kind of the diagnosis, and the change."""
    row = int(rng.integers(2))

    def of_w(change: Change) -> Change:
        return lambda g: {**g, "w": change(g["w"])}

    def of_b(change: Change) -> Change:
        return lambda g: {**g, "b": change(g["b"])}

    def everywhere(change: Change) -> Change:
        return lambda g: jax.tree.map(change, g)

    return {
        "sign": ("sign", everywhere(jnp.negative)),
        "sign in w": ("sign", of_w(jnp.negative)),
        "sign in b": ("sign", of_b(jnp.negative)),
        "sign of one entry": ("sign", of_w(lambda w: w.at[0, row].multiply(-1))),
        "twice": ("factor", everywhere(lambda g: 2 * g)),
        "half": ("factor", everywhere(lambda g: g / 2)),
        "0.1 % too large": ("factor", everywhere(lambda g: 1.001 * g)),
        "0.1 % too small in b": ("factor", of_b(lambda b: 0.999 * b)),
        "1 % of one entry": ("off", of_w(lambda w: w.at[row, 0].multiply(1.01))),
        "0.1 % of one entry": ("off", of_w(lambda w: w.at[row, 0].multiply(0.999))),
        "no gradient for w": ("zero", of_w(jnp.zeros_like)),
        "no gradient for b": ("zero", of_b(jnp.zeros_like)),
        "no gradient for a row": ("zero", of_w(lambda w: w.at[row].set(0))),
        "reversed": ("permuted", of_w(lambda w: w[::-1])),
        "rolled": ("permuted", of_w(lambda w: jnp.roll(w, 1, axis=1))),
        "two entries exchanged": ("permuted", of_w(lambda w: w.at[0, 0].set(w[1, 1]).at[1, 1].set(w[0, 0]))),
        "not a number": ("not finite", of_w(lambda w: w.at[row, 0].set(jnp.nan))),
        "infinite": ("not finite", of_b(lambda b: b.at[0].set(jnp.inf))),
        "0.1 % of the largest added": ("off", of_w(lambda w: w + 1e-3 * jnp.max(jnp.abs(w)))),
        "clipped": ("off", of_w(lambda w: jnp.clip(w, -0.6 * jnp.max(jnp.abs(w)), 0.6 * jnp.max(jnp.abs(w))))),
    }


def changed_gradient(fun: Callable[..., Any], change: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of the function, changed."""

    def by_hand(*args: Any) -> Any:
        return change(jax.grad(fun)(*args))

    return by_hand


def function_of_params(case: Case) -> Callable[[Any], Any]:
    """The case's function of params alone."""
    return lambda params: case.fun(params, *case.args)


def mistakes_in_numbers(rng: np.random.Generator) -> Iterator[Case]:
    """Every change of numbers, by hand and in each custom rule, each in a function that is drawn at random."""
    for name, (kind, change) in changes_of_numbers(rng).items():
        bases = [case for case in smooth_functions(rng) if isinstance(case.params, dict)]
        for how in ("by hand", "custom_vjp", "custom_jvp"):
            case = bases[int(rng.integers(len(bases)))]
            title = f"{name}, {how}, {case.name}"
            if how == "by hand":
                yield Case(title, case.fun, case.params, case.args, changed_gradient(case.fun, change), kind)
                continue
            fun = function_of_params(case)
            rule = with_vjp if how == "custom_vjp" else with_jvp
            yield Case(title, rule(fun, changed_gradient(fun, change)), case.params, (), None, kind)


def mistakes_about_data(rng: np.random.Generator) -> Iterator[Case]:
    """Mistakes about the rows of a table: summed, averaged twice, or one row alone."""
    for case in smooth_functions(rng):
        if not isinstance(case.params, dict) or case.name in ("correlation", "least squares, summed", "ridge"):
            continue
        x, y = case.args
        rows, columns = x.shape[0], y.shape[1]
        changes = {
            f"summed over {rows} rows": ("factor", lambda g, n=rows: jax.tree.map(lambda leaf: n * leaf, g)),
            "averaged twice": ("factor", lambda g, n=rows: jax.tree.map(lambda leaf: leaf / n, g)),
            f"times {columns} columns": ("factor", lambda g, n=columns: jax.tree.map(lambda leaf: n * leaf, g)),
        }
        for name, (kind, change) in changes.items():
            yield Case(
                f"{name}, {case.name}", case.fun, case.params, case.args, changed_gradient(case.fun, change), kind
            )
        row = int(rng.integers(rows))

        def one_row(p: Any, x: Any, y: Any, fun: Any = case.fun, row: int = row) -> Any:
            return jax.grad(fun)(p, x[row : row + 1], y[row : row + 1])

        yield Case(f"one row, {case.name}", case.fun, case.params, case.args, one_row, "row")


def mistakes_about_shapes(rng: np.random.Generator) -> Iterator[Case]:
    size = int(rng.integers(2, 5))
    x = jnp.asarray(rng.normal(size=(6, size)))
    params = {"q": jnp.asarray(rng.normal(size=(size, size))), "k": jnp.asarray(rng.normal(size=(size, size)))}

    def fun(p: Any, x: Any) -> Any:
        return jnp.mean(jnp.tanh(x @ p["q"] @ p["k"]) ** 2)

    def transposed(g: Any) -> Any:
        return {**g, "q": g["q"].T}

    def swapped(g: Any) -> Any:
        return {"q": g["k"], "k": g["q"]}

    yield Case("transposed", fun, params, (x,), changed_gradient(fun, transposed), "transposed")
    yield Case(
        "transposed in a rule",
        with_vjp(lambda p: fun(p, x), changed_gradient(lambda p: fun(p, x), transposed)),
        params,
        (),
        None,
        "transposed",
    )
    yield Case(
        "both transposed",
        fun,
        params,
        (x,),
        changed_gradient(fun, lambda g: {k: v.T for k, v in g.items()}),
        "transposed",
    )
    yield Case("swapped", fun, params, (x,), changed_gradient(fun, swapped), "swapped")


def mistakes_in_the_network(rng: np.random.Generator) -> Iterator[Case]:
    """Mistakes in the chain rule of the network itself."""
    from model.activations import ACTIVATION_DERIVATIVES, ACTIVATIONS
    from model.gradients import backpropagate
    from model.tasks import residual

    for activation in ("relu", "tanh", "sigmoid", "gelu"):
        derivative, activate = ACTIVATION_DERIVATIVES[activation], ACTIVATIONS[activation]
        for sizes in ((2, 4, 1), (3, 5, 4, 2)):
            case = network_case(rng, activation, sizes, 7)

            def slip(factor: Any, error: Any = residual) -> Any:
                return lambda p, x, y, net: backpropagate(p, x, y, factor, error, net).grads

            def sigmoid_too(z: Any, y: Any) -> Any:
                return residual(z, y) * jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z))

            slips = {
                "derivative forgotten": slip(lambda _, z: jnp.ones_like(z)),
                "sigmoid's derivative too many": slip(lambda _, z, d=derivative: d(z), sigmoid_too),
            }
            if activation != "relu":
                slips["derivative at a"] = slip(lambda _, z, d=derivative, a=activate: d(a(z)))
            for name, by_hand in slips.items():
                yield Case(f"{name}, {case.name}", case.fun, case.params, case.args, by_hand, "activation")
            yield Case(
                f"0.1 %, {case.name}",
                case.fun,
                case.params,
                case.args,
                lambda *a: jax.tree.map(lambda g: 1.001 * g, chain_rule(*a)),
                "factor",
            )


def mistakes_at_all_scales(rng: np.random.Generator) -> Iterator[Case]:
    """Small mistakes at every scale of arguments, values and frequencies, and in every dtype."""
    for case in scaled_functions(rng):
        if case.name.startswith(("offset 1e8", "from zero")) or "thousands" in case.name:
            continue
        fun = case.fun
        yield Case(
            f"0.1 % in {case.name}",
            fun,
            case.params,
            (),
            changed_gradient(fun, lambda g: jax.tree.map(lambda v: 1.001 * v, g)),
            "any",
        )
    for case in scaled_functions(rng):
        if case.name.startswith("from zero"):
            yield Case(
                f"sign in {case.name}", case.fun, case.params, (), changed_gradient(case.fun, jnp.negative), "sign"
            )
        if "thousands" in case.name:
            position = int(rng.integers(len(case.params)))
            yield Case(
                f"one entry of the {case.name}",
                case.fun,
                case.params,
                (),
                changed_gradient(case.fun, lambda g, i=position: g.at[i].add(0.01 * jnp.max(jnp.abs(g)))),
                "any",
                options=case.options,
            )
            yield Case(
                f"0.1 % of the {case.name}",
                with_vjp(case.fun, changed_gradient(case.fun, lambda g: 1.001 * g)),
                case.params,
                (),
                None,
                "any",
                options=case.options,
            )
    yield Case(
        "b forgotten in 1000 a + b",
        with_vjp(lambda p: 1000 * p[0] + p[1], lambda p: jnp.array([1000.0, 0.0])),
        jnp.ones(2),
        (),
        None,
        "zero",
    )
    p = rng.uniform(0.5, 1.5, size=4)
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
        name = jnp.dtype(dtype).name
        inside = lambda p, d=dtype: jnp.sum(jnp.sin(p.astype(d)) ** 2).astype(jnp.float32)
        leaf = lambda p: jnp.sum(jnp.sin(p) * p)
        yield Case(f"sign, {name} inside", inside, p, (), changed_gradient(inside, jnp.negative), "any")
        yield Case(f"twice, {name} inside", inside, p, (), changed_gradient(inside, lambda g: 2 * g), "any")
        yield Case(f"none, {name} inside", inside, p, (), changed_gradient(inside, jnp.zeros_like), "any")
        yield Case(
            f"0.1 %, {name} leaf", leaf, jnp.asarray(p, dtype), (), changed_gradient(leaf, lambda g: 1.001 * g), "any"
        )


def mistakes_at_kinks(rng: np.random.Generator) -> Iterator[Case]:
    p = jnp.asarray([0.0, *rng.uniform(0.5, 2, size=2), *rng.uniform(-2, -0.5, size=2)])
    relu = lambda p: jnp.sum(jax.nn.relu(p))
    rules = {
        "relu: 2 at its kink": lambda p: jnp.where(p == 0, 2.0, jnp.where(p > 0, 1.0, 0.0)),
        "relu: -1 at its kink": lambda p: jnp.where(p == 0, -1.0, jnp.where(p > 0, 1.0, 0.0)),
        "relu: leaks 0.01": lambda p: jnp.where(p > 0, 1.0, 0.01),
        "relu: leaks 0.001": lambda p: jnp.where(p >= 0, 1.0, 0.001),
        "relu: 0.1 % off": lambda p: jnp.where(p > 0, 1.001, 0.0),
        "relu: always on": jnp.ones_like,
        "relu: the other side": lambda p: jnp.where(p < 0, 1.0, 0.0),
    }
    for name, gradient in rules.items():
        yield Case(name, with_vjp(relu, gradient), p, (), None, "any")
    yield Case("abs: no sign", with_vjp(lambda p: jnp.sum(jnp.abs(p)), jnp.ones_like), p, (), None, "any")
    yield Case(
        "clip: goes on",
        with_vjp(lambda p: jnp.sum(jnp.clip(p, -1, 1) * jnp.arange(5.0)), lambda p: jnp.arange(5.0)),
        3 * p,
        (),
        None,
        "any",
    )
    yield Case(
        "square, a jump in its rule",
        with_jvp(lambda p: jnp.sum(p**2), lambda p: jnp.abs(p)),
        p - 0.005,
        (),
        None,
        "any",
    )
    yield Case(
        "Huber: no corner",
        with_vjp(lambda p: jnp.sum(jnp.where(jnp.abs(p) < 1, p**2 / 2, jnp.abs(p) - 0.5)), lambda p: p),
        2 * p,
        (),
        None,
        "any",
    )
    yield Case(
        "round, straight through",
        with_vjp(lambda p: jnp.sum(jnp.round(100 * p) / 100), jnp.ones_like),
        p + 0.003,
        (),
        None,
        "any",
    )
    yield Case(
        "largest: all share", with_vjp(lambda p: jnp.max(p), lambda p: jnp.ones_like(p) / p.size), p, (), None, "any"
    )
    yield Case("norm: not divided", with_vjp(lambda p: jnp.linalg.norm(p), lambda p: p), p, (), None, "any")
    yield Case(
        "softmax: diagonal only",
        with_vjp(
            lambda p: jnp.sum(jax.nn.softmax(p) * jnp.arange(5.0)),
            lambda p: jnp.arange(5.0) * jax.nn.softmax(p) * (1 - jax.nn.softmax(p)),
        ),
        p,
        (),
        None,
        "any",
    )
    yield Case(
        "variance: mean held",
        with_vjp(lambda p: jnp.sum((p - p.mean()) ** 3), lambda p: 3 * (p - p.mean()) ** 2),
        p,
        (),
        None,
        "any",
    )
    yield Case("product: one term", lambda p: jnp.sum(jnp.sin(p) * p**2), p, (), lambda p: 2 * p * jnp.sin(p), "any")
    yield Case(
        "quotient: sign",
        lambda p: jnp.sum(jnp.sin(p) / (2 + p**2)),
        p,
        (),
        lambda p: (jnp.cos(p) * (2 + p**2) + 2 * p * jnp.sin(p)) / (2 + p**2) ** 2,
        "any",
    )
    yield Case("one gradient behind", lambda p: jnp.sum(jnp.exp(p)), p, (), lambda p: jnp.exp(p - 0.001), "any")
    yield Case("stop_gradient", lambda p: jnp.sum(jnp.tanh(p * jax.lax.stop_gradient(p))), p, (), None, "any")
    yield Case(
        "a branch forgotten",
        lambda p: jnp.sum(jnp.where(p > 0, p**2, p**3)),
        p,
        (),
        lambda p: jnp.where(p > 0, 2 * p, 2 * p**2),
        "any",
    )
    yield Case(
        "scan, last step only",
        with_vjp(
            lambda p: jax.lax.scan(lambda c, e: (jnp.tanh(c + e), None), 0.0, p)[0],
            lambda p: jnp.zeros_like(p).at[-1].set(0.3),
        ),
        p,
        (),
        None,
        "any",
    )


def other_mistakes(rng: np.random.Generator) -> Iterator[Case]:
    """Mistakes in functions of arrays, in second derivatives, and in NumPy."""
    p, m = jnp.asarray(rng.normal(size=3)), jnp.asarray(rng.normal(size=(100, 3)))

    @jax.custom_jvp
    def half_too_large(p: Any) -> Any:
        return jnp.sin(jnp.outer(jnp.arange(1.0, 101), p))

    half_too_large.defjvp(
        lambda ps, ts: (
            half_too_large(*ps),
            1.5 * jnp.cos(jnp.outer(jnp.arange(1.0, 101), ps[0])) * jnp.outer(jnp.arange(1.0, 101), ts[0]),
        )
    )
    yield Case("three hundred results, half too large", half_too_large, p, (), None, "any")

    @jax.custom_jvp
    def one_result_off(p: Any) -> Any:
        return jnp.tanh(m @ p)

    one_result_off.defjvp(
        lambda ps, ts: (one_result_off(*ps), ((1 - jnp.tanh(m @ ps[0]) ** 2) * (m @ ts[0])).at[7].multiply(1.01))
    )
    yield Case("one result of a hundred, 1 %", one_result_off, p, (), None, "any")

    @jax.custom_vjp
    def small_one_off(p: Any) -> Any:
        return 1e8 * jnp.sin(p), 1e-8 * p**2

    small_one_off.defvjp(lambda p: (small_one_off(p), p), lambda p, ct: (1e8 * jnp.cos(p) * ct[0] + 3e-8 * p * ct[1],))
    yield Case("the small one of two results", small_one_off, p, (), None, "any")

    @jax.custom_jvp
    def square(p: Any) -> Any:
        return jnp.sum(p**3)

    square.defjvp(lambda ps, ts: (square(*ps), jnp.sum(3 * jax.lax.stop_gradient(ps[0]) ** 2 * ts[0])))
    yield Case("right, but not its derivative", square, p, (), None, "any", options={"order": 2})
    w, x, y = rng.normal(size=(3, 1)), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))

    def squared(p: Any, x: Any, y: Any) -> Any:
        return np.mean((x @ p["w"] + p["b"] - y) ** 2)

    params = {"w": w, "b": np.zeros(1)}
    yield Case(
        "NumPy, sign",
        squared,
        params,
        (x, y),
        lambda p, x, y: {
            "w": x.T @ (y - x @ p["w"] - p["b"]) * 2 / 5,
            "b": 2 * np.mean(y - x @ p["w"] - p["b"], axis=0),
        },
        "sign",
    )
    yield Case(
        "NumPy, summed",
        squared,
        params,
        (x, y),
        lambda p, x, y: {"w": x.T @ (x @ p["w"] + p["b"] - y) * 2, "b": 2 * np.sum(x @ p["w"] + p["b"] - y, axis=0)},
        "factor",
    )
    yield Case(
        "NumPy, bias forgotten",
        squared,
        params,
        (x, y),
        lambda p, x, y: {"w": x.T @ (x @ p["w"] + p["b"] - y) * 2 / 5, "b": np.zeros(1)},
        "zero",
    )
    yield Case(
        "NumPy, last row",
        squared,
        params,
        (x, y),
        lambda p, x, y: {
            "w": x[-1:].T @ (x[-1:] @ p["w"] + p["b"] - y[-1:]) * 2,
            "b": 2 * (x[-1:] @ p["w"] + p["b"] - y[-1:])[0],
        },
        "row",
    )


def wrong_cases(seed: int) -> Iterator[Case]:
    """Cases that must fail."""
    for family in (
        mistakes_in_numbers,
        mistakes_about_data,
        mistakes_about_shapes,
        mistakes_in_the_network,
        mistakes_at_all_scales,
        mistakes_at_kinks,
        other_mistakes,
    ):
        yield from family(np.random.default_rng(seed))

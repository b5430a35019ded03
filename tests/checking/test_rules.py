"""Rules inside functions, and everything else that public reports of wrong gradients are about."""

import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import check_gradients
from model.checking.float32_rounding import float32_error
from model.checking.tracing import prepare
from tests.checking import rule_corpus
from tests.checking.corpus import Case
from tests.checking.rule_corpus import MIN_CASES, rule
from tests.extent import sample


@pytest.mark.parametrize("kind", rule_corpus.KINDS, ids=lambda kind: kind.__name__)
def test_right_rules_pass_and_wrong_ones_do_not(kind: Callable[[np.random.Generator], Any]) -> None:
    """One of five functions of each kind, unless all is tried; `python -m bench.checking` tries other seeds."""
    cases: list[Case] = list(kind(np.random.default_rng(0)))
    right = [case for case in cases if case.mistake is None]
    wrong = [case for case in cases if case.mistake is not None]
    checked = sample(cases, attrgetter("mistake"), attrgetter("name"), 5)
    with jax.numpy_rank_promotion("allow"):
        reports = {case.name: check_gradients(case.fun, case.params, *case.args) for case in checked}
    misjudged = [str(reports[case.name]) for case in checked if reports[case.name].ok != (case.mistake is None)]
    assert misjudged == []
    assert min(len(right), len(wrong)) >= MIN_CASES
    assert len(reports) == len(checked)


def sine(x: Any) -> Any:
    return jnp.sin(x)


POINT = np.array([0.3, 1.2, -0.7], np.float32)


@pytest.mark.core
@pytest.mark.parametrize("size", [3, 3000])
def test_a_forward_pass_with_another_value_is_named_and_the_gradient_is_not(size: int) -> None:
    f = rule(sine, jnp.cos, lambda x: 3 * jnp.sin(x))
    report = check_gradients(lambda p: jnp.sum(f(p)), np.resize(POINT, size))
    [diagnosis] = report.diagnoses
    assert diagnosis.kind == "value"
    assert str(diagnosis).startswith("the rule's forward pass returns ")
    assert re.search(r" where the function is \S+, in <lambda> \(rule_corpus\.py:\d+\)\.$", str(diagnosis))
    row = next(row for row in report.directions if row.wrong)
    assert row.grad == pytest.approx(3 * row.nudge)


@pytest.mark.core
@pytest.mark.parametrize(
    ("pull", "form"),
    [
        (lambda ct, slope: slope, "it ignores the cotangent"),
        (lambda ct, slope: ct**2 * slope, "it squares the cotangent"),
        (lambda ct, slope: abs(ct) * slope, "it takes the absolute value of the cotangent"),
    ],
)
def test_what_a_backward_pass_does_with_the_cotangent_is_named(pull: Callable[..., Any], form: str) -> None:
    f = rule(sine, jnp.cos, pull=pull)
    report = check_gradients(lambda p: jnp.sum(f(p)), POINT)
    assert [each.kind for each in report.diagnoses] == ["cotangent"]
    assert form in str(report)
    assert all(row.verdict == "agrees" for row in report.parameters)


@pytest.mark.core
def test_a_rule_is_judged_only_where_it_counts() -> None:
    """Results that are masked or discarded need no right rule."""
    f = rule(sine, lambda x: jnp.where(jnp.arange(3) < 2, jnp.cos(x), 77.0))

    @jax.custom_vjp
    def pair(x: Any) -> Any:
        return jnp.sin(x), jnp.cos(x)

    pair.defvjp(lambda x: (pair(x), x), lambda x, cts: (cts[0] * jnp.cos(x),))
    mask = jnp.array([1.0, 1.0, 0.0])
    assert check_gradients(lambda p: jnp.sum(f(p) * mask), POINT).ok
    assert check_gradients(lambda p: jnp.sum(pair(p)[0]), POINT).ok
    assert not check_gradients(lambda p: jnp.sum(pair(p)[1]), POINT).ok


@pytest.mark.core
def test_weights_depend_on_the_seed_and_have_both_signs() -> None:
    weights = [
        np.concatenate([np.ravel(w) for w in prepare(lambda p: (p[0], p[1] ** 2), POINT, (), seed=seed).weights or ()])
        for seed in range(20)
    ]
    assert len({tuple(each) for each in weights}) == 20
    assert all({-1.0, 1.0} == set(np.sign(each)) for each in weights)


@pytest.mark.core
def test_what_is_returned_beside_the_loss_is_left_out() -> None:
    fun: Callable[..., Any] = lambda p: (jnp.sum(p**2), {"rows": 3, "note": "text"})  # noqa: E731
    assert check_gradients(fun, POINT, has_aux=True, by_hand=lambda p: 2 * p).ok
    assert not check_gradients(fun, POINT, has_aux=True, by_hand=lambda p: -2 * p).ok
    with pytest.raises(ValueError, match="with has_aux, fun must return a pair"):
        check_gradients(lambda p: jnp.sum(p), POINT, has_aux=True)


@pytest.mark.core
def test_a_loss_of_shape_1_is_a_number() -> None:
    assert check_gradients(lambda p: jnp.sum(p**2)[None], POINT, by_hand=lambda p: 2 * p).ok
    assert not check_gradients(lambda p: np.sum(p**2, keepdims=True), POINT, by_hand=lambda p: 3 * p).ok


@pytest.mark.core
def test_frozen_leaves_are_not_nudged() -> None:
    params = {"head": {"w": POINT}, "body": {"w": POINT}}
    f = rule(sine, lambda x: -jnp.cos(x))
    fun: Callable[..., Any] = lambda p: jnp.sum(f(p["body"]["w"]) + p["head"]["w"] ** 2)  # noqa: E731
    assert not check_gradients(fun, params).ok
    report = check_gradients(fun, params, frozen="body")
    assert report.ok
    assert {row.name.split("[")[0] for row in report.parameters} == {"head.w"}
    with pytest.raises(ValueError, match="frozen must name leaves of params, but tail is none"):
        check_gradients(fun, params, frozen=["tail"])
    with pytest.raises(ValueError, match="that is not frozen, but all are"):
        check_gradients(fun, params, frozen=["head", "body.w"])


@pytest.mark.core
def test_leaves_that_must_move_must_have_a_gradient() -> None:
    params = {"used": POINT, "forgotten": POINT}
    fun: Callable[..., Any] = lambda p: jnp.sum(p["used"] ** 2 + jax.lax.stop_gradient(p["forgotten"]) * 0)  # noqa: E731
    assert check_gradients(fun, params, must_move="used").ok
    report = check_gradients(fun, params, must_move=["used", "forgotten"])
    assert not report.ok
    assert [str(each) for each in report.diagnoses] == ["grad is 0 in all of forgotten, which must move."]
    with pytest.raises(ValueError, match="must_move must name leaves of params, but other is none"):
        check_gradients(fun, params, must_move="other")


@pytest.mark.core
def test_a_straight_through_estimator_is_held_against_its_surrogate() -> None:
    def straight_through(p: Any) -> Any:
        return jnp.sum((p + jax.lax.stop_gradient(jnp.round(p) - p)) * jnp.arange(1.0, 4))

    def identity(p: Any) -> Any:
        return jnp.sum(p * jnp.arange(1.0, 4))

    assert not check_gradients(straight_through, POINT).ok
    report = check_gradients(straight_through, POINT, surrogate=identity)
    assert report.ok
    assert "Values are those of the surrogate, identity; gradients are those of fun." in str(report)
    assert not check_gradients(straight_through, POINT, surrogate=lambda p: 2 * identity(p)).ok


@pytest.mark.core
def test_a_mode_can_be_left_out() -> None:
    f = rule(sine, lambda x: 2 * jnp.cos(x), is_forward=True)
    fun: Callable[..., Any] = lambda p: jnp.sum(f(p))  # noqa: E731
    report = check_gradients(fun, POINT, modes=["by_hand"], by_hand=jnp.cos)
    assert report.ok
    assert report.parameters[0].grad is None
    assert report.parameters[0].jvp is None
    assert check_gradients(lambda p: jnp.sum(p**2), POINT, modes="grad").parameters[0].jvp is None
    assert check_gradients(lambda p: jnp.sum(p**2), POINT, modes="jvp").parameters[0].grad is None
    with pytest.raises(ValueError, match="modes must be some of grad, jvp, by_hand"):
        check_gradients(fun, POINT, modes="vjp")


def log_where(p: Any) -> Any:
    return jnp.sum(jnp.where(p > 0, jnp.log(p), 0.0))


@pytest.mark.core
def test_the_first_operation_with_an_infinite_derivative_is_named() -> None:
    report = check_gradients(log_where, np.array([0.5, 0.0], np.float32))
    origin = next(each for each in report.diagnoses if each.kind == "origin")
    assert str(origin).startswith("the first derivative that is not finite is that of log, in test_rules.py:")
    assert "another where must give log a safe argument too" in str(origin)
    line = int(origin.where.split(":")[1])
    assert "jnp.log(p)" in Path(__file__).read_text().splitlines()[line - 1]


@pytest.mark.core
def test_a_wrong_direction_of_a_large_tree_is_narrowed_to_its_entry() -> None:
    params = {"a": np.ones(20_000, np.float32), "b": np.ones((50, 40), np.float32)}
    f = jax.custom_vjp(lambda p: jnp.sum(p["a"] ** 2) + jnp.sum(p["b"] ** 2))
    f.defvjp(
        lambda p: (f(p), p), lambda p, ct: ({"a": 2 * ct * p["a"], "b": (2 * ct * p["b"]).at[7, 11].multiply(1.5)},)
    )
    report = check_gradients(f, params, budget=5)
    assert not report.ok
    assert "grad is off at b[7,11]: 3 instead of 2" in str(report)


@pytest.mark.core
def test_both_sides_of_a_kink_are_printed() -> None:
    report = check_gradients(lambda p: jnp.maximum(p, 3 * p), jnp.float32(0))
    [row] = report.parameters
    assert row.sides == pytest.approx((1, 3))
    assert "+1.000000000 | +3.000000000" in str(report)


@pytest.mark.core
def test_a_pair_of_a_value_and_a_gradient_is_explained() -> None:
    with pytest.raises(ValueError, match="by_hand must return the gradient, but it returned a number and a gradient"):
        check_gradients(lambda p: jnp.sum(p**2), POINT, by_hand=jax.value_and_grad(lambda p: jnp.sum(p**2)))


@pytest.mark.core
def test_the_stages_of_a_check_are_told() -> None:
    stages: list[str] = []
    check_gradients(lambda p: jnp.sum(p**2), POINT, on_progress=stages.append)
    assert stages[0] == "fun is traced, or called once"
    assert stages[-1] == "4 of 4 derivatives are not wrong; the rules inside fun are checked"


def test_what_a_function_prints_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    called: list[Any] = []

    def fun(x: Any) -> Any:
        jax.debug.print("the point {}", x)
        jax.debug.callback(called.append, x)
        total = jax.lax.scan(lambda c, e: (jax.debug.print("{}", e), (c + jnp.sin(e), None))[1], 0 * x[0], x)[0]
        return jax.lax.cond(total > 0, lambda c: (jax.debug.print("above 0"), c**2)[1], lambda c: -c, total)

    assert check_gradients(fun, POINT).ok
    assert check_gradients(lambda x: fun(x) * jnp.linalg.solve(4 * jnp.eye(3), x), POINT).ok
    assert not check_gradients(fun, POINT, by_hand=lambda x: x).ok
    jax.effects_barrier()
    assert capfd.readouterr().out == ""
    assert called == []


def test_a_rule_of_custom_gradient_is_checked() -> None:
    @jax.custom_gradient
    def ignores(x: Any) -> Any:
        return jnp.sum(jnp.sin(x)), lambda ct: jnp.cos(x)

    diagnosis = str(check_gradients(ignores, POINT).diagnoses[0])
    assert diagnosis.startswith("the backward pass of ignores (test_rules.py:")
    assert diagnosis.endswith("it ignores the cotangent.")


def test_a_rule_that_closes_over_an_array_made_inside_is_called() -> None:
    def fun(x: Any, sign: float) -> Any:
        scale = jnp.arange(1.0, 1 + len(x))
        inner = jax.custom_vjp(lambda y: jnp.sum(scale * y**2))
        inner.defvjp(lambda y: (jnp.sum(scale * y**2), y), lambda y, ct: (sign * 2 * ct * scale * y,))
        return inner(x)

    assert check_gradients(lambda x: fun(x, 1.0), POINT).ok
    assert not check_gradients(lambda x: fun(x, -1.0), POINT).ok


@pytest.mark.parametrize(("tiny", "verdict"), [(1e-9, "wrong"), (1e-20, "too noisy to tell")])
def test_a_tiny_entry_beside_others_never_agrees_with_any_gradient(tiny: float, verdict: str) -> None:
    with jax.enable_x64(True):
        params = jnp.array([tiny, 1.0, 2.0])

    def cosine(x: Any) -> Any:
        return jnp.cos(x)

    assert check_gradients(lambda x: jnp.sum(jnp.sin(x)), params, by_hand=cosine).ok
    report = check_gradients(
        lambda x: jnp.sum(jnp.sin(x)), params, by_hand=lambda x: cosine(x) + jnp.array([5.0, 0, 0]), modes="by_hand"
    )
    assert [row.verdict.value for row in report.parameters] == [verdict, "agrees", "agrees"]


def test_second_derivatives_are_called_so() -> None:
    cosine = jax.custom_jvp(jnp.cos)
    cosine.defjvp(lambda primals, tangents: (jnp.cos(*primals), jnp.sin(*primals) * tangents[0]))
    sine = jax.custom_jvp(jnp.sin)
    sine.defjvp(lambda primals, tangents: (jnp.sin(*primals), cosine(*primals) * tangents[0]))
    report = check_gradients(lambda x: jnp.sum(sine(x)), POINT, order=2)
    assert str(report.diagnoses[0]) == "second derivatives: grad and jvp have the wrong sign, in params."


def test_a_param_that_is_nan_is_named() -> None:
    report = check_gradients(lambda p: jnp.sum(p["w"]), {"w": jnp.array([1.0, jnp.nan])})
    assert str(report.diagnoses[0]) == "fun is nan at params, because w[1] is nan, and has no derivative there."


def test_a_loop_that_may_not_end_in_float32_is_not_run_there() -> None:
    def root(x: Any) -> Any:
        return jax.lax.while_loop(lambda y: jnp.abs(y * y - x) > 1e-9, lambda y: 0.5 * (y + x / y), x)

    assert float32_error(prepare(root, 130.0, ()), 130.0**0.5) == np.inf

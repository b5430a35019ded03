"""The check of gradients: what it says of right ones, of wrong ones, and of what cannot be checked."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.custom_derivatives import linear_call
from rich.console import Console

from model import (
    Layer,
    Network,
    Report,
    assert_gradients,
    chain_rule,
    check_gradients,
    init_params,
    loss,
    truth_table,
)
from model.checking.verdicts import Verdict
from tests.checking import corpus
from tests.checking.corpus import Case
from tests.extent import extent, sample

STEP = extent(1, 6)


def check(case: Case) -> Report:
    """The case's report, with the broadcasting that is usual outside of these tests."""
    with jax.numpy_rank_promotion("allow"):
        return check_gradients(case.fun, case.params, *case.args, by_hand=case.by_hand, **case.options)


def kind_of(case: Case) -> tuple[str | None, str]:
    """What is wrong with a case, and where its gradient comes from."""
    ways = [way for way in ("by hand", "custom_vjp", "custom_jvp") if way in case.name]
    return case.mistake, ways[0] if ways else ""


@pytest.fixture(scope="module")
def of_right() -> dict[str, tuple[Case, Report]]:
    """The reports on the right cases; on one of six of each kind, unless all is tried."""
    return {case.name: (case, check(case)) for case in sample(corpus.right_cases(0), kind_of, attrgetter("name"), STEP)}


@pytest.fixture(scope="module")
def of_wrong() -> dict[str, tuple[Case, Report]]:
    """The reports on the wrong cases, likewise."""
    return {case.name: (case, check(case)) for case in sample(corpus.wrong_cases(0), kind_of, attrgetter("name"), STEP)}


def test_no_right_gradient_is_called_wrong(of_right: dict[str, tuple[Case, Report]]) -> None:
    assert len(of_right) >= 150 // STEP
    assert {name: str(report) for name, (_, report) in of_right.items() if not report.ok} == {}


def test_no_wrong_gradient_passes(of_wrong: dict[str, tuple[Case, Report]]) -> None:
    assert len(of_wrong) >= 150 // STEP
    assert {name: str(report) for name, (_, report) in of_wrong.items() if report.ok} == {}


def test_what_can_be_named_is_named_and_nothing_else(of_wrong: dict[str, tuple[Case, Report]]) -> None:
    nameable = {name: pair for name, pair in of_wrong.items() if pair[0].mistake not in ("any", "off")}
    found = {name: {each.kind for each in report.diagnoses} - {"origin"} for name, (_, report) in nameable.items()}
    named = [name for name, kinds in found.items() if kinds == {nameable[name][0].mistake}]
    assert len(nameable) >= 80 // STEP
    assert len(named) >= 0.95 * len(nameable), set(found) - set(named)
    misnamed = {name: kinds for name, kinds in found.items() if kinds - {nameable[name][0].mistake, "off"}}
    assert misnamed == {}
    unnamed = {name: report for name, (case, report) in of_wrong.items() if case.mistake == "off"}
    assert {name: str(r) for name, r in unnamed.items() if {each.kind for each in r.diagnoses} != {"off"}} == {}


def test_stated_errors_hold_in_99_of_100_entries(of_right: dict[str, tuple[Case, Report]]) -> None:
    """Against JAX's own gradient in float64, where that is exact."""
    within = Counter[bool]()
    for case, report in of_right.values():
        for row in report.parameters:
            if case.has_exact_grad and row.grad is not None and row.verdict in (Verdict.AGREES, Verdict.NOISY):
                within[abs(row.nudge - row.grad) <= row.error] += 1
    assert within.total() > 1000 // STEP
    assert within[False] <= 0.01 * within.total()


def test_most_errors_are_small(of_right: dict[str, tuple[Case, Report]]) -> None:
    """An error that is large would hold as well: nine of ten are below a millionth of the derivative."""
    rows = [
        row for case, report in of_right.values() for row in report.parameters if case.has_exact_grad and row.nudge != 0
    ]
    assert np.percentile([row.error / abs(row.nudge) for row in rows if np.isfinite(row.error)], 90) < 1e-6


def drawn(family: Callable[[np.random.Generator], Iterator[Case]], seed: int, place: int) -> Case:
    """One case of a family, with other shapes and numbers for each seed."""
    cases = list(islice(family(np.random.default_rng(seed)), 200))
    return cases[place % len(cases)]


RIGHT = (
    corpus.smooth_functions,
    corpus.scaled_functions,
    corpus.functions_with_kinks,
    corpus.custom_rules,
    corpus.low_precision_functions,
    corpus.array_functions,
)
WRONG = (
    corpus.mistakes_in_numbers,
    corpus.mistakes_about_data,
    corpus.mistakes_about_shapes,
    corpus.mistakes_in_the_network,
    corpus.mistakes_at_all_scales,
)


@settings(max_examples=extent(30, 8))
@given(family=st.sampled_from(RIGHT), seed=st.integers(1, 2**31), place=st.integers(0, 199))
def test_right_ones_drawn_at_random(family: Any, seed: int, place: int) -> None:
    report = check(drawn(family, seed, place))
    assert report.ok, str(report)


@settings(max_examples=extent(30, 8))
@given(family=st.sampled_from(WRONG), seed=st.integers(1, 2**31), place=st.integers(0, 199))
def test_wrong_ones_drawn_at_random(family: Any, seed: int, place: int) -> None:
    report = check(drawn(family, seed, place))
    assert not report.ok, str(report)


@pytest.fixture(scope="module")
def xor() -> tuple[Any, ...]:
    network, table = Network((2, 3, 1), "tanh"), truth_table("xor")
    return init_params(network, key=jax.random.key(1)), table.x, table.y, network


def wrong_sign(params: Any, *args: Any) -> Any:
    return jax.tree.map(jnp.negative, chain_rule(params, *args))


@pytest.mark.core
def test_a_report_reads_well(xor: tuple[Any, ...]) -> None:
    report = check_gradients(loss, *xor, by_hand=wrong_sign)
    header, first, *_ = str(report).splitlines()
    assert header.split() == ["parameter", "nudge", "±", "jvp", "wrong_sign", "grad", "verdict"]
    assert first.startswith("0.weight[0,0]")
    assert first.endswith("wrong: wrong_sign")
    *_, diagnosis, summary = str(report).splitlines()
    assert diagnosis == "wrong_sign has the wrong sign, in 0.weight, 0.bias, 1.weight and 1.bias."
    assert summary.startswith("The gradients DISAGREE: 0 of 13 tried agree, 13 wrong, ")


@pytest.mark.core
def test_the_report_as_json(xor: tuple[Any, ...]) -> None:
    report = json.loads(check_gradients(loss, *xor, by_hand=chain_rule).to_json())
    assert report["ok"] is True
    assert report["entries"] == 13
    assert report["max_relative_error"] < 1e-10
    row = report["parameters"][1]
    assert row["name"] == "0.weight[0,1]"
    assert row["verdict"] == "agrees"
    assert row["kink"] is False
    assert row["nudge"] == pytest.approx(row["grad"], abs=4 * row["error"])
    assert row["grad"] == pytest.approx(row["chain_rule"], rel=1e-12)
    assert row["grad"] == pytest.approx(row["jvp"], rel=1e-12)


@pytest.mark.core
def test_two_more_witnesses(xor: tuple[Any, ...]) -> None:
    """Taylor's remainder is of the second order with the right gradient, of the first with a wrong one."""
    right, wrong = check_gradients(loss, *xor), check_gradients(corpus.with_vjp(smooth, lambda p: 1.1 * p), jnp.ones(3))
    assert right.taylor_order == pytest.approx(2, abs=0.05)
    assert wrong.taylor_order == pytest.approx(1, abs=0.05)
    assert right.adjoint_error is not None
    assert right.adjoint_error < 1e-12
    lopsided = check_gradients(
        lambda p: jnp.sum(linear_call(lambda _, p: 2 * p, lambda _, ct: 3 * ct, (), p)), jnp.ones(3)
    )
    assert lopsided.adjoint_error == pytest.approx(1 / 3)
    assert not lopsided.ok


def smooth(p: Any) -> Any:
    return jnp.sum(jnp.sin(p))


@pytest.mark.core
@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [(0.0, "kink"), (0.3, "kink"), (1.0, "kink"), (-0.01, "wrong"), (1.01, "wrong"), (jnp.nan, "not finite")],
)
def test_at_a_kink_what_lies_between_the_sides_is_right(gradient: float, verdict: str) -> None:
    ruled = corpus.with_vjp(lambda p: jax.nn.relu(p), lambda p: gradient * jnp.ones_like(p))
    [row] = check_gradients(ruled, jnp.array(0.0)).parameters
    assert row.verdict == verdict
    assert row.kink == (verdict == "kink")


@pytest.mark.core
@pytest.mark.parametrize("exponent", range(1, 9))
def test_a_kink_beside_the_point_is_none_where_steps_stay_on_one_side(exponent: int) -> None:
    [row] = check_gradients(lambda p: jax.nn.relu(p - 10.0**-exponent) + jnp.exp(p), jnp.array(0.0)).parameters
    assert row.verdict == "agrees"
    assert abs(row.nudge - 1) <= row.error < 1e-3


@pytest.mark.core
def test_at_a_jump_the_sides_count() -> None:
    def step(p: Any) -> Any:
        return jnp.where(p > 0, 1 + 2 * p, 2 * p)

    [row] = check_gradients(step, jnp.array(0.0)).parameters
    assert row.verdict == "jump"
    [row] = check_gradients(corpus.with_vjp(step, lambda p: 3.0 * jnp.ones_like(p)), jnp.array(0.0)).parameters
    assert row.verdict == "wrong"


@pytest.mark.core
def test_leaves_of_every_kind_are_told_apart() -> None:
    class Mixed(NamedTuple):
        weight: Any
        count: Any
        name: str
        nothing: None
        empty: Any
        number: float

    tree = Mixed(jnp.ones((1, 2), jnp.bfloat16), jnp.arange(3), "tanh", None, jnp.zeros((0, 2)), 0.5)
    report = check_gradients(lambda t: jnp.sum(t.weight) ** 2 * t.number + t.count.sum(), tree)
    assert {row.name: str(row.verdict) for row in report.parameters} == {
        "weight[0,0]": "agrees",
        "weight[0,1]": "agrees",
        "number": "agrees",
        "count": "not differentiable",
    }
    assert report.ok


@pytest.mark.core
def test_what_cannot_be_told_is_said_to_be_noise() -> None:
    """In bfloat16 a sum of a thousand moves in steps of 4: no single entry can be seen, but all of them together."""
    params = jnp.ones(1000)
    report = check_gradients(lambda p: jnp.sum(p**2).astype(jnp.bfloat16), params, budget=20)
    assert report.ok
    assert {row.verdict for row in report.parameters} == {Verdict.NOISY}
    wrong = check_gradients(lambda p: jnp.sum(p**2).astype(jnp.bfloat16), params, by_hand=lambda p: -2 * p, budget=20)
    assert not wrong.ok
    assert "along" in "".join(row.name for row in wrong.directions if not row.verdict.ok)


@pytest.mark.core
def test_arrays_and_second_order() -> None:
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    report = check_gradients(lambda p: {"a": jnp.tanh(matrix @ p), "b": p[0]}, jnp.array([0.1, -0.4, 0.9]))
    assert report.ok
    assert [row.name for row in report.directions][1:] == ["result 0", "result 1", "result 2", "result 3"]
    second = check_gradients(lambda p: jnp.sum(jnp.sin(matrix @ p)), jnp.array([0.1, -0.4, 0.9]), order=2)
    assert second.ok
    assert [row.order for row in second.parameters] == [1, 1, 1, 2, 2, 2]


@pytest.mark.core
def test_a_large_pytree_is_sampled_and_an_error_anywhere_seen() -> None:
    params = {name: jnp.asarray(np.random.default_rng(seed).normal(size=20_000)) for seed, name in enumerate("ab")}

    def fun(p: Any) -> Any:
        return jnp.mean(jnp.sin(p["a"])) + jnp.mean(p["b"] ** 2)

    report = check_gradients(fun, params, budget=50)
    assert report.ok
    assert report.entries == 40_000
    assert len(report.parameters) == 50
    assert {row.name.split("[")[0] for row in report.parameters} == {"a", "b"}
    assert "of 40,000 parameters" in report.summary()
    assert report.visible is not None
    one = corpus.with_vjp(fun, lambda p: jax.tree.map(lambda g: g.at[777].add(1e-5), jax.grad(fun)(p)))
    assert report.visible < 1e-5
    assert not check_gradients(one, params, budget=50).ok


@pytest.mark.core
def test_float64_is_used_inside_only_also_after_an_exception_and_in_two_threads() -> None:
    dtypes = []

    def watched(p: Any, x: Any) -> Any:
        dtypes.append((p.dtype, x.dtype))
        return jnp.sum(p * x)

    def failing(p: Any) -> Any:
        raise RuntimeError("inside")

    outcomes: list[bool] = []

    def work() -> None:
        params, x = jnp.ones(3), jnp.arange(3.0)
        outcomes.append(check_gradients(watched, params, x).ok)
        with pytest.raises(ValueError, match="inside"):
            check_gradients(failing, params)
        outcomes.append(jnp.zeros(1).dtype == params.dtype == x.dtype == jnp.float32)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    outcomes.append(jnp.zeros(1).dtype == jnp.float32)
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 5
    assert set(dtypes) == {(np.dtype("float64"), np.dtype("float64"))}
    assert not jax.config.jax_enable_x64


@pytest.mark.core
def test_assert_gradients_shows_the_report() -> None:
    assert_gradients(smooth, jnp.ones(2))
    with pytest.raises(AssertionError, match="by_hand is 2 times what it should be"):
        assert_gradients(smooth, jnp.ones(2), by_hand=lambda p: 2 * jnp.cos(p))


TWO = {"w": jnp.ones(2), "b": jnp.ones(())}


@pytest.mark.core
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3, jnp.ones(2)), {}, r"fun must be a function of params, but it is 3, an int; pass the function itself"),
        ((smooth, {"n": 3}), {}, r"params must have a floating-point leaf to be nudged, but found n 3, an int;"),
        ((smooth, {}), {}, r"params must have a floating-point leaf to be nudged, but found no leaf"),
        (
            (lambda p: "text", jnp.ones(2)),
            {},
            r"fun must return a floating-point number.* but it returned 'text', a str",
        ),
        ((lambda p: jnp.arange(3), jnp.ones(2)), {}, r"fun must return .* but it returned int\d+\[3\]"),
        ((lambda p: None, jnp.ones(2)), {}, r"fun must return .* but it returned nothing"),
        ((lambda p: p["w"], jnp.ones(2)), {}, r"fun must return a number at params, but it raised TypeError: "),
        ((smooth, jnp.ones(2, complex)), {}, r"params must be real, but params is complex64\[2\]; pass its real and"),
        ((smooth, jnp.ones(2)), {"by_hand": lambda p: jnp.ones(3)}, r"params is \[3\] where \[2\] was expected"),
        (
            (lambda p: jnp.sum(p["w"]) * p["b"], TWO),
            {"by_hand": lambda p: {"w": p["w"], "c": p["b"]}},
            r"by_hand must return the tree of params, but where b was expected it has c; return one leaf",
        ),
        (
            (lambda p: jnp.sum(p["w"]) * p["b"], TWO),
            {"by_hand": lambda p: {"w": p["w"], "b": p["b"], "c": 1.0}},
            r"by_hand must return the tree of params, but it has c, which params has not",
        ),
        ((smooth, jnp.ones(2)), {"by_hand": lambda p: "text"}, r"by_hand must return .* params is .*"),
        (
            (smooth, jnp.ones(2)),
            {"by_hand": lambda p: p / "a"},
            r"by_hand must return a gradient .* it raised TypeError",
        ),
        ((smooth, jnp.ones(2)), {"by_hand": 3}, r"by_hand must be a function that returns a gradient, not 3"),
        ((smooth, jnp.ones(2)), {"order": 3}, r"order must be 1 or 2, not 3"),
        ((smooth, jnp.ones(2)), {"tolerance": -1.0}, r"tolerance must be a finite number from 0, not -1.0"),
        ((smooth, jnp.ones(2)), {"budget": 0}, r"budget must be a whole number from 1, not 0"),
        ((smooth, jnp.ones(2)), {"budget": True}, r"budget must be a whole number from 1, not True"),
        ((smooth, jnp.ones(2)), {"seed": -1}, r"seed must be a whole number from 0, not -1"),
        ((smooth, jnp.ones(2)), {"seed": "a"}, r"seed must be a whole number from 0, not 'a'"),
        ((lambda p: np.sum(np.exp(p)), np.ones(2)), {}, r"there must be a gradient to check, but JAX has none of fun"),
        ((lambda p: p * 2, jnp.ones(2)), {"by_hand": lambda p: p}, r"by_hand is for a fun that returns a number"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_sentence(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_gradients(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


@pytest.mark.core
def test_the_check_does_not_run_away_with_a_loop() -> None:
    """Far below 2 this loop would never end."""

    def fun(p: Any) -> Any:
        return jax.lax.while_loop(lambda v: v < 100, lambda v: v * p, 1.0 + 0 * p)

    report = check_gradients(fun, jnp.array(2.0))
    assert [row.grad for row in report.parameters] == [None]
    assert report.parameters[0].jvp == pytest.approx(7 * 2.0**6)
    assert report.ok
    assert "grad is missing: " in str(report)


@pytest.mark.core
@pytest.mark.parametrize("offset", [0.0, 1e-6, -1e-6, 2e-3, -4e-3])
def test_a_relu_network_beside_its_kink(offset: float) -> None:
    """On row (0, 0) the hidden unit's input is its bias."""
    network, table = Network((2, 1, 1)), truth_table("xor")
    params = [Layer(jnp.array([[1.0], [2.0]]), jnp.array([offset])), Layer(jnp.array([[1.5]]), jnp.array([-0.5]))]
    report = check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule)
    assert report.ok, str(report)
    assert [row.name for row in report.parameters if row.kink] == (["0.bias[0]"] if offset == 0 else [])
    assert not check_gradients(loss, params, table.x, table.y, network, by_hand=wrong_sign).ok


@pytest.mark.core
def test_a_small_function_needs_a_single_program(xor: tuple[Any, ...]) -> None:
    """Compiling takes most of the time of a small check."""
    compiled = []  # counted when lowered: XLA is asked again if it does not know an option

    def count(event: str, seconds: float, **_: Any) -> None:
        if event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        assert check_gradients(loss, *xor, by_hand=chain_rule).ok
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    assert len(compiled) == 1


def test_a_report_in_colours(xor: tuple[Any, ...]) -> None:
    console = Console(file=StringIO(), force_terminal=True, width=160)
    console.print(check_gradients(loss, *xor, by_hand=wrong_sign))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1;31mwrong: wrong_sign\x1b[0m" in printed
    assert "wrong_sign has the wrong sign" in printed


@pytest.mark.core
def test_gradients_that_cancel_to_nothing_are_no_mistake() -> None:
    """A shift of all logits changes no softmax: each derivation leaves other roundings of zero."""
    for seed in range(10):
        logits = jnp.asarray(np.random.default_rng(seed).normal(size=(5, 3)))
        report = check_gradients(lambda p, y: -jnp.mean(jax.nn.log_softmax(y + p)[:, 0]), jnp.float32(0.3), logits)
        assert report.ok, str(report)


@pytest.mark.core
def test_numpy_that_rounds_inside_is_noise() -> None:
    for dtype in (np.float32, np.float16):
        fun = lambda p, d=dtype: float(np.sum(np.sin(np.asarray(p, d)).astype(float)))  # noqa: E731
        assert check_gradients(fun, np.array([0.3, -1.1, 2.0]), by_hand=np.cos).ok
        assert not check_gradients(fun, np.array([0.3, -1.1, 2.0]), by_hand=lambda p: -np.cos(p)).ok


@pytest.mark.core
def test_entries_of_very_different_sizes_in_one_leaf() -> None:
    params = jnp.array([1e-10, 0.3, 0.7])
    report = check_gradients(lambda p: jnp.sum(jnp.log(p)), params, by_hand=lambda p: (1 / p).at[1:].multiply(-1.0))
    assert [str(row.verdict) for row in report.parameters] == ["agrees", "wrong", "wrong"]
    assert "wrong sign, in params[1] and params[2]" in str(report)
    scales = jnp.array([1e-8, 1e-4, 1.0, 1e4, 1e8])
    assert check_gradients(lambda p: jnp.sum(jnp.tanh(p / scales)), 0.5 * scales).ok


@pytest.mark.core
def test_a_callback_that_cannot_be_mapped_over() -> None:

    def callback(p: Any) -> Any:
        return jnp.sum(jax.pure_callback(np.sin, jax.ShapeDtypeStruct(p.shape, p.dtype), p))

    assert check_gradients(corpus.with_vjp(callback, lambda p: jnp.cos(p)), jnp.array([0.3, -1.0])).ok
    assert not check_gradients(corpus.with_vjp(callback, lambda p: jnp.sin(p)), jnp.array([0.3, -1.0])).ok


@pytest.mark.core
def test_a_callback_that_takes_float32_alone() -> None:
    def callback(p: Any) -> Any:
        kind = jax.ShapeDtypeStruct(p.shape, jnp.float32)
        return jnp.sum(jax.pure_callback(np.sin, kind, p, vmap_method="sequential"))

    report = check_gradients(corpus.with_vjp(callback, lambda p: jnp.cos(p)), jnp.array([0.3, -1.0]))
    assert report.ok
    assert report.parameters[0].error > 1e-9  # no float64 in it


@pytest.mark.core
@pytest.mark.parametrize("setting", [jax.debug_nans, jax.debug_infs, jax.disable_jit], ids=lambda s: s.__name__)
def test_settings_for_debugging_do_not_disturb(setting: Any) -> None:
    with setting(True):
        assert check_gradients(lambda p: jnp.sum(jnp.sqrt(p)), jnp.array([1e-3, 1.0])).ok


@pytest.mark.core
def test_a_gradient_by_hand_may_have_any_name() -> None:
    def grad(p: Any) -> Any:
        return -2 * p

    report = check_gradients(lambda p: p**2, jnp.array(1.5), by_hand=grad)
    assert str(report.diagnoses[0]) == "by_hand has the wrong sign, in params."
    assert json.loads(report.to_json())["parameters"][0]["grad"] == 3.0


@pytest.mark.core
def test_two_against_one() -> None:
    """The third derivation is wrong also where the differences are too noisy to tell."""
    fun: Callable[..., Any] = lambda p: jnp.sum(jnp.sin(p)).astype(jnp.bfloat16)  # noqa: E731
    report = check_gradients(fun, jnp.array([0.5, 1.0]), by_hand=lambda p: 1.2 * jnp.cos(p))
    assert {row.wrong for row in report.parameters if row.wrong} == {("by_hand",)}


@pytest.mark.core
def test_what_is_not_finite_is_named() -> None:
    norm = check_gradients(jnp.linalg.norm, jnp.zeros(2))
    assert str(norm.diagnoses[0]) == "grad and jvp are nan at params[0] and params[1]."
    value = check_gradients(lambda p: jnp.sum(jnp.log(p)), jnp.array([-1.0, 1.0]))
    assert not value.ok
    assert str(value.diagnoses[0]) == "fun is nan at params, and has no derivative there."


@pytest.mark.core
def test_nothing_to_nudge_and_names_with_dots() -> None:
    empty = check_gradients(jnp.sum, jnp.zeros(0))
    assert empty.ok
    assert "No parameters to check." in str(empty)
    dotted = {"a.b": jnp.array(1.0), "a": {"b": jnp.array(2.0)}}
    fun: Callable[..., Any] = lambda p: p["a.b"] ** 2 + 3 * p["a"]["b"]  # noqa: E731
    by_hand: Callable[..., Any] = lambda p: {"a.b": 2 * p["a.b"], "a": {"b": 3.0}}  # noqa: E731
    assert check_gradients(fun, dotted, by_hand=by_hand).ok


@pytest.mark.core
def test_mistakes_that_cancel_in_a_sum_are_seen_in_a_large_pytree() -> None:
    """Two entries that have each other's gradient, among thousands of which a few are tried."""
    params = jnp.asarray(np.random.default_rng(0).normal(size=5000))

    def swapped(p: Any) -> Any:
        right = 2 * p
        return right.at[7].set(right[8]).at[8].set(right[7])

    report = check_gradients(corpus.with_vjp(lambda p: jnp.sum(p**2), swapped), params, budget=5)
    assert not report.ok
    assert "grad is off at params[8]: 1.89416 instead of -1.40747" in str(report)


@pytest.mark.core
def test_a_function_that_fails_only_when_it_runs() -> None:
    def failing(value: Any) -> Any:
        raise RuntimeError("no such luck")

    def callback(p: Any) -> Any:
        return jnp.sum(jax.pure_callback(failing, jax.ShapeDtypeStruct(p.shape, p.dtype), p))

    with pytest.raises(ValueError, match="fun must run at params and around, but it raised JaxRuntimeError") as caught:
        check_gradients(corpus.with_vjp(callback, lambda p: p), jnp.ones(2))
    assert "\n" not in str(caught.value)

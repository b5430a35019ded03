"""What is suspected in networks with planted faults, recomputed in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Layer, Network, Params, loss, table_from_arrays
from model.diagnosing.activity import Unit, activity_of
from model.diagnosing.output_suspicions import saturated_rows, shared_rows
from model.diagnosing.slope_suspicions import slope_of
from model.diagnosing.trials import random_changes
from model.diagnosing.unit_suspicions import copied_units, is_straight, still_units
from tests.diagnosing.examples import GUIDE, SOLVED, TWO_ROWS_APART, XOR, layers, random_params

SEEDS = st.integers(0, 2**31)
TABLE = table_from_arrays(np.random.default_rng(0).normal(size=(12, 3)), (np.arange(12) % 2).astype(int), ("no", "yes"))


def with_unit(params: Params, unit: Unit, weight: np.ndarray | float, bias: float) -> Params:
    changed = [Layer(layer.weight.copy(), layer.bias.copy()) for layer in params]
    changed[unit.layer].weight[:, unit.index] = weight
    changed[unit.layer].bias[unit.index] = bias
    return changed


@given(seed=SEEDS, layer=st.integers(0, 1), index=st.integers(0, 3))
def test_a_planted_dead_unit_is_found_and_every_unit_that_is_found_is_off(seed: int, layer: int, index: int) -> None:
    network = Network((3, 4, 4, 1))
    params = with_unit(random_params(network, seed), Unit(layer, index), -1.0, -100.0)
    found = still_units(activity_of(params, TABLE, network))
    first = np.maximum(TABLE.x @ params[0].weight + params[0].bias, 0)
    second = np.maximum(first @ params[1].weight + params[1].bias, 0)
    dead = {(number, each) for number, a in enumerate((first, second)) for each in range(4) if not a[:, each].any()}
    assert {(unit.layer, unit.index) for unit in found} == dead
    assert (layer, index) in dead


@given(
    seed=SEEDS, index=st.integers(0, 3), activation=st.sampled_from(["tanh", "sigmoid"]), side=st.sampled_from([1, -1])
)
def test_a_planted_saturated_unit_is_found(seed: int, index: int, activation: str, side: int) -> None:
    network = Network((3, 4, 1), activation)
    params = with_unit(random_params(network, seed), Unit(0, index), 0.5, side * 30.0)
    z = TABLE.x @ params[0].weight + params[0].bias
    squashed = np.tanh(z) if activation == "tanh" else np.tanh(z / 2)
    saturated = [each for each in range(4) if np.all(1 - squashed[:, each] ** 2 < 1e-3)]
    assert [unit.index for unit in still_units(activity_of(params, TABLE, network))] == saturated
    assert index in saturated


@given(
    seed=SEEDS,
    pair=st.permutations(range(4)).map(lambda order: sorted(order[:2])),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "gelu"]),
)
def test_planted_copies_are_found_and_no_others(seed: int, pair: list[int], activation: str) -> None:
    network = Network((3, 4, 1), activation)
    params = random_params(network, seed)
    first, second = pair
    params = with_unit(params, Unit(0, second), params[0].weight[:, first], float(params[0].bias[first]))
    activity = activity_of(params, TABLE, network)
    groups = [[unit.index for unit in group] for group in copied_units(activity)]
    assert any({first, second} <= set(group) for group in groups)
    for group in groups:
        answers = activity.inputs[1][:, group].astype(np.float64)
        assert np.linalg.matrix_rank(answers, tol=2e-3 * max(np.linalg.norm(answers), 1e-12)) <= 1


def test_a_relu_unit_that_is_scaled_is_a_copy_and_a_negative_tanh_unit_too() -> None:
    scaled = layers(([[1, 3, -1], [2, 6, 1]], [0.5, 1.5, 1]), ([[1], [1], [1]], [0]))
    assert [len(group) for group in copied_units(activity_of(scaled, XOR, Network((2, 3, 1))))] == [2]
    negative = layers(([[1, -1], [2, -2]], [0.5, -0.5]), ([[1], [1]], [0]))
    assert [len(group) for group in copied_units(activity_of(negative, XOR, Network((2, 2, 1), "tanh")))] == [2]


@given(seed=SEEDS)
def test_a_layer_is_straight_if_a_straight_line_does_what_it_does(seed: int) -> None:
    params = random_params(GUIDE, seed)
    activity = activity_of(params, XOR, GUIDE)
    straight = is_straight(activity, 0, still_units(activity))
    answers, line = activity.inputs[1], np.column_stack([XOR.x, np.ones(4)])
    rest = answers - line @ np.linalg.lstsq(line, answers, rcond=None)[0]
    assert straight == (bool(np.abs(rest).max() < 1e-5) and bool(answers.any()))


def test_rows_that_share_an_output_are_found_only_if_their_targets_differ() -> None:
    assert shared_rows(activity_of(TWO_ROWS_APART, XOR, GUIDE), XOR).any()
    assert not shared_rows(activity_of(SOLVED, XOR, GUIDE), XOR).any()
    zero = layers(([[0, 0], [0, 0]], [0, 0]), ([[0], [0]], [0]))
    assert shared_rows(activity_of(zero, XOR, GUIDE), XOR).all()
    same = table_from_arrays(np.ones((4, 2)), np.array([0, 1, 0, 1]), ("no", "yes"))
    assert not shared_rows(activity_of(zero, same, GUIDE), same).any()


@given(seed=SEEDS)
def test_many_different_outputs_are_not_shared_by_chance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = table_from_arrays(rng.normal(size=(200, 2)), rng.integers(0, 2, 200), ("no", "yes"))
    network = Network((2, 1))
    assert not shared_rows(activity_of(random_params(network, seed), table, network), table).any()


def test_an_output_that_is_sure_and_wrong_is_saturated() -> None:
    inverted = [SOLVED[0], Layer(-5 * SOLVED[1].weight, -5 * SOLVED[1].bias)]
    assert saturated_rows(activity_of(inverted, XOR, GUIDE), XOR).all()
    right = [SOLVED[0], Layer(5 * SOLVED[1].weight, 5 * SOLVED[1].bias)]
    assert not saturated_rows(activity_of(right, XOR, GUIDE), XOR).any()


@pytest.mark.parametrize("seed", range(3))
def test_the_slope_agrees_with_nudges_in_every_direction(seed: int) -> None:
    params = random_params(GUIDE, seed)
    slope = slope_of(params, XOR, GUIDE)
    start = np.concatenate([np.ravel(leaf) for layer in params for leaf in layer]).astype(np.float64)

    def value(flat: np.ndarray) -> float:
        weight, bias, out, last = flat[:4].reshape(2, 2), flat[4:6], flat[6:8], flat[8]
        z = np.maximum(XOR.x.astype(float) @ weight + bias, 0) @ out + last
        return float(np.mean(np.logaddexp(0, z) - z * XOR.y))

    h = 1e-4
    for curvature, direction in zip(slope.curvatures, slope.directions.T, strict=True):
        second = (value(start + h * direction) - 2 * value(start) + value(start - h * direction)) / h**2
        assert second == pytest.approx(curvature, abs=1e-5)
    nudges = [(value(start + h * each) - value(start - h * each)) / (2 * h) for each in np.eye(9)]
    assert slope.gradient == pytest.approx(float(np.linalg.norm(nudges)), rel=1e-5)
    assert slope.loss == pytest.approx(float(loss(params, XOR.x, XOR.y, GUIDE)), rel=1e-5)


@given(seed=SEEDS, length=st.floats(1e-2, 1e2))
def test_random_changes_have_the_length_of_the_named_one(seed: int, length: float) -> None:
    import jax

    params = random_params(GUIDE, seed)
    for changed in random_changes(params, length, GUIDE, key=jax.random.key(seed)):
        pairs = zip(changed, params, strict=True)
        steps = [np.ravel(np.asarray(a) - b) for new, old in pairs for a, b in zip(new, old, strict=True)]
        assert np.linalg.norm(np.concatenate(steps)) == pytest.approx(length, rel=1e-3)

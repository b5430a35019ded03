"""`why_stuck`: what it finds in networks with known faults, and that the changes that it names help."""

import json
import math
from dataclasses import replace
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import (
    Finding,
    Hyperparameters,
    Layer,
    Network,
    Params,
    fit,
    loss,
    table_from_arrays,
    truth_table,
    why_stuck,
)
from model.activations import ACTIVATION_DERIVATIVES, ACTIVATIONS
from model.diagnosing.activity import LARGEST_DERIVATIVES
from model.diagnosing.findings import KINDS, MEANINGS, STILL_LEARNING, UNKNOWN, Trial
from tests.diagnosing.examples import (
    DEAD_AND_STRAIGHT,
    GUIDE,
    ONE_ROW_APART,
    SOLVED,
    TWO_ROWS_APART,
    XOR,
    layers,
    parabola,
    permuted,
    random_params,
    trained,
)


def descend(params: Params, epochs: int = 100_000, rate: float = 0.01) -> Params:
    """Plain gradient descent on XOR, one network by itself."""
    x, y = jnp.asarray(XOR.x), jnp.asarray(XOR.y)

    def step(_: int, params: Params) -> Params:
        grads = jax.grad(loss)(params, x, y, GUIDE)
        moved: Params = jax.tree.map(lambda leaf, slope: leaf - rate * slope, params, grads)
        return moved

    start = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
    last: Params = jax.jit(lambda start: jax.lax.fori_loop(0, epochs, step, start))(start)
    return last


def labels(params: Params) -> list[int]:
    """What the guide's network says about the four rows, written out in NumPy."""
    hidden, last = ([np.asarray(leaf) for leaf in layer] for layer in params)
    z = np.maximum(XOR.x @ hidden[0] + hidden[1], 0) @ last[0] + last[1]
    return (z[:, 0] > 0).astype(int).tolist()


def apply_changes(params: Params, finding: Finding) -> Params:
    """The params that a finding's changes give, each written to where its name says."""
    changed = [Layer(np.array(weight), np.array(bias)) for weight, bias in params]
    for change in finding.changes:
        layer, leaf = change.name.split("[")[0].split(".")
        index = tuple(int(each) for each in change.name.split("[")[1].rstrip("]").split(","))
        array = getattr(changed[int(layer)], leaf)
        assert array[index] == pytest.approx(change.before)
        array[index] = change.after
    return changed


@pytest.mark.parametrize(
    ("params", "kinds", "dead", "sharing"),
    [
        (DEAD_AND_STRAIGHT, ["dead_units", "straight_layer", "shared_output", "flat_minimum"], [1], (0, 1, 2, 3)),
        (ONE_ROW_APART, ["dead_units", "shared_output", "flat_minimum"], [1], (0, 1, 2)),
        (TWO_ROWS_APART, ["shared_output", "flat_minimum"], [], (0, 1)),
    ],
)
def test_what_the_guides_network_gets_stuck_in_is_found(
    params: Params, kinds: list[str], dead: list[int], sharing: tuple[int, ...]
) -> None:
    diagnosis = why_stuck(params, XOR, GUIDE)
    assert [finding.kind for finding in diagnosis.findings] == kinds
    assert all(finding.confirmed for finding in diagnosis.findings)
    by_kind = {finding.kind: finding for finding in diagnosis.findings}
    assert by_kind["shared_output"].rows == sharing
    if dead:
        assert [unit.index for unit in by_kind["dead_units"].units] == dead


@pytest.mark.parametrize("seed", [0, 1, 5, 7, 12, 57])
def test_the_change_that_a_finding_names_solves_xor_and_training_alone_does_not(seed: int) -> None:
    start = trained(seed)
    diagnosis = why_stuck(start, XOR, GUIDE)
    assert diagnosis.confirmed
    assert labels(descend(start)) != [0, 1, 1, 0]
    for finding in diagnosis.confirmed:
        assert labels(descend(apply_changes(start, finding))) == [0, 1, 1, 0], finding


def test_a_trial_tells_the_truth_about_its_change_and_its_length() -> None:
    finding = why_stuck(DEAD_AND_STRAIGHT, XOR, GUIDE).findings[0]
    changed = apply_changes(DEAD_AND_STRAIGHT, finding)
    pairs = zip(jax.tree.leaves(changed), jax.tree.leaves(DEAD_AND_STRAIGHT), strict=True)
    length = np.sqrt(sum(np.sum(np.square(after - before)) for after, before in pairs))
    assert finding.trial is not None
    assert finding.trial.length == pytest.approx(length, rel=1e-5)
    assert finding.trial.loss == pytest.approx(float(loss(descend(changed), XOR.x, XOR.y, GUIDE)), rel=0.05)
    assert finding.trial.unchanged_loss == pytest.approx(np.log(2), rel=1e-5)
    assert len(finding.trial.random_losses) == 20
    assert finding.trial.random_solved == sum(value < 0.1 for value in finding.trial.random_losses)


def test_nothing_is_found_in_a_solved_network() -> None:
    diagnosis = why_stuck(SOLVED, XOR, GUIDE)
    assert (diagnosis.solved, diagnosis.findings, diagnosis.reason) == (True, (), "")
    assert str(diagnosis) == "It is not stuck: the table is solved."
    assert why_stuck(trained(6), XOR, GUIDE).findings == ()


def test_a_network_that_training_alone_solves_is_not_stuck() -> None:
    start = random_params(GUIDE, 0)
    result = fit(GUIDE, XOR, key=jax.random.key(6), restarts=1, epochs=200)
    diagnosis = why_stuck(result.params, XOR, GUIDE)
    assert diagnosis.reason == "still_learning"
    assert diagnosis.confirmed == ()
    assert str(diagnosis) == "It is not stuck: 100,000 more epochs solve the table."
    assert why_stuck(start, XOR, GUIDE).reason != ""


def test_other_units_and_columns_change_only_the_names() -> None:
    network = Network((2, 3, 1))
    params = layers(([[1, 2, 1], [1, 2, -2]], [-3, 0.5, -1.5]), ([[1], [0.5], [2]], [0.1]))
    plain = why_stuck(params, XOR, network)
    for order in permutations(range(3)):
        found = why_stuck(permuted(params, 0, list(order)), XOR, network)
        assert {f.kind for f in found.findings} == {f.kind for f in plain.findings}
        dead = {finding.kind: finding for finding in found.findings}["dead_units"]
        assert {order[unit.index] for unit in dead.units} == {0, 2}
        assert found.loss == pytest.approx(plain.loss, rel=1e-6)
    swapped = replace(XOR, x=np.ascontiguousarray(XOR.x[:, ::-1]), columns=("b", "a"))
    mirrored = [Layer(params[0].weight[::-1].copy(), params[0].bias), params[1]]
    found = why_stuck(mirrored, swapped, network)
    assert {f.kind for f in found.findings} == {f.kind for f in plain.findings}


def test_a_learning_rate_that_is_too_small_or_too_large_is_found_and_a_better_one_named() -> None:
    network, small = Network((2, 4, 1), "tanh"), Hyperparameters(learning_rate=1e-5, epochs=2000)
    finding = why_stuck(random_params(network, 3), XOR, network, hyperparameters=small).findings[0]
    assert (finding.kind, finding.confirmed) == ("small_learning_rate", True)
    assert finding.learning_rate is not None
    assert finding.learning_rate > 1e-4
    assert finding.changes == ()

    table = parabola()
    wide = Network((1, 2, 1), "tanh", task="regression")
    large = Hyperparameters(learning_rate=0.5, epochs=2000, log_every=1)
    params = layers(([[2, -2]], [1, 1]), ([[3], [3]], [-4]))
    diagnosis = why_stuck(params, table, wide, hyperparameters=large)
    finding = next(each for each in diagnosis.findings if each.kind == "large_learning_rate")
    assert finding.learning_rate is not None
    assert finding.learning_rate < 0.5
    assert finding.numbers["learning_rate"] * finding.numbers["largest_curvature"] > 2


def test_losses_that_jump_show_a_learning_rate_that_is_too_large() -> None:
    losses = np.tile([0.5, 0.7], 20)
    diagnosis = why_stuck(TWO_ROWS_APART, XOR, GUIDE, losses=losses)
    finding = next(each for each in diagnosis.findings if each.kind == "large_learning_rate")
    assert finding.numbers["jumps"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("sizes", "activation"), [((2, 1), "relu"), ((2, 2, 2, 1), "tanh"), ((2, 3, 1), "sigmoid"), ((2, 2, 1), "gelu")]
)
def test_every_activation_and_depth_gets_an_answer(sizes: tuple[int, ...], activation: str) -> None:
    network = Network(sizes, activation)
    diagnosis = why_stuck(
        random_params(network, 1), truth_table("xnor"), network, hyperparameters=Hyperparameters(epochs=50)
    )
    assert diagnosis.reason
    assert str(diagnosis)
    data = json.loads(json.dumps(diagnosis.as_data(), allow_nan=False))
    assert [each["kind"] for each in data["findings"]] == [each.kind for each in diagnosis.findings]


def test_files_of_every_task_get_an_answer() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    tables = [
        parabola(40),
        table_from_arrays(x, (x[:, 0] > 0).astype(int), ("no", "yes"), weights=np.arange(1.0, 41)),
        table_from_arrays(x, np.arange(40) % 3, ("p", "q", "r")),
    ]
    for table in tables:
        outputs = max(1, len(table.classes) if table.task == "multiclass" else 1)
        network = Network((table.x.shape[1], 4, outputs), task=table.task)
        zero = [Layer(np.zeros((a, b)), np.zeros(b)) for a, b in ((network.sizes[0], 4), (4, outputs))]
        diagnosis = why_stuck(zero, table, network, hyperparameters=Hyperparameters(epochs=500, learning_rate=0.1))
        assert {"dead_units", "shared_output"} <= {finding.kind for finding in diagnosis.findings}
        assert diagnosis.reason == "dead_units"


def test_the_same_call_gives_the_same_answer_and_another_key_other_random_changes() -> None:
    first, second = (why_stuck(ONE_ROW_APART, XOR, GUIDE) for _ in range(2))
    assert first == second
    other = why_stuck(ONE_ROW_APART, XOR, GUIDE, key=jax.random.key(1))
    assert first.findings[0].trial is not None
    assert other.findings[0].trial is not None
    assert first.findings[0].trial.random_losses != other.findings[0].trial.random_losses
    assert first.findings[0].trial.loss == other.findings[0].trial.loss


@pytest.mark.parametrize(
    ("params", "network", "message"),
    [
        (SOLVED, Network((2, 2, 1), task="regression"), "the network's task must be the table's"),
        (SOLVED, Network((2, 3, 1)), "params must have the layers of"),
        (
            [Layer(np.zeros((2, 2, 5)), np.zeros((2, 5))), Layer(np.zeros((2, 1, 5)), np.zeros((1, 5)))],
            GUIDE,
            "params must be those of one network",
        ),
        (layers(([[np.nan, 0], [0, 0]], [0, 0]), ([[0], [0]], [0])), GUIDE, "params must be finite numbers"),
    ],
)
def test_what_does_not_fit_is_one_sentence(params: Params, network: Network, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        why_stuck(params, XOR, network)


@pytest.mark.parametrize("scale", [1e10, 1e19, 3e38])
@pytest.mark.parametrize("hidden", [(), (2,), (2, 2)])
def test_numbers_of_any_size_get_an_answer_that_json_can_hold(hidden: tuple[int, ...], scale: float) -> None:
    for table in (XOR, parabola(5)):
        network = Network((table.x.shape[1], *hidden, 1), task=table.task)
        params = [Layer(*(np.sign(leaf) * np.float32(scale) for leaf in each)) for each in random_params(network, 1)]
        diagnosis = why_stuck(params, table, network, hyperparameters=Hyperparameters(epochs=20))
        json.dumps(diagnosis.as_data(), allow_nan=False)
        assert not {"nan", "inf"} & set(str(diagnosis).replace(".", " ").replace(",", " ").split())


def test_one_epoch_is_one_epoch_and_a_loss_that_is_infinite_is_said_in_words() -> None:
    diagnosis = why_stuck(ONE_ROW_APART, XOR, GUIDE, hyperparameters=Hyperparameters(epochs=1))
    one_epoch = replace(diagnosis, solved=False, further_epochs=1)
    assert str(one_epoch) == "It is not stuck: 1 more epoch solves the table."
    trial = Trial(1, 0.5, math.inf, False, math.inf, False, (math.inf,), 0, False)
    finding = replace(diagnosis.findings[0], sentence="It is flat.", remedy="jump", trial=trial)
    assert str(finding) == (
        "It is flat.\nNot confirmed: jump (a change of length 0.5). After 1 more epoch, training diverges; without the "
        "change training diverges. Of 1 random changes of the same length, 0 solved it; all diverge."
    )
    assert replace(diagnosis, findings=(finding,)).as_data()["findings"][0]["trial"]["loss"] is None


def test_a_gelu_unit_that_is_off_is_not_said_to_have_no_gradient_at_all() -> None:
    params = layers(([[1, -1], [1, -1]], [0.5, -9]), ([[0], [1]], [0]))
    for activation, words in (("gelu", "has hardly any gradient"), ("relu", "has a gradient of 0")):
        diagnosis = why_stuck(params, XOR, Network((2, 2, 1), activation), hyperparameters=Hyperparameters(epochs=10))
        (dead,) = [finding for finding in diagnosis.findings if finding.kind == "dead_units"]
        assert words in dead.sentence


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_largest_derivative_of_every_activation_is_known(activation: str) -> None:
    slopes = ACTIVATION_DERIVATIVES[activation](jnp.linspace(-5, 5, 10_001))
    assert LARGEST_DERIVATIVES[activation] == pytest.approx(float(slopes.max()), rel=1e-3)


def test_every_kind_has_a_meaning_of_one_sentence() -> None:
    assert set(MEANINGS) == {*KINDS, UNKNOWN, STILL_LEARNING}
    assert all(text.count(".") == 1 and text.endswith(".") for text in MEANINGS.values())


def test_a_flat_place_is_told_without_directions_of_which_there_are_none() -> None:
    assert "Of 9 directions, 7 are level, and the others lead up." in str(
        why_stuck(ONE_ROW_APART, XOR, GUIDE).findings[-1]
    )
    network = Network((2, 1))
    bottom = layers(([[0], [0]], [0]))
    flat = next(each for each in why_stuck(bottom, XOR, network).findings if each.kind == "flat_minimum")
    assert flat.sentence.endswith("the only valley that a network without a hidden layer has: no place is lower.")

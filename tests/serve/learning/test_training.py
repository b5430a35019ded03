"""Training, in stretches and from many starts, and why a start is stuck."""

from typing import Any

import jax
import numpy as np
import pytest

from model import Network, Params, fit, init_params, loss, predict, train_params, truth_table, why_stuck
from model.hyperparameters import Hyperparameters
from model.pytrees import entry_names, flatten
from tests.examples import same_bits
from tests.serve.learning.examples import (
    NETWORK,
    TRAINING,
    XOR,
    Learner,
    drawn,
    examples,
    network_data,
    params_data,
    params_of,
    picture,
)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_stretches_are_one_call_bit_for_bit(learner: Learner, optimizer: str) -> None:
    training = {"optimizer": optimizer, "learning_rate": 0.03}
    network, table, named = examples()[1]
    body: dict[str, Any] = {"network": network_data(network), "table": named, "training": training}
    params = drawn(network)
    whole = learner.ask("train", params=params_data(params), opt_state=None, epochs=100, records=4, **body)
    assert [each["epoch"] for each in whole["losses"]] == [25, 50, 75, 100]
    answer: dict[str, Any] = {"params": params_data(params), "opt_state": None}
    losses = []
    for epochs in (25, 8, 17, 50):
        state = {name: answer[name] for name in ("params", "opt_state")}
        answer = learner.ask("train", epochs=epochs, **state, **body)
        losses.append(answer["loss"])
    assert answer["params"] == whole["params"]
    assert answer["opt_state"] == whole["opt_state"]
    assert [losses[0], losses[2], losses[3]] == [whole["losses"][index]["loss"] for index in (0, 1, 3)]
    found = train_params(params, network, table, epochs=100, optimizer=optimizer, learning_rate=0.03)
    assert same_bits(params_of(whole["params"]), found.params)
    assert np.float32(whole["loss"]) == found.losses[-1]
    expected = float(loss(found.params, table.x, table.y, network))
    assert whole["loss"] == pytest.approx(expected, rel=1e-5)


def test_training_is_that_of_fit(learner: Learner) -> None:
    key, table, network = jax.random.key(3), truth_table("xor"), Network((2, 2, 1))
    expected = fit(network, table, key=key, epochs=5000, restarts=1)
    params = learner.start(seed=3)
    answer = learner.ask("train", network=NETWORK, params=params, table=XOR, training=TRAINING, epochs=5000)
    for found, of_fit in zip(
        jax.tree.leaves(params_of(answer["params"])), jax.tree.leaves(expected.params), strict=True
    ):
        np.testing.assert_allclose(found, np.asarray(of_fit), rtol=1e-4, atol=1e-5)


def test_a_stretch_comes_with_the_surface_after_it(learner: Learner) -> None:
    grid = {"columns": [0, 1], "low": [0, 0], "high": [1, 1], "size": 3, "others": None}
    answer = learner.ask(
        "train", network=NETWORK, params=learner.start(), table=XOR, training=TRAINING, epochs=10, grid=grid
    )
    after = learner.ask("surface", network=NETWORK, params=answer["params"], grid=grid)
    assert answer["surface"] == after
    corners = picture(after["outputs"][0], 3, 3)[[0, 2, 0, 2], [0, 0, 2, 2]]  # ys, then xs
    expected = predict(params_of(answer["params"]), truth_table("xor").x, Network((2, 2, 1)))
    assert corners == pytest.approx(np.asarray(expected), rel=1e-5)


def test_losses_are_recorded_evenly_as_far_as_it_goes(learner: Learner) -> None:
    for epochs, records, expected in ((10, 3, [4, 8, 10]), (2, 5, [1, 2]), (7, 1, [7]), (1000, 1000, range(1, 1001))):
        answer = learner.ask(
            "train", network=NETWORK, params=learner.start(), table=XOR, epochs=epochs, records=records
        )
        assert [each["epoch"] for each in answer["losses"]] == list(expected)
        assert answer["losses"][-1]["loss"] == answer["loss"]


def test_training_that_diverges_says_so(learner: Learner) -> None:
    network, _, named = examples()[3]
    answer = learner.ask(
        "train",
        network=network_data(network),
        params=params_data(drawn(network)),
        table=named,
        training={"optimizer": "sgd", "learning_rate": 1000},
        epochs=1000,
    )
    assert answer["diverged"] is True
    assert answer["loss"] is None
    calm = learner.ask("train", network=NETWORK, params=learner.start(), table=XOR, epochs=5)
    assert calm["diverged"] is False


@pytest.mark.parametrize(("optimizer", "init"), [("sgd", "normal"), ("adam", "he")])
def test_many_starts_are_each_what_one_start_leads_to(learner: Learner, optimizer: str, init: str) -> None:
    training = {"optimizer": optimizer, "learning_rate": 0.02}
    answer = learner.ask(
        "starts", network=NETWORK, table=XOR, training=training, seed=2, init=init, starts=8, epochs=3000, size=6
    )
    assert [each["index"] for each in answer["starts"]] == list(range(8))
    table, network = truth_table("xor"), Network((2, 2, 1))
    solved = []
    for index, each in enumerate(answer["starts"]):
        start: Params = init_params(network, key=jax.random.fold_in(jax.random.key(2), index), init=init)
        expected = train_params(start, network, table, epochs=3000, optimizer=optimizer, learning_rate=0.02)
        assert same_bits(params_of(each["params"]), expected.params)
        assert np.float32(each["loss"]) == expected.losses[-1]
        labels = np.asarray(predict(expected.params, table.x, network)) >= 0.5
        assert each["solved"] is bool((labels == table.y).all())
        solved.append(each["solved"])
        x = np.stack(np.meshgrid(np.linspace(-0.1, 1.1, 6), np.linspace(-0.1, 1.1, 6)), axis=-1).reshape(-1, 2)
        seen = predict(expected.params, x.astype(np.float32), network)
        np.testing.assert_allclose(picture(each["surface"], 36), seen, rtol=1e-4, atol=1e-6)
    assert any(solved) or optimizer == "sgd"


def test_why_a_start_is_stuck(learner: Learner) -> None:
    network, table = Network((2, 2, 1)), truth_table("xor")
    params = params_of([{"weight": [[1, -1], [1, -1]], "bias": [-0.5, -0.5]}, {"weight": [[0.1], [1]], "bias": [0]}])
    answer = learner.ask(
        "why-stuck", network=NETWORK, params=params_data(params), table=XOR, training=TRAINING, epochs=20_000
    )
    expected = why_stuck(params, table, network, hyperparameters=Hyperparameters(epochs=20_000, restarts=1))
    assert answer["text"] == str(expected)
    data = expected.as_data()
    assert {name: answer[name] for name in ("solved", "loss", "reason", "further_epochs")} == {
        name: data[name] for name in ("solved", "loss", "reason", "further_epochs")
    }
    assert answer["reason"] == "dead_units"
    assert len(answer["findings"]) == len(expected.findings) > 0
    for found, finding in zip(answer["findings"], expected.findings, strict=True):
        assert (found["kind"], found["sentence"]) == (finding.kind, finding.sentence)
        if not finding.changes:
            assert found["params"] is None
            continue
        after = dict(zip(entry_names(params), flatten(jax.tree.leaves(params)).tolist(), strict=True))
        after |= {change.name: change.after for change in finding.changes}
        changed = flatten(jax.tree.leaves(params_of(found["params"])))
        assert changed.tolist() == [np.float32(value) for value in after.values()]


def test_no_learning_rate_needs_another_program_to_say_why_a_start_is_stuck(learner: Learner) -> None:
    compiled = []
    body = {"network": NETWORK, "params": learner.start(index=1), "table": XOR, "epochs": 7}
    learner.ask("why-stuck", **body, training=TRAINING)

    def note(event: str, _: float, **__: Any) -> None:
        compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        learner.ask("why-stuck", **body, training=TRAINING | {"learning_rate": 0.0123})
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    assert not [event for event in compiled if "backend_compile" in event]


def test_two_learners_do_not_touch_each_other(learner: Learner) -> None:
    """Each call gives the same answer alone, and between the calls of another."""
    calls: list[dict[str, Any]] = [
        {"network": NETWORK, "params": learner.start(seed=seed), "table": {"name": name}, "epochs": 500}
        for seed, name in ((0, "xor"), (1, "and"))
    ]
    alone = [learner.ask("train", **call) for call in calls]
    for _ in range(2):
        assert [learner.ask("train", **call) for call in calls] == alone

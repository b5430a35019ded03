"""The numbers of every endpoint, computed anew by the public functions, or by hand in NumPy."""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, ndtr, softmax

from model import (
    Layer,
    Network,
    Params,
    Table,
    chain_rule,
    init_params,
    jvp,
    loss,
    nudge,
    point_set,
    predict,
    trace,
    truth_table,
)
from model.explaining.surface import Grid, surface
from tests.examples import same_bits
from tests.serve.learning.examples import (
    CSV,
    NETWORK,
    TRAINING,
    XOR,
    Learner,
    drawn,
    examples,
    given,
    network_data,
    params_data,
    params_of,
    picture,
)

EXAMPLES = pytest.mark.parametrize(
    ("network", "table", "named"), examples(), ids=["xor", "moons", "classes", "numbers", "line"]
)
ACTIVATE: dict[str, Any] = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": expit,
    "gelu": lambda z: z * ndtr(z),
}


def by_hand(params: Params, x: np.ndarray, network: Network) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Preactivations, activations and predictions in float64."""
    a, zs, activations = x.astype(np.float64), [], []
    for layer in params:
        zs.append(a @ layer.weight.astype(np.float64) + layer.bias.astype(np.float64))
        a = ACTIVATE[network.activation](zs[-1])
        activations.append(a)
    z = zs[-1][:, 0] if network.sizes[-1] == 1 else zs[-1]
    predict_by_task: dict[str, Any] = {
        "binary": expit,
        "multiclass": lambda z: softmax(z, axis=1),
        "regression": lambda z: z,
    }
    return zs, activations[:-1], predict_by_task[network.task](z)


def losses_by_hand(predictions: np.ndarray, table: Table) -> np.ndarray:
    if table.task == "regression":
        return (predictions - table.y) ** 2
    chosen = (
        predictions[np.arange(len(table.y)), table.y.astype(int)]
        if table.task == "multiclass"
        else np.where(table.y > 0.5, predictions, 1 - predictions)
    )
    losses: np.ndarray = -np.log(chosen)
    return losses


def question(network: Network, params: Params, named: Any, **rest: Any) -> dict[str, Any]:
    return {"network": network_data(network), "params": params_data(params), "table": named, **rest}


@EXAMPLES
def test_a_pass_forward_is_that_of_numpy(learner: Learner, network: Network, table: Table, named: Any) -> None:
    params = drawn(network)
    answer = learner.ask("forward", **question(network, params, named))
    zs, activations, predictions = by_hand(params, table.x, network)
    for found, expected in zip(answer["preactivations"], zs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    for found, expected in zip(answer["activations"], activations, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(answer["predictions"], predictions, rtol=1e-12)
    losses = losses_by_hand(predictions, table)
    np.testing.assert_allclose(answer["losses"], losses, rtol=1e-10)
    assert answer["loss"] == pytest.approx(losses.mean(), rel=1e-12)
    assert answer["loss"] == pytest.approx(float(loss(params, table.x, table.y, network)), rel=1e-5)
    if table.task == "regression":
        assert answer["labels"] == answer["predictions"]
        assert answer["right"] is None
        return
    indices = predictions.argmax(axis=1) if table.task == "multiclass" else (predictions >= 0.5).astype(int)
    assert answer["labels"] == [table.classes[index] for index in indices]
    assert answer["right"] == int((indices == table.y).sum())
    assert answer["solved"] is bool((indices == table.y).all())


def test_a_solved_table_is_called_solved(learner: Learner) -> None:
    ones = np.ones((2, 2), np.float32)
    params = [Layer(ones * 4, np.array([-2, -6], np.float32)), Layer(np.array([[9.0], [-30.0]]), np.array([-5.0]))]
    answer = learner.ask("forward", **question(Network((2, 2, 1)), params, XOR))
    assert (answer["right"], answer["solved"]) == (4, True)


@jax.jit
def four_gradients(params: Params, x: Any, y: Any, network: Network) -> Any:
    arguments = (params, x, y, network)
    functions = {"nudge": nudge, "jvp": jvp}
    grads: Any = {name: function(loss, *arguments) for name, function in functions.items()}
    grads |= {"chain_rule": chain_rule(*arguments), "grad": jax.grad(loss)(*arguments)}
    return loss(*arguments), grads


def in_float64(params: Params) -> Params:
    wide: Params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    return wide


@EXAMPLES
def test_each_gradient_is_that_of_its_function_in_float64(
    learner: Learner, network: Network, table: Table, named: Any
) -> None:
    params = drawn(network)
    answer = learner.ask("gradients", **question(network, params, named))
    assert answer["parameter"] is None
    with jax.enable_x64(True):
        value, expected = four_gradients(in_float64(params), table.x, table.y, network)
    assert answer["loss"] == pytest.approx(float(value), rel=1e-12)
    for name, grads in expected.items():
        found = params_of(answer["grads"][name], np.float64)
        tolerance = 1e-8 if name == "nudge" else 1e-11
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(grads), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@EXAMPLES
def test_a_nudge_is_the_difference_of_its_two_losses(
    learner: Learner, network: Network, table: Table, named: Any
) -> None:
    params, name = drawn(network), "0.bias[0]"
    answer = learner.ask("gradients", **question(network, params, named, parameter=name, epsilon=1e-3))
    found, grads = answer["parameter"], params_of(answer["grads"]["grad"], np.float64)
    assert (found["name"], found["epsilon"], found["value"]) == (name, 1e-3, float(params[0].bias[0]))
    losses = []
    for step in (1e-3, -1e-3):
        moved: Params = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
        moved[0].bias[0] += step
        losses.append(float(losses_by_hand(by_hand(moved, table.x, network)[2], table).mean()))
    assert [found["loss_above"], found["loss_below"]] == pytest.approx(losses, rel=1e-12)
    assert found["nudge"] == (found["loss_above"] - found["loss_below"]) / 2e-3
    assert found["grad"] == pytest.approx(grads[0].bias[0], rel=1e-12)
    assert found["error"] == found["nudge"] - found["grad"]
    assert [found["jvp"], found["chain_rule"]] == pytest.approx([found["grad"]] * 2, rel=1e-10)
    epsilons = [point["epsilon"] for point in found["curve"]]
    assert epsilons == pytest.approx(np.logspace(-1, -12, 45), rel=1e-12)
    assert all(point["error"] == point["nudge"] - found["grad"] for point in found["curve"])
    errors = np.abs([point["error"] for point in found["curve"]])
    assert errors[-1] > 1e-7 > errors.min()


@EXAMPLES
def test_a_trace_is_that_of_the_public_function(learner: Learner, network: Network, table: Table, named: Any) -> None:
    params, row = drawn(network), len(table.y) - 1
    training = {"optimizer": "sgd", "learning_rate": 0.25}
    answer = learner.ask("trace", **question(network, params, named, row=row, training=training))
    with jax.enable_x64(True):
        rows = jnp.asarray(table.x[row:], jnp.float64), jnp.asarray(table.y[row:], jnp.float64)
        traced = jax.device_get(jax.jit(trace)(in_float64(params), *rows, network, 0.25))
    assert (answer["row"], answer["target"]) == (row, float(table.y[row]))
    assert answer["loss"] == pytest.approx(float(traced.loss), rel=1e-12)
    assert answer["loss_after"] == pytest.approx(float(traced.loss_after), rel=1e-12)
    assert np.ravel(answer["prediction"]) == pytest.approx(np.ravel(traced.predictions[0]), rel=1e-12)
    steps = answer["steps"]
    for kind, arrays in {
        "preactivation": [z[0] for z in traced.preactivations],
        "delta": [delta[0] for delta in traced.deltas[::-1]],
    }.items():
        found = [step["result"] for step in steps if step["kind"] == kind]
        np.testing.assert_allclose(found, np.concatenate(arrays), rtol=1e-10, atol=1e-14)
    updates = {step["name"]: step["result"] for step in steps if step["kind"] == "update"}
    assert len(updates) == sum(a * b + b for a, b in pairwise(network.sizes))
    assert all(set(step) >= {"formula", "numbers", "text", "sentence", "layer", "unit", "input"} for step in steps)


@EXAMPLES
def test_a_surface_is_what_predict_gives(learner: Learner, network: Network, table: Table, named: Any) -> None:
    params, inputs = drawn(network), network.sizes[0]
    columns = (inputs - 1, 0)
    grid = {"columns": columns, "low": [-1, 0.5], "high": [2, 1], "size": 5, "others": [0.25] * inputs}
    answer = learner.ask("surface", network=network_data(network), params=params_data(params), grid=grid)
    xs, ys = np.linspace(-1, 2, 5), np.linspace(0.5, 1, 5)
    assert answer["xs"] + answer["ys"] == pytest.approx([*xs, *ys])
    x = np.full((25, inputs), 0.25)
    x[:, columns[1]], x[:, columns[0]] = np.repeat(ys, 5), np.tile(xs, 5)
    if inputs == 1:
        x[:, 0] = np.tile(xs, 5)
    _, activations, _ = by_hand(params, x, network)
    predictions = np.asarray(predict(params, x, network)).reshape(5, 5, -1)
    for index, output in enumerate(answer["outputs"]):
        np.testing.assert_allclose(picture(output, 5, 5), predictions[..., index], rtol=2e-5, atol=1e-6)
    for layer, expected in zip(answer["units"], activations, strict=True):
        for index, unit in enumerate(layer):
            np.testing.assert_allclose(picture(unit, 25), expected[:, index], rtol=2e-5, atol=1e-6)
    found = surface(params, network, Grid(columns, (-1, 0.5), (2, 1), 5, (0.25,) * inputs))
    assert np.array_equal(picture(answer["outputs"][0], 5, 5), found.outputs[0])


@pytest.mark.parametrize("init", ["normal", "he"])
def test_a_start_is_that_of_init_params(learner: Learner, init: str) -> None:
    network = Network((2, 3, 1))
    found = params_of(learner.start(network_data(network), seed=7, index=5, init=init))
    expected = init_params(network, key=jax.random.fold_in(jax.random.key(7), 5), init=init)
    assert same_bits(found, jax.device_get(expected))


def test_a_table_comes_by_its_name_and_as_it_is(learner: Learner) -> None:
    for named, table in (
        (XOR, truth_table("xor")),
        (
            {"name": "spirals", "rows": 50, "noise": 0.02, "seed": 9},
            point_set("spirals", 50, 0.02, key=jax.random.key(9)),
        ),
    ):
        answer = learner.ask("table", table=named)
        assert np.array_equal(np.array(answer["x"], np.float32), table.x)
        assert np.array_equal(answer["y"], table.y)
        assert answer["columns"] == list(table.columns)
        assert answer["lows"] == table.x.min(axis=0).tolist()
        assert answer["highs"] == table.x.max(axis=0).tolist()
        again = learner.ask("table", table=given(table))
        assert again == answer
    plain = learner.ask("table", table={"x": [[1, 2], [3, 4]], "y": [0, 1]})
    assert (plain["columns"], plain["target"], plain["classes"], plain["task"]) == (["x1", "x2"], "y", [0, 1], "binary")


def test_presets_can_all_be_asked_for(learner: Learner) -> None:
    presets = learner.client.get("/learn/presets").json or {}
    for each in presets["tables"]:
        answer = learner.ask("table", table={"name": each["name"]})
        assert (answer["columns"], answer["target"]) == (each["columns"], each["target"])
    defaults = presets["defaults"]
    assert defaults["network"] == NETWORK
    assert defaults["training"] == TRAINING
    for activation in presets["activations"]:
        for init in presets["inits"]:
            learner.start(NETWORK | {"activation": activation}, init=init)
    learner.start(defaults["network"], **defaults["start"])


def test_a_csv_is_encoded_as_a_file_is(learner: Learner, tmp_path: Any) -> None:
    from model import read_table

    (tmp_path / "table.csv").write_text(CSV)
    for target in (None, "sold", "size"):
        expected = read_table(tmp_path / "table.csv", target or "sold")
        reply = learner.client.post("/learn/csv" + (f"?target={target}" if target else ""), data=CSV)
        assert reply.status_code == 200, reply.json
        answer = reply.json or {}
        assert np.array_equal(np.array(answer["x"], np.float32), expected.x)
        assert np.array_equal(np.array(answer["y"], np.float32), expected.y)
        assert answer["targets"] == ["size", "colour", "sold"]
        assert answer["task"] == expected.task
        assert len(answer["columns"]) == expected.x.shape[1]
    first = (learner.client.post("/learn/csv", data=CSV).json) or {}
    assert first["columns"] == ["size", "colour = blue", "colour = red"]
    assert first["numeric"] == [0]
    table = {name: first[name] for name in ("x", "y", "columns", "target", "classes", "task", "encoding")}
    network = NETWORK | {"sizes": [3, 2, 1]}
    assert len(learner.ask("forward", network=network, params=learner.start(network), table=table)["labels"]) == 6

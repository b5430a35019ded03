"""The steps of a trace for a learner: the numbers are the trace's, and each sentence is true of them."""

import re
from itertools import pairwise

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from scipy.special import logsumexp

from model import Layer, Network, Params, Trace, init_params, truth_table
from model.activations import ACTIVATIONS
from model.explaining.equations import Equations
from model.explaining.names import Names
from model.explaining.steps import Step, Steps, explain_rows
from model.pytrees import entry_names
from tests.explaining.drawn_mathml import read_mathml
from tests.explaining.networks import Example
from tests.explaining.printed_arithmetic import read_arithmetic

pytestmark = pytest.mark.core

XOR, GUIDE = truth_table("xor"), Network((2, 2, 1))
NAMES = Names(("a", "b"), "xor", ("0", "1"))


def layers(*pairs: tuple[list[list[float]], list[float]]) -> Params:
    return [Layer(jnp.array(weight), jnp.array(bias)) for weight, bias in pairs]


# On row 2 (a = 1, b = 0), hidden unit 1 is on and hidden unit 2 is off.
ONE_OFF = layers(([[1.0, -1.0], [1.0, 1.0]], [0.5, 0.25]), ([[0.8], [-0.6]], [-0.3]))


def sentences_of(
    params: Params, rows: list[int], network: Network = GUIDE, names: Names = NAMES
) -> dict[tuple[str, str], str]:
    explained = explain_rows(params, XOR.x[rows], XOR.y[rows], network, names=names)
    return {(step.kind, step.name): step.sentence for step in explained.steps}


def test_the_numbers_are_those_of_the_trace_in_the_order_of_computation(
    traces: list[Trace], explained: list[Steps]
) -> None:
    for steps, traced in zip(explained, traces, strict=True):
        expected = list(Equations(traced))
        assert [(step.name, step.kind, step.result) for step in steps.steps] == [
            (equation.of, equation.kind, equation.result) for equation in expected
        ]
        places = [(step.row, step.layer, step.unit, step.input) for step in steps.steps]
        assert places == [(each.row, each.layer, each.unit, each.input) for each in expected]
        assert (steps.loss, steps.loss_after) == (float(traced.loss), float(traced.loss_after))
        assert np.array_equal(np.ravel(steps.predictions), np.ravel(traced.predictions))


def test_what_is_written_is_what_is_drawn_and_its_arithmetic_gives_its_result(explained: list[Steps]) -> None:
    for step in (step for steps in explained for step in steps.steps):
        assert read_mathml(step.numbers) == "".join(step.text.split())
        assert read_mathml(step.formula).startswith("".join(step.text.split("=")[0].split()) + "=")
        _, *parts, result = step.text.split(" = ")
        found, expected = read_arithmetic((parts or [result])[0]), read_arithmetic(result)
        slack = 1e-5 * max(1.0, abs(found.low), abs(found.high))
        assert found.low - slack <= expected.high, step.text
        assert expected.low <= found.high + slack, step.text
        assert step.result is not None
        assert expected.low - slack <= step.result <= expected.high + slack


def loss_by_hand(flat: np.ndarray, example: Example) -> float:
    """The loss in float64, from all parameters in one vector."""
    y, network, a, start = example.y, example.network, example.x.astype(np.float64), 0
    for index, (inputs, units) in enumerate(pairwise(network.sizes)):
        end = start + inputs * units
        z = a @ flat[start:end].reshape(inputs, units) + flat[end : end + units]
        a, start = (ACTIVATIONS[network.activation](z) if index < len(network.sizes) - 2 else z), end + units
    targets = np.eye(network.sizes[-1])[y.astype(int)] if network.task == "multiclass" else y.reshape(a.shape)
    if network.task == "regression":
        return float(np.mean((a - targets) ** 2))
    if network.task == "binary":
        return float(np.mean(np.logaddexp(0, a) - targets * a))
    return float(np.mean(logsumexp(a, axis=1) - (targets * a).sum(axis=1)))


def test_the_loss_falls_if_a_parameter_goes_where_the_sentence_says(
    examples: list[Example], explained: list[Steps]
) -> None:
    checked = 0
    for example, steps in zip(examples, explained, strict=True):
        flat = np.concatenate([np.ravel(leaf) for layer in example.params for leaf in layer]).astype(np.float64)
        before, names = loss_by_hand(flat, example), entry_names(example.params)
        for step in steps.steps:
            if step.kind != "gradient" or step.result is None or abs(step.result) < 1e-3:
                continue
            (way,) = re.findall(r"so it should go (up|down)\.$", step.sentence)
            moved = flat.copy()
            moved[names.index(step.name)] += (1 if way == "up" else -1) * 1e-6 / max(1.0, abs(step.result))
            assert loss_by_hand(moved, example) < before, step
            checked += 1
    assert checked > 200


def test_a_sum_should_go_where_its_bias_should_go(explained: list[Steps]) -> None:
    """With one row, the derivatives by z and by the bias are the same number."""
    checked = 0
    for steps in explained:
        if len(steps.predictions) > 1:
            continue
        ways: dict[tuple[int | None, int | None], set[str]] = {}
        for step in steps.steps:
            if step.kind == "delta" or (step.kind == "gradient" and step.input is None):
                found = re.findall(r"should go (\w+)\.$", step.sentence)
                ways.setdefault((step.layer, step.unit), set()).update(found)
        assert all(len(each) <= 1 for each in ways.values()), ways
        checked += sum(map(len, ways.values()))
    assert checked > 30


def test_every_sentence_is_plain_and_ends_once(explained: list[Steps]) -> None:
    kinds = set()
    for steps in explained:
        for step in steps.steps:
            kinds.add(step.kind)
            assert re.fullmatch(r"\S[^\n]* [^\n]*[^.]\.", step.sentence), step.sentence
            assert not re.search(r"None|nan|  |\be-|\[", step.sentence), step.sentence
            assert len(step.sentence) <= 200, step.sentence
    assert kinds == {"preactivation", "activation", "prediction", "row loss", "loss", "delta", "gradient", "update"}


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        (
            "preactivation",
            "z1",
            "Hidden unit 1 adds its inputs times its weights, and its bias; the largest part comes from a.",
        ),
        ("activation", "h1", "z1 is above 0, so ReLU hands it on as it is: hidden unit 1 is on for this row."),
        (
            "activation",
            "h2",
            "z2 is below 0, so ReLU answers 0: hidden unit 2 is off for this row.",
        ),
        (
            "prediction",
            "p",
            "The sigmoid turns z3 into a probability: 0.7109 that xor is 1; in truth xor is 1, so the network is "
            "right.",
        ),
        (
            "loss",
            "loss",
            "The loss is 0 if the network is sure of what is right, and large if it is sure of something else; a guess "
            "among 2 answers costs 0.6931, and this row costs less.",
        ),
        (
            "delta",
            "δ3",
            "δ3 says how fast the loss grows with z3: the prediction 0.7109 is below the target 1, so z3 should go up.",
        ),
        ("delta", "δ1", "δ1 is the error that comes back to hidden unit 1 through the weight 0.8: z1 should go up."),
        ("delta", "δ2", "Hidden unit 2 is off for this row: a nudge of z2 changes nothing."),
        (
            "gradient",
            "0.weight[0,0]",
            "If the weight from a to hidden unit 1 grows by a little, the loss falls 0.2312 times as much, so it "
            "should go up.",
        ),
        (
            "gradient",
            "0.weight[0,1]",
            "The weight from a to hidden unit 2 gets no gradient, because hidden unit 2 is off for this row.",
        ),
        (
            "gradient",
            "0.weight[1,0]",
            "The weight from b to hidden unit 1 gets no gradient, because b is 0 in this row.",
        ),
        (
            "gradient",
            "0.bias[1]",
            "The bias of hidden unit 2 gets no gradient, because hidden unit 2 is off for this row.",
        ),
        (
            "gradient",
            "1.weight[1,0]",
            "The weight from hidden unit 2 to the output gets no gradient, because hidden unit 2 is off for this row.",
        ),
        (
            "update",
            "0.weight[0,0]",
            "The weight from a to hidden unit 1 goes up from 1 to 1.0023, because the loss falls as it grows.",
        ),
        ("update", "0.bias[1]", "The bias of hidden unit 2 stays as it is, because its gradient is 0."),
    ],
)
def test_a_row_of_the_guides_network_in_words(kind: str, name: str, sentence: str) -> None:
    assert sentences_of(ONE_OFF, [2])[kind, name] == sentence


def test_a_row_of_zeros_leaves_only_the_bias() -> None:
    found = sentences_of(ONE_OFF, [0])
    assert found["preactivation", "z1"] == (
        "All its inputs are 0 for this row, so of the sum of hidden unit 1 only the bias is left."
    )


def test_several_rows_share_one_mean_and_their_gradients_are_summed() -> None:
    found = sentences_of(layers(([[1.0, -1.0], [1.0, -1.0]], [0.5, -0.5]), ([[0.0], [1.0]], [0.0])), [0, 1, 2, 3])
    assert found["loss", "loss"] == (
        "The loss is the mean of the losses of the 4 rows: this is the one number that training makes smaller."
    )
    assert found["gradient", "0.weight[0,1]"].endswith("because hidden unit 2 is off for every row.")
    assert found["gradient", "0.bias[0]"].endswith("because δ1 is 0 for every row.")
    assert found["gradient", "1.bias[0]"].endswith(
        "because what some rows want is just the opposite of what the others want."
    )
    assert (
        found["delta", "δ1"] == "δ1 is 0, because its weights to the next layer are 0: a nudge of z1 changes nothing."
    )


@pytest.mark.parametrize(
    ("activation", "z", "sentence"),
    [
        ("relu", 0.0, "z1 is exactly 0, so ReLU answers 0: hidden unit 1 is off for this row."),
        (
            "tanh",
            0.5,
            "tanh squeezes z1 to a number between −1 and 1.",
        ),
        (
            "tanh",
            9.0,
            "tanh squeezes z1, which is so far from 0 that a nudge of it hardly changes the answer.",
        ),
        (
            "sigmoid",
            -9.0,
            "The sigmoid squeezes z1, which is so far from 0 that a nudge of it hardly changes the answer.",
        ),
        ("gelu", 1.0, "GELU hands on 84.13 % of z1: nearly all of a large number, hardly any of one far below 0."),
        ("gelu", 0.0, "z1 is exactly 0, so GELU answers 0."),
    ],
)
def test_every_activation_says_what_it_does(activation: str, z: float, sentence: str) -> None:
    params = layers(([[0.0], [0.0]], [z]), ([[1.0]], [0.0]))
    assert sentences_of(params, [1], Network((2, 1, 1), activation))["activation", "h1"] == sentence


def test_a_saturated_unit_lets_hardly_any_error_through() -> None:
    params, network = layers(([[0.0], [0.0]], [4.0]), ([[1.0]], [0.0])), Network((2, 1, 1), "tanh")
    assert sentences_of(params, [1], network)["delta", "δ1"] == (
        "δ1 is the error that comes back to hidden unit 1 through the weight 1, of which the small slope lets hardly "
        "any through: z1 should go up."
    )
    params[0] = Layer(params[0].weight, jnp.array([40.0]))
    found = sentences_of(params, [1], network)
    assert found["delta", "δ1"] == "Hidden unit 1 is saturated for this row: a nudge of z1 changes nothing."
    assert found["gradient", "0.bias[0]"].endswith("because hidden unit 1 is saturated for this row.")


def test_every_task_says_what_is_predicted_and_what_is_true() -> None:
    flat = layers(([[0.0, 0.0, 0.0]], [0.0, 1.0, 0.0]))
    names = Names(("size",), "kind", ("cat", "<dog>", "fish"))
    network = Network((1, 3), task="multiclass")
    steps = explain_rows(flat, np.array([[1.0]]), np.array([1]), network, names=names).steps
    found = {step.name: step.sentence for step in steps if step.kind != "gradient"}
    assert found["p2"] == (
        "The softmax makes probabilities of all outputs: class <dog> gets 0.5761, and it is the right class."
    )
    assert "it is not the right class" in found["p1"]
    assert "a guess among 3 answers costs 1.099, and this row costs less" in found["loss"]
    assert found["δ2"].endswith("class <dog> is right and gets 0.5761, so z2 should go up.")
    assert "the output of class <dog>" in found["0.bias[1]"]

    steps = explain_rows(
        layers(([[2.0]], [0.5])), np.array([[1.0]]), np.array([3.0]), Network((1, 1), task="regression"), names=names
    ).steps
    found = {step.name: step.sentence for step in steps}
    assert found["ŷ"] == "The output is the prediction: the network says that kind is 2.5, and in truth it is 3."
    assert found["loss"] == "The prediction misses the target by 0.5, and the loss is the square of that."

    two = layers(([[0.0, 0.0]], [0.0, 0.0]))
    steps = explain_rows(two, np.array([[1.0]]), np.array([[0.25, 1.0]]), Network((1, 2)), names=Names(("a",))).steps
    found = {step.name: step.sentence for step in steps}
    assert found["p1"] == "The sigmoid turns z1 into a probability: 0.5 that y 1 is 1, and the target is 0.25."
    assert "counts both answers" in found["loss1"]
    assert "the losses of the 2 outputs" in found["loss"]


def test_a_prediction_that_is_the_target_stays() -> None:
    found = sentences_of(layers(([[0.0], [0.0]], [200.0])), [1], Network((2, 1)))
    assert found["delta", "δ1"].endswith("the prediction equals the target, so z1 should stay as it is.")


def test_a_step_that_changes_nothing_says_why() -> None:
    for rate, why in ((0.0, "the learning rate is 0"), (1e-12, "the step is too small to change its last digit")):
        steps = explain_rows(ONE_OFF, XOR.x[1:2], XOR.y[1:2], GUIDE, rate, names=NAMES).steps
        (bias,) = [step for step in steps if (step.kind, step.name) == ("update", "1.bias[0]")]
        assert bias.sentence == f"The bias of the output stays as it is, because {why}."


def test_numbers_that_are_not_finite_are_none_and_say_so() -> None:
    params = layers(([[3e38, jnp.nan], [3e38, 0.0]], [3e38, 0.0]), ([[1.0], [1.0]], [0.0]))
    explained = explain_rows(params, XOR.x[3:], XOR.y[3:], GUIDE, names=NAMES)
    found = {(step.kind, step.name): step for step in explained.steps}
    assert found["preactivation", "z1"].result is None
    assert found["preactivation", "z1"].sentence == (
        "z1 is larger than a computer's numbers go, so nothing that is computed with it makes sense."
    )
    assert found["preactivation", "z2"].sentence.startswith("z2 is not a number, so")
    assert found["activation", "h2"].sentence == (
        "h2 is computed with something that is not a number, so it makes no sense."
    )
    assert explained.loss is None
    assert "NaN" in found["preactivation", "z2"].text
    assert msgspec.json.decode(msgspec.json.encode(explained), type=Steps) == explained


def test_the_payload_is_json_and_odd_names_are_not_symbols() -> None:
    names = Names(("size (cm)", "z1"), 'the "target"\n', ("no", "yes"))
    explained = explain_rows(ONE_OFF, XOR.x[2:3], XOR.y[2:3], GUIDE, names=names)
    assert explained.symbols == ("x1", "x2")
    assert explained.steps[0].text.startswith("z1 = 1·1 + 0·1 + 0.5 = 1.5")
    assert "from size (cm)." in explained.steps[0].sentence
    assert all("\n" not in step.sentence for step in explained.steps)
    assert msgspec.json.decode(msgspec.json.encode(explained.steps), type=list[Step]) == explained.steps


def test_a_random_start_is_explained_without_names() -> None:
    network = Network((3, 2, 2, 1), "sigmoid", "regression")
    params = init_params(network, key=jax.random.key(0))
    explained = explain_rows(params, np.ones((1, 3), np.float32), np.zeros(1, np.float32), network)
    assert explained.symbols == ("x1", "x2", "x3")
    assert "from x3 to hidden unit 1 " in " ".join(step.sentence for step in explained.steps)


def test_with_names_a_parameter_is_called_by_what_it_connects() -> None:
    named = explain_rows(ONE_OFF, XOR.x[2:3], XOR.y[2:3], GUIDE, names=NAMES)
    drawn = {step.symbol: read_mathml(step.formula) for step in named.steps}
    assert drawn["z1"] == "z1=a·w[a→h1]+b·w[b→h1]+b[h1]"
    assert drawn["z3"] == "z3=h1·w[h1→p]+h2·w[h2→p]+b[p]"
    assert drawn["new b[h2]"] == "newb[h2]=b[h2]−learningrate·gradientofb[h2]"
    assert drawn["gradient of w[b→h2]"] == "gradientofw[b→h2]=δ2·b"
    for step in named.steps:
        assert read_mathml(step.numbers) == "".join(step.text.split())
        assert step.text.startswith(f"{step.symbol} = ")
        assert "weight[" not in step.formula + step.numbers + step.text + step.sentence
    updates = [step.name for step in named.steps if step.kind == "update"]
    assert updates == [
        "0.weight[0,0]", "0.weight[0,1]", "0.weight[1,0]", "0.weight[1,1]", "0.bias[0]", "0.bias[1]",
        "1.weight[0,0]", "1.weight[1,0]", "1.bias[0]",
    ]  # fmt: skip


def test_a_small_number_in_a_sum_has_four_digits_as_elsewhere() -> None:
    params = layers(([[1.0, -1.0], [1.0, 1.0]], [0.5, 0.25]), ([[3.1234567], [-0.6]], [-0.076343]))
    texts = {step.name: step.text for step in explain_rows(params, XOR.x[2:3], XOR.y[2:3], GUIDE, names=NAMES).steps}
    assert "− 0.07634 = " in texts["z3"]
    assert "−0.07634" in texts["1.bias[0]"]

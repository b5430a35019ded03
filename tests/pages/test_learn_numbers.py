"""Every number on the page is what the Python functions give, rounded correctly, and each endpoint's way is tested."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import Network, Params, Table, init_params, loss, point_set, predict, trace, train_params, truth_table
from model.explaining.equations import Equations
from model.explaining.surface import Grid, surface
from model.tables.point_sets import POINT_SETS
from model.tables.truth_tables import TRUTH_TABLES
from tests.examples import same_bits
from tests.extent import extent
from tests.pages.conftest import OpenPage
from tests.pages.learner import Learner, Shown, exact_gradient, params_from, rounded

# How many significant digits the page shows of a number whose name begins like this. The first that fits counts.
DIGITS = {
    "gradient ": 9, "nudge": 9, "loss above": 17, "loss below": 17, "error": 3, "epsilon": 3,
    "value of ": 4, "slope of ": 4, "step result": 6, "all rows ": 6, "trace loss": 6, "loss after": 6, "step ": 3,
    "activation[": 3, "prediction[": 3, "x[": 3, "row x[": 3, "surface[": 3,
    "table ": 4, "loss": 4, "pointer value": 4, "pointer ": 3, "probe ": 3,
}  # fmt: skip
COUNTS = re.compile(r"epoch|right|rows right|step|confusion\[.*")
PARAMETER = re.compile(r"\d+\.(weight|bias)\[.*\]")


class Setting(NamedTuple):
    """A setting of the page, and what it stands for."""

    table: str
    rows: int
    hidden: tuple[int, ...]
    activation: str
    optimizer: str
    seed: int
    start: int
    epochs: int

    @property
    def address(self) -> str:
        points = f"&rows={self.rows}&noise=0.1&draw=2" if self.table in POINT_SETS else ""
        hidden = ",".join(map(str, self.hidden))
        return (
            f"#table={self.table}{points}&hidden={hidden}&activation={self.activation}&seed={self.seed}"
            f"&start={self.start}&optimizer={self.optimizer}&rate=0.05&epochs={self.epochs}"
        )

    @property
    def data(self) -> Table:
        if self.table in TRUTH_TABLES:
            return truth_table(self.table)
        return point_set(self.table, self.rows, 0.1, key=jax.random.key(2))

    @property
    def network(self) -> Network:
        return Network((2, *self.hidden, 1), self.activation)

    def params(self) -> Params:
        key = jax.random.fold_in(jax.random.key(self.seed), self.start)
        params = init_params(self.network, key=key)
        if self.epochs:
            found = train_params(
                params, self.network, self.data, epochs=self.epochs, optimizer=self.optimizer, learning_rate=0.05
            )
            return found.params
        return params


def random_settings(count: int) -> list[Setting]:
    """Starts of XOR with different activations, units and epochs."""
    draw = np.random.default_rng(0)
    shapes = [((2,), "relu"), ((2,), "tanh"), ((3,), "relu"), ((2, 2), "sigmoid")]
    settings = []
    for index in range(count):
        hidden, activation = shapes[index % len(shapes)]
        seed, start = int(draw.integers(0, 2**31)), int(draw.integers(0, 64))
        settings.append(Setting("xor", 4, hidden, activation, "sgd", seed, start, int(draw.choice([0, 1, 20]))))
    return settings


def digits_of(name: str) -> int:
    """How many significant digits the page shows of a number."""
    if PARAMETER.fullmatch(name):
        return 4
    found = [digits for start, digits in DIGITS.items() if name.startswith(start)]
    assert found, f"{name}: how many digits?"
    return found[0]


def check_rounding(shown: dict[str, Shown]) -> int:
    """Compare every text with the number behind it, rounded by decimal arithmetic. Returns how many there were."""
    checked = 0
    for name, (value, text) in shown.items():
        if value is None:
            continue
        if name == "read point":
            assert text.endswith((f": loss = {rounded(value, 4)}", f": error = {rounded(value, 3)}"))
        elif COUNTS.fullmatch(name):
            assert int(text.replace(",", "")) == value + (name == "step"), name
        else:
            digits = digits_of(name)
            allowed = {rounded(value, digits)} | ({rounded(value, 3)} if ".bias" in name else set())
            assert text in allowed, (name, value, text)
        checked += 1
    return checked


def expected_numbers(setting: Setting, params: Params, row: int) -> dict[str, float]:
    """What the page should show of a network, by the public functions and by hand in NumPy."""
    table, network = setting.data, setting.network
    x, y = np.asarray(table.x, np.float64), np.asarray(table.y)
    own = [(np.asarray(layer.weight, np.float64), np.asarray(layer.bias, np.float64)) for layer in params]
    activate: dict[str, Callable[[Any], Any]] = {
        "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    }  # fmt: skip
    found: dict[str, float] = {}
    a = x
    for layer, (weight, bias) in enumerate(own):
        z = a @ weight + bias
        if layer < len(own) - 1:
            a = activate[network.activation](z)
            found |= {f"activation[{layer},{row},{unit}]": value for unit, value in enumerate(a[row])}
    p = 1 / (1 + np.exp(-z[:, 0]))
    losses = np.logaddexp(0, z[:, 0]) - y * z[:, 0]
    right = (p > 0.5) == y
    found |= {"loss": losses.mean(), "right": right.sum(), f"prediction[{row},0]": p[row]}
    for index in range(min(len(y), 50)):
        found |= {f"table prediction[{index},0]": p[index], f"table loss[{index}]": losses[index]}
    for target in (0, 1):
        found |= {f"confusion[{target},{label}]": ((y == target) & ((p > 0.5) == label)).sum() for label in (0, 1)}
    return found


def check_numbers(setting: Setting, shown: dict[str, Shown], row: int = 2) -> None:
    """Compare the numbers of the picture and of the rows with those of the Python functions."""
    params = params_from(shown, setting.network.sizes)
    assert same_bits(params, setting.params())
    table, network = setting.data, setting.network
    assert shown["loss"].value == pytest.approx(float(loss(params, table.x, table.y, network)), rel=2e-6)
    predictions = np.asarray(predict(params, table.x, network))
    assert shown[f"prediction[{row},0]"].value == pytest.approx(float(predictions[row]), rel=1e-5)
    for name, value in expected_numbers(setting, params, row).items():
        assert shown[name].value == pytest.approx(float(value), rel=1e-9, abs=1e-12), name


def check_gradients(setting: Setting, shown: dict[str, Shown], parameter: str) -> None:
    """Compare the derivations of the gradient, and the nudge with its losses, with those of the Python functions."""
    epsilon = shown["epsilon"].value
    assert epsilon is not None
    params, table, network = params_from(shown, setting.network.sizes), setting.data, setting.network
    layer, i, j = (int(number) for number in re.findall(r"\d+", parameter))
    slope = float(exact_gradient(params, table.x, table.y, network)[layer].weight[i, j])
    for way in ("jvp", "chain_rule", "grad"):
        assert shown[f"gradient {way}"].value == pytest.approx(slope, rel=1e-8, abs=1e-14), way
    with jax.enable_x64(True):
        own = jax.tree.map(lambda leaf: jnp.asarray(leaf, np.float64), params)
        rows = jnp.asarray(table.x, np.float64), jnp.asarray(table.y, np.float64)
        moved = [own[layer].weight.at[i, j].add(sign * epsilon) for sign in (1, -1)]
        above, below = (
            float(loss([*own[:layer], own[layer]._replace(weight=weight), *own[layer + 1 :]], *rows, network))
            for weight in moved
        )
    for name in ("gradient nudge", "nudge"):
        assert shown[name].value == pytest.approx((above - below) / (2 * epsilon), rel=1e-6, abs=1e-11), name
    assert shown["loss above"].value == pytest.approx(above, rel=1e-12)
    assert shown["loss below"].value == pytest.approx(below, rel=1e-12)
    error = shown["nudge"].value - shown["gradient grad"].value  # type: ignore[operator]
    assert shown["error"].value == pytest.approx(error, rel=1e-6, abs=1e-16)
    down = shown["gradient grad"].value
    assert down is not None
    assert ("down" if down > 0 else "up" if down < 0 else "stay") in shown["sentence"].text


def check_trace(setting: Setting, learner: Learner, row: int) -> None:
    """Compare the step that is shown, and the losses, with what `trace` gives."""
    shown = learner.shown()
    params = params_from(shown, setting.network.sizes)
    table = setting.data
    with jax.enable_x64(True):
        own = jax.tree.map(lambda leaf: jnp.asarray(leaf, np.float64), params)
        x, y = (jnp.asarray(values[row : row + 1], np.float64) for values in (table.x, table.y))
        traced = trace(own, x, y, setting.network, 0.05)
    equations = sorted(Equations(traced, table.columns), key=lambda equation: equation.kind == "update")
    assert learner.page.locator(".all-steps li").count() == len(equations)
    assert shown["trace loss"].value == pytest.approx(float(traced.loss), rel=1e-9)
    assert shown["loss after"].value == pytest.approx(float(traced.loss_after), rel=1e-9)
    equation = equations[int(learner.number("step"))]
    assert shown["step result"].value == pytest.approx(equation.result, rel=1e-9)


def test_random_starts(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning, "#panel=rows")
    checked = 0
    for index, setting in enumerate(random_settings(extent(100, 10))):
        panel = ("rows", "nudge", "rows", "trace", "rows")[(index // 4) % 5]
        learner.go(f"{setting.address}&panel={panel}&select=0.weight[1,0]&row={index % 4}&step={index % 20}")
        shown = learner.shown()
        checked += check_rounding(shown)
        if panel == "rows":
            check_numbers(setting, shown, row=index % 4)
        elif panel == "nudge":
            assert same_bits(params_from(shown, setting.network.sizes), setting.params())
            check_gradients(setting, shown, "0.weight[1,0]")
        else:
            check_trace(setting, learner, index % 4)
    assert checked > extent(2000, 200)


def test_every_preset(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    for name in [*TRUTH_TABLES, *POINT_SETS]:
        setting = Setting(name, 40, (3,), "tanh", "adam", 7, 1, 25)
        learner.go(f"{setting.address}&panel=rows")
        shown = learner.shown()
        check_rounding(shown)
        check_numbers(setting, shown)
        learner.go(f"{setting.address}&select=0.weight[1,2]")
        shown = learner.shown()
        check_rounding(shown)
        check_gradients(setting, shown, "0.weight[1,2]")
        check_surface(setting, learner)


def check_surface(setting: Setting, learner: Learner) -> None:
    """Compare the numbers of the large picture with those of `surface`."""
    if not learner.page.locator(".surface table").is_visible():
        learner.page.get_by_text("This picture in numbers").click()
        learner.page.locator(".surface table").wait_for()
    table, network = setting.data, setting.network
    low, high = np.asarray(table.x).min(axis=0), np.asarray(table.x).max(axis=0)
    margin = (high - low) * (0.25 if setting.table in TRUTH_TABLES else 0.1)
    ends = [tuple(float(end) for end in ends) for ends in (low - margin, high + margin)]
    found = surface(setting.params(), network, Grid(low=ends[0], high=ends[1], size=48))  # type: ignore[arg-type]
    shown = learner.shown()
    for line in (0, 12, 47):
        for column in (0, 24, 47):
            name = f"surface[{line},{column}]"
            if name in shown:
                assert shown[name].value == pytest.approx(float(found.outputs[0, line, column]), abs=1e-5), name
    assert f"surface[{0},{47}]" in shown


def replace_number(data: Any, change: Callable[[float], float], path: list[Any]) -> None:
    """Change one number of an answer, which stands at a path."""
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = change(data[path[-1]])


PLANTED: dict[str, tuple[str, list[Any], str]] = {
    "start": ("start", ["params", 0, "weight", 0, 1], "numbers"),
    "table": ("table", ["x", 1, 1], "inputs"),
    "train": ("train", ["params", 1, "bias", 0], "numbers"),
    "forward loss": ("forward", ["loss"], "numbers"),
    "forward activation": ("forward", ["activations", 0, 0, 0], "numbers"),
    "forward prediction": ("forward", ["predictions", 2], "numbers"),
    "forward right": ("forward", ["right"], "numbers"),
    "forward row": ("forward", ["losses", 3], "numbers"),
    "gradients nudge": ("gradients", ["parameter", "nudge"], "gradients"),
    "gradients jvp": ("gradients", ["parameter", "jvp"], "gradients"),
    "gradients chain rule": ("gradients", ["parameter", "chain_rule"], "gradients"),
    "gradients grad": ("gradients", ["parameter", "grad"], "gradients"),
    "gradients loss above": ("gradients", ["parameter", "loss_above"], "gradients"),
    "gradients loss below": ("gradients", ["parameter", "loss_below"], "gradients"),
    "gradients error": ("gradients", ["parameter", "error"], "gradients"),
    "trace step": ("trace", ["steps", 3, "result"], "trace"),
    "trace loss": ("trace", ["loss_after"], "trace"),
    "surface": ("surface", ["outputs", 0], "surface"),
}


def spoiled(value: Any) -> Any:
    """Another number; of base64, another first float32."""
    if isinstance(value, str):
        return ("BBBB" if value.startswith("AAAA") else "AAAA") + value[4:]
    return value + 1 if isinstance(value, int) else value * (1 + 1e-4) + 1e-4


def compare(learner: Learner, comparison: str) -> None:
    """Open a setting, and compare the numbers of one kind."""
    setting = Setting("xor", 4, (2,), "tanh", "sgd", 11, 0, 20)
    panel = {"gradients": "nudge", "trace": "trace"}.get(comparison, "rows")
    learner.go(f"{setting.address}&panel={panel}&select=0.weight[1,0]&row=0&step=3&epsilon=0.001")
    shown = learner.shown()
    if comparison == "numbers":
        check_numbers(setting, shown, row=0)
    elif comparison == "gradients":
        check_gradients(setting, shown, "0.weight[1,0]")
    elif comparison == "trace":
        check_trace(setting, learner, 0)
    elif comparison == "surface":
        check_surface(setting, learner)
    else:
        found = [[shown[f"table x[{row},{column}]"].value for column in range(2)] for row in range(4)]
        assert found == setting.data.x.tolist()


def spoiling(path: list[Any], answers: list[Any]) -> Callable[[Any], None]:
    """A function that changes one number of each answer, and notes the answer."""

    def spoil(route: Any) -> None:
        answer = route.fetch()
        answers.append(answer.json())
        replace_number(answers[-1], spoiled, path)
        route.fulfill(response=answer, json=answers[-1])

    return spoil


def test_planted_errors_are_found(open_page: OpenPage, learning: str) -> None:
    learner = Learner(open_page, learning)
    for comparison in {comparison for _, _, comparison in PLANTED.values()}:
        compare(learner, comparison)
    for planted, (endpoint, path, comparison) in PLANTED.items():
        answers: list[Any] = []
        learner.go("#table=and")
        learner.page.route(f"**/learn/{endpoint}", spoiling(path, answers))
        try:
            compare(learner, comparison)
        except AssertionError:
            assert answers, planted
        else:
            pytest.fail(f"{planted}: the planted error was not found")
        learner.page.unroute(f"**/learn/{endpoint}")

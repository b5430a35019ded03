"""`nudge check` in a process of its own, for a checkpoint and for a function of the user."""

import json
import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from model.checking.epsilon_errors import EpsilonErrors, measure_epsilon_errors
from model.checking.epsilon_plot import draw_epsilon_errors
from tests.conftest import ROOT, Nudge

MODULE = """
import numpy as np


def loss(params, x, y):
    return np.mean((np.tanh(x @ params["w"] + params["b"]) - y) ** 2)


def make_arguments():
    rng = np.random.default_rng(0)
    return {"w": rng.normal(size=(3, 2)), "b": np.zeros(2)}, rng.normal(size=(5, 3)), rng.normal(size=(5, 2))


def backpropagation(params, x, y):
    a = np.tanh(x @ params["w"] + params["b"])
    delta = 2 * (a - y) * (1 - a**2) / y.size
    return {"w": x.T @ delta, "b": delta.sum(axis=0)}


def negated(params, x, y):
    return {name: -gradient for name, gradient in backpropagation(params, x, y).items()}


def square(p):
    return p**2


def two():
    return 2.0


not_a_function = 3
"""
USER_FUNCTION = ("check", "--function", "my_module:loss", "--arguments", "my_module:make_arguments")


@pytest.fixture(autouse=True)
def my_module(tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(MODULE)


def test_a_function_of_the_user(nudge: Nudge) -> None:
    right = nudge(*USER_FUNCTION, "--by-hand", "my_module:backpropagation")
    assert right.returncode == 0
    assert right.stdout.splitlines()[0].split() == ["parameter", "nudge", "±", "backpropagation", "verdict"]
    assert "The gradients agree: 8 of 8 tried agree" in right.stdout
    wrong = nudge(*USER_FUNCTION, "--by-hand", "my_module:negated")
    assert wrong.returncode == 1
    assert "negated has the wrong sign, in b and w." in wrong.stdout
    assert wrong.stderr == ""
    report = json.loads(nudge(*USER_FUNCTION, "--by-hand", "my_module:negated", "--json").stdout)
    assert report["ok"] is False
    assert [each["kind"] for each in report["diagnoses"]] == ["sign"]
    assert report["parameters"][0]["wrong"] == ["by_hand"]


def test_a_single_argument_need_not_be_a_tuple(nudge_here: Nudge) -> None:
    run = nudge_here("check", "--function", "my_module:square", "--arguments", "my_module:two", "--order", "2")
    assert run.returncode == 0
    assert "params (2nd)" in run.stdout


def test_a_plot_of_one_parameter(nudge_here: Nudge, tmp_path: Path, checkpoints: Path) -> None:
    run = nudge_here("check", str(checkpoints / "xor.safetensors"), "--plot", "a.svg", "--parameter", "1.bias[0]")
    assert run.returncode == 0
    texts = ["".join(element.itertext()) for element in ElementTree.parse(tmp_path / "a.svg").iter() if element.text]
    assert "Error of a central difference by 1.bias[0]" in texts
    assert any("rounding" in text for text in texts)
    assert any("truncation" in text for text in texts)
    assert nudge_here(*USER_FUNCTION, "--by-hand", "my_module:backpropagation", "--plot", "b.svg").returncode == 0
    assert "Error of a central difference by w[1,1]" in (tmp_path / "b.svg").read_text()


def test_by_default_the_plot_is_of_the_steepest_parameter() -> None:
    """A parameter is not steep if it is flat at the point and steep only on the other side of a kink."""
    point = np.array([0.004, 0.3])
    measured = measure_epsilon_errors(lambda p: 100 * np.maximum(0, p[0] - 0.005) + np.sin(p[1]), point)
    assert measured.parameter == "params[1]"


def test_the_plot_shows_a_name_as_it_is_and_the_end_of_a_long_one() -> None:
    for name, shown in (("$a$", "$a$"), ("a" * 90 + ".bias[1]", "…" + "a" * 23 + ".bias[1]")):
        errors = EpsilonErrors(name, 1.0, np.array([1e-6, 1e-3]), np.array([1e-9, 1e-7]), 1e-13)
        figure = draw_epsilon_errors(errors)
        figure.savefig(BytesIO(), format="svg")
        assert figure.axes[0].get_title(loc="left").endswith(f" by {shown}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--function", "my_module:loss"), "expected a checkpoint, or both --function and --arguments"),
        (("x.safetensors", *USER_FUNCTION[1:]), "expected a checkpoint, or both --function and --arguments"),
        (("--by-hand", "my_module:loss"), "--by-hand belongs to --function"),
        (("--parameter", "1.bias[0]"), "--parameter belongs to --plot"),
        (("--function", "my_module"), "'my_module' is not of the form module:function"),
        (("--function", "nowhere:loss"), "'nowhere:loss' cannot be imported: ModuleNotFoundError: No module named"),
        (("--function", "my_module:nothing"), "cannot be imported: AttributeError: module 'my_module' has no"),
        (("--function", "my_module:not_a_function"), "is not a function but an int"),
        (
            (*USER_FUNCTION[1:3], "--arguments", "my_module:loss"),
            "--arguments must return the function's arguments, but raised",
        ),
        (USER_FUNCTION[1:], "there must be a gradient to check, but JAX has none of fun"),
        ((*USER_FUNCTION[1:], "--by-hand", "my_module:make_arguments"), "by_hand must return a gradient"),
        (
            (*USER_FUNCTION[1:], "--by-hand", "my_module:backpropagation", "--order", "2"),
            "order 2 needs JAX's own gradient",
        ),
        (
            (*USER_FUNCTION[1:], "--by-hand", "my_module:backpropagation", "--plot", "no/x.svg"),
            "--plot: expected a directory no, found none; make it first",
        ),
        (
            (*USER_FUNCTION[1:], "--by-hand", "my_module:backpropagation", "--plot", "x.svg", "--parameter", "q"),
            "parameter must be",
        ),
        (
            (*USER_FUNCTION[1:], "--by-hand", "my_module:backpropagation", "--plot", "x.txt"),
            "a name that ends in .svg, .png or .pdf, found",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(nudge_here: Nudge, arguments: tuple[str, ...], message: str) -> None:
    run = nudge_here("check", *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.startswith("nudge: ")
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""


def test_the_readme_shows_what_is_printed(nudge: Nudge, tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(MODULE.replace("(a - y)", "(y - a)"))
    readme = (ROOT / "README.md").read_text()
    command, printed = re.findall(r"```sh\n(nudge check .*)\n```\n\n```\n(.*?)```", readme, re.DOTALL)[0]
    run = nudge(*command.split()[1:])
    assert run.returncode == 1
    for line in printed.splitlines():
        assert line == "…" or line in run.stdout.splitlines()


def test_a_check_that_does_not_end_is_ended(nudge: Nudge, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "def fun(p):\n    while True: pass\ndef make_arguments():\n    return (1.0,)\n"
    )
    run = nudge("check", "--function", "endless:fun", "--arguments", "endless:make_arguments", "--timeout", "8")
    assert run.returncode == 2
    assert run.stderr.startswith(
        "nudge: the check was expected to end within 8 seconds, and it has not: fun is traced, or called once"
    )
    assert run.stderr.count("\n") == 1


def test_a_check_that_ends_in_time_is_printed_as_ever(nudge: Nudge) -> None:
    limited = nudge(*USER_FUNCTION, "--by-hand", "my_module:negated", "--timeout=300")
    assert limited.returncode == 1
    assert limited.stdout == nudge(*USER_FUNCTION, "--by-hand", "my_module:negated").stdout

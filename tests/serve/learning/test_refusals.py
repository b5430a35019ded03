"""What a learner may not ask for: each limit, and anything that is no request, is one sentence with a 4xx."""

import gzip
import json
import random
import zlib
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import zstandard

from serve import learning_limits as limits
from serve.learning.presets import limits_as_data
from tests.serve.learning.examples import (
    CSV,
    NETWORK,
    START,
    TRAINING,
    XOR,
    Learner,
    check_sentence,
    drawn,
    examples,
    given,
    network_data,
    params_data,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")

PARAMS = params_data(drawn(examples()[0][0]))
BODY: dict[str, Any] = {"network": NETWORK, "params": PARAMS, "table": XOR}
GRID = {"columns": [0, 1], "low": [0, 0], "high": [1, 1], "size": 4, "others": [0, 0]}
TABLE = given(examples()[0][1])
# A whole request to each endpoint.
REQUESTS: dict[str, dict[str, Any]] = {
    "table": {"table": TABLE},
    "start": {"network": NETWORK, "start": START},
    "forward": BODY | {"table": TABLE},
    "gradients": BODY | {"epsilon": 1e-3, "parameter": "0.weight[0,1]"},
    "trace": BODY | {"row": 1, "training": TRAINING},
    "train": BODY | {"training": TRAINING, "opt_state": [], "epochs": 10, "records": 3, "grid": GRID},
    "surface": {"network": NETWORK, "params": PARAMS, "grid": GRID},
    "why-stuck": BODY | {"training": TRAINING, "epochs": 10},
    "starts": {
        "network": NETWORK,
        "table": XOR,
        "training": TRAINING,
        "seed": 0,
        "init": "he",
        "starts": 3,
        "epochs": 3,
    },
    "checkpoint": BODY | {"training": TRAINING, "start": START, "epoch": 3},
    "python": {"network": NETWORK, "table": TABLE, "training": TRAINING, "params": PARAMS, "epochs": 3},
}
MOONS = {"name": "moons", "rows": 2000}
LARGE = {"sizes": [2, 8, 8, 8, 1]}


def wide(rows: int, columns: int) -> dict[str, Any]:
    return {"x": [[0.5] * columns] * rows, "y": [0] * rows}


# Requests beyond each limit, with what the refusal says.
# The state of Adam, after half a step.
ADAM_STATE = [1.5, *[[[0, 0], [0, 0]], [0, 0], [[0], [0]], [0]] * 2]
HUGE = [{"weight": [[1e38, 1e38], [1e38, 1e38]], "bias": [0, 0]}, {"weight": [[-3e38], [-3e38]], "bias": [0]}]
BEYOND: list[tuple[str, dict[str, Any], str]] = [
    ("start", {"network": {"sizes": [17, 1]}}, "1 to 16"),
    ("start", {"network": {"sizes": [0, 1]}}, "1 to 16"),
    ("start", {"network": {"sizes": [2, 9, 1]}}, "1 to 8"),
    ("start", {"network": {"sizes": [2, 0, 1]}}, "1 to 8"),
    ("start", {"network": {"sizes": [2, 9]}}, "1 to 8"),
    ("start", {"network": {"sizes": [2, 2, 2, 2, 2, 1]}}, "3 hidden layers"),
    ("start", {"network": {"sizes": [2]}}, "3 hidden layers"),
    ("start", {"network": {"sizes": [2, 1], "activation": "step"}}, "relu, tanh"),
    ("start", {"network": {"sizes": [2, 1], "task": "multiclass"}}, "at least 2"),
    ("start", {"start": {"init": "zeros"}}, "normal, he"),
    ("start", {"start": {"seed": -1}}, "start.seed"),
    ("start", {"start": {"index": 2**31}}, "start.index"),
    ("table", {"table": wide(2001, 2)}, "1 to 2,000"),
    ("table", {"table": wide(0, 2)}, "1 to 2,000"),
    ("table", {"table": wide(2, 17)}, "1 to 16"),
    ("table", {"table": wide(2, 0)}, "1 to 16"),
    ("table", {"table": {"name": "moons", "rows": 2001}}, "2 to 2,000"),
    ("table", {"table": {"name": "moons", "noise": 11}}, "0 to 10"),
    ("table", {"table": {"name": "xor", "rows": 4}}, "rows was found"),
    ("table", {"table": {"name": "iris"}}, "circles"),
    ("table", {"table": {}}, "x and y"),
    ("table", {"table": TABLE | {"y": [0, 1, 2, 0]}}, "0 to 1"),
    ("table", {"table": TABLE | {"y": [0, 1]}}, "[4]"),
    ("table", {"table": TABLE | {"x": [[0, 1], [1], [0, 0], [1, 1]]}}, "others were found"),
    ("table", {"table": TABLE | {"x": [[0, 1e39], [1, 1], [0, 0], [1, 1]]}}, "±3.4e38"),
    ("table", {"table": TABLE | {"columns": ["a", "a"]}}, "different names"),
    ("table", {"table": TABLE | {"columns": ["a", "b" * 101]}}, "100 characters"),
    ("table", {"table": TABLE | {"classes": ["p", "p"]}}, "different classes"),
    ("table", {"table": TABLE | {"classes": ["p"]}}, "2 to 2"),
    ("table", {"table": TABLE | {"task": "sorting"}}, "binary, multiclass"),
    ("forward", {"params": PARAMS[:1]}, "2 layers"),
    ("forward", {"params": [PARAMS[0], PARAMS[0]]}, "[2, 1]"),
    ("forward", {"network": NETWORK | {"sizes": [3, 2, 1]}}, "[3, 2]"),
    ("forward", {"table": wide(3, 4)}, "4 inputs"),
    ("gradients", {"epsilon": 9e-13}, "1e-12 to 1"),
    ("gradients", {"epsilon": 1.01}, "1e-12 to 1"),
    ("gradients", {"parameter": "2.weight[0,0]"}, "0.weight[0,0]"),
    ("trace", {"row": 4}, "0 to 3"),
    ("trace", {"row": -1}, "0 to 3"),
    ("train", {"epochs": 0}, "1 to 100,000"),
    ("train", {"epochs": 100_001}, "1 to 100,000"),
    ("train", {"epochs": 100_000, "table": MOONS}, "several stretches"),
    ("train", {"records": 1001}, "1 to 1,000"),
    ("train", {"records": 0}, "1 to 1,000"),
    ("train", {"opt_state": [[1]]}, "0 arrays"),
    ("train", {"training": {"optimizer": "adam"}, "opt_state": [1, [1], [1], [1], [1], [1], [1], [1], [1]]}, "shape"),
    ("train", {"training": {"optimizer": "adam"}, "opt_state": ADAM_STATE}, "opt_state[0]: a whole number"),
    ("train", {"training": {"optimizer": "lion"}}, "sgd, momentum, adam"),
    ("train", {"training": {"learning_rate": 0}}, "a number above 0 and at most 1,000 was expected, and 0 was found"),
    ("train", {"training": {"learning_rate": 1001}}, "at most 1,000 was expected, and 1,001 was found"),
    ("train", {"training": {"learning_rate": 1e-31}}, "at least 1e-30 was expected, and 1e-31 was found"),
    ("surface", {"grid": GRID | {"size": 65}}, "2 to 64"),
    ("surface", {"grid": GRID | {"size": 1}}, "2 to 64"),
    ("surface", {"grid": GRID | {"columns": [0, 2]}}, "0 to 1"),
    ("surface", {"grid": GRID | {"others": [0]}}, "[2]"),
    ("surface", {"grid": GRID | {"low": [0, 1e39]}}, "±3.4e38"),
    ("why-stuck", {"epochs": 100_000, "table": MOONS}, "choose fewer rows or a smaller network"),
    ("starts", {"starts": 65}, "1 to 64"),
    ("starts", {"starts": 64, "epochs": 100_000, "network": LARGE}, "choose fewer epochs, fewer rows or"),
    ("starts", {"size": 65}, "2 to 64"),
    ("starts", {"init": "ones"}, "normal, he"),
    ("checkpoint", {"epoch": -1}, "epoch"),
    ("checkpoint", {"epoch": 2**31}, "epoch: from 0 to 2,147,483,647 was expected, and 2,147,483,648 was found"),
    ("checkpoint", {"params": HUGE}, "the loss is a finite number"),
    ("python", {"start": START}, "one of the two"),
    ("python", {"params": None}, "one of the two"),
]


def merged(request: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A request with some fields of its parts replaced."""
    return request | changes


@pytest.mark.parametrize(("name", "changes", "said"), BEYOND)
def test_each_limit_is_a_sentence(learner: Learner, name: str, changes: dict[str, Any], said: str) -> None:
    assert said in learner.refusal(name, merged(REQUESTS[name], changes))


def test_a_body_that_is_no_json_is_called_so(learner: Learner) -> None:
    assert learner.refusal("start", b"{]").startswith("JSON is malformed")


def test_what_is_within_the_limits_is_answered(learner: Learner) -> None:
    """The largest of everything, so that no limit is tighter than it says."""
    network = {"sizes": [16, 8, 8, 8, 8], "activation": "gelu", "task": "multiclass"}
    rows = [[(row * column % 7) / 7 for column in range(16)] for row in range(2000)]
    table = {"x": rows, "y": [row % 8 for row in range(2000)], "task": "multiclass", "classes": list(range(8))}
    params = learner.start(network, seed=limits.MAX_SEED, index=limits.MAX_INDEX)
    epochs = limits.MAX_WORK // (2000 * sum(layer * 8 + 8 for layer in (16, 8, 8, 8)))
    answer = learner.ask("train", network=network, params=params, table=table, epochs=min(epochs, 40), records=40)
    assert len(answer["losses"]) == 40
    answer = learner.ask("surface", network=network, params=params, grid={"columns": [3, 15], "size": 64})
    assert len(answer["outputs"]) == 8


def test_every_request_of_this_file_is_answered(learner: Learner) -> None:
    for name, body in REQUESTS.items():
        reply = learner.client.post(f"/learn/{name}", json=body)
        assert reply.status_code == 200, (name, reply.json)


@pytest.mark.parametrize("name", REQUESTS)
def test_bodies_that_are_no_requests(learner: Learner, name: str) -> None:
    for body in (b"", b"{", b"[]", b"null", b"\xff", b'{"a": 1}', b"[" * 100_000, b'{"network":' * 50_000, b'"text"'):
        learner.refusal(name, body)
    learner.refusal(name, REQUESTS[name] | {"further": 1})
    learner.refusal(name, b" " * (limits.MAX_BODY_BYTES + 1), 413)
    reply = learner.client.post(f"/learn/{name}", data=b"x", headers={"Content-Encoding": "br"})
    assert reply.status_code == 415
    packed = zlib.compress(json.dumps(REQUESTS[name]).encode())
    reply = learner.client.post(f"/learn/{name}", data=packed, headers={"Content-Encoding": "deflate"})
    assert reply.status_code == 200


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in JSON."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


WRONG = [None, True, "x", "", [], {}, -1, 0, 1.5, 10**30, 10**400, 1e308, 1e39, -1e39, [[]], [None], "NaN", "é" * 200]


def test_requests_with_anything_in_any_place_never_fail(learner: Learner) -> None:
    rng = random.Random(0)
    statuses = set()
    for _ in range(1500):
        name = rng.choice(list(REQUESTS))
        body: Any = deepcopy(REQUESTS[name])
        for _ in range(rng.choice([1, 1, 2])):
            *path, last = rng.choice([path for path in places(body) if path])
            parent = body
            for key in path:
                parent = parent[key]
            parent[last] = rng.choice(WRONG)
        reply = learner.client.post(f"/learn/{name}", data=json.dumps(body))
        statuses.add(reply.status_code)
        assert reply.status_code in (200, 400), (name, body, reply.json)
        if reply.status_code == 400:
            check_sentence((reply.json or {})["error"])
    assert statuses == {200, 400}


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("", None, "nothing was found"),
        ("a\n1\n2\n", None, "2 to 64"),
        (CSV, "price", "a column of the file"),
        ("a,b\n", None, "the file"),
        ("a,b\n1,2\n3\n4,5,6,7\n", None, "the file"),
        ("\x00\x01\x02\xff", None, "the file"),
        ("a,b\n" + "1,2\n3,4\n" * 1001, None, "1 to 2,000"),
        (
            ",".join(f"c{index}" for index in range(18)) + "\n" + ("1,2," * 9)[:-1] + "\n" + ("3,5," * 9)[:-1] + "\n",
            None,
            "16",
        ),
        ("a,b\n" + "".join(f"{row},class {row % 9}\n" for row in range(90)), None, "0 to 8"),
    ],
)
def test_files_that_are_no_table_for_a_learner(learner: Learner, text: str, target: str | None, said: str) -> None:
    path = "/learn/csv" + (f"?target={target}" if target else "")
    reply = learner.client.post(path, data=text.encode("latin-1"))
    assert reply.status_code == 400
    assert said in check_sentence((reply.json or {})["error"])


@pytest.mark.parametrize("name", ["gzip", "zstd", "Parquet"])
def test_files_that_hold_more_than_their_bytes_are_not_opened(learner: Learner, name: str) -> None:
    text = CSV.encode() * 100
    data = {"gzip": gzip.compress(text), "zstd": zstandard.compress(text), "Parquet": b"PAR1" + text}[name]
    reply = learner.client.post("/learn/csv", data=data)
    assert reply.status_code == 400
    assert f"{name} was found" in check_sentence((reply.json or {})["error"])


def test_a_loss_that_is_not_finite_is_no_reason_to_fail(learner: Learner) -> None:
    huge = [{"weight": [[1e20, 0], [0, 0]], "bias": [0, 0]}, {"weight": [[1e20], [0]], "bias": [0]}]
    answer = learner.ask("why-stuck", **(BODY | {"params": huge, "training": TRAINING, "epochs": 10}))
    assert answer["loss"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n" + "1,x\n2,x\n" * 4, "choose another target"),
        ("a,b\n" + "".join(f"{row},text {row}\n" for row in range(40)), "choose another target"),
        ("a,b\n" + "1,\n2,\n" * 4, "choose another target"),
        ("a,b\n" + "1,2020-01-02\n2,2021-03-04\n" * 4, "choose another target"),
        ("a,b\n" + "1e300,0\n2,1\n" * 4, "leave that column out of the file"),
        ("a,b\n" + "2,1e300\n3,7.5\n4,8.5\n" * 9, "choose another target"),
    ],
)
def test_what_to_do_about_a_file_can_be_done_on_the_page(learner: Learner, text: str, said: str) -> None:
    reply = learner.client.post("/learn/csv", data=text.encode())
    assert reply.status_code == 400
    error = check_sentence((reply.json or {})["error"])
    assert said in error
    assert "--" not in error


def test_notes_on_a_file_name_no_option_and_say_what_0_and_1_stand_for(learner: Learner) -> None:
    ages = np.arange(40) * 2.0
    text = "id,age,sick\n" + "".join(f"{row},{age},{row % 2}\n" for row, age in enumerate(ages))
    answer = learner.client.post("/learn/csv", data=text.encode()).json or {}
    assert any("ids and row numbers" in note for note in answer["notes"])
    assert not any("--" in note for note in answer["notes"])
    (scaled,) = (note for note in answer["notes"] if "scaled" in note)
    low, high = (float(np.interp(seen, [row[1] for row in answer["x"]], ages)) for seen in (0, 1))
    assert f"in age, 0 stands for {low:.4g} and 1 for {high:.4g}" in scaled
    plain = learner.client.post("/learn/csv", data=b"a,b\nx,p\ny,q\n" * 1 + b"x,p\ny,q\n" * 4).json or {}
    assert not any("scaled" in note for note in plain["notes"])


def test_the_limits_of_the_page_are_those_that_are_kept(learner: Learner) -> None:
    told = (learner.client.get("/learn/presets").json or {})["limits"]
    assert told == limits_as_data()
    assert (told["rows"], told["epochs"], told["grid"], told["body_bytes"]) == ([1, 2000], [1, 100_000], [2, 64], 2**21)


def test_networks_of_other_tables_are_refused(learner: Learner) -> None:
    network, _, named = examples()[2]
    said = learner.refusal("forward", {"network": NETWORK, "params": PARAMS, "table": named})
    assert "3 inputs, 3 outputs and the task multiclass" in said
    assert network_data(network)["task"] == "multiclass"

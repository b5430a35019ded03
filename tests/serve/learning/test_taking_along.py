"""What a learner takes along: checkpoints that every command loads, and a script with the same numbers."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from model import Checkpoint, Network, load, predict, read_table, train_params
from model.checkpoint import to_bytes
from tests.commands.examples import run_here
from tests.conftest import ROOT
from tests.examples import checkpoint_of, ensemble_of, same_bits, with_bins, with_params
from tests.serve.examples import application
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
    network_data,
    params_data,
    params_of,
)

# Run by a script's own process at its end.
SHOW_PARAMS = "\nimport json\nprint(json.dumps([[leaf.tolist() for leaf in layer] for layer in params]))\n"


def download(learner: Learner, path: Path, **body: Any) -> Path:
    reply = learner.client.post("/learn/checkpoint", json={"training": TRAINING, "start": START} | body)
    assert reply.status_code == 200, reply.json
    assert reply.mimetype == "application/octet-stream"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(reply.data)
    return path


def upload(learner: Learner, data: bytes, status: int = 200) -> Any:
    reply = learner.client.put("/learn/checkpoint", data=data)
    assert reply.status_code == status, reply.json
    return reply.json


@pytest.fixture
def trained(learner: Learner) -> dict[str, Any]:
    answer = learner.ask("train", network=NETWORK, params=learner.start(seed=1), table=XOR, epochs=50)
    return {"network": NETWORK, "params": answer["params"], "table": XOR, "epoch": 50}


def test_a_checkpoint_is_loaded_by_every_command_and_by_the_service(
    learner: Learner, trained: dict[str, Any], tmp_path: Path
) -> None:
    path = download(learner, tmp_path / "models" / "xor.safetensors", **trained)
    loaded = load(path)
    assert same_bits(jax.device_get(loaded.params), params_of(trained["params"]))
    assert (loaded.training.epoch, loaded.training.table, loaded.training.seed) == (50, "xor", 0)
    checked = run_here("check", str(path))
    assert checked.returncode == 0, checked.stderr
    shown = run_here("show", str(path))
    assert shown.returncode == 0, shown.stderr
    assert "xor" in shown.stdout
    asked = run_here("ask", str(path), input="1\n0\n")
    expected = float(predict(loaded.params, np.array([[1, 0]], np.float32), loaded.network)[0])
    assert f"Prediction: {expected:.4f}" in asked.stdout
    answer = application(path.parent).test_client().get("/predict?a=1&b=0").json or {}
    assert answer["prediction"] == pytest.approx(expected, rel=1e-6)


def test_a_checkpoint_that_comes_back_is_what_went(learner: Learner, trained: dict[str, Any], tmp_path: Path) -> None:
    training = {"optimizer": "adam", "learning_rate": 0.005}
    start = {"seed": 4, "index": 0, "init": "he"}
    path = download(learner, tmp_path / "xor.safetensors", **trained, training=training, start=start)
    answer = upload(learner, path.read_bytes())
    same = {"network": NETWORK, "params": trained["params"], "table": XOR, "training": training, "epoch": 50}
    assert {name: answer[name] for name in same} == same
    assert (answer["columns"], answer["target"], answer["classes"]) == (["a", "b"], "xor", [0, 1])
    assert answer["start"] == start


@pytest.mark.parametrize("example", range(5), ids=["xor", "moons", "classes", "numbers", "line"])
def test_a_checkpoint_of_any_table_comes_back(learner: Learner, example: int, tmp_path: Path) -> None:
    network, table, named = examples()[example]
    params = drawn(network)
    path = download(
        learner,
        tmp_path / "any.safetensors",
        network=network_data(network),
        params=params_data(params),
        table=named,
        epoch=0,
    )
    answer = upload(learner, path.read_bytes())
    assert same_bits(params_of(answer["params"]), params)
    assert answer["network"] == network_data(network)
    assert answer["table"] == (XOR if example == 0 else None)
    assert answer["columns"] == list(table.columns)
    assert run_here("show", str(path)).returncode == 0


def test_a_checkpoint_of_a_csv_predicts_its_rows_as_they_are_written(learner: Learner, tmp_path: Path) -> None:
    answer = learner.client.post("/learn/csv", data=CSV).json or {}
    table = {name: answer[name] for name in ("x", "y", "columns", "target", "classes", "task", "encoding")}
    network = NETWORK | {"sizes": [3, 2, 1]}
    params = learner.start(network)
    path = download(
        learner, tmp_path / "models" / "sold.safetensors", network=network, params=params, table=table, epoch=0
    )
    loaded = load(path)
    assert (loaded.columns, loaded.target, loaded.classes) == (("size", "colour"), "sold", ("no", "yes"))
    (tmp_path / "table.csv").write_text(CSV)
    x = read_table(tmp_path / "table.csv", "sold").x
    expected = np.asarray(predict(params_of(params), x, Network((3, 2, 1))))
    client = application(path.parent, MODEL="sold").test_client()
    rows = [line.split(",") for line in CSV.splitlines()[1:]]
    found = client.post("/predict", json=[{"size": float(size), "colour": colour} for size, colour, _ in rows]).json
    assert [each["prediction"] for each in found or []] == pytest.approx(expected, rel=1e-5)


def test_checkpoints_that_cannot_be_shown_are_refused(learner: Learner, solved: Checkpoint) -> None:
    network = Network((6, 3, 1), "tanh")
    single = with_params(checkpoint_of("binary"), drawn(network), network)
    wide = Network((2, 9, 1))
    data = to_bytes(solved)[0]
    wrong = {
        "a whole one was broken": data[:-5],
        "a byte was changed": data[:-1] + bytes([data[-1] ^ 1]),
        "nothing": b"",
        "text": b"no checkpoint at all",
        "several networks": to_bytes(checkpoint_of("binary"))[0],
        "bins": to_bytes(with_bins(checkpoint_of("binary")))[0],
        "temperature": to_bytes(single)[0],
        "too many units": to_bytes(with_params(solved, drawn(wide), wide))[0],
    }
    for what, each in wrong.items():
        answer = upload(learner, each, 400)
        assert list(answer) == ["error"], what
        check_sentence(answer["error"])
    assert upload(learner, to_bytes(replace(single, temperature=1.0))[0])["table"] is None
    assert len(ensemble_of(network, 2)) == 2


def run_script(reply: Any, environment: dict[str, str], tmp_path: Path) -> tuple[list[str], Any]:
    """What a script prints in a process of its own, and its params."""
    assert reply.mimetype == "text/x-python"
    script = tmp_path / "learned.py"
    script.write_text(reply.data.decode() + SHOW_PARAMS)
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment | {"PYTHONPATH": str(ROOT)}
    )
    assert run.returncode == 0, run.stderr
    *printed, last = run.stdout.splitlines()
    return printed, [
        {"weight": np.array(weight, np.float32).tolist(), "bias": np.array(bias, np.float32).tolist()}
        for weight, bias in json.loads(last)
    ]


def test_the_script_has_the_bits_of_the_stretches_on_the_page(
    learner: Learner, environment: dict[str, str], tmp_path: Path
) -> None:
    training = {"optimizer": "momentum", "learning_rate": 0.013}
    table = {"name": "moons", "rows": 40, "noise": 0.05, "seed": 6}
    network = {"sizes": [2, 3, 1], "activation": "tanh", "task": "binary"}
    answer: Any = {"params": learner.start(network, seed=5, index=2), "opt_state": None}
    for epochs in (30, 45, 125):
        state = {name: answer[name] for name in ("params", "opt_state")}
        answer = learner.ask("train", network=network, table=table, training=training, epochs=epochs, **state)
    reply = learner.client.post(
        "/learn/python",
        json={
            "network": network,
            "table": table,
            "training": training,
            "start": {"seed": 5, "index": 2, "init": "normal"},
            "epochs": 200,
        },
    )
    printed, params = run_script(reply, environment, tmp_path)
    assert params_of(params)[0].weight.dtype == np.float32
    assert same_bits(params_of(params), params_of(answer["params"]))
    assert float(printed[0].removeprefix("loss:")) == pytest.approx(answer["loss"], rel=1e-5)
    assert printed[1].startswith("predictions:")


def test_a_script_may_begin_at_any_params_and_rows(
    learner: Learner, environment: dict[str, str], tmp_path: Path
) -> None:
    network, table, named = examples()[2]
    params = drawn(network)
    body = {"network": network_data(network), "table": named, "params": params_data(params), "epochs": 25}
    reply = learner.client.post("/learn/python", json=body)
    _, found = run_script(reply, environment, tmp_path)
    expected = train_params(params, network, table, epochs=25)
    assert same_bits(params_of(found), expected.params)

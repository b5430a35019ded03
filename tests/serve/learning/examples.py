"""Questions of learners, and how to read the answers."""

import base64
from typing import Any

import jax
import numpy as np
from flask.testing import FlaskClient

from model import Layer, Network, Params, Table, init_params, point_set, truth_table

NETWORK = {"sizes": [2, 2, 1], "activation": "relu", "task": "binary"}
TRAINING = {"optimizer": "sgd", "learning_rate": 0.01}
START = {"seed": 0, "index": 0, "init": "normal"}
XOR = {"name": "xor"}
CSV = "size,colour,sold\n1.5,red,yes\n2,blue,no\n3.25,red,yes\n4,blue,no\n5,red,no\n2.5,blue,yes\n"


class Learner:
    """A learner who asks by HTTP.

    Args:
        client: of the application.
    """

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def ask(self, name: str, **body: Any) -> Any:
        """The JSON of an answer, which must not be a refusal."""
        reply = self.client.post(f"/learn/{name}", json=body)
        assert reply.status_code == 200, reply.json
        return reply.json

    def refusal(self, name: str, body: Any, status: int = 400) -> str:
        """The sentence of a refusal. body: bytes, or what becomes JSON."""
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        reply = self.client.post(f"/learn/{name}", **sent)
        assert reply.status_code == status, (body, reply.data[:300])
        assert list(reply.json or {}) == ["error"]
        return check_sentence(str((reply.json or {})["error"]))

    def start(self, network: dict[str, Any] = NETWORK, **start: Any) -> Any:
        """The params of a start, as JSON."""
        return self.ask("start", network=network, start=START | start)["params"]


def check_sentence(text: str) -> str:
    """The text, which must be one short sentence that tells nothing about the inside."""
    assert 10 < len(text) <= 320, text
    assert "\n" not in text
    assert ". " not in text
    assert not any(word in text for word in ("Traceback", "Error", ".py", "/tmp", "jax", "numpy")), text
    return text


def params_of(data: Any, dtype: Any = np.float32) -> Params:
    """Params that an answer holds."""
    return [Layer(np.array(layer["weight"], dtype), np.array(layer["bias"], dtype)) for layer in data]


def picture(text: str, *shape: int) -> np.ndarray:
    """The numbers in a picture."""
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def given(table: Table) -> dict[str, Any]:
    """A table as it is."""
    return {
        "x": table.x.tolist(),
        "y": table.y.tolist(),
        "columns": list(table.columns),
        "target": table.target,
        "classes": list(table.classes),
        "task": table.task,
    }


def three_classes() -> Table:
    """A table with three classes and three inputs."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 3)).astype(np.float32)
    return Table(x, np.arange(20).astype(np.float32) % 3, ("u", "v", "w"), "kind", ("p", "q", "r"), "multiclass")


def some_numbers() -> Table:
    """A table of a regression."""
    x = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
    return Table(x, x[:, 0] ** 2, ("t",), "square", (), "regression")


def examples() -> list[tuple[Network, Table, Any]]:
    """Networks and tables of every task, and each table as a request names it."""
    moons = point_set("moons", 30, 0.1, key=jax.random.key(4))
    return [
        (Network((2, 2, 1)), truth_table("xor"), XOR),
        (Network((2, 3, 2, 1), "tanh"), moons, {"name": "moons", "rows": 30, "noise": 0.1, "seed": 4}),
        (Network((3, 4, 3), "sigmoid", "multiclass"), three_classes(), given(three_classes())),
        (Network((1, 5, 1), "gelu", "regression"), some_numbers(), given(some_numbers())),
        (Network((2, 1)), moons, given(moons)),
    ]


def network_data(network: Network) -> dict[str, Any]:
    """A network as a request names it."""
    return {"sizes": list(network.sizes), "activation": network.activation, "task": network.task}


def params_data(params: Params) -> list[dict[str, Any]]:
    """Params as a request has them, with the decimals of float64."""
    return [{"weight": np.asarray(w).tolist(), "bias": np.asarray(b).tolist()} for w, b in params]


def drawn(network: Network, seed: int = 0) -> Params:
    """Params at random, in NumPy's float32."""
    params: Params = jax.device_get(init_params(network, key=jax.random.key(seed)))
    return params

"""A script that reproduces the numbers of the page, with the public functions alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.network import Params
from model.tables.table import Table
from model.tables.truth_tables import TRUTH_TABLES
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.learning import checks
from serve.learning.networks import check_start, check_training, network_of, params_of
from serve.learning.numbers_in_json import shortest
from serve.learning.tables import DEFAULT_NOISE, check_fit, table_of
from serve.learning_messages import PythonRequest, TableMessage
from serve.responses import Answer

PYTHON = [("Content-Type", "text/x-python; charset=utf-8")]


def python_script(request: PythonRequest) -> Answer:
    """Answer POST /learn/python."""
    network, table = network_of(request.network), table_of(request.table)
    check_fit(network, table)
    check_training(request.training)
    checks.check_range("epochs", request.epochs, 0, limits.MAX_TOTAL_EPOCHS)
    if (request.start is None) == (request.params is None):
        raise RequestError("start, params: one of the two was expected; send where training begins")
    imports = {"Network", "loss", "predict"}
    if request.start is not None:
        check_start(request.start)
        start = request.start
        key = f"jax.random.fold_in(jax.random.key({start.seed}), {start.index})"
        params = f"params = init_params(network, key={key}, init={start.init!r})"
        imports.add("init_params")
    else:
        assert request.params is not None
        params = _params_text(params_of(request.params, network))
        imports.add("Layer")
    lines = [_table_text(request.table, table, imports)]
    lines.append(f"network = Network({tuple(network.sizes)}, {network.activation!r}, {network.task!r})")
    lines += [params, *_training_lines(request, imports)]
    lines.append('print("loss:", loss(params, table.x, table.y, network))')
    lines.append('print("predictions:", predict(params, table.x, network))')
    names = sorted(imports, key=lambda name: (name.islower(), name))
    header = ['"""The network on the page, with the very same numbers."""', "", "import jax", "import numpy as np", ""]
    text = "\n".join([*header, f"from model import {', '.join(names)}", "", *lines])
    return Answer(_without_unused(text).encode() + b"\n", PYTHON)


def _training_lines(request: PythonRequest, imports: set[str]) -> list[str]:
    if not request.epochs:
        return []
    imports.add("train_params")
    training = request.training
    return [
        "trained = train_params(",
        "    params,",
        "    network,",
        "    table,",
        f"    epochs={request.epochs:_},",
        f"    optimizer={training.optimizer!r},",
        f"    learning_rate={training.learning_rate!r},",
        ")",
        "params = trained.params",
    ]


def _table_text(message: TableMessage, table: Table, imports: set[str]) -> str:
    """The statement that makes the table."""
    if message.name in TRUTH_TABLES:
        imports.add("truth_table")
        return f"table = truth_table({message.name!r})"
    if message.name is not None:
        imports.add("point_set")
        noise = DEFAULT_NOISE if message.noise is None else float(message.noise)
        key = f"jax.random.key({message.seed or 0})"
        return f"table = point_set({message.name!r}, {len(table.y)}, {noise!r}, key={key})"
    imports.add("Table")
    fields = {"columns": message.columns or table.columns, "target": table.target, "classes": table.classes}
    named = "".join(f"    {name}={_text(value)},\n" for name, value in fields.items())
    x = ",\n".join(f"            {row}" for row in shortest(table.x))
    return (
        f"table = Table(\n    x=np.array(\n        [\n{x},\n        ],\n        np.float32,\n    ),\n"
        f"    y=np.array({shortest(table.y)}, np.float32),\n{named}    task={table.task!r},\n    complete=False,\n)"
    )


def _text(value: Any) -> str:
    return repr(value if isinstance(value, str) else tuple(value))


def _params_text(params: Params) -> str:
    """The statement that makes the params."""
    layers = "".join(
        f"    Layer(\n        np.array({shortest(np.asarray(layer.weight))}, np.float32),\n"
        f"        np.array({shortest(np.asarray(layer.bias))}, np.float32),\n    ),\n"
        for layer in params
    )
    return f"params = [\n{layers}]"


def _without_unused(text: str) -> str:
    """The script without an import that it does not need."""
    for module, use in (("import jax\n", "jax."), ("import numpy as np\n", "np.")):
        if use not in text:
            text = text.replace(module, "", 1)
    return text.replace('numbers."""\n\n\nfrom', 'numbers."""\n\nfrom')

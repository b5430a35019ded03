"""Applications, requests and checkpoints that several tests of the service use."""

from pathlib import Path

from model import Checkpoint
from serve import create_app
from serve.app import Service
from serve.registry import Registry
from tests.examples import with_params

# Wrong queries of /predict to a model with the columns a and b, and what the answer says.
BAD_QUERIES = {
    "": "the columns a, b were expected, and nothing was found: a is missing",
    "a=1": "the columns a, b were expected, and a was found: b is missing",
    "a=1&b=0&c=2": "the columns a, b were expected, and 'c' was found",
    "a=1&a=0&b=0": "column 'a' was expected once, and was found 2 times",
    "a=&b=0": "column a: a number was expected, and nothing was found",
    "a=one&b=0": "column a: a number was expected, and 'one' was found",
    "a=nan&b=0": "column a: a number was expected, and 'nan' was found",
    "a=1&b=-inf": "column b: a number was expected, and '-inf' was found",
    "a=1e39&b=0": "column a: a finite number within ±3.4e38 was expected, and '1e39' was found",
    "a=1&b=1_0": "column b: a number was expected, and '1_0' was found",
    "a=1&b=%FF": "column b: a number was expected, and '\ufffd' was found",
}
QUERY = "/predict?a=1&b=0"
# The same row as a request of the Open Inference Protocol.
TENSORS = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 0]}]}


def application(checkpoints: Path, **settings: str) -> Service:
    """The application in this process, with all models loaded and compiled.

    It scans its directory only if a test calls `scan`.

    Args:
        checkpoints: the directory of models.
        settings: such as MAX_ROWS="10" for NUDGE_MAX_ROWS.
    """
    variables = {f"NUDGE_{name}": value for name, value in settings.items()}
    app = create_app({"NUDGE_CHECKPOINTS": str(checkpoints)} | variables)
    app.extensions["nudge.watcher"].stop()
    registry: Registry = app.extensions["nudge"]
    registry.scan()
    while registry.compile_next():
        pass
    return app


def with_other_predictions(checkpoint: Checkpoint, shift: float) -> Checkpoint:
    """The checkpoint with another bias in the last layer, and so another version."""
    *hidden, last = checkpoint.params
    return with_params(checkpoint, [*hidden, last._replace(bias=last.bias + shift)])

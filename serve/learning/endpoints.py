"""The endpoints under /learn/: their names, their methods, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from serve import learning_messages as messages
from serve.learning.checkpoints import checkpoint_file, read_checkpoint
from serve.learning.csv_tables import csv_table
from serve.learning.forward import forward, gradients
from serve.learning.presets import presets
from serve.learning.python_script import python_script
from serve.learning.surfaces import answer_surface
from serve.learning.tables import table_as_data, table_of
from serve.learning.tracing import trace
from serve.learning.training import start, starts, stuck, train
from serve.responses import Answer, json_answer


class JsonEndpoint(NamedTuple):
    """An endpoint that takes JSON by POST.

    Attributes:
        message: what the JSON is decoded to.
        function: from that to the answer.
    """

    message: type[messages.Message]
    function: Callable[[Any], dict[str, Any] | Answer]


def _table(request: messages.TableRequest) -> dict[str, Any]:
    return table_as_data(table_of(request.table))


JSON_ENDPOINTS: dict[str, JsonEndpoint] = {
    "table": JsonEndpoint(messages.TableRequest, _table),
    "start": JsonEndpoint(messages.StartRequest, start),
    "forward": JsonEndpoint(messages.ForwardRequest, forward),
    "gradients": JsonEndpoint(messages.GradientsRequest, gradients),
    "trace": JsonEndpoint(messages.TraceRequest, trace),
    "train": JsonEndpoint(messages.TrainRequest, train),
    "surface": JsonEndpoint(messages.SurfaceRequest, answer_surface),
    "why-stuck": JsonEndpoint(messages.StuckRequest, stuck),
    "starts": JsonEndpoint(messages.StartsRequest, starts),
    "checkpoint": JsonEndpoint(messages.CheckpointRequest, checkpoint_file),
    "python": JsonEndpoint(messages.PythonRequest, python_script),
}


def answer_json(name: str, body: bytes) -> Answer:
    """Answer a request to an endpoint that takes JSON. Raises RequestError if the body is wrong."""
    endpoint = JSON_ENDPOINTS[name]
    found = endpoint.function(messages.decode(body, endpoint.message))
    return found if isinstance(found, Answer) else json_answer(found)


def answer_presets() -> Answer:
    """Answer GET /learn/presets."""
    return json_answer(presets())


def answer_csv(body: bytes, target: str | None) -> Answer:
    """Answer POST /learn/csv. Raises RequestError if the file is no table."""
    return json_answer(csv_table(body, target))


def answer_upload(body: bytes) -> Answer:
    """Answer PUT /learn/checkpoint. Raises RequestError if the bytes are no checkpoint that can be shown."""
    return json_answer(read_checkpoint(body))

"""The bodies of requests to /learn/, and their parts."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from model.tables.columns import ColumnSpecs, NumericColumn
from serve.errors import RequestError
from serve.json_bytes import without_mark


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a body. Fields that it does not know are refused."""


class NetworkMessage(Message, frozen=True, kw_only=True):
    """A network: the fields of `model.Network`."""

    sizes: list[int]
    activation: str = "relu"
    task: str = "binary"


class LayerMessage(Message, frozen=True, kw_only=True):
    """The parameters of a layer: weight [inputs, units] and bias [units]."""

    weight: list[list[float]]
    bias: list[float]


class EncodingMessage(Message, frozen=True, kw_only=True):
    """How the columns of a file became inputs. A checkpoint needs it to predict rows as they are in the file."""

    columns: list[str]
    column_specs: ColumnSpecs
    target_scaling: NumericColumn


class TableMessage(Message, frozen=True, kw_only=True):
    """A table: by its name, or as it is."""

    name: str | None = None
    rows: int | None = None
    noise: float | None = None
    seed: int | None = None
    x: list[list[float]] | None = None
    y: list[float] | None = None
    columns: list[str] | None = None
    target: str | None = None
    classes: list[str | int] | None = None
    task: str | None = None
    encoding: EncodingMessage | None = None


class TrainingMessage(Message, frozen=True, kw_only=True):
    """How a network is trained, with all rows in every step."""

    optimizer: str = "sgd"
    learning_rate: float = 0.01


class StartMessage(Message, frozen=True, kw_only=True):
    """Which random start: `init_params` with the key of the seed and the index."""

    seed: int = 0
    index: int = 0
    init: str = "normal"


class GridMessage(Message, frozen=True, kw_only=True):
    """A grid over two inputs, as in `model.explaining.surface`."""

    columns: tuple[int, int] = (0, 1)
    low: tuple[float, float] = (0.0, 0.0)
    high: tuple[float, float] = (1.0, 1.0)
    size: int = 48
    others: list[float] | None = None


OptState = list[Any]


class TableRequest(Message, frozen=True, kw_only=True):
    """POST /learn/table."""

    table: TableMessage


class StartRequest(Message, frozen=True, kw_only=True):
    """POST /learn/start."""

    network: NetworkMessage
    start: StartMessage


class ForwardRequest(Message, frozen=True, kw_only=True):
    """POST /learn/forward."""

    network: NetworkMessage
    params: list[LayerMessage]
    table: TableMessage


class GradientsRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/gradients."""

    epsilon: float = 1e-4
    parameter: str | None = None


class TraceRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/trace."""

    row: int = 0
    training: TrainingMessage = TrainingMessage()


class TrainRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/train."""

    training: TrainingMessage = TrainingMessage()
    opt_state: OptState | None = None
    epochs: int
    records: int = 1
    grid: GridMessage | None = None


class SurfaceRequest(Message, frozen=True, kw_only=True):
    """POST /learn/surface."""

    network: NetworkMessage
    params: list[LayerMessage]
    grid: GridMessage


class StuckRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/why-stuck."""

    training: TrainingMessage = TrainingMessage()
    epochs: int


class StartsRequest(Message, frozen=True, kw_only=True):
    """POST /learn/starts."""

    network: NetworkMessage
    table: TableMessage
    training: TrainingMessage = TrainingMessage()
    seed: int = 0
    init: str = "normal"
    starts: int = 64
    epochs: int
    size: int = 24


class CheckpointRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/checkpoint."""

    training: TrainingMessage = TrainingMessage()
    start: StartMessage = StartMessage()
    epoch: int = 0


class PythonRequest(Message, frozen=True, kw_only=True):
    """POST /learn/python."""

    network: NetworkMessage
    table: TableMessage
    training: TrainingMessage = TrainingMessage()
    start: StartMessage | None = None
    params: list[LayerMessage] | None = None
    epochs: int = 0


Request = TypeVar("Request", bound=Message)


def decode(body: bytes, kind: type[Request]) -> Request:
    """The request in a body. Raises RequestError if it is no such request."""
    try:
        return msgspec.json.decode(without_mark(body), type=kind)
    except RecursionError:
        raise RequestError("the body is nested too deeply; send JSON as /openapi.json describes it") from None
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise RequestError(_sentence(str(error))) from None


def _sentence(text: str) -> str:
    """The message of msgspec as a sentence that begins with the place."""
    found = re.fullmatch(r"(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?", text, re.DOTALL)
    assert found is not None
    what = found[1].replace("`", "'")
    what = what[:1].lower() + what[1:]
    place = f"{found[2]}: " if found[2] else ""
    return f"{place}{what}; send JSON as /openapi.json describes it"

"""The bodies of requests to /learn/, and their parts."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec

from model.tables.columns import ColumnSpecs, NumericColumn
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.json_bytes import without_mark


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a body. Fields that it does not know are refused."""


def bounded(low: float, high: float) -> msgspec.Meta:
    """A description of the numbers that are allowed. The process checks them, and says what it found."""
    return msgspec.Meta(extra_json_schema={"minimum": low, "maximum": high})


def listed(low: int, high: int) -> msgspec.Meta:
    """A description of how many items are allowed."""
    return msgspec.Meta(extra_json_schema={"minItems": low, "maxItems": high})


def one_of(*names: str) -> msgspec.Meta:
    """A description of the texts that are allowed."""
    return msgspec.Meta(extra_json_schema={"enum": list(names)})


Activation = Annotated[str, one_of("relu", "tanh", "sigmoid", "gelu")]
Task = Annotated[str, one_of("binary", "multiclass", "regression")]
Optimizer = Annotated[str, one_of("sgd", "momentum", "adam")]
Init = Annotated[str, one_of("normal", "he")]
Seed = Annotated[int, bounded(0, limits.MAX_SEED)]
Index = Annotated[int, bounded(0, limits.MAX_INDEX)]
Epochs = Annotated[int, bounded(1, limits.MAX_EPOCHS)]
Size = Annotated[int, bounded(limits.MIN_GRID, limits.MAX_GRID)]


class NetworkMessage(Message, frozen=True, kw_only=True):
    """A network: the fields of `model.Network`."""

    sizes: Annotated[list[int], listed(2, limits.MAX_HIDDEN_LAYERS + 2)]
    activation: Activation = "relu"
    task: Task = "binary"


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
    rows: Annotated[int, bounded(2, limits.MAX_ROWS)] | None = None
    noise: Annotated[float, bounded(0, limits.MAX_NOISE)] | None = None
    seed: Seed | None = None
    x: Annotated[list[list[float]], listed(1, limits.MAX_ROWS)] | None = None
    y: Annotated[list[float], listed(1, limits.MAX_ROWS)] | None = None
    columns: list[str] | None = None
    target: str | None = None
    classes: list[str | int] | None = None
    task: Task | None = None
    encoding: EncodingMessage | None = None


class TrainingMessage(Message, frozen=True, kw_only=True):
    """How a network is trained, with all rows in every step."""

    optimizer: Optimizer = "sgd"
    learning_rate: Annotated[float, bounded(limits.MIN_LEARNING_RATE, limits.MAX_LEARNING_RATE)] = 0.01


class StartMessage(Message, frozen=True, kw_only=True):
    """Which random start: `init_params` with the key of the seed and the index."""

    seed: Seed = 0
    index: Index = 0
    init: Init = "normal"


class GridMessage(Message, frozen=True, kw_only=True):
    """A grid over two inputs, as in `model.explaining.surface`."""

    columns: tuple[int, int] = (0, 1)
    low: tuple[float, float] = (0.0, 0.0)
    high: tuple[float, float] = (1.0, 1.0)
    size: Size = 48
    others: list[float] | None = None


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

    epsilon: Annotated[float, bounded(limits.MIN_EPSILON, limits.MAX_EPSILON)] = 1e-4
    parameter: str | None = None


class TraceRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/trace."""

    row: Annotated[int, bounded(0, limits.MAX_ROWS - 1)] = 0
    training: TrainingMessage = TrainingMessage()


class TrainRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/train."""

    training: TrainingMessage = TrainingMessage()
    opt_state: list[Any] | None = None
    epochs: Epochs
    records: Annotated[int, bounded(1, limits.MAX_RECORDS)] = 1
    grid: GridMessage | None = None


class SurfaceRequest(Message, frozen=True, kw_only=True):
    """POST /learn/surface."""

    network: NetworkMessage
    params: list[LayerMessage]
    grid: GridMessage


class StuckRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/why-stuck."""

    training: TrainingMessage = TrainingMessage()
    epochs: Epochs


class StartsRequest(Message, frozen=True, kw_only=True):
    """POST /learn/starts."""

    network: NetworkMessage
    table: TableMessage
    training: TrainingMessage = TrainingMessage()
    seed: Seed = 0
    init: Init = "normal"
    starts: Annotated[int, bounded(1, limits.MAX_STARTS)] = 64
    epochs: Epochs
    size: Size = 24


class CheckpointRequest(ForwardRequest, frozen=True, kw_only=True):
    """POST /learn/checkpoint."""

    training: TrainingMessage = TrainingMessage()
    start: StartMessage = StartMessage()
    epoch: Annotated[int, bounded(0, limits.MAX_TOTAL_EPOCHS)] = 0


class PythonRequest(Message, frozen=True, kw_only=True):
    """POST /learn/python."""

    network: NetworkMessage
    table: TableMessage
    training: TrainingMessage = TrainingMessage()
    start: StartMessage | None = None
    params: list[LayerMessage] | None = None
    epochs: Annotated[int, bounded(0, limits.MAX_TOTAL_EPOCHS)] = 0


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
    if not what[:2].isupper():  # such as JSON
        what = what[:1].lower() + what[1:]
    place = f"{found[2]}: " if found[2] else ""
    return f"{place}{what}; send JSON as /openapi.json describes it"

"""What is asked of each server, as the bytes of a request, and how its answer is read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# load.c puts another number of as many characters here each time.
HOLE = "@@@@@@@@"
INFER = "/v2/models/xor/infer"
ROWS = 1_000
RANDOM_ROWS = np.random.default_rng(0).random((ROWS, 2)).round(6).astype(np.float32)

Reader = Callable[[Mapping[str, str], bytes], np.ndarray]


@dataclass(frozen=True)
class Question:
    """One kind of request to one server.

    section: of the table. title: of its line. request: the bytes, with holes for the first row's numbers; none where it
    goes over gRPC. read: the headers, in lower case, and the body of an answer -> the predictions. rows: what they are
    of, but for the holes.
    """

    section: str
    server: str
    title: str
    request: bytes
    read: Reader
    rows: np.ndarray


ONE, JSON, BINARY = "one row", "1,000 rows, JSON", "1,000 rows, binary"


def questions() -> list[Question]:
    """Of every server; the first of each is also what tells whether it is up."""
    objects = _unquoted([{"a": a, "b": b} for a, b in _open(RANDOM_ROWS)])
    one = [
        _ask(ONE, "constant", "constant route, GET /predict", _get(f"/predict?a={HOLE}&b={HOLE}"), _constant),
        _ask(ONE, "nudge", "Nudge, GET /predict", _get(f"/predict?a={HOLE}&b={HOLE}"), _prediction),
        _ask(ONE, "nudge", "Nudge, POST /predict", _post("/predict", _unquoted({"a": HOLE, "b": HOLE})), _prediction),
        _ask(ONE, "nudge", "Nudge, V2", _post(INFER, _tensor([[HOLE, HOLE]])), _v2),
    ]
    many = [
        _ask(JSON, "nudge", "Nudge, V2", _post(INFER, _tensor(_open(RANDOM_ROWS))), _v2, RANDOM_ROWS),
        _ask(JSON, "nudge", "Nudge, POST /predict", _post("/predict", objects), _predictions, RANDOM_ROWS),
    ]
    for server, name, path, wrap, read in (
        ("mlserver", "MLServer, V2", INFER, _tensor, _v2),
        ("litserve", "LitServe", "/predict", _named("rows"), _named_predictions),
        ("bentoml", "BentoML", "/predict", _named("rows"), _list),
        ("mlflow", "MLflow", "/invocations", _named("inputs"), _named_predictions),
        ("ray", "Ray Serve", "/", _named("rows"), _named_predictions),
    ):
        one.append(_ask(ONE, server, name, _post(path, wrap([[HOLE, HOLE]])), read))
        many.append(_ask(JSON, server, name, _post(path, wrap(_open(RANDOM_ROWS))), read, RANDOM_ROWS))
    raw = RANDOM_ROWS.tobytes()
    binary = [
        _ask(BINARY, "nudge", "Nudge, V2 with binary tensors", _binary(raw), _v2_binary, RANDOM_ROWS),
        _ask(BINARY, "mlserver", "MLServer, V2 with base64", _post(INFER, _base64(raw)), _v2_base64, RANDOM_ROWS),
        _ask(BINARY, "mlserver", "MLServer, gRPC with raw tensors", b"", _list, RANDOM_ROWS),
    ]
    return one + many + binary


def filled(request: bytes, rows: np.ndarray) -> bytes:
    """The request with the first row's numbers in its holes."""
    for number in rows[0]:
        request = request.replace(HOLE.encode(), b"%.6f" % number, 1)
    return request


def _ask(
    section: str, server: str, title: str, request: bytes, read: Reader, rows: np.ndarray = RANDOM_ROWS[:1]
) -> Question:
    return Question(section, server, title, request, read, rows)


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()


def _post(path: str, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _numbers(rows: np.ndarray) -> list[list[float]]:
    return [[round(float(number), 6) for number in row] for row in rows]


def _open(rows: np.ndarray) -> list[list[Any]]:
    return [[HOLE, HOLE], *_numbers(rows[1:])]


def _unquoted(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).replace(f'"{HOLE}"', HOLE).encode()


def _named(name: str) -> Callable[[list[list[Any]]], bytes]:
    return lambda rows: _unquoted({name: rows})


def _tensor(rows: list[list[Any]]) -> bytes:
    data = [number for row in rows for number in row]
    tensor = {"name": "input", "shape": [len(rows), 2], "datatype": "FP32", "data": data}
    return _unquoted({"inputs": [tensor]})


def _base64(raw: bytes) -> bytes:
    text = base64.b64encode(raw).decode()
    parameters = {"content_type": "base64"}
    tensor = {"name": "input", "shape": [1, 1], "datatype": "BYTES", "data": [text], "parameters": parameters}
    return _unquoted({"inputs": [tensor]})


def _binary(raw: bytes) -> bytes:
    """The binary tensor data extension, for the answer as well."""
    parameters = {"binary_data_size": len(raw)}
    tensor = {"name": "input", "shape": [ROWS, 2], "datatype": "FP32", "parameters": parameters}
    head = _unquoted({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    length = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return _post(INFER, head + raw, "application/octet-stream", length)


def _constant(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    """Nothing is predicted; that it answers is all."""
    json.loads(body)
    return np.empty(0)


def _prediction(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array([json.loads(body)["prediction"]])


def _predictions(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array([answer["prediction"] for answer in json.loads(body)])


def _named_predictions(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array(json.loads(body)["predictions"]).ravel()


def _list(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array(json.loads(body))


def _output(answer: dict[str, Any]) -> dict[str, Any]:
    """The output named prediction, else the first."""
    outputs: list[dict[str, Any]] = answer["outputs"]
    return next((output for output in outputs if output["name"] == "prediction"), outputs[0])


def _v2(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array(_output(json.loads(body))["data"]).ravel()


def _v2_base64(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.frombuffer(base64.b64decode(_output(json.loads(body))["data"][0]), np.float32)


def _v2_binary(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    start = int(headers["inference-header-content-length"])
    answer = json.loads(body[:start])
    wanted = _output(answer)
    for output in answer["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        if output is wanted:
            kind = {"FP32": np.float32, "FP64": np.float64}[output["datatype"]]
            return np.frombuffer(body[start : start + size], kind)
        start += size
    raise ValueError("no output")

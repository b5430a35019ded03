"""The questions to each server: the bytes of a request, and how to read its answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# load.c replaces this by a new number with the same number of characters in every request.
PLACEHOLDER = "@@@@@@@@"
INFER_PATH = "/v2/models/xor/infer"
MANY_ROWS = 1_000
RANDOM_ROWS = np.random.default_rng(0).random((MANY_ROWS, 2)).round(6).astype(np.float32)

AnswerReader = Callable[[Mapping[str, str], bytes], np.ndarray]


@dataclass(frozen=True)
class Question:
    """One kind of request to one server.

    Attributes:
        section: the section of the table.
        server: the name of the server.
        title: the title of its line in the table.
        request: the bytes of the request, with placeholders for the numbers of the first row; empty for gRPC.
        read: a function that returns the predictions from the headers (in lower case) and the body of an answer.
        rows: [rows, 2] float32, the rows of the request; the first one replaces the placeholders when it is checked.
    """

    section: str
    server: str
    title: str
    request: bytes
    read: AnswerReader
    rows: np.ndarray


ONE_ROW, JSON_ROWS, BINARY_ROWS = "one row", "1,000 rows, JSON", "1,000 rows, binary"


def questions() -> list[Question]:
    """All questions to all servers. The first one of each server also shows whether the server is ready."""
    return _one_row_questions() + _json_questions() + _binary_questions()


_CONSTANT = (("gthread", "computing nothing, gunicorn's gthread"), ("worker", "computing nothing, our worker"))


def _one_row_questions() -> list[Question]:
    query = _get_request(f"/predict?a={PLACEHOLDER}&b={PLACEHOLDER}")
    row = [[PLACEHOLDER, PLACEHOLDER]]
    body = _encode_json({"a": PLACEHOLDER, "b": PLACEHOLDER})
    requests = [
        *((server, title, query, _read_constant) for server, title in _CONSTANT),
        ("nudge", "Nudge, GET /predict", query, _read_prediction),
        ("nudge", "Nudge, POST /predict", _post_request("/predict", body), _read_prediction),
        ("nudge", "Nudge, V2", _post_request(INFER_PATH, _tensor_body(row)), _read_v2),
        *((server, title, _post_request(path, encode(row)), read) for server, title, path, encode, read in _PEERS),
    ]
    return [Question(ONE_ROW, *request, RANDOM_ROWS[:1]) for request in requests]


def _json_questions() -> list[Question]:
    rows = _with_placeholders(RANDOM_ROWS)
    objects = _encode_json([{"a": a, "b": b} for a, b in rows])
    requests = [
        ("nudge", "Nudge, V2", _post_request(INFER_PATH, _tensor_body(rows)), _read_v2),
        ("nudge", "Nudge, POST /predict", _post_request("/predict", objects), _read_predictions),
        *((server, title, _post_request(path, encode(rows)), read) for server, title, path, encode, read in _PEERS),
    ]
    return [Question(JSON_ROWS, *request, RANDOM_ROWS) for request in requests]


def _binary_questions() -> list[Question]:
    raw = RANDOM_ROWS.tobytes()
    requests = [
        ("nudge", "Nudge, V2 with binary tensors", _binary_request(raw), _read_v2_binary),
        *((server, title, _post_request("/read", raw), _read_nothing) for server, title in _CONSTANT),
        ("mlserver", "MLServer, V2 with base64", _post_request(INFER_PATH, _base64_body(raw)), _read_v2_base64),
        ("mlserver", "MLServer, gRPC with raw tensors", b"", _read_list),
    ]
    return [Question(BINARY_ROWS, *request, RANDOM_ROWS) for request in requests]


def fill_placeholders(request: bytes, rows: np.ndarray) -> bytes:
    """The request with the numbers of the first row in place of the placeholders."""
    for number in rows[0]:
        request = request.replace(PLACEHOLDER.encode(), b"%.6f" % number, 1)
    return request


def _get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()


def _post_request(path: str, body: bytes, content_type: str = "application/json", more_headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nContent-Type: {content_type}\r\n{more_headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _numbers(rows: np.ndarray) -> list[list[float]]:
    return [[round(float(number), 6) for number in row] for row in rows]


def _with_placeholders(rows: np.ndarray) -> list[list[Any]]:
    return [[PLACEHOLDER, PLACEHOLDER], *_numbers(rows[1:])]


def _encode_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).replace(f'"{PLACEHOLDER}"', PLACEHOLDER).encode()


def _object_body(name: str) -> Callable[[list[list[Any]]], bytes]:
    return lambda rows: _encode_json({name: rows})


def _tensor_body(rows: list[list[Any]]) -> bytes:
    data = [number for row in rows for number in row]
    tensor = {"name": "input", "shape": [len(rows), 2], "datatype": "FP32", "data": data}
    return _encode_json({"inputs": [tensor]})


def _base64_body(raw: bytes) -> bytes:
    text = base64.b64encode(raw).decode()
    parameters = {"content_type": "base64"}
    tensor = {"name": "input", "shape": [1, 1], "datatype": "BYTES", "data": [text], "parameters": parameters}
    return _encode_json({"inputs": [tensor]})


def _binary_request(raw: bytes) -> bytes:
    """A request with a raw tensor that asks for raw tensors in the answer (the binary tensor extension)."""
    parameters = {"binary_data_size": len(raw)}
    tensor = {"name": "input", "shape": [MANY_ROWS, 2], "datatype": "FP32", "parameters": parameters}
    head = _encode_json({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    json_length = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return _post_request(INFER_PATH, head + raw, "application/octet-stream", json_length)


def _read_nothing(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.zeros(0)


def _read_constant(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    """The constant route predicts nothing. Its answer must only be JSON."""
    json.loads(body)
    return np.empty(0)


def _read_prediction(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array([json.loads(body)["prediction"]])


def _read_predictions(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array([answer["prediction"] for answer in json.loads(body)])


def _read_named_predictions(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array(json.loads(body)["predictions"]).ravel()


def _read_list(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array(json.loads(body))


def _prediction_output(answer: dict[str, Any]) -> dict[str, Any]:
    """The output with the name prediction, or else the first one."""
    outputs: list[dict[str, Any]] = answer["outputs"]
    return next((output for output in outputs if output["name"] == "prediction"), outputs[0])


def _read_v2(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.array(_prediction_output(json.loads(body))["data"]).ravel()


def _read_v2_base64(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    return np.frombuffer(base64.b64decode(_prediction_output(json.loads(body))["data"][0]), np.float32)


def _read_v2_binary(headers: Mapping[str, str], body: bytes) -> np.ndarray:
    start = int(headers["inference-header-content-length"])
    answer = json.loads(body[:start])
    prediction = _prediction_output(answer)
    for output in answer["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        if output is prediction:
            dtype = {"FP32": np.float32, "FP64": np.float64}[output["datatype"]]
            return np.frombuffer(body[start : start + size], dtype)
        start += size
    raise ValueError("the answer has no output")


# Each peer, its title, its path, the function that encodes rows for it, and the function that reads its answer.
_PEERS: tuple[tuple[str, str, str, Callable[[list[list[Any]]], bytes], AnswerReader], ...] = (
    ("mlserver", "MLServer, V2", INFER_PATH, _tensor_body, _read_v2),
    ("litserve", "LitServe", "/predict", _object_body("rows"), _read_named_predictions),
    ("bentoml", "BentoML", "/predict", _object_body("rows"), _read_list),
    ("mlflow", "MLflow", "/invocations", _object_body("inputs"), _read_named_predictions),
    ("ray", "Ray Serve", "/", _object_body("rows"), _read_named_predictions),
)

"""Blueprint /predict: one row from the query, one or many from a JSON body."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from flask import Blueprint, Response, current_app, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from model.tables import as_float32, parse_number
from model.text import shown
from serve.errors import RequestError
from serve.registry import Model

blueprint = Blueprint("predict", __name__)

Row = list[float]


@blueprint.get("/predict")
def predict_query() -> Response:
    """GET /predict?a=1&b=0: the columns by name, each exactly once."""
    model = _model()
    for name, values in request.args.lists():
        if len(values) > 1:
            raise RequestError(f"column {shown(name)} was expected once, and was found {len(values)} times")
    row = _row(request.args.to_dict(), model, _from_text)
    return jsonify(_answers(model, [row])[0])


@blueprint.post("/predict")
def predict_body() -> Response:
    """POST /predict: a JSON object with the columns, or an array of such objects; answers likewise."""
    model = _model()
    body = _json_body()
    if isinstance(body, list):
        rows = [_row(item, model, _from_json, f" in row {index}") for index, item in enumerate(body)]
        return jsonify(_answers(model, rows))
    return jsonify(_answers(model, [_row(body, model, _from_json)])[0])


def _model() -> Model:
    model: Model = current_app.extensions["nudge"]
    return model


def _answers(model: Model, rows: list[Row]) -> list[dict[str, Any]]:
    x = np.array(rows, np.float32).reshape(len(rows), len(model.checkpoint.columns))
    classes = model.checkpoint.classes
    source = {"model": model.name, "version": model.checkpoint.version}
    predictions = model.predict(x)
    if not np.isfinite(predictions).all():
        row = rows[int(np.argmin(np.isfinite(predictions)))]
        raise RequestError(f"values within the network's range were expected, and {row} overflows in it")
    return [
        {"prediction": prediction, "label": classes[prediction >= 0.5], **source} for prediction in predictions.tolist()
    ]


def _row(values: Any, model: Model, number: Any, where: str = "") -> Row:
    """The columns' values in the model's order. where: names the row in messages, when there are several."""
    columns = model.checkpoint.columns
    expected = ", ".join(columns)
    if not isinstance(values, Mapping):
        raise RequestError(f"an object with {expected} was expected{where}, and {_kind(values)} was found")
    for name in values:
        if name not in columns:
            raise RequestError(f"the columns {expected} were expected{where}, and {shown(name)} was found")
    for name in columns:
        if name not in values:
            found = ", ".join(values) or "nothing"
            raise RequestError(f"the columns {expected} were expected{where}, and {found} was found: {name} is missing")
    try:
        return [_named(name, values[name], number) for name in columns]
    except ValueError as error:
        raise RequestError(f"{error}{where}") from None


def _named(name: str, value: Any, number: Any) -> float:
    try:
        result: float = number(value)
        return result
    except ValueError as error:
        raise ValueError(f"column {name}: {error}") from None


_from_text = parse_number


def _from_json(value: Any) -> float:
    if not isinstance(value, float):
        raise ValueError(f"a number was expected, and {_kind(value)} was found")
    return as_float32(value)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    kinds = {dict: "an object", list: "an array", float: "a number", type(None): "null"}
    return kinds[type(value)]


def _json_body() -> Any:
    if request.mimetype != "application/json":
        found = shown(request.mimetype) if request.mimetype else "none"
        raise RequestError(f"the content type application/json was expected, and {found} was found", 415)
    data = _whole_body()
    if not data:
        raise RequestError("a JSON object or array was expected, and an empty body was found")
    try:
        return json.loads(
            data.decode(), parse_int=float, parse_constant=_refuse_constant, object_pairs_hook=_unique_names
        )
    except UnicodeDecodeError:
        raise RequestError("a body in UTF-8 was expected, and other bytes were found") from None
    except RecursionError:
        raise RequestError("a JSON object or array was expected, and one nested too deeply was found") from None
    except json.JSONDecodeError as error:
        message = error.msg[0].lower() + error.msg[1:]
        raise RequestError(f"valid JSON was expected, and at character {error.pos} was found: {message}") from None


def _whole_body() -> bytes:
    """The body, once it is certain that all of it is there: Werkzeug cuts a chunked one at the limit without a word,
    and gunicorn ends one early whose sender does.
    """
    try:
        data = request.get_data(cache=False)
        rest = request.environ["wsgi.input"].read(1)
    except (OSError, ParseException, ClientDisconnected):
        raise RequestError(
            "a whole body was expected, and one that breaks off or has broken chunks was found"
        ) from None
    if rest:
        raise RequestEntityTooLarge
    if request.content_length not in (None, len(data)):
        raise RequestError(f"a body of {request.content_length} bytes was expected, and {len(data)} were found")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise RequestError(f"a finite number was expected, and {name} was found")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(name for name, _ in pairs)
    if len(counts) < len(pairs):
        name, count = next((name, count) for name, count in counts.items() if count > 1)
        raise RequestError(f"column {shown(name)} was expected once, and was found {count} times")
    return dict(pairs)

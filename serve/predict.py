"""Blueprint /predict: one row from the query, one or many from a JSON body."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
from flask import Blueprint, Response, current_app, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from model.columns import Category, Number
from model.text import listed, shown
from model.values import from_json, from_text, kind
from serve.errors import RequestError
from serve.registry import Model

blueprint = Blueprint("predict", __name__)

Row = list[float]
Reader = Callable[[Number | Category, Any], float]


@blueprint.get("/predict")
def predict_query() -> Response:
    """GET /predict?a=1&b=0: the columns by name, each once; one that was missing in training may be left out."""
    model = _model()
    for name, values in request.args.lists():
        if len(values) > 1:
            raise RequestError(f"column {shown(name)} was expected once, and was found {len(values)} times")
    row = _row(request.args.to_dict(), model, from_text)
    return jsonify(_answers(model, [row])[0])


@blueprint.post("/predict")
def predict_body() -> Response:
    """POST /predict: a JSON object with the columns, or an array of such objects; answers likewise."""
    model = _model()
    body = _json_body()
    if isinstance(body, list):
        rows = [_row(item, model, from_json, f" in row {index}") for index, item in enumerate(body)]
        return jsonify(_answers(model, rows))
    return jsonify(_answers(model, [_row(body, model, from_json)])[0])


def _model() -> Model:
    model: Model = current_app.extensions["nudge"]
    return model


def _answers(model: Model, rows: list[Row]) -> list[dict[str, Any]]:
    values = np.array(rows, np.float64).reshape(len(rows), len(model.checkpoint.columns))
    source = {"model": model.name, "version": model.checkpoint.version}
    try:
        answers = model.predictor.answers(values)
    except ValueError as error:
        raise RequestError(str(error)) from None
    return [answer | source for answer in answers]


def _row(values: Any, model: Model, read: Reader, where: str = "") -> Row:
    """The columns' values in the model's order. where: names the row in messages, when there are several."""
    columns = model.checkpoint.columns
    expected = listed(columns)
    if not isinstance(values, Mapping):
        raise RequestError(f"an object with {expected} was expected{where}, and {kind(values)} was found")
    for name in values:
        if name not in columns:
            raise RequestError(f"the columns {expected} were expected{where}, and {shown(name)} was found")
    row = []
    for name, column in zip(columns, model.checkpoint.scaling, strict=True):
        if name not in values and not column.missing:
            found = listed(list(values)) or "nothing"
            raise RequestError(f"the columns {expected} were expected{where}, and {found} was found: {name} is missing")
        try:
            row.append(read(column, values[name]) if name in values else math.nan)
        except ValueError as error:
            raise RequestError(f"column {name}: {error}{where}") from None
    return row


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

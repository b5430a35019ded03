"""Blueprint /predict: one row from the query, one or many from a JSON body."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from model.messages import quote
from model.tables.parsing import parse_text
from serve.errors import RequestError, check_rows
from serve.metrics import count_rows
from serve.model_lookup import default_model, model_named, settings
from serve.registry import Model
from serve.request_body import whole_body
from serve.responses import answer

blueprint = Blueprint("predict", __name__)


@blueprint.get("/predict")
def predict_query() -> Response:
    """GET /predict?a=1&b=0: the columns by name, each once; one that was missing in training may be left out."""
    return _of_query(default_model())


@blueprint.post("/predict")
def predict_body() -> Response:
    """POST /predict: a JSON object with the columns, or an array of such objects; answers likewise."""
    return _of_body(default_model())


@blueprint.get("/models/<name>/predict")
def model_query(name: str) -> Response:
    """The same of any model."""
    return _of_query(model_named(name))


@blueprint.post("/models/<name>/predict")
def model_body(name: str) -> Response:
    """The same of any model."""
    return _of_body(model_named(name))


def _of_query(model: Model) -> Response:
    for name, values in request.args.lists():
        if len(values) > 1:
            raise RequestError(f"column {quote(name)} was expected once, and was found {len(values)} times")
    row = model.rows.of_pairs(request.args.to_dict(), parse_text)
    return answer(answers(model, np.array([row]))[0])


def _of_body(model: Model) -> Response:
    if request.mimetype != "application/json":
        found = quote(request.mimetype) if request.mimetype else "none"
        raise RequestError(f"the content type application/json was expected, and {found} was found", 415)
    body = whole_body()
    if not body:
        raise RequestError("a JSON object or array was expected, and an empty body was found")
    values, single = model.rows.of_json(body)
    check_rows(len(values), settings().max_rows)
    of_rows = answers(model, values)
    return answer(of_rows[0] if single else of_rows)


def answers(model: Model, values: np.ndarray) -> list[dict[str, Any]]:
    """What the model says of rows of values, and which model it is. Raises RequestError where one overflows in it."""
    source = {"model": model.name, "version": model.version}
    try:
        found = model.predictor.answers(values)
    except ValueError as error:
        raise RequestError(str(error)) from None
    count_rows(model.name, len(values))
    return [each | source for each in found]

"""Blueprint /predict: one row from the query, one or many from a JSON body."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from model.messages import quote
from model.tables.parsing import parse_text
from serve.errors import RequestError, check_rows
from serve.loaded_model import Model
from serve.metrics import note_rows
from serve.model_lookup import current_settings, default_model, find_model
from serve.request_body import read_body
from serve.responses import json_response

blueprint = Blueprint("predict", __name__)


@blueprint.get("/predict")
def predict_query() -> Response:
    """GET /predict?a=1&b=0: the columns by name, each once.

    A column that had missing values in training may be left out.
    """
    return _answer_query(default_model())


@blueprint.post("/predict")
def predict_body() -> Response:
    """POST /predict: a JSON object with the columns, or an array of such objects.

    The answer is an object or an array likewise.
    """
    return _answer_body(default_model())


@blueprint.get("/models/<name>/predict")
def model_query(name: str) -> Response:
    """The same for any model."""
    return _answer_query(find_model(name))


@blueprint.post("/models/<name>/predict")
def model_body(name: str) -> Response:
    """The same for any model."""
    return _answer_body(find_model(name))


def _answer_query(model: Model) -> Response:
    for name, values in request.args.lists():
        if len(values) > 1:
            raise RequestError(f"column {quote(name)} was expected once, and was found {len(values)} times")
    row = model.rows.from_pairs(request.args.to_dict(), parse_text)
    return json_response(make_answers(model, np.array([row]))[0])


def _answer_body(model: Model) -> Response:
    if request.mimetype != "application/json":
        found = quote(request.mimetype) if request.mimetype else "none"
        raise RequestError(f"the content type application/json was expected, and {found} was found", 415)
    body = read_body()
    if not body:
        raise RequestError("a JSON object or array was expected, and an empty body was found")
    values, is_single = model.rows.from_json(body)
    check_rows(len(values), current_settings().max_rows)
    answers = make_answers(model, values)
    return json_response(answers[0] if is_single else answers)


def make_answers(model: Model, values: np.ndarray) -> list[dict[str, Any]]:
    """Predict rows.

    Args:
        model: the model that predicts.
        values: [rows, columns] float64, the rows; NaN where a value is missing.

    Returns:
        One answer per row: the prediction, the name of the model and its version.

    Raises:
        RequestError: if a value overflows in the network.
    """
    source = {"model": model.name, "version": model.version}
    try:
        answers = model.predictor.answers(values)
    except ValueError as error:
        raise RequestError(str(error)) from None
    note_rows(model.name, len(values))
    return [prediction | source for prediction in answers]

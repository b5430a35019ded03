"""Blueprint /predict: one row from the query, one or many from a JSON body."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from model.messages import quote
from serve.errors import RequestError, check_rows
from serve.loaded_model import Model
from serve.metrics import note_rows
from serve.model_lookup import current_settings, default_model, find_model
from serve.request_body import read_body
from serve.responses import json_response
from serve.row_decoder import DecodedRows

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
    return json_response(make_answers(model, model.rows.from_texts(request.args.to_dict()))[0])


def _answer_body(model: Model) -> Response:
    if request.mimetype != "application/json":
        found = quote(request.mimetype) if request.mimetype else "none"
        raise RequestError(f"the content type application/json was expected, and {found} was found", 415)
    body = read_body()
    if not body:
        raise RequestError("a JSON object or array was expected, and an empty body was found")
    rows, is_single = model.rows.from_json(body)
    check_rows(len(rows.values), current_settings().max_rows)
    answers = make_answers(model, rows)
    return json_response(answers[0] if is_single else answers)


def make_answers(model: Model, rows: DecodedRows) -> list[dict[str, Any]]:
    """Predict rows.

    Args:
        model: the model that predicts.
        rows: the rows.

    Returns:
        One answer per row: the prediction, the name of the model, its version, and `notes` on values that training
        never saw, if there are any.

    Raises:
        RequestError: if a value overflows in the network.
    """
    source = {"model": model.name, "version": model.version}
    try:
        answers = model.predictor.answers(rows.values)
    except ValueError as error:
        raise RequestError(str(error)) from None
    note_rows(model.name, len(rows.values), rows.unseen.counts)
    for row, notes in rows.unseen.notes.items():
        answers[row]["notes"] = notes
    return [prediction | source for prediction in answers]

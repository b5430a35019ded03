"""Blueprint /predict: one row from the query, one or many from a JSON body."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, request

from model.inference import OverflowingRowError
from model.messages import quote
from serve.errors import RequestError
from serve.loaded_model import Model
from serve.metrics import note_rows
from serve.model_lookup import default_model, find_model
from serve.registry import Registry
from serve.request_body import read_body
from serve.responses import Answer, to_response
from serve.row_decoder import DecodedRows
from serve.size_limits import blocks_of, row_limit
from serve.statistics import INPUT, OUTPUT, PREDICTION, Statistics, Watch

blueprint = Blueprint("predict", __name__)


@blueprint.route("/predict", methods=("GET", "POST"), defaults={"name": None})
@blueprint.route("/models/<name>/predict", methods=("GET", "POST"))
def predict(**arguments: Any) -> Response:
    """GET /predict?a=1&b=0: the columns by name, each once. A column with missing values in training may be left out.

    POST /predict: a JSON object with the columns, or an array of such objects. The answer is one likewise.
    """
    return to_response(current_app.extensions["nudge.answers"][request.endpoint](request.environ, **arguments))


def answer_rows(registry: Registry, statistics: Statistics, environ: dict[str, Any], name: str | None) -> Answer:
    """Answer a request for predictions of the row in a query, or of the rows in a JSON body.

    Args:
        registry: the models.
        statistics: where the request is counted.
        environ: the request.
        name: the name of the model; None for the default model.

    Raises:
        RequestError: if the request does not fit the model, or if the model cannot answer.
    """
    model = default_model(registry) if name is None else find_model(name, registry=registry)
    with Watch(statistics, model) as watch:
        if environ["REQUEST_METHOD"] == "POST":
            body = _read_json(environ, registry.settings.max_body_bytes)
            rows, is_single = model.rows.from_json(body, row_limit(model, registry.settings.max_rows))
        else:
            rows, is_single = model.rows.from_query(environ["QUERY_STRING"]), True
        watch.end(INPUT)
        answers = _encode_answers(model, rows, watch)
        return Answer(b"".join([*answers, b"\n"] if is_single else [b"[", *answers, b"]\n"]))


def _read_json(environ: dict[str, Any], max_bytes: int) -> bytes:
    mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if mimetype != "application/json":
        found = quote(mimetype) if mimetype else "none"
        raise RequestError(f"the content type application/json was expected, and {found} was found", 415)
    body = read_body(environ, max_bytes)
    if not body:
        raise RequestError("a JSON object or array was expected, and an empty body was found")
    return body


def _encode_answers(model: Model, rows: DecodedRows, watch: Watch) -> list[bytes]:
    """Predict rows, some at a time, and encode the answers with commas between them.

    Each answer has the prediction, `notes` on values that training never saw if there are any, and the model's version.
    """
    source = {"model": model.name, "version": model.version}
    values, parts = rows.values, list[bytes]()
    unseen_counts: Counter[str] = Counter()
    for block in blocks_of(model, len(values)):
        try:
            answers = model.predictor.answers(values[block])
        except OverflowingRowError as error:
            raise RequestError(str(error)) from None
        watch.end(PREDICTION)
        unseen = model.rows.unseen.find(*rows.of(block))
        for row, notes in unseen.notes.items():
            answers[row]["notes"] = notes
        for answer in answers:
            answer.update(source)
        if parts:
            parts.append(b",")
        parts.append(msgspec.json.encode(answers)[1:-1])
        if unseen.counts:
            unseen_counts.update(unseen.counts)
        watch.end(OUTPUT)
    watch.rows = len(values)
    note_rows(model.name, watch.rows, unseen_counts)
    return parts

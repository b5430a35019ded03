"""A Flask application that computes nothing: it returns one number, or it reads a body and returns other bytes."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/predict")
def predict() -> Response:
    return jsonify({"prediction": 0.5})


# As long as the answer to 1,000 rows with binary tensors: a float32 and an int64 for each row, and their JSON.
ANSWER = bytes(12 * 1000 + 300)


@app.post("/read")
def read() -> Response:
    request.get_data(cache=False)
    return Response(ANSWER, mimetype="application/octet-stream")

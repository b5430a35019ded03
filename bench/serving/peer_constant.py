"""The least that Flask can answer: one route that returns a constant, under gunicorn with the project's settings."""

from __future__ import annotations

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.get("/predict")
def predict() -> Response:
    return jsonify({"prediction": 0.5})

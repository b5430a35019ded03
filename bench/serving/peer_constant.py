"""The constant route: a Flask application that returns one number, under gunicorn with the project's settings."""

from __future__ import annotations

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.get("/predict")
def predict() -> Response:
    return jsonify({"prediction": 0.5})

"""Blueprint /metrics: numbers for the operator, from all workers of the service together.

Each worker writes its numbers to files of its own in PROMETHEUS_MULTIPROC_DIR, which gunicorn_conf.py sets. The worker
that is asked adds them up. Without that directory there is one process, and its numbers are in memory.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from collections.abc import Mapping

import jax
from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from serve.loaded_model import Model
from serve.registry import Listener

blueprint = Blueprint("metrics", __name__)

SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS_BUCKETS = (1, 16, 256, 4096, 100_000)

request_seconds = Histogram(
    "nudge_request_seconds",
    "Requests, and the seconds to the whole answer",
    ["route", "status"],
    buckets=SECONDS_BUCKETS,
)
prediction_rows = Histogram("nudge_rows", "Predictions, and the rows of each", ["model"], buckets=ROWS_BUCKETS)
unseen_values = Counter(
    "nudge_unseen_values", "Values in requests of a kind that training never saw", ["model", "column"]
)
model_workers = Gauge(
    "nudge_model_workers", "Workers that serve a version", ["model", "version"], multiprocess_mode="livesum"
)
model_loaded_at = Gauge(
    "nudge_model_loaded_timestamp_seconds", "When a model was last loaded", ["model"], multiprocess_mode="max"
)
model_load_seconds = Gauge("nudge_model_load_seconds", "How long it took", ["model"], multiprocess_mode="mostrecent")
reload_failures = Counter("nudge_reload_failures", "Checkpoints that a worker found broken", ["model"])
compilations = Counter("nudge_compilations", "Programs that JAX compiled")

# Noted and not yet counted. Threads that answer do not count: they would wait for each other's locks.
_notes: deque[tuple[Histogram | Counter, tuple[str, ...], float]] = deque()


def note_request(route: str, status: int, seconds: float) -> None:
    """Note an answer, to be counted later.

    Args:
        route: the route that the request matched, such as /models/<name>/predict.
        status: the HTTP status of the answer.
        seconds: the time from the request to the whole answer.
    """
    _notes.append((request_seconds, (route, str(status)), seconds))


def note_rows(model: str, count: int, unseen: Mapping[str, int]) -> None:
    """Note the rows of one prediction, to be counted later.

    Args:
        model: the name of the model that predicts.
        count: how many rows there are.
        unseen: how many values that training never saw each column has.
    """
    _notes.append((prediction_rows, (model,), count))
    for column, cells in unseen.items():
        _notes.append((unseen_values, (model, column), cells))


@atexit.register
def count_notes() -> None:
    """Count what has been noted."""
    while _notes:
        try:
            metric, labels, value = _notes.popleft()
        except IndexError:  # another thread was faster
            return
        child = metric.labels(*labels)
        child.observe(value) if isinstance(child, Histogram) else child.inc(value)


def counting_listener() -> Listener:
    """A listener that counts the models that a registry loads, retires and cannot load."""
    return Listener(on_load=_count_load, on_retire=_count_retirement, on_failure=_count_failure)


def _count_load(model: Model) -> None:
    model_workers.labels(model.name, model.version).set(1)
    model_loaded_at.labels(model.name).set(model.loaded_at)
    reload_failures.labels(model.name)  # from 0 on, so that an increase can be seen
    model_load_seconds.labels(model.name).set(model.load_seconds)


def _count_retirement(model: Model) -> None:
    model_workers.labels(model.name, model.version).set(0)


def _count_failure(name: str) -> None:
    reload_failures.labels(name).inc()


def _count_compilation(event: str, duration_secs: float, **_: str | int) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        compilations.inc()


jax.monitoring.register_event_duration_secs_listener(_count_compilation)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The numbers in the text format of Prometheus."""
    count_notes()
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

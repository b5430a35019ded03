"""What an operator counts: /metrics, for all workers of the service together.

Each worker writes its numbers to files of its own in PROMETHEUS_MULTIPROC_DIR, which gunicorn_conf.py sets; whichever
is asked adds them up. Without that directory there is one process, and its numbers are in memory.
"""

from __future__ import annotations

import atexit
import os
from collections import deque

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

from serve.registry import Model, Registry

blueprint = Blueprint("metrics", __name__)

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 16, 256, 4096, 100_000)

requests = Histogram(
    "nudge_request_seconds", "Requests, and the seconds to the whole answer", ["route", "status"], buckets=SECONDS
)
rows = Histogram("nudge_rows", "Predictions, and the rows of each", ["model"], buckets=ROWS)
workers = Gauge(
    "nudge_model_workers", "Workers that serve a version", ["model", "version"], multiprocess_mode="livesum"
)
loaded = Gauge(
    "nudge_model_loaded_timestamp_seconds", "When a model was last loaded", ["model"], multiprocess_mode="max"
)
load_seconds = Gauge("nudge_model_load_seconds", "How long it took", ["model"], multiprocess_mode="mostrecent")
failures = Counter("nudge_reload_failures", "Checkpoints that a worker found broken", ["model"])
compilations = Counter("nudge_compilations", "Programs that JAX compiled")

# What is still to be counted. Threads that answer would wait for each other's locks if they counted it themselves.
_uncounted: deque[tuple[Histogram, tuple[str, ...], float]] = deque()


def count_request(route: str, status: int, seconds: float) -> None:
    """Have an answer counted. route: the rule that it matched, such as /models/<name>/predict."""
    _uncounted.append((requests, (route, str(status)), seconds))


def count_rows(model: str, count: int) -> None:
    """Have the rows of one prediction counted."""
    _uncounted.append((rows, (model,), count))


@atexit.register
def count() -> None:
    """Count what is still to be counted."""
    while _uncounted:
        try:
            metric, labels, value = _uncounted.popleft()
        except IndexError:  # another thread had it
            return
        metric.labels(*labels).observe(value)


def follow(registry: Registry) -> None:
    """Count what the registry loads, cannot load and retires."""

    def on_load(model: Model) -> None:
        workers.labels(model.name, model.version).set(1)
        loaded.labels(model.name).set(model.loaded)
        failures.labels(model.name)  # from 0 on, so that an increase can be seen
        load_seconds.labels(model.name).set(model.seconds)

    def on_retire(model: Model) -> None:
        workers.labels(model.name, model.version).set(0)

    registry.on_load, registry.on_retire, registry.on_look = on_load, on_retire, count
    registry.on_failure = lambda name: failures.labels(name).inc()


def _count_compilation(event: str, duration_secs: float, **_: str | int) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        compilations.inc()


jax.monitoring.register_event_duration_secs_listener(_count_compilation)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The numbers in Prometheus's text format."""
    count()
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

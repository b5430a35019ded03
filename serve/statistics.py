"""What this worker has predicted with each model, and how long it took: Triton's extension for statistics."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from threading import Lock
from typing import Any

from serve.loaded_model import Model

# The parts of a request: decoding it, predicting, and encoding the answer.
INPUT, PREDICTION, OUTPUT = range(3)
# Requests that are counted together.
MAX_UNCOUNTED = 100


class ModelStatistics:
    """The requests for predictions that one version of a model has answered."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.last_milliseconds = self.rows = self.successes = self.failures = 0
        self.success_nanoseconds = self.failure_nanoseconds = 0
        self.part_nanoseconds = [0, 0, 0]

    def count(self, watch: Watch) -> None:
        """Count a request."""
        if watch.has_failed:
            self.failures += 1
            self.failure_nanoseconds += watch.whole_nanoseconds
            return
        self.successes += 1
        self.rows += watch.rows
        self.success_nanoseconds += watch.whole_nanoseconds
        self.last_milliseconds = max(self.last_milliseconds, round(watch.began * 1000))
        for part, nanoseconds in enumerate(watch.nanoseconds):
            self.part_nanoseconds[part] += nanoseconds

    def as_dict(self, name: str) -> dict[str, Any]:
        """The statistics in the shape of Triton's extension."""
        parts = zip(("compute_input", "compute_infer", "compute_output"), self.part_nanoseconds, strict=True)
        return {
            "name": name,
            "version": self.version,
            "last_inference": self.last_milliseconds,
            "inference_count": self.rows,
            "execution_count": self.successes,
            "inference_stats": {
                "success": {"count": self.successes, "ns": self.success_nanoseconds},
                "fail": {"count": self.failures, "ns": self.failure_nanoseconds},
                "queue": {"count": 0, "ns": 0},
                **{part: {"count": self.successes, "ns": nanoseconds} for part, nanoseconds in parts},
                "cache_hit": {"count": 0, "ns": 0},
                "cache_miss": {"count": 0, "ns": 0},
            },
            "batch_stats": [],
        }


class Statistics:
    """The statistics of all models."""

    def __init__(self) -> None:
        self._models: dict[str, ModelStatistics] = {}
        self._lock = Lock()
        # Requests that are not counted yet. Counting each at once would take longer.
        self._watches: deque[Watch] = deque()

    def add(self, watch: Watch) -> None:
        """Add a request that has ended."""
        self._watches.append(watch)
        if len(self._watches) >= MAX_UNCOUNTED:
            self._count()

    def describe(self, models: Iterable[Model]) -> dict[str, Any]:
        """The statistics of models."""
        self._count()
        with self._lock:
            return {"model_stats": [self._of(model).as_dict(model.name) for model in models]}

    def _count(self) -> None:
        with self._lock:
            while self._watches:
                watch = self._watches.popleft()
                self._of(watch.model).count(watch)

    def _of(self, model: Model) -> ModelStatistics:
        """The statistics of the model's version. A new version begins again."""
        found = self._models.get(model.name)
        if found is None or found.version != model.version:
            found = self._models[model.name] = ModelStatistics(model.version)
        return found


class Watch:
    """Measures the parts of a request. It is used in a `with` block, and an exception in that is a failure.

    Args:
        statistics: to which the request is added at the end.
        model: the model that answers.

    Attributes:
        rows: how many rows were predicted.
        nanoseconds: the time of each part.
        whole_nanoseconds: the time of all, once it has ended.
        began: when it began, in seconds since 1970.
        has_failed: whether it was not answered.
    """

    def __init__(self, statistics: Statistics, model: Model) -> None:
        self.statistics, self.model, self.rows = statistics, model, 0
        self.nanoseconds, self.whole_nanoseconds, self.has_failed = [0, 0, 0], 0, False
        self.began = time.time()
        self._started = self._last = time.perf_counter_ns()

    def end(self, part: int) -> None:
        """Count the time since the last part ended for this one."""
        now = time.perf_counter_ns()
        self.nanoseconds[part] += now - self._last
        self._last = now

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        self.whole_nanoseconds, self.has_failed = time.perf_counter_ns() - self._started, error_type is not None
        self.statistics.add(self)

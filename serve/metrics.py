"""Blueprint /metrics: numbers for the operator, from all workers of the service together.

Each worker counts in memory and writes its counts to a report, see `serve.reports`. The worker that is asked adds the
reports up. Without a directory for them, it answers with its own numbers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping

import prometheus_client
from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serve.programs import on_compilation
from serve.registry import Registry
from serve.reports import Counts, Report, Reports, ServedModel, add_counts, only_of_models, series_key, series_of

blueprint = Blueprint("metrics", __name__)

SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS_BUCKETS = (1, 16, 256, 4096, 100_000)
# The most notes that wait to be counted.
MAX_NOTES = 100_000

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
_own = CollectorRegistry()
request_seconds = Histogram(
    "nudge_request_seconds",
    "Requests, and the seconds to the whole answer",
    ["route", "status"],
    buckets=SECONDS_BUCKETS,
    registry=_own,
)
prediction_rows = Histogram(
    "nudge_rows", "Predictions, and the rows of each", ["model"], buckets=ROWS_BUCKETS, registry=_own
)
unseen_values = Counter(
    "nudge_unseen_values",
    "Values in requests of a kind that training never saw",
    ["model", "column"],
    registry=_own,
)
reload_failures = Counter("nudge_reload_failures", "Checkpoints that a worker found broken", ["model"], registry=_own)
compilations = Counter("nudge_compilations", "Programs that JAX compiled", registry=_own)
uncounted = Counter(
    "nudge_uncounted", "Requests and predictions that were not counted, because too many waited", registry=_own
)
dropped_log_lines = Counter(
    "nudge_dropped_log_lines", "Lines of the access log that nobody read in time", registry=_own
)
METRICS: tuple[Counter | Histogram, ...] = (
    request_seconds,
    prediction_rows,
    unseen_values,
    reload_failures,
    compilations,
    uncounted,
    dropped_log_lines,
)
BY_MODEL = {prediction_rows, unseen_values, reload_failures}

Note = tuple[Histogram | Counter, tuple[str, ...], float]
# Noted and not yet counted. Threads that answer do not count: they would wait for each other's locks.
_notes: deque[Note] = deque()
_dropped = 0
# The labels of every series that is counted by model.
_by_model: set[tuple[Histogram | Counter, tuple[str, ...]]] = set()
_lock = threading.Lock()


def _note(metric: Histogram | Counter, labels: tuple[str, ...], value: float) -> None:
    if len(_notes) < MAX_NOTES:
        _notes.append((metric, labels, value))
        return
    global _dropped
    with _lock:
        _dropped += 1


def note_request(route: str, status: int, seconds: float) -> None:
    """Note an answer, to be counted later.

    Args:
        route: the route that the request matched, such as /models/<name>/predict.
        status: the HTTP status of the answer.
        seconds: the time from the request to the whole answer.
    """
    _note(request_seconds, (route, str(status)), seconds)


def note_rows(model: str, count: int, unseen: Mapping[str, int]) -> None:
    """Note the rows of one prediction, to be counted later.

    Args:
        model: the name of the model that predicts.
        count: how many rows there are.
        unseen: how many values that training never saw each column has.
    """
    _note(prediction_rows, (model,), count)
    for column, cells in unseen.items():
        _note(unseen_values, (model, column), cells)


def note_dropped_log_line() -> None:
    """Note a line of the access log that was dropped, to be counted later."""
    _note(dropped_log_lines, (), 1)


def note_failure(model: str) -> None:
    """Note a checkpoint that turned out to be broken, to be counted later."""
    _note(reload_failures, (model,), 1)


on_compilation(lambda: _note(compilations, (), 1))


def count_notes() -> None:
    """Count what has been noted."""
    global _dropped
    while _notes:
        try:
            metric, labels, value = _notes.popleft()
        except IndexError:  # another thread was faster
            break
        child = metric.labels(*labels) if labels else metric
        child.observe(value) if isinstance(child, Histogram) else child.inc(value)
        if metric in BY_MODEL:
            _by_model.add((metric, labels))
    with _lock:
        dropped, _dropped = _dropped, 0
    uncounted.inc(dropped)


def make_report(registry: Registry) -> Report:
    """What this worker tells the others."""
    uncompiled = len(registry.compilations)  # before the compilations are counted, so that 0 means that all of them are
    count_notes()
    models = dict(registry.models)
    names = sorted({*models, *registry.failures})
    for name in names:
        reload_failures.labels(name)  # from 0 on, so that an increase can be seen
        _by_model.add((reload_failures, (name,)))
    return Report(
        models={name: ServedModel(each.version, each.loaded_at, each.load_seconds) for name, each in models.items()},
        names=names,
        uncompiled=uncompiled,
        keeps_all=registry.keeps_all,
        counts={
            series_key(family.name, sample.name, sample.labels): sample.value
            for family in _own.collect()
            for sample in family.samples
        },
    )


class Publisher:
    """Tells the other workers what this one serves and has counted.

    Args:
        registry: the models of this worker.

    Attributes:
        report: what it has told last.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.reports = Reports(registry.shared)
        self.report = Report()
        self._written: Report | None = None
        self._lock = threading.Lock()

    def publish(self) -> None:
        """Make this worker's report, and write it if it has changed or is gone."""
        with self._lock:
            self.report = make_report(self.registry)
            if self.report != self._written or not self.reports.is_written:
                self._written = self.report if self.reports.write(self.report) else None
            self._remove_copies()

    def _remove_copies(self) -> None:
        """Remove the copies of models that no worker serves, after this worker has said what it serves."""
        registry = self.registry
        if registry.has_unserved_copies and self._written and not (registry.is_loading or registry.keeps_all):
            registry.has_unserved_copies = False
            others, _ = self.reports.read()
            registry.copies.remove_unserved({name for each in (self.report, *others) for name in each.models})


class _Sum(Collector):
    """The numbers of all workers together.

    Args:
        reports: of all workers that live.
        ended: the counts of those that have ended.
    """

    def __init__(self, reports: list[Report], ended: Counts) -> None:
        self.reports, self.ended = reports, ended

    def collect(self) -> Iterable[Metric]:
        """Every metric with the series of all workers."""
        totals = dict(self.reports[0].counts)
        for counts in (self.ended, *(report.counts for report in self.reports[1:])):
            add_counts(totals, counts)
        names = {name for report in self.reports for name in report.names}
        metrics = {family.name: family for metric in METRICS for family in metric.describe()}
        for key, value in only_of_models(totals, names).items():
            family, sample, labels = series_of(key)
            if family in metrics:
                metrics[family].add_sample(sample, labels, value)
        _forget_series(names)
        yield from metrics.values()
        yield from self._models()
        uncompiled = sum(report.uncompiled for report in self.reports)
        yield GaugeMetricFamily(
            "nudge_uncompiled_models", "Models that are served and whose programs are not compiled yet", uncompiled
        )
        keeping = sum(report.keeps_all for report in self.reports)
        yield GaugeMetricFamily(
            "nudge_directory_missing", "Workers that find no checkpoint and keep what they have", keeping
        )

    def _models(self) -> Iterable[Metric]:
        workers = GaugeMetricFamily("nudge_model_workers", "Workers that serve a version", labels=["model", "version"])
        loaded_at = GaugeMetricFamily(
            "nudge_model_loaded_timestamp_seconds", "When a model was last loaded", labels=["model"]
        )
        seconds = GaugeMetricFamily("nudge_model_load_seconds", "How long it took", labels=["model"])
        loading = GaugeMetricFamily(
            "nudge_unready_models", "Models that cannot answer, such as those that are being loaded, of all workers"
        )
        served = [(name, model) for report in self.reports for name, model in sorted(report.models.items())]
        numbers: dict[tuple[str, str], int] = {}
        last: dict[str, ServedModel] = {}
        for name, model in served:
            numbers[name, model.version] = numbers.get((name, model.version), 0) + 1
            if name not in last or model.loaded_at > last[name].loaded_at:
                last[name] = model
        for (name, version), number in numbers.items():
            workers.add_metric([name, version], number)
        for name, model in last.items():
            loaded_at.add_metric([name], model.loaded_at)
            seconds.add_metric([name], model.load_seconds)
        loading.add_metric([], sum(len({*report.names} - {*report.models}) for report in self.reports))
        return workers, loaded_at, seconds, loading


def _forget_series(names: set[str]) -> None:
    """Forget what was counted for models that no worker knows any more."""
    for metric, labels in [*_by_model]:
        if labels[0] not in names:
            metric.remove(*labels)
            _by_model.discard((metric, labels))


def exposition(publisher: Publisher) -> bytes:
    """The numbers of all workers in the text format of Prometheus."""
    publisher.publish()
    others, ended = publisher.reports.read()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Sum([publisher.report, *others], ended))
    return generate_latest(registry)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The numbers in the text format of Prometheus."""
    return Response(exposition(current_app.extensions["nudge.publisher"]), content_type=CONTENT_TYPE_LATEST)

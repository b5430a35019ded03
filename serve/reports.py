"""What each worker tells the others: the models that it serves, and what it has counted.

The master merges the counts of workers that have ended, so that there are never many files. It does not load JAX.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping

import msgspec

from serve.shared_directory import SharedDirectory

SUFFIX = ".json"
LIVE, ENDED, MERGED = "workers", "ended", "merged"
# How often reports are read again if one of them was just moved, which each end of a worker does at most twice.
TURNS = 1000
# How many of the reports that were merged last are remembered, for readers that have read one of them just before.
REMEMBERED = 1000

Counts = dict[str, float]


class ServedModel(msgspec.Struct, array_like=True, frozen=True):
    """A version that a worker serves.

    Attributes:
        version: the beginning of its digest.
        loaded_at: when it was loaded, in seconds since 1970.
        load_seconds: how long that took.
    """

    version: str
    loaded_at: float
    load_seconds: float


class Report(msgspec.Struct):
    """What one worker tells, or what is left of those that have ended.

    Attributes:
        models: what it serves, by name.
        names: every name that it knows, also of models that cannot be loaded or are not loaded yet.
        uncompiled: how many models it serves whose programs are not compiled yet.
        keeps_all: whether it keeps all models because their directory is gone or empty.
        counts: the value of each series, by its key.
        merged: of ended workers, the names of the reports that are in these counts.
    """

    models: dict[str, ServedModel] = {}
    names: list[str] = []
    uncompiled: int = 0
    keeps_all: bool = False
    counts: Counts = {}
    merged: list[str] = []


class Reports:
    """The reports of all workers.

    Args:
        directory: where they are.
    """

    def __init__(self, directory: SharedDirectory) -> None:
        self.directory = directory
        self.own_name = f"{os.getpid()}-{secrets.token_hex(4)}"

    def write(self, report: Report) -> bool:
        """Write this worker's report, and return whether the others can read it."""
        return self.directory.write(_place(LIVE, self.own_name), msgspec.json.encode(report))

    @property
    def is_written(self) -> bool:
        """Whether this worker's report is there."""
        path = self.directory.path
        return path is not None and (path / _place(LIVE, self.own_name)).exists()

    def read(self) -> tuple[list[Report], Counts]:
        """The reports of the other workers, and the counts of those that have ended."""
        for _ in range(TURNS):
            try:
                return self._read()
            except FileNotFoundError:  # the master has just moved one
                continue
        return [], {}

    def _read(self) -> tuple[list[Report], Counts]:
        live = {name: report for name, report in self._folder(LIVE) if name != self.own_name}
        ended = dict(self._folder(ENDED))
        merged = self._report(MERGED + SUFFIX) or Report()
        for name in merged.merged:
            live.pop(name, None)
            ended.pop(name, None)
        totals = merged.counts
        for report in ended.values():
            add_counts(totals, report.counts)
        return [report for name, report in live.items() if name not in ended], totals

    def _folder(self, folder: str) -> Iterable[tuple[str, Report]]:
        for name in self.directory.names(folder, SUFFIX):
            report = self._report(_place(folder, name))
            if report is None:
                raise FileNotFoundError(name)
            yield name, report

    def _report(self, place: str) -> Report | None:
        data = self.directory.read(place)
        return None if data is None else _decode(data)

    def end(self, pid: int) -> None:
        """Add the counts of a worker that has ended to those of all that have ended before. Only the master calls this.

        A reader reads the reports of live workers first and the merged one last. So it counts each of them once.
        """
        self.directory.remove_unfinished(pid)
        for name in self.directory.names(LIVE, SUFFIX):
            if name.startswith(f"{pid}-"):
                self.directory.move(_place(LIVE, name), _place(ENDED, name))
        ended = dict(self._folder(ENDED))
        if not ended:
            return
        merged = self._report(MERGED + SUFFIX) or Report()
        for report in ended.values():
            add_counts(merged.counts, report.counts)
        known = {name for _, report in self._folder(LIVE) for name in report.names}
        counts = only_of_models(merged.counts, known)
        remembered = [*merged.merged, *ended][-REMEMBERED:]
        if self.directory.write(MERGED + SUFFIX, msgspec.json.encode(Report(counts=counts, merged=remembered))):
            for name in ended:
                self.directory.remove(_place(ENDED, name))


def series_key(family: str, name: str, labels: Mapping[str, str]) -> str:
    """The key of a series: the name of its metric, its own name, and its labels."""
    return msgspec.json.encode((family, name, labels)).decode()


def series_of(key: str) -> tuple[str, str, dict[str, str]]:
    """What `series_key` was called with."""
    return msgspec.json.decode(key, type=tuple[str, str, dict[str, str]])


def add_counts(totals: Counts, counts: Counts) -> None:
    """Add counts to totals."""
    for key, value in counts.items():
        totals[key] = totals.get(key, 0.0) + value


def only_of_models(counts: Counts, names: set[str]) -> Counts:
    """The counts without those of models that no worker knows; all of them if no name is known."""
    if not names:
        return counts
    return {key: value for key, value in counts.items() if series_of(key)[2].get("model", "") in {"", *names}}


_decode = msgspec.json.Decoder(Report).decode


def _place(folder: str, name: str) -> str:
    return f"{folder}/{name}{SUFFIX}"

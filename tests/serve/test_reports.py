"""What workers tell each other, and what is left of it when they end and when the directory is full or gone."""

import logging
import os
import shutil
import threading
from pathlib import Path

import pytest

from serve.reports import MERGED, Report, Reports, ServedModel, series_key
from serve.shared_directory import SharedDirectory

pytestmark = pytest.mark.core

ROWS = series_key("nudge_rows", "nudge_rows_count", {"model": "m"})
REQUESTS = series_key("nudge_request_seconds", "nudge_request_seconds_count", {"route": "/predict"})


def worker(directory: Path, pid: int) -> Reports:
    """The reports as a worker with this process id writes them."""
    reports = Reports(SharedDirectory(directory))
    reports.own_name = f"{pid}-{pid:08x}"
    return reports


def report_of(count: float, *names: str) -> Report:
    models = {name: ServedModel("0" * 12, 1.0, 0.1) for name in names}
    return Report(models=models, names=sorted(names), counts={REQUESTS: count, ROWS: count})


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_worker_reads_the_reports_of_the_others(tmp_path: Path) -> None:
    one, two = worker(tmp_path / "shared", 1), worker(tmp_path / "shared", 2)
    assert one.read() == ([], {})
    assert not one.is_written
    assert one.write(report_of(1, "m"))
    assert two.write(report_of(2, "m"))
    assert one.is_written
    assert one.read() == ([report_of(2, "m")], {})


def test_the_counts_of_workers_that_have_ended_are_in_one_file(tmp_path: Path) -> None:
    master, last = worker(tmp_path / "shared", 0), worker(tmp_path / "shared", 99)
    last.write(report_of(0.5, "m"))
    for pid in range(1, 41):
        worker(tmp_path / "shared", pid).write(report_of(pid, "m"))
        master.end(pid)
        assert files(tmp_path / "shared") == [f"{MERGED}.json", f"workers/{last.own_name}.json"]
    others, ended = worker(tmp_path / "shared", 100).read()
    assert others == [report_of(0.5, "m")]
    assert ended == {REQUESTS: 820, ROWS: 820}


def test_the_counts_of_a_model_that_no_worker_knows_go_with_the_workers_that_had_it(tmp_path: Path) -> None:
    master, last = worker(tmp_path / "shared", 0), worker(tmp_path / "shared", 99)
    worker(tmp_path / "shared", 1).write(report_of(3, "m"))
    master.end(1)
    assert last.read()[1] == {REQUESTS: 3, ROWS: 3}, "no worker has said yet which models there are"
    last.write(report_of(0, "another"))
    worker(tmp_path / "shared", 2).write(report_of(4, "m"))
    master.end(2)
    assert last.read()[1] == {REQUESTS: 7}


def test_a_reader_counts_every_worker_once_while_the_master_merges(tmp_path: Path) -> None:
    workers = 200
    for pid in range(1, workers + 1):
        worker(tmp_path / "shared", pid).write(report_of(1, "m"))
    master, reader = worker(tmp_path / "shared", 0), worker(tmp_path / "shared", 999)
    sums: list[float] = []

    def read() -> None:
        while not sums or is_merging.is_set():
            others, ended = reader.read()
            sums.append(ended.get(ROWS, 0.0) + sum(report.counts[ROWS] for report in others))

    is_merging = threading.Event()
    is_merging.set()
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for pid in range(1, workers + 1):
            master.end(pid)
    finally:
        is_merging.clear()
        thread.join()
    assert {*sums} == {workers}


def test_counts_wait_for_a_directory_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The master cannot merge. So the report that it moves is read like the merged ones."""
    monkeypatch.setattr("serve.shared_directory.PAUSE_SECONDS", 0.0)
    directory = tmp_path / "shared"
    one, master = worker(directory, 1), worker(directory, 0)
    one.write(report_of(5, "m"))
    write_bytes = Path.write_bytes

    def fail(path: Path, data: bytes) -> int:
        write_bytes(path, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with caplog.at_level(logging.INFO, "gunicorn.error"):
        for _ in range(3):
            assert not one.write(report_of(6, "m"))
            master.end(1)
        assert worker(directory, 2).read() == ([], {REQUESTS: 5, ROWS: 5})
        monkeypatch.setattr(Path, "write_bytes", write_bytes)
        master.end(1)
    assert files(directory) == [f"{MERGED}.json"]
    assert worker(directory, 2).read() == ([], {REQUESTS: 5, ROWS: 5})
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2, "one of the worker, one of the master"
    assert "can be written again" in caplog.text


def test_nothing_is_tried_for_a_while_after_a_write_has_failed(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("no directory")
    directory = SharedDirectory(tmp_path / "shared")
    assert directory.is_writable
    assert not directory.write("a", b"1")
    assert not directory.is_writable
    (tmp_path / "shared").unlink()
    assert not directory.write("a", b"1")
    assert not (tmp_path / "shared").exists()


def test_a_directory_that_is_gone_is_made_again_for_its_owner_alone(tmp_path: Path) -> None:
    directory = SharedDirectory(tmp_path / "gone" / "shared")
    assert directory.write("a", b"1")
    shutil.rmtree(tmp_path / "gone")
    assert directory.read("a") is None
    assert directory.names("", "") == []
    assert directory.write("models/a", b"2")
    assert directory.read("models/a") == b"2"
    assert (tmp_path / "gone" / "shared").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("is_link", [False, True])
def test_a_directory_that_others_could_have_made_is_not_used(tmp_path: Path, is_link: bool) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    if is_link:
        (tmp_path / "shared").symlink_to(tmp_path / "other")
    else:
        (tmp_path / "other").rename(tmp_path / "shared")
        (tmp_path / "shared").chmod(0o777)
    (tmp_path / "shared" / "default").write_text("a model of someone else")
    directory = SharedDirectory(tmp_path / "shared")
    assert directory.read("default") is None
    assert not directory.write("default", b"mine")


def test_what_a_killed_worker_was_writing_is_removed(tmp_path: Path) -> None:
    reports = worker(tmp_path / "shared", 0)
    reports.write(report_of(1))
    unfinished = tmp_path / "shared" / "workers" / f".{os.getpid()}.tmp"
    unfinished.write_bytes(b"half")
    reports.end(os.getpid())
    assert not unfinished.exists()


def test_a_process_that_shares_nothing_has_only_its_own_report() -> None:
    reports = Reports(SharedDirectory(None))
    assert not reports.write(report_of(1))
    assert not reports.is_written
    assert reports.read() == ([], {})
    reports.end(1)

"""The directory of checkpoints -> models that answer: loaded, checked, compiled, and swapped while the service runs."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.atomic_write import atomic_write
from model.checkpoint import SUFFIX, Checkpoint, CheckpointError, default_checkpoint, parse, read
from model.inference import Predictor
from model.messages import describe_error, quote
from serve.row_decoder import RowsDecoder
from serve.settings import Settings

log = logging.getLogger("gunicorn.error")

# Seconds between two calls of on_look, at the most.
COUNT = 0.5
# What tells one file from another of the same name: the time it was changed, its size, its inode.
Signature = tuple[int, int, int]


@dataclass(frozen=True)
class Model:
    """A checkpoint that is ready. name: the file's, without its ending. predictor: compiled for any number of rows.

    rows: decodes bodies of many rows. loaded: when, in seconds since 1970. seconds: how long loading it took.
    """

    name: str
    checkpoint: Checkpoint
    predictor: Predictor
    rows: RowsDecoder
    loaded: float
    seconds: float

    @property
    def version(self) -> str:
        """The beginning of the checkpoint's digest, by which every answer names where it comes from."""
        return self.checkpoint.version


@dataclass
class Registry:
    """The models of a directory. A request takes its model once: each change replaces them whole.

    default: the name of the model of /predict, None until `start`. models: by name. failures: why the file of a name is
    not served, without its directory. on_load, on_failure, on_retire: called after each, with the model, the name, the
    model. on_look: called twice a second or so, while the directory is watched.
    """

    settings: Settings
    default: str | None = None
    models: Mapping[str, Model] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    on_load: Callable[[Model], None] = lambda model: None
    on_failure: Callable[[str], None] = lambda name: None
    on_retire: Callable[[Model], None] = lambda model: None
    on_look: Callable[[], None] = lambda: None
    _seen: dict[str, Signature] = field(default_factory=dict)
    _suspected: dict[str, Signature] = field(default_factory=dict)
    _unreadable: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def default_model(self) -> Model | None:
        """The model of /predict, unless it cannot answer."""
        return self.models.get(self.default) if self.default else None

    @property
    def reason(self) -> str:
        """Why the default model cannot answer."""
        return self.failures.get(self.default or "", f"there is no checkpoint {self.default}{SUFFIX}")

    def start(self) -> None:
        """Load all models for the first time.

        Raises CheckpointError where the default one is not there or broken, unless a worker of this service has
        started before: it then serves what it can.
        """
        settings, marker = self.settings, self._shared("default")
        if marker and marker.exists():
            self.default = marker.read_text() or None
            self.scan()
            return
        named = (settings.model or "").removesuffix(SUFFIX)
        self.default = named or default_checkpoint(settings.checkpoints).stem
        if "/" in self.default or not _is_model(self.default + SUFFIX):
            raise CheckpointError(
                f"NUDGE_MODEL: expected the name of a checkpoint in {settings.checkpoints}, found "
                f"{quote(self.default)}; set NUDGE_CHECKPOINTS to its directory"
            )
        place = self._place(self.default)
        signature = _signature(place)
        self._set(*_open(place))
        if signature:
            self._seen[self.default] = signature
        self.scan()
        if marker:
            _write(marker, self.default.encode())

    def watch(self) -> None:
        """From now on look at the directory twice a second or so, in a thread of its own, until the process ends."""
        threading.Thread(target=self._watch, name="registry", daemon=True).start()

    def stop(self) -> None:
        """End `watch`."""
        self._stop.set()

    def _watch(self) -> None:
        next_scan = time.monotonic()
        while not self._stop.wait(min(self.settings.poll, COUNT)):
            due = time.monotonic() >= next_scan
            if due:
                next_scan = time.monotonic() + self.settings.poll
            for step in (self.on_look, self.scan) if due else (self.on_look,):
                try:
                    step()
                except Exception:
                    log.exception("The directory of checkpoints could not be looked at")

    def scan(self) -> None:
        """Load what is new or has changed in the directory, and retire what is gone.

        A file whose name cannot be printed, and so stand in an answer, is passed over. A directory that cannot be read
        retires nothing.
        """
        directory = self.settings.checkpoints
        try:
            names = [place.removesuffix(SUFFIX) for place in sorted(os.listdir(directory)) if _is_model(place)]
        except OSError as error:
            if not self._unreadable:
                log.error("%s cannot be read (%s); its models are kept until it can", directory, describe_error(error))
            self._unreadable = True
            self._restore_all()
            return
        self._unreadable = False
        found = {name: signature for name in names if (signature := _signature(self._place(name)))}
        for name in {*self.models, *self.failures, *self._seen} - {*found}:
            self._retire(name)
        for name, signature in found.items():
            if self._seen.get(name) != signature:
                self._load(name, signature)

    def _load(self, name: str, signature: Signature) -> None:
        place = self._place(name)
        try:
            model, data = _open(place)
        except CheckpointError as error:
            if name not in self.models:
                self._restore(name)
            # A file that is just being written looks broken: only one that stays so is.
            if self._suspected.get(name) != signature:
                self._suspected[name] = signature
                return
            self._seen[name] = signature
            self._fail(name, str(error), place.parent)
            return
        self._seen[name] = signature
        current = self.models.get(name)
        if current is None or current.checkpoint.digest != model.checkpoint.digest:
            self._set(model, data)
        self.failures = {other: reason for other, reason in self.failures.items() if other != name}

    def _set(self, model: Model, data: bytes) -> None:
        old = self.models.get(model.name)
        self.models = {**self.models, model.name: model}
        self._keep(model.name, data)
        if old:
            self.on_retire(old)
        self.on_load(model)
        log.info("Model %s: version %s, loaded in %.2f s", model.name, model.version, model.seconds)

    def _fail(self, name: str, message: str, directory: Path) -> None:
        reason = message.replace(f"{directory}/", "")
        self.failures = {**self.failures, name: reason}
        self.on_failure(name)
        log.error("Model %s cannot be loaded: %s", name, message)

    def _retire(self, name: str) -> None:
        self._seen.pop(name, None)
        self._suspected.pop(name, None)
        self.failures = {other: reason for other, reason in self.failures.items() if other != name}
        kept = self._kept(name)
        if kept:
            kept.unlink(missing_ok=True)
        old = self.models.get(name)
        if old:
            self.models = {other: model for other, model in self.models.items() if other != name}
            self.on_retire(old)
            log.info("Model %s is gone", name)

    def _restore(self, name: str) -> None:
        """Serve the last good version, which another worker has kept, where this one finds the file broken."""
        kept = self._kept(name)
        if kept and kept.exists():
            try:
                self._set(*_open(kept))
            except CheckpointError as error:
                log.error("The copy of model %s cannot be used: %s", name, error)

    def _restore_all(self) -> None:
        kept = self._shared("models")
        for place in sorted(kept.glob(f"*{SUFFIX}")) if kept else ():
            if place.stem not in self.models:
                self._restore(place.stem)

    def _keep(self, name: str, data: bytes) -> None:
        """Keep a copy of what was loaded, for a worker that starts while the file itself is broken."""
        kept = self._kept(name)
        try:
            if kept and not (kept.exists() and kept.read_bytes() == data):
                _write(kept, data)
        except (OSError, CheckpointError) as error:
            log.warning("No copy of model %s is kept for workers that start later: %s", name, error)

    def _place(self, name: str) -> Path:
        return self.settings.checkpoints / f"{name}{SUFFIX}"

    def _kept(self, name: str) -> Path | None:
        return self._shared(f"models/{name}{SUFFIX}")

    def _shared(self, name: str) -> Path | None:
        return self.settings.runtime / name if self.settings.runtime else None


def _open(path: Path) -> tuple[Model, bytes]:
    """Load and compile a checkpoint. Raises CheckpointError where there is none, or it cannot be used."""
    started = time.perf_counter()
    data = read(path)
    checkpoint = parse(path, data)
    predictor = Predictor(checkpoint)
    predictor.compile()
    rows = RowsDecoder(checkpoint.columns, checkpoint.column_specs)
    return Model(path.stem, checkpoint, predictor, rows, time.time(), time.perf_counter() - started), data


def _write(path: Path, data: bytes) -> None:
    with atomic_write(path, "set TMPDIR to a directory with room", CheckpointError) as (file, finish):
        file.write(data)
        finish()


def _is_model(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".") and name.isprintable()


def _signature(path: Path) -> Signature | None:
    """What tells this file from the next of its name; None where there is none. One that cannot be read has its own."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return 0, 0, 0
    return (status.st_mtime_ns, status.st_size, status.st_ino) if stat.S_ISREG(status.st_mode) else None

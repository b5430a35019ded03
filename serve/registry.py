"""The models of a directory of checkpoints: loaded, checked, compiled, and swapped while the service runs."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.checkpoint import SUFFIX, CheckpointError, default_checkpoint
from model.messages import describe_error, quote
from serve.loaded_model import Model, load_model
from serve.settings import Settings
from serve.shared_files import SharedFiles

log = logging.getLogger("gunicorn.error")

# What distinguishes a file from another one of the same name: its time of change, its size and its inode.
Signature = tuple[int, int, int]
UNREADABLE: Signature = (0, 0, 0)


@dataclass
class Listener:
    """What is called when the models change.

    Attributes:
        on_load: after a model is loaded or replaced, with the new model.
        on_retire: after a model is replaced or retired, with the old model.
        on_failure: after a checkpoint turns out to be broken, with its name.
    """

    on_load: Callable[[Model], None] = lambda model: None
    on_retire: Callable[[Model], None] = lambda model: None
    on_failure: Callable[[str], None] = lambda name: None


@dataclass
class Files:
    """What is known about the files in the directory.

    Attributes:
        seen: the signature of each file that was loaded or refused.
        suspected: the signature of each file that was broken in the last scan.
        is_unreadable: whether the directory could not be read in the last scan.
    """

    seen: dict[str, Signature] = field(default_factory=dict)
    suspected: dict[str, Signature] = field(default_factory=dict)
    is_unreadable: bool = False

    def forget(self, name: str) -> None:
        """Forget a file that is gone."""
        self.seen.pop(name, None)
        self.suspected.pop(name, None)


class Registry:
    """The models of a directory.

    A change never alters a mapping, but replaces it. So a request can use one without a lock.

    Attributes:
        settings: the settings of the service.
        default_name: the name of the model of /predict; None before `start`.
        models: the loaded models by name.
        failures: why a file cannot be loaded, by the model's name. The directory is left out.
        listener: what is called when the models change.
    """

    def __init__(self, settings: Settings, listener: Listener | None = None) -> None:
        self.settings = settings
        self.default_name: str | None = None
        self.models: Mapping[str, Model] = {}
        self.failures: Mapping[str, str] = {}
        self.listener = listener or Listener()
        self._shared = SharedFiles(settings.shared_directory)
        self._files = Files()

    @property
    def default_model(self) -> Model | None:
        """The model of /predict; None if it cannot answer."""
        return self.models.get(self.default_name) if self.default_name else None

    @property
    def default_failure(self) -> str:
        """Why the default model cannot answer."""
        return self.failures.get(self.default_name or "", f"there is no checkpoint {self.default_name}{SUFFIX}")

    def start(self) -> None:
        """Load all models for the first time.

        Raises CheckpointError if the default model is missing or broken. But if another worker of this service has
        started before, this one serves what it can.
        """
        shared_name = self._shared.read_default()
        if shared_name is not None:
            self.default_name = shared_name or None
            self.scan()
            return
        self.default_name = self._choose_default()
        path = self._path(self.default_name)
        signature = _signature(path)
        self._set(*load_model(path, self.settings.is_strict))
        if signature:
            self._files.seen[self.default_name] = signature
        self.scan()
        self._shared.write_default(self.default_name)

    def _choose_default(self) -> str:
        directory = self.settings.checkpoints
        named = (self.settings.default_model or "").removesuffix(SUFFIX)
        name = named or default_checkpoint(directory, "name the default one with NUDGE_MODEL").stem
        if "/" in name or not _is_model_file(name + SUFFIX):
            raise CheckpointError(
                f"NUDGE_MODEL: expected the name of a checkpoint in {directory}, found {quote(name)}; "
                "set NUDGE_CHECKPOINTS to its directory"
            )
        return name

    def scan(self) -> None:
        """Load what is new or has changed in the directory, and retire what is gone.

        A file whose name is not printable is ignored, because answers contain the names of models. If the directory
        cannot be read, nothing is retired.
        """
        names = self._list_models()
        if names is None:
            for name in self._shared.copied_models():
                if name not in self.models:
                    self._restore(name)
            return
        signatures = {name: signature for name in names if (signature := _signature(self._path(name)))}
        for name in {*self.models, *self.failures, *self._files.seen} - {*signatures}:
            self._retire(name)
        for name, signature in signatures.items():
            if self._files.seen.get(name) != signature:
                self._load(name, signature)

    def _list_models(self) -> list[str] | None:
        """The names of all models in the directory; None if it cannot be read, which is logged once."""
        directory = self.settings.checkpoints
        try:
            names = [name.removesuffix(SUFFIX) for name in sorted(os.listdir(directory)) if _is_model_file(name)]
        except OSError as error:
            if not self._files.is_unreadable:
                reason = describe_error(error)
                log.error("%s cannot be read (%s); its models are kept until it can", directory, reason)
            self._files.is_unreadable = True
            return None
        self._files.is_unreadable = False
        return names

    def _load(self, name: str, signature: Signature) -> None:
        path = self._path(name)
        try:
            model, data = load_model(path, self.settings.is_strict)
        except CheckpointError as error:
            if name not in self.models:
                self._restore(name)
            # A file that is just being written looks broken too. So a file counts as broken after two scans.
            if self._files.suspected.get(name) != signature:
                self._files.suspected[name] = signature
                return
            self._files.seen[name] = signature
            self._fail(name, str(error), path.parent)
            return
        self._files.seen[name] = signature
        current = self.models.get(name)
        if current is None or current.checkpoint.digest != model.checkpoint.digest:
            self._set(model, data)
        self.failures = _without(self.failures, name)

    def _set(self, model: Model, data: bytes) -> None:
        old = self.models.get(model.name)
        self.models = {**self.models, model.name: model}
        self._shared.keep_copy(model.name, data)
        if old:
            self.listener.on_retire(old)
        self.listener.on_load(model)
        log.info("Model %s: version %s, loaded in %.2f s", model.name, model.version, model.load_seconds)

    def _fail(self, name: str, message: str, directory: Path) -> None:
        self.failures = {**self.failures, name: message.replace(f"{directory}/", "")}
        self.listener.on_failure(name)
        log.error("Model %s cannot be loaded: %s", name, message)

    def _retire(self, name: str) -> None:
        self._files.forget(name)
        self.failures = _without(self.failures, name)
        self._shared.remove_copy(name)
        old = self.models.get(name)
        if old:
            self.models = {other: model for other, model in self.models.items() if other != name}
            self.listener.on_retire(old)
            log.info("Model %s is gone", name)

    def _restore(self, name: str) -> None:
        """Load the copy of the last good version, which another worker has kept."""
        copy = self._shared.copy_of(name)
        if copy:
            try:
                self._set(*load_model(copy, self.settings.is_strict))
            except CheckpointError as error:
                log.error("The copy of model %s cannot be used: %s", name, error)

    def _path(self, name: str) -> Path:
        return self.settings.checkpoints / f"{name}{SUFFIX}"


def _without(failures: Mapping[str, str], name: str) -> Mapping[str, str]:
    return {other: reason for other, reason in failures.items() if other != name}


def _is_model_file(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".") and name.isprintable()


def _signature(path: Path) -> Signature | None:
    """The signature of a file; None if there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return UNREADABLE
    return (status.st_mtime_ns, status.st_size, status.st_ino) if stat.S_ISREG(status.st_mode) else None

"""The models of a directory of checkpoints: loaded, checked, compiled, and swapped while the service runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from model.checkpoint import SUFFIX, CheckpointError, default_checkpoint
from model.messages import quote
from serve.checkpoint_directory import UNREADABLE, CheckpointDirectory, Signature, is_model_file
from serve.compilation import CompilationQueue
from serve.copies import Copies
from serve.loaded_model import Model, load_model
from serve.settings import Settings
from serve.shared_directory import SharedDirectory

log = logging.getLogger("gunicorn.error")

LOADING = "it is being loaded"
# Seconds in which a worker that replaces another one loads models before it accepts requests, which others answer.
REPLACEMENT_SECONDS = 5.0


class Registry:
    """The models of a directory.

    One thread at a time changes it. A change never alters a mapping, but replaces it. So a request can use one without
    a lock.

    Args:
        settings: the settings of the service.
        on_failure: is called with the name of each checkpoint that turns out to be broken.

    Attributes:
        settings: the settings of the service.
        directory: the directory of checkpoints.
        shared: the directory that the workers share.
        copies: the last good checkpoints, for workers that start later.
        compilations: the models whose programs are not compiled yet.
        default_name: the name of the model of /predict; None if none could be chosen.
        models: the loaded models by name.
        failures: why a model's file is not what is served, by its name: it is broken, or not loaded yet.
        keeps_all: whether the directory is gone or empty, so that its models are kept.
    """

    def __init__(self, settings: Settings, on_failure: Callable[[str], None] = lambda name: None) -> None:
        self.settings = settings
        self.on_failure = on_failure
        self.directory = CheckpointDirectory(settings.checkpoints)
        self.shared = SharedDirectory(settings.shared_directory)
        self.copies = Copies(self.shared)
        self.default_name: str | None = None
        self.models: Mapping[str, Model] = {}
        self.failures: Mapping[str, str] = {}
        self.keeps_all = False
        self.has_unserved_copies = True  # perhaps, of workers that have ended
        self._seen: dict[str, Signature] = {}  # of files that were loaded or refused
        self._suspected: dict[str, Signature] = {}  # of files that were broken when they were first read
        self._to_load: dict[str, Signature] = {}
        self.compilations = CompilationQueue()

    @property
    def default_model(self) -> Model | None:
        """The model of /predict; None if it cannot answer."""
        return self.models.get(self.default_name) if self.default_name else None

    @property
    def default_failure(self) -> str:
        """Why the default model cannot answer."""
        if self.default_name is None:
            return "none could be chosen when this worker started"
        return self.failures.get(self.default_name, f"there is no checkpoint {self.default_name}{SUFFIX}")

    @property
    def is_loading(self) -> bool:
        """Whether there are files that have not been loaded yet."""
        return bool(self._to_load)

    def start(self) -> None:
        """Load the default model. The others are loaded behind it, see `load_next`.

        Raises CheckpointError if the default model is missing or broken. But if another worker of this service has
        started before, this one serves what it can, and ends no other.
        """
        self.default_name = self.copies.read_default()
        if self.default_name is None and not self.settings.is_replacement:
            name = self.default_name = _choose_default(self.settings)
            self._seen[name] = self.directory.signature(name) or UNREADABLE
            self._set(*load_model(self.directory.file(name), self.settings))
            self.copies.write_default(name)
            self.look()
            return
        self.look()
        deadline = time.monotonic() + REPLACEMENT_SECONDS
        while self.load_next() and time.monotonic() < deadline:
            pass

    def scan(self) -> None:
        """Look at the directory, and load what is new or has changed."""
        self.look()
        while self.load_next():
            pass

    def look(self) -> None:
        """Note what is new or has changed in the directory, and retire what is gone.

        While the directory is gone or has no checkpoint in it, nothing is retired: perhaps its volume was unmounted.
        """
        found = self.directory.look()
        if not found and (self.models or self.copies.names()):
            if not self.keeps_all:
                log.error("%s %s; the models are kept until it has one", self.directory.path, self.directory.fault)
            self.keeps_all, self._to_load = True, {}
            for name in self.copies.names():
                if name not in self.models:
                    self._restore(name)
            return
        if self.keeps_all:
            log.info("%s has checkpoints again", self.directory.path)
        self.keeps_all = False
        for name in {*self.models, *self.failures, *self._seen} - {*found}:
            self._retire(name)
        self._to_load = {name: signature for name, signature in found.items() if self._seen.get(name) != signature}
        new = [name for name in self._to_load if name not in self.models and name not in self.failures]
        self.failures = {**self.failures, **dict.fromkeys(new, LOADING)}
        if self.default_name is None:
            try:
                self.default_name = _choose_default(self.settings)
            except CheckpointError as error:
                log.debug("There is no default model: %s", error)
        digests = {name: model.checkpoint.digest for name, model in self.models.items()}
        self.copies.renew(self.default_name, digests, self.directory)

    def load_next(self) -> bool:
        """Load one of the files that are new or have changed, the default model first. False if there is none."""
        if not self._to_load:
            return False
        name = self.default_name if self.default_name in self._to_load else next(iter(self._to_load))
        assert name is not None
        self._load(name, self._to_load.pop(name))
        return True

    def _load(self, name: str, signature: Signature) -> None:
        try:
            model, data = load_model(self.directory.file(name), self.settings)
        except Exception as error:
            if name not in self.models:
                self._restore(name)
            # A file that is just being written looks broken too. So a file counts as broken after two looks.
            if self._suspected.get(name) != signature:
                self._suspected[name] = signature
                return
            self._seen[name] = signature
            self._fail(name, error)
            return
        self._seen[name] = signature
        current = self.models.get(name)
        if current is None or current.checkpoint.digest != model.checkpoint.digest:
            self._set(model, data)
        self.failures = _without(self.failures, name)

    def _set(self, model: Model, data: bytes) -> None:
        self.compilations.add(model)
        self.models = {**self.models, model.name: model}
        self.copies.keep(model.name, data)
        log.info("Model %s: version %s, loaded in %.2f s", model.name, model.version, model.load_seconds)

    def compile_next(self) -> bool:
        """Compile the programs of one loaded model, the default one first. False if there is none."""
        return self.compilations.compile_next(self.default_model)

    def _fail(self, name: str, error: Exception) -> None:
        is_ours = isinstance(error, CheckpointError)
        reason = str(error) if is_ours else f"{type(error).__name__}; the log of the service says more"
        self.failures = {**self.failures, name: reason.replace(f"{self.directory.path}/", "")}
        self.on_failure(name)
        log.error("Model %s cannot be loaded: %s", name, reason, exc_info=None if is_ours else error)

    def _retire(self, name: str) -> None:
        self._seen.pop(name, None)
        self._suspected.pop(name, None)
        self.failures = _without(self.failures, name)
        self.compilations.remove(name)
        if name in self.models:
            self.models = {other: model for other, model in self.models.items() if other != name}
            self.has_unserved_copies = True  # others may still serve it, so that it cannot be removed yet
            log.info("Model %s is gone", name)

    def _restore(self, name: str) -> None:
        """Load the copy of the last good version, which a worker has kept."""
        loaded = self.copies.load(name, self.settings)
        if loaded:
            self._set(*loaded)


def _choose_default(settings: Settings) -> str:
    """The name of the default model. Raises CheckpointError if none can be chosen."""
    directory = settings.checkpoints
    named = (settings.default_model or "").removesuffix(SUFFIX)
    name = named or default_checkpoint(directory, "name the default one with NUDGE_MODEL").stem
    if "/" in name or not is_model_file(name + SUFFIX):
        raise CheckpointError(
            f"NUDGE_MODEL: expected the name of a checkpoint in {directory}, found {quote(name)}; "
            "set NUDGE_CHECKPOINTS to its directory"
        )
    return name


def _without(failures: Mapping[str, str], name: str) -> Mapping[str, str]:
    return {other: reason for other, reason in failures.items() if other != name}

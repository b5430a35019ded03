"""The models whose programs are not compiled yet. NumPy predicts for them until they are."""

from __future__ import annotations

import logging

from model.tables.memory import return_memory
from serve.loaded_model import Model

log = logging.getLogger("gunicorn.error")


class CompilationQueue:
    """Models in the order in which they were loaded."""

    def __init__(self) -> None:
        self._models: list[Model] = []

    def __len__(self) -> int:
        """How many models there are, with the one that is being compiled."""
        return len(self._models)

    def add(self, model: Model) -> None:
        """Add a model that was loaded, in the place of the last one of its name."""
        self.remove(model.name)
        self._models.append(model)

    def remove(self, name: str) -> None:
        """Remove a model that is gone."""
        self._models = [model for model in self._models if model.name != name]

    def compile_next(self, preferred: Model | None) -> bool:
        """Compile the programs of one model, the preferred one first. Returns whether there was one."""
        if not self._models:
            return False
        model = preferred if preferred in self._models else self._models[0]
        assert model is not None
        try:
            model.predictor.compile()
        except Exception:  # such as too little memory: NumPy goes on
            log.exception("The programs of model %s could not be compiled", model.name)
        self._models.remove(model)
        if not self._models:
            return_memory()
        return True

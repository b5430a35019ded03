"""Small neural networks as pure functions on pytrees, with gradients that are proven.

A name is imported when it is first asked for, so that the command line hears Ctrl-C before JAX is loaded, and the
service does without what only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.checking import assert_gradients, check_gradients
    from model.checkpoint import Checkpoint, CheckpointError, Training, load, save
    from model.gradients import chain_rule, jvp, nudge
    from model.network import Layer, Network, Params, init_params, logits, loss, predict
    from model.reports import Report
    from model.tables import Table, truth_table
    from model.training import DivergedError, History, Progress, Result, fit, train
else:

    def __getattr__(name: str) -> object:
        """The public name, from the first module that has it; those that load least come first."""
        if name in __all__:
            for module in ("network", "tables", "checkpoint", "gradients", "reports", "checking", "training"):
                names = vars(import_module(f"model.{module}"))
                if name in names:
                    return names[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Checkpoint",
    "CheckpointError",
    "DivergedError",
    "History",
    "Layer",
    "Network",
    "Params",
    "Progress",
    "Report",
    "Result",
    "Table",
    "Training",
    "assert_gradients",
    "chain_rule",
    "check_gradients",
    "fit",
    "init_params",
    "jvp",
    "load",
    "logits",
    "loss",
    "nudge",
    "predict",
    "save",
    "train",
    "truth_table",
]

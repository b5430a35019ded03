"""Small neural networks as pure functions on pytrees, with gradients that are proven.

A name is imported when it is first asked for, so that the command line hears Ctrl-C before JAX is loaded, and the
service does without what only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.checking.check import assert_gradients, check_gradients
    from model.checking.report import Report
    from model.checkpoint import Checkpoint, CheckpointError, Training, load, save
    from model.ensembles import predict_ensemble
    from model.gradients import chain_rule, jvp, nudge
    from model.hyperparameters import Hyperparameters, default_network
    from model.inference import Predictor
    from model.network import Layer, Network, Params, init_params, logits, loss, predict
    from model.tables.columns import Category, Number, TableError, encode
    from model.tables.table import Table, read_table, table_of_arrays, truth_table
    from model.training.fit import DivergedError, History, Progress, Result, fit, train
else:
    MODULES = (
        "network",
        "tables.columns",
        "tables.table",
        "hyperparameters",
        "checkpoint",
        "ensembles",
        "inference",
        "gradients",
        "checking.report",
        "checking.check",
        "training.fit",
    )

    def __getattr__(name: str) -> object:
        """The public name, from the first module that has it; those that load least come first."""
        if name in __all__:
            for module in MODULES:
                names = vars(import_module(f"model.{module}"))
                if name in names:
                    return names[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Category",
    "Checkpoint",
    "CheckpointError",
    "DivergedError",
    "History",
    "Hyperparameters",
    "Layer",
    "Network",
    "Number",
    "Params",
    "Predictor",
    "Progress",
    "Report",
    "Result",
    "Table",
    "TableError",
    "Training",
    "assert_gradients",
    "chain_rule",
    "check_gradients",
    "default_network",
    "encode",
    "fit",
    "init_params",
    "jvp",
    "load",
    "logits",
    "loss",
    "nudge",
    "predict",
    "predict_ensemble",
    "read_table",
    "save",
    "table_of_arrays",
    "train",
    "truth_table",
]

"""Small neural networks as pure functions on pytrees, with gradients that are checked.

Each name is imported when it is first used. So the command line listens for Ctrl-C before JAX is loaded, and the
service never loads what only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.checking.check import assert_gradients, check_gradients
    from model.checking.report import Report
    from model.checkpoint import Checkpoint, CheckpointError, TrainingRecord, load, save
    from model.diagnosing.findings import Diagnosis, Finding
    from model.diagnosing.why_stuck import why_stuck
    from model.ensembles import predict_ensemble
    from model.explaining.trace import Trace, trace
    from model.gradients import chain_rule, jvp, nudge
    from model.hyperparameters import Hyperparameters
    from model.inference import Predictor
    from model.network import Layer, Network, Params, logits, loss, predict
    from model.tables.columns import CategoricalColumn, NumericColumn
    from model.tables.encoding import encode
    from model.tables.errors import TableError
    from model.tables.from_file import read_table
    from model.tables.from_frame import table_from
    from model.tables.point_sets import point_set
    from model.tables.table import Table, table_from_arrays
    from model.tables.truth_tables import truth_table
    from model.training.defaults import default_network
    from model.training.fit import fit, train
    from model.training.initial_params import init_params
    from model.training.result import DivergedError, History, Progress, Result, make_checkpoint
    from model.training.sweep import FinishedRun, sweep
    from model.training.train_params import TrainedParams, train_params
else:
    # The modules that define the public names; those that load least come first.
    MODULES = (
        "network",
        "tables.errors",
        "tables.columns",
        "tables.encoding",
        "tables.table",
        "tables.truth_tables",
        "tables.point_sets",
        "tables.from_file",
        "tables.from_frame",
        "hyperparameters",
        "training.defaults",
        "training.initial_params",
        "checkpoint",
        "ensembles",
        "inference",
        "gradients",
        "explaining.trace",
        "checking.report",
        "checking.check",
        "training.result",
        "training.fit",
        "training.sweep",
        "training.train_params",
        "diagnosing.findings",
        "diagnosing.why_stuck",
    )

    def __getattr__(name: str) -> object:
        """The public name, from the first module that has it."""
        if name in __all__:
            for module in MODULES:
                names = vars(import_module(f"model.{module}"))
                if name in names:
                    return names[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CategoricalColumn",
    "Checkpoint",
    "CheckpointError",
    "Diagnosis",
    "DivergedError",
    "Finding",
    "FinishedRun",
    "History",
    "Hyperparameters",
    "Layer",
    "Network",
    "NumericColumn",
    "Params",
    "Predictor",
    "Progress",
    "Report",
    "Result",
    "Table",
    "TableError",
    "Trace",
    "TrainedParams",
    "TrainingRecord",
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
    "make_checkpoint",
    "nudge",
    "point_set",
    "predict",
    "predict_ensemble",
    "read_table",
    "save",
    "sweep",
    "table_from",
    "table_from_arrays",
    "trace",
    "train",
    "train_params",
    "truth_table",
    "why_stuck",
]

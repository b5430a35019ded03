"""Small neural networks as pure functions on pytrees, with gradients that are proven."""

from model.checking import Report, check_gradients
from model.checkpoint import Checkpoint, CheckpointError, Training, load, save
from model.gradients import chain_rule, jvp, nudge
from model.network import Layer, Network, Params, init_params, logits, loss, predict
from model.tables import Table, truth_table
from model.training import DivergedError, History, Progress, Result, fit, train

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

"""Checkpoints to take along, and checkpoints that a learner brings."""

from __future__ import annotations

import math
import re
from typing import Any

from model.checkpoint import Checkpoint, TrainingRecord
from model.checkpoint_contents import from_bytes, to_bytes
from model.checkpoint_format import FormatError
from model.ensembles import Members
from model.tables.truth_tables import truth_table_of
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.learning import checks
from serve.learning.forward import checked, row_losses
from serve.learning.networks import check_start, check_training, params_as_data
from serve.learning.training import solves
from serve.learning_messages import CheckpointRequest
from serve.responses import OCTETS, Answer

REMEDY = "choose a checkpoint that this page has written, or `nudge train` with one network"


def checkpoint_file(request: CheckpointRequest) -> Answer:
    """Answer POST /learn/checkpoint."""
    network, params, table = checked(request)
    check_training(request.training)
    check_start(request.start)
    checks.check_range("epoch", request.epoch, 0, limits.MAX_TOTAL_EPOCHS)
    loss = float(row_losses(params, table, network).mean())
    if not math.isfinite(loss):
        raise RequestError(
            "params: some with which the loss is a finite number were expected, and with these it is not, as after "
            "training that diverged; take along a checkpoint from before"
        )
    name = request.table.name or "points"
    record = TrainingRecord(
        table=name,
        epochs=max(request.epoch, 1),
        epoch=request.epoch,
        restarts=1,
        init=request.start.init,
        optimizer=request.training.optimizer,
        learning_rate=request.training.learning_rate,
        loss=loss,
        seed=request.start.seed,
        solved=int(solves(params, table, network)) if table.complete else 0,
        rows=len(table.y),
        table_digest="" if table.complete else table.digest,
    )
    try:
        data, _ = to_bytes(
            Checkpoint(
                ensemble=(Members(network, params),),
                columns=table.columns,
                target=table.target,
                classes=table.classes,
                training=record,
                column_specs=table.column_specs,
                target_scaling=table.target_scaling,
            )
        )
    except FormatError as error:
        raise RequestError(f"the checkpoint cannot be written: {error}") from None
    return Answer(data, [*OCTETS, ("Content-Disposition", f'attachment; filename="{file_name(name)}"')])


def file_name(name: str) -> str:
    """The name of a checkpoint's file.

    >>> file_name("xor")
    'xor.safetensors'
    """
    return f"{re.sub(r'[^a-z0-9-]', '-', name.lower())}.safetensors"


def read_checkpoint(data: bytes) -> dict[str, Any]:
    """Answer PUT /learn/checkpoint."""
    try:
        found = from_bytes(data)
    except FormatError as error:
        raise RequestError(f"the checkpoint: {error}; {REMEDY}") from None
    _check_shown(found)
    network, record = found.network, found.training
    table = truth_table_of(record.table, record.table_digest, found.columns, found.classes)
    answer = {
        "network": {"sizes": list(network.sizes), "activation": network.activation, "task": network.task},
        "params": params_as_data(found.params),
        "table": None if table is None else {"name": record.table},
        "training": {"optimizer": record.optimizer, "learning_rate": record.learning_rate},
        "start": {"seed": record.seed, "index": 0, "init": record.init},
        "columns": list(found.columns),
        "target": found.target,
        "classes": list(found.classes),
        "epoch": record.epoch,
    }
    return answer


def _check_shown(found: Checkpoint) -> None:
    """Raise RequestError if a checkpoint is none that the page can show."""
    members = found.ensemble[0]
    if found.member_count > 1:
        raise _refusal("one network", f"{found.member_count} networks")
    if members.bins is not None:
        raise _refusal("a network that sees columns as they are", "one that sees their bins")
    if found.temperature != 1:
        raise _refusal("predictions of the network alone", "a temperature that divides them")
    checks.check_sizes(found.network.sizes)
    for name in (*found.columns, found.target, *map(str, found.classes)):
        checks.check_name("the checkpoint: a name", name)


def _refusal(expected: str, found: str) -> RequestError:
    return RequestError(f"the checkpoint: {expected} was expected, and {found} was found; {REMEDY}")

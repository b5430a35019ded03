"""What clients of the Open Inference Protocol are told about a model: its metadata, and Triton's configuration."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.tables.columns import NumericColumn
from serve.loaded_model import Model
from serve.open_inference_codec import predict_outputs
from serve.size_limits import row_limit
from serve.tensor_rows import ALL_COLUMNS
from serve.tensors import NUMERIC, datatype_of

PLATFORM = "nudge_jax"


def metadata_of(model: Model) -> dict[str, Any]:
    """The metadata of a model. It has one input tensor if all columns are numeric, and otherwise one per column."""
    checkpoint = model.checkpoint
    columns = dict(zip(checkpoint.columns, checkpoint.column_specs, strict=True))
    if all(isinstance(column, NumericColumn) for column in columns.values()):
        inputs = [{"name": ALL_COLUMNS, "datatype": "FP32", "shape": [-1, len(columns)]}]
    else:
        inputs = [
            {"name": name, "datatype": "FP32" if isinstance(column, NumericColumn) else "BYTES", "shape": [-1]}
            for name, column in columns.items()
        ]
    outputs = [
        {"name": name, "datatype": datatype_of(array), "shape": [-1, *array.shape[1:]]}
        for name, array in predict_outputs(model, np.zeros((0, len(columns)))).items()
    ]
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": PLATFORM,
        "inputs": inputs,
        "outputs": outputs,
    }


def config_of(model: Model, max_rows: int) -> dict[str, Any]:
    """The configuration of a model in the shape of Triton's model configuration extension.

    Args:
        model: the model.
        max_rows: the most rows of a request to any model.

    Returns:
        The configuration. Tensors begin with the dimension of the rows, which `dims` leaves out.
    """
    metadata = metadata_of(model)
    inputs, outputs = (
        [
            {"name": each["name"], "data_type": _CONFIG_TYPES[each["datatype"]], "dims": each["shape"][1:]}
            for each in metadata[key]
        ]
        for key in ("inputs", "outputs")
    )
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": row_limit(model, max_rows),
        "input": inputs,
        "output": outputs,
        "model_transaction_policy": {"decoupled": False},
    }


_CONFIG_TYPES = {name: f"TYPE_{name}" for name in NUMERIC} | {"BYTES": "TYPE_STRING"}

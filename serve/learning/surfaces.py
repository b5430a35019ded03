"""Surfaces: what every unit answers on a grid of two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.explaining.surface import Grid, Surface, surface
from model.network import Network, Params
from serve.learning import limits
from serve.learning.messages import GridMessage, SurfaceRequest
from serve.learning.networks import array_of, network_of, params_of
from serve.learning.numbers_in_json import image, shortest


def answer_surface(request: SurfaceRequest) -> dict[str, Any]:
    """Answer POST /learn/surface."""
    network = network_of(request.network)
    return surface_as_data(surface_of(params_of(request.params, network), network, request.grid))


def surface_of(params: Params, network: Network, message: GridMessage) -> Surface:
    """The surface on the grid of a message. Raises RequestError if there is no such grid."""
    limits.check_range("grid.size", message.size, limits.MIN_GRID, limits.MAX_GRID)
    for column in message.columns:
        limits.check_range("grid.columns", column, 0, network.sizes[0] - 1)
    for name in ("low", "high"):
        array_of(f"grid.{name}", getattr(message, name), (2,))
    if message.others is not None:
        array_of("grid.others", message.others, (network.sizes[0],))
    others = None if message.others is None else tuple(message.others)
    return surface(params, network, Grid(message.columns, message.low, message.high, message.size, others))


def surface_as_data(found: Surface) -> dict[str, Any]:
    """A surface for JSON, with its pictures as base64 of float32."""
    return {
        "size": len(found.xs),
        "xs": shortest(found.xs),
        "ys": shortest(found.ys),
        "units": [[image(unit) for unit in layer] for layer in found.units],
        "outputs": [image(np.asarray(output)) for output in found.outputs],
    }

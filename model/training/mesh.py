"""Meshes of devices: how arrays lie on them, and programs whose rows they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Int

from model.arrays import Array

# The axes of a mesh: restarts need nothing from each other, and the rows of a step share its gradient.
RESTART, DATA = "restart", "data"
BY_RESTART, BY_ROW, EVERYWHERE = (PartitionSpec(*axes) for axes in ((RESTART,), (DATA,), ()))  # type: ignore[no-untyped-call]


def make_mesh(restart: int | None = None, data: int = 1) -> Mesh:
    """A mesh of the devices of all processes.

    Args:
        restart: among how many groups of devices the restarts are shared; by default as many as there can be.
        data: among how many devices the rows of each step are shared, from 1.

    Returns:
        The mesh, whose axes are restart and data.

    Raises:
        ValueError: if there are fewer devices, or if several processes would leave devices idle.

    Example:
        >>> dict(make_mesh(1).shape)
        {'restart': 1, 'data': 1}
    """
    devices = jax.devices()
    restart = max(1, len(devices) // data) if restart is None else restart
    asked = restart * data
    if asked > len(devices) or (jax.process_count() > 1 and asked < len(devices)):
        bound = "exactly" if jax.process_count() > 1 else "at most"
        shape = f"restart={restart} × data={data}"
        raise ValueError(f"the mesh must have {bound} as many devices as there are, {len(devices)}, not {shape}")
    return Mesh(np.array(devices[:asked]).reshape(restart, data), (RESTART, DATA))


def place(tree: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
    """Arrays on the devices of a mesh.

    Args:
        tree: of arrays. A process needs only the parts of its own devices.
        mesh: the devices.
        spec: along which axis of the mesh the first axis of the arrays is shared.

    Returns:
        The tree with arrays of all processes.
    """
    sharding = NamedSharding(mesh, spec)
    if all(isinstance(leaf, jax.Array) and leaf.sharding == sharding for leaf in jax.tree.leaves(tree)):
        return tree
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: _of_all_processes(leaf, sharding), tree)


def _of_all_processes(leaf: Array, sharding: NamedSharding) -> jax.Array:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _of_all_processes(jax.random.key_data(leaf), sharding)
        key: jax.Array = jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return key
    own = np.asarray(leaf)
    return jax.make_array_from_callback(own.shape, sharding, lambda index: own[index])


def share_rows(
    x: Float[Array, "rows columns"],
    y: Float[Array, "rows *outputs"],
    weights: Float[Array, " rows"] | None,
    mesh: Mesh,
) -> Any:
    """The rows of a table, shared among the devices that share the rows of a step.

    Args:
        x: the inputs.
        y: the targets.
        weights: of the rows, as `loss` takes them; None if all are 1.
        mesh: the devices.

    Returns:
        The same, with as many rows for each device: further rows have a weight of 0, and the weights have the same mean
        as before.
    """
    count, devices = len(y), mesh.shape[DATA]
    missing = -count % devices
    if missing:
        factor = np.float32((count + missing) / count)
        weights = np.ones(count, np.float32) if weights is None else weights
        x, y, weights = (with_zeros(leaf, missing) for leaf in (x, y, weights * factor))
    return place((x, y, weights), mesh, BY_ROW)


def with_zeros(leaf: Array, count: int) -> np.ndarray:
    """An array that ends with zeros.

    Args:
        leaf: the array, [rows, …].
        count: how many rows of zeros are added, from 0.

    Returns:
        [rows + count, …].

    Example:
        >>> with_zeros(np.ones(1), 2).tolist()
        [1.0, 0.0, 0.0]
    """
    return np.concatenate([leaf, np.zeros((count, *leaf.shape[1:]), leaf.dtype)])


def over_mesh(function: Callable[..., Any], mesh: Mesh | None, specs: Sequence[PartitionSpec]) -> Callable[..., Any]:
    """A function that each device of a group computes on its rows.

    Args:
        function: whose results are the same on every device.
        mesh: the devices of a group; None for a single one.
        specs: how each argument is shared.

    Returns:
        The function of all rows.
    """
    mapped: Callable[..., Any] = jax.shard_map(
        function,
        mesh=mesh_of_one() if mesh is None else mesh,
        in_specs=tuple(specs),
        out_specs=EVERYWHERE,
        check_vma=False,
    )
    return mapped


def mesh_of_one() -> Mesh:
    """A mesh of one device of this process.

    Returns:
        The mesh, with the axes of `make_mesh`.

    Example:
        >>> mesh_of_one().size
        1
    """
    return Mesh(np.array(jax.local_devices()[:1])[None], (RESTART, DATA))


def mean_over_rows(tree: Any, mesh: Mesh | None) -> Any:
    """The mean over the devices that share the rows of a step.

    Args:
        tree: of arrays, on each device the mean over its own rows.
        mesh: the devices; None for a single one.

    Returns:
        The tree of the means. A single device computes nothing for it.
    """
    if mesh is None or mesh.shape[DATA] == 1:
        return tree
    return jax.lax.pmean(tree, DATA)  # type: ignore[no-untyped-call]


def map_chunks(function: Callable[[Any], Any], chunks: Any, count: Int[Array, ""]) -> Any:
    """Apply a function to each chunk, one after the other.

    The loop never knows how many there are, so that its body is the same program for any number: the result of a chunk
    has the same bits wherever it is trained.

    Args:
        function: of a pytree of arrays.
        chunks: a pytree whose leaves have a first axis of chunks.
        count: how many of them count, from 0.

    Returns:
        The results, with a first axis of chunks; zeros for those that do not count.
    """

    def take(index: Array | int) -> Any:
        return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), chunks)

    def body(index: jax.Array, results: Any) -> Any:
        return jax.tree.map(
            lambda leaf, result: jax.lax.dynamic_update_index_in_dim(leaf, result, index, 0),
            results,
            function(take(index)),
        )

    depth = len(jax.tree.leaves(chunks)[0])
    shapes = jax.eval_shape(function, jax.eval_shape(lambda: take(0)))
    results = jax.tree.map(lambda leaf: jnp.zeros((depth, *leaf.shape), leaf.dtype), shapes)
    return jax.lax.fori_loop(0, count, body, results)

"""Where training runs: which devices and threads train which chunks of restarts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from model.arrays import Array
from model.training.mesh import BY_RESTART, DATA, EVERYWHERE, RESTART, place, with_zeros
from model.training.processes import agree, meet


class Lane(NamedTuple):
    """Chunks of restarts that are trained one after the other.

    Attributes:
        mesh: the devices that share the rows of each step, on an axis of a single group.
        first: the number of the first chunk.
        size: how many chunks there are.
    """

    mesh: Mesh
    first: int
    size: int


@dataclass(frozen=True)
class Placement:
    """Which chunks of restarts are trained where: each group of devices has lanes, and each lane as many chunks.

    Every lane runs the same program, which is compiled for its own devices alone. So the result of a chunk has the same
    bits wherever it is trained.

    Attributes:
        mesh: the devices.
        threads: how many lanes each group of devices has. A thread of the host waits for each.
        chunks: how many chunks there are.
    """

    mesh: Mesh
    threads: int
    chunks: int

    @property
    def depth(self) -> int:
        """How many chunks a lane has, at most."""
        return -(-self.chunks // (self.threads * self.groups))

    @property
    def groups(self) -> int:
        """How many groups of devices there are."""
        return len(self.mesh.devices)

    @property
    def padded_depth(self) -> int:
        """How many chunks a lane's arrays hold.

        Of several chunks no lane holds a single one, because XLA would compile another program for it, whose last bits
        differ.
        """
        return max(self.depth, min(2, self.chunks))

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes of this process that have chunks; at least one, so that every process compiles."""
        groups = [Mesh(devices[None], (RESTART, DATA)) for devices in self.mesh.devices]
        meshes = [mesh for mesh in groups for _ in range(self.threads)]
        lanes = [
            Lane(mesh, number * self.depth, min(max(self.chunks - number * self.depth, 0), self.depth))
            for number, mesh in enumerate(meshes)
            if jax.process_index() in {device.process_index for device in mesh.devices.flat}
        ]
        return tuple(lane for lane in lanes if lane.size) or tuple(lanes[:1])

    def share(self, tree: Any, lane: Lane) -> Any:
        """The chunks of a lane, on its devices.

        Args:
            tree: of arrays whose first axis is the chunks. Only those of the lane count.
            lane: one of `lanes`.

        Returns:
            The tree, with `padded_depth` chunks, of which the last ones may be padding.
        """
        return place(jax.tree.map(lambda leaf: self._padded(leaf, lane), tree), lane.mesh, EVERYWHERE)

    def _padded(self, leaf: Array | ArrayInLanes, lane: Lane) -> Array:
        if isinstance(leaf, ArrayInLanes):
            if leaf.placement == self:
                return leaf.parts[self.lanes.index(lane)]
            leaf = np.asarray(leaf)
        if self.padded_depth == self.chunks == lane.size:
            return leaf
        own = np.asarray(leaf)[lane.first : lane.first + lane.size]
        return np.concatenate([own, np.zeros((self.padded_depth - len(own), *own.shape[1:]), own.dtype)])

    def join(self, parts: Sequence[Any]) -> Any:
        """All chunks, from what each lane of this process has made of its own.

        Args:
            parts: for each lane a tree like that of `share`.

        Returns:
            The tree with all chunks, which stay where they are.
        """
        if self.padded_depth == self.lanes[0].size == self.chunks:
            return parts[0]
        return jax.tree.map(lambda *leaves: ArrayInLanes(self, leaves), *parts)

    def gather(self, tree: Any) -> Any:
        """All chunks from the processes that have trained them, in every process.

        Args:
            tree: of arrays whose first axis is the chunks. Only those of this process count.

        Returns:
            The tree with NumPy arrays. All processes must call this at the same point.
        """
        if not self.mesh.is_multi_process:
            return jax.device_get(tree)
        meet()
        size = self.depth * self.threads * self.groups
        padded = jax.tree.map(lambda leaf: with_zeros(np.asarray(leaf), size - self.chunks), tree)
        everywhere = _everywhere(self.mesh)(place(padded, self.mesh, BY_RESTART))
        return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_data(0))[: self.chunks], everywhere)


@dataclass(frozen=True, eq=False)
class ArrayInLanes:
    """An array whose first axis is the chunks, which stay on the devices of their lanes from one stretch to the next.

    To JAX it is a leaf of a tree and no array; `as_arrays` makes one of it.

    Attributes:
        placement: of the chunks.
        parts: what each lane of this process holds, as `Placement.share` returns it.
    """

    placement: Placement
    parts: tuple[jax.Array, ...]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All chunks; zeros for those of other processes."""
        if copy is False:
            raise ValueError("an array in lanes must be copied to be one array")
        shape = self.placement.chunks, *self.parts[0].shape[1:]
        whole = np.zeros(shape, self.parts[0].dtype if dtype is None else dtype)
        for lane, part in zip(self.placement.lanes, self.parts, strict=True):
            whole[lane.first : lane.first + lane.size] = np.asarray(part.addressable_data(0))[: lane.size]
        return whole


def as_arrays(tree: Any) -> Any:
    """A tree without arrays in lanes.

    Args:
        tree: any.

    Returns:
        The tree with an array of NumPy for each `ArrayInLanes`; all other leaves are the same.

    Example:
        >>> as_arrays({"weight": 1.0})
        {'weight': 1.0}
    """
    return jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, ArrayInLanes) else leaf, tree)


def map_side_by_side(function: Callable[..., Any], *arguments: Sequence[Any], threads: int | None = None) -> list[Any]:
    """Call a function several times at once.

    Args:
        function: what is called.
        arguments: for each parameter its values, at least one.
        threads: how many calls run at once; by default all. With one, they run in the thread of the caller.

    Returns:
        The results.

    Example:
        >>> map_side_by_side(pow, [2, 3], [3, 2])
        [8, 9]
    """
    threads = threads or len(arguments[0])
    if threads == 1:
        return list(map(function, *arguments))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, *arguments))


def place_chunks(mesh: Mesh, chunks: int) -> Placement:
    """Share chunks among the devices of a mesh, and among threads where a device is a processor with several cores.

    Args:
        mesh: the devices.
        chunks: how many chunks there are, from 1.

    Returns:
        Which of them are trained where.

    Example:
        >>> from model.training.mesh import make_mesh
        >>> place_chunks(make_mesh(1), 1).threads
        1
    """
    local = mesh.local_devices
    is_one_processor = len(local) == 1 and local[0].platform == "cpu" and mesh.shape[DATA] == 1
    threads = min(_core_count(), -(-chunks // len(mesh.devices))) if is_one_processor else 1
    # All processes must know alike where each chunk is, also on machines that differ.
    return Placement(mesh, agree(threads) if mesh.is_multi_process else threads, chunks)


def _core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _everywhere(mesh: Mesh) -> Callable[[Any], Any]:
    return jax.jit(lambda tree: tree, out_shardings=NamedSharding(mesh, EVERYWHERE))

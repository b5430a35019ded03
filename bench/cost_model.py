"""The time of training on paper, from one core to many devices. docs/scaling.md explains it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

# Devices are counted in powers of two up to this one.
MAX_DEVICES = 2**20


@dataclass(frozen=True)
class Links:
    """How devices are joined.

    latency: seconds of a message from one device to another.
    bandwidth: bytes per second that a device sends.
    """

    latency: float
    bandwidth: float

    def all_reduce(self, devices: int, size: int) -> float:
        """Seconds of a sum of `size` bytes over all devices: a tree for the latency, a ring for the bytes."""
        if devices == 1:
            return 0.0
        return 2 * ceil(log2(devices)) * self.latency + 2 * (devices - 1) / devices * size / self.bandwidth


@dataclass(frozen=True)
class Starts:
    """What independent starts cost on one device. They need no collective.

    start: seconds of what every process does once: imports, the table, compiling, the end.
    unit: seconds of an epoch of one unit: a chunk of 32 starts of a truth table, or one start of a file.
    """

    start: float
    unit: float

    def seconds(self, devices: int, *, units: int, epochs: int, cores: int | None = None) -> float:
        """The time on a mesh restart=devices. If there are fewer cores than devices, they take turns."""
        turns = 1.0 if cores is None else max(1.0, min(devices, units) / cores)
        return self.start + epochs * ceil(units / devices) * self.unit * turns


@dataclass(frozen=True)
class Rows:
    """What one network costs on one device, if its rows are shared.

    start: as in Starts.
    step: seconds of a step that do not depend on its rows.
    row: seconds of one row in a step.
    size: bytes of the gradient, which are summed over the devices in each step.
    """

    start: float
    step: float
    row: float
    size: int

    def step_seconds(self, devices: int, links: Links, *, batch: int, cores: int | None = None) -> float:
        """The time of a step with `batch` rows on a mesh data=devices."""
        turns = 1.0 if cores is None else max(1.0, devices / cores)
        return (self.step + ceil(batch / devices) * self.row) * turns + links.all_reduce(devices, self.size)

    def seconds(
        self, devices: int, links: Links, *, rows: int, batch: int, epochs: int, cores: int | None = None
    ) -> float:
        """The time of training on a mesh data=devices."""
        step = self.step_seconds(devices, links, batch=batch, cores=cores)
        return self.start + epochs * ceil(rows / batch) * step

    def best_devices(self, links: Links, *, batch: int) -> int:
        """The power of two of devices with which a step takes the least time."""
        powers = [2**power for power in range(MAX_DEVICES.bit_length())]
        return min(powers, key=lambda devices: self.step_seconds(devices, links, batch=batch))


def fitted_links(devices: int, small: float, large: float, size: int) -> Links:
    """The links that explain two sums over some devices, of next to nothing and of `size` bytes."""
    return Links(small / (2 * ceil(log2(devices))), 2 * (devices - 1) / devices * size / max(large - small, 1e-9))


def fitted_rows(start: float, small: tuple[int, float], large: tuple[int, float], size: int) -> Rows:
    """The costs that explain the seconds of two steps, each with its number of rows."""
    row = max((large[1] - small[1]) / (large[0] - small[0]), 0.0)
    return Rows(start, max(small[1] - small[0] * row, 0.0), row, size)

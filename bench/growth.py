"""How the time of an epoch grows with the rows, the width, the restarts and the columns, over three decades each.

    python -m bench.growth [--turns 3]

All programs are compiled before. The exponent is that of the last decade: 1 means that twice the size takes twice the
time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from bench.comparisons import Growth, Part
from bench.contestants import answer_questions, in_turns, started
from bench.epochs import nudge_epochs, restart_epochs
from bench.part import Options, run_part


class Series(NamedTuple):
    """What grows, its sizes, and what stays.

    layers: of the network, in which 0 stands for the size; none for restarts of XOR. rows: 0 stands for the size too.
    """

    what: str
    by: str
    sizes: tuple[int, ...]
    layers: tuple[int, ...]
    rows: int

    def epoch(self, size: int) -> Callable[[], float]:
        """A function that trains further, and returns the seconds of an epoch."""
        if not self.layers:
            return restart_epochs(size)
        return nudge_epochs(self.rows or size, tuple(layer or size for layer in self.layers), BATCH)


BATCH = 1000
SERIES = {
    "rows": Series(
        f"an epoch of 30-64-64-3, {BATCH:,} rows a step",
        "rows",
        (1_000, 3_200, 10_000, 32_000, 100_000, 320_000, 1_000_000),
        (30, 64, 64, 3),
        0,
    ),
    "width": Series(
        f"an epoch of 30-width-3 on 10,000 rows, {BATCH:,} a step",
        "units in the layer",
        (8, 24, 80, 240, 800, 2400, 8000),
        (30, 0, 3),
        10_000,
    ),
    "restarts": Series("an epoch of XOR, all restarts", "restarts", (1, 3, 10, 32, 100, 320, 1000), (), 4),
    "columns": Series(
        f"an epoch of columns-64-3 on 10,000 rows, {BATCH:,} a step",
        "columns",
        (4, 12, 40, 120, 400, 1200, 4000),
        (0, 64, 3),
        10_000,
    ),
}


def measure(options: Options) -> Part:
    """The seconds of an epoch at every size, each in a process of its own. The sizes take turns."""
    growths = []
    for name, series in SERIES.items():
        sizes = series.sizes[:2] if options.tiny else series.sizes
        commands = {str(size): (sys.executable, "--worker", name, str(size)) for size in sizes}
        with ExitStack() as stack:
            seconds = in_turns(started(stack, commands, "bench.growth"), options.turns)
        growths.append(Growth(series.what, series.by, sizes, list(seconds.values())))
    return Part(growths=growths)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        _, _, chosen, size = sys.argv
        epoch = SERIES[chosen].epoch(int(size))
        answer_questions(lambda _: epoch())
    else:
        run_part(measure, __doc__)

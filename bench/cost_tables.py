"""The tables of docs/scaling.md: what was measured, what the model says of it, and what it says of many devices."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from bench.cost_model import Links, Rows, Starts, fitted_rows
from model.training.state import CHUNK_RESTARTS

DEVICES = (1, 2, 4, 8)
ON_PAPER = (1, 2, 4, 8, 16, 64, 256, 1024)
COLUMNS, HIDDEN = 30, (64, 64)
PARAMETERS = COLUMNS * HIDDEN[0] + HIDDEN[0] + HIDDEN[0] * HIDDEN[1] + HIDDEN[1] + HIDDEN[1] + 1
LARGE_SUM = 1_000_000
# Joined by a network of 10 Gbit/s, by Gloo; and GPUs of one machine, by NCCL over NVLink. Neither was measured.
ASSUMED = {"Gloo over 10 Gbit/s": Links(50e-6, 1.25e9), "NCCL over NVLink": Links(5e-6, 100e9)}


class Run(NamedTuple):
    """A run of `nudge train` on some devices, and the numbers of epochs by which it is measured."""

    name: str
    axis: str
    arguments: tuple[str, ...]
    epochs: tuple[int, int]


class Times(NamedTuple):
    """The seconds of an epoch, and of everything else."""

    epoch: float
    start: float


class Sizes(NamedTuple):
    """How much is measured.

    starts: of the truth table. file_starts: of the file. rows: of the file. batches: two numbers of rows in a step.
    epochs: of the truth table's runs, of the file's starts, and of the runs on its rows.
    """

    starts: int = 1024
    file_starts: int = 8
    rows: int = 65_536
    batches: tuple[int, int] = (1024, 8192)
    epochs: tuple[tuple[int, int], ...] = ((50_000, 450_000), (2, 12), (5, 65))
    turns: int = 3


class Costs(NamedTuple):
    """What was measured on one device: of the starts of XOR and of a file, and of the rows of a file."""

    xor: Starts
    file: Starts
    rows: Rows

    @classmethod
    def fitted(cls, alone: Sequence[Times], sizes: Sizes) -> Costs:
        """From the times of the four runs."""
        xor, file, *by_batch = alone
        steps = [
            (batch, times.epoch / ceil(sizes.rows / batch))
            for batch, times in zip(sizes.batches, by_batch, strict=True)
        ]
        start = statistics.mean(times.start for times in by_batch)
        return cls(
            Starts(xor.start, xor.epoch / xor_units(sizes)),
            Starts(file.start, file.epoch / sizes.file_starts),
            fitted_rows(start, steps[0], steps[1], 4 * PARAMETERS),
        )


Sums = dict[str, tuple[int, tuple[float, float]]]


def tables_text(
    runs: Sequence[Run],
    measured: dict[str, dict[int, Times]],
    sums: Sums,
    links: dict[str, Links],
    sizes: Sizes,
    load: float,
) -> str:
    """All tables as Markdown.

    measured: by the name of a run and the number of devices.
    sums: how many devices they were measured with, and the seconds of a sum of one number and of LARGE_SUM.
    load: how many processes wanted to run before, on average.
    """
    costs = Costs.fitted([measured[run.name][1] for run in runs], sizes)
    predicted = predictions(costs, links, runs, sizes)
    tables = [parameter_table(costs, sums), comparison_table(predicted, measured, runs), paper_table(costs, links)]
    return "\n\n".join([machine_text(sizes, load), *tables])


def xor_units(sizes: Sizes) -> int:
    """The chunks of the truth table's starts."""
    return ceil(sizes.starts / CHUNK_RESTARTS)


def predictions(
    costs: Costs, links: dict[str, Links], runs: Sequence[Run], sizes: Sizes
) -> dict[str, dict[int, float]]:
    """The seconds of the longer of each run's two, by its name and the number of devices."""
    xor, file, *by_batch = runs
    joined = {1: Links(0.0, 1.0)} | {count: links[f"{count} devices of one process"] for count in DEVICES[1:]}
    found = {
        xor.name: {
            count: costs.xor.seconds(count, units=xor_units(sizes), epochs=xor.epochs[1], cores=cores())
            for count in DEVICES
        },
        file.name: {
            count: costs.file.seconds(count, units=sizes.file_starts, epochs=file.epochs[1], cores=cores())
            for count in DEVICES
        },
    }
    for batch, run in zip(sizes.batches, by_batch, strict=True):
        found[run.name] = {
            count: costs.rows.seconds(
                count, joined[count], rows=sizes.rows, batch=batch, epochs=run.epochs[1], cores=cores()
            )
            for count in DEVICES
        }
    return found


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def machine_text(sizes: Sizes, load: float) -> str:
    """What was measured, in a sentence."""
    return (
        f"On {cores()} cores: {sizes.starts:,} starts of XOR, {sizes.file_starts} starts of a file of {sizes.rows:,} "
        f"rows and {COLUMNS} columns with {'-'.join(map(str, HIDDEN))} units, and one network on its rows. "
        f"The fastest of {sizes.turns} turns; programs are in the cache. "
        f"Before, the load of the machine was {load:.1f}."
    )


def parameter_table(costs: Costs, sums: Sums) -> str:
    """Every parameter of the model, and what was measured."""
    rows = [
        ["parameter", "what it is", "measured"],
        [
            "`start`",
            "imports, the table, compiling, the end: XOR; the file",
            f"{costs.xor.start:.1f} s; {costs.rows.start:.1f} s",
        ],
        ["`unit`, XOR", "an epoch of a chunk of 32 starts", time_text(costs.xor.unit)],
        ["`unit`, the file", "an epoch of one start", time_text(costs.file.unit)],
        ["`step`", "a step, without its rows", time_text(costs.rows.step)],
        ["`row`", "one row of a step", time_text(costs.rows.row)],
    ]
    for name, (_, (small, large)) in sums.items():
        rows.append(["`all_reduce`", f"{name}: of one number; of a million", f"{time_text(small)}; {time_text(large)}"])
    return markdown(rows)


def comparison_table(
    predicted: dict[str, dict[int, float]], measured: dict[str, dict[int, Times]], runs: Sequence[Run]
) -> str:
    """The predicted and the measured seconds of each run."""
    rows = [["run", "devices", "predicted, s", "measured, s", "measured : predicted"]]
    for run in runs:
        for count, seconds in predicted[run.name].items():
            times = measured[run.name].get(count)
            taken = None if times is None else times.start + run.epochs[1] * times.epoch
            found = ["–", "–"] if taken is None else [f"{taken:.1f}", f"{taken / seconds:.2f}"]
            rows.append([run.name, str(count), f"{seconds:.1f}", *found])
    return markdown(rows)


def paper_table(costs: Costs, links: dict[str, Links]) -> str:
    """The predicted seconds up to many devices, each with a core of this machine. Nothing of it was measured."""
    gloo = {"Gloo, this machine": links["2 processes, Gloo"]}
    rows = [["on paper, s", *map(str, ON_PAPER)]]
    xor = [costs.xor.seconds(count, units=1024, epochs=100_000) for count in ON_PAPER]
    rows.append(["65,536 starts of XOR, 100,000 epochs", *map(seconds_text, xor)])
    file = [costs.file.seconds(count, units=1024, epochs=100) for count in ON_PAPER]
    rows.append(["1,024 starts of the file, 100 epochs", *map(seconds_text, file)])
    for name, joined in (gloo | ASSUMED).items():
        for batch in (8192, 262_144):
            times = [costs.rows.seconds(count, joined, rows=2**23, batch=batch, epochs=10) for count in ON_PAPER]
            best = costs.rows.best_devices(joined, batch=batch)
            label = f"8,388,608 rows, {batch:,} a step, 10 epochs; {name} (fastest with {best:,})"
            rows.append([label, *map(seconds_text, times)])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a table; the first has the headings."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])


def time_text(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def seconds_text(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.1f}"

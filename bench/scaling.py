"""Training on 1, 2, 4 and 8 devices, predicted by the model in docs/scaling.md and measured.

    python -m bench.scaling [--write docs/scaling.md] [--only parameters]

The devices are virtual ones of one CPU, in one process of `nudge train --mesh …`. Each has a core, as long as there are
cores. Two runs of different length give the seconds of an epoch, and those of everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

from bench.cost_model import Links, Rows, Starts, fitted_links, fitted_rows
from model.training.state import CHUNK_RESTARTS

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- measured: python -m bench.scaling --write docs/scaling.md -->", "<!-- end -->"
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
    epochs: tuple[tuple[int, int], ...] = ((50_000, 450_000), (2, 6), (5, 25))
    turns: int = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between the marks of this page")
    parser.add_argument("--only", choices=["parameters"], help="measure one device and the collectives, not the mesh")
    parser.add_argument("--collective", nargs=3, metavar=("COORDINATOR", "PROCESSES", "ID"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.collective:
        address, processes, process_id = options.collective
        print(json.dumps(time_sums(address, int(processes), int(process_id))))
        return
    has_mesh = options.only is None and mesh_is_there()
    if options.only is None and not has_mesh:
        print("This `nudge train` has no --mesh, so only one device is measured.")
    text = report(Sizes(), DEVICES if has_mesh else (1,))
    print(text)
    if options.write:
        write_between_marks(options.write, text)


def report(sizes: Sizes, devices: Sequence[int]) -> str:
    """All tables as Markdown."""
    sums = {f"{count} devices of one process": (count, sums_of_devices(count)) for count in DEVICES[1:]}
    sums |= {f"{count} processes, Gloo": (count, sums_of_processes(count)) for count in DEVICES[1:3]}
    links = {name: fitted_links(count, *found, 4 * LARGE_SUM) for name, (count, found) in sums.items()}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "rows.csv")
        write_table(table, sizes.rows)
        runs = runs_of(table, sizes)
        measured = {run.name: {count: measure(run, count, sizes.turns) for count in devices} for run in runs}
    alone = [measured[run.name][1] for run in runs]
    costs = Costs.fitted(alone, sizes)
    predicted = predictions(costs, links, runs, sizes)
    tables = [parameter_table(costs, sums), comparison_table(predicted, measured, runs), paper_table(costs, links)]
    return "\n\n".join([machine_text(sizes), *tables])


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


def xor_units(sizes: Sizes) -> int:
    """The chunks of the truth table's starts."""
    return ceil(sizes.starts / CHUNK_RESTARTS)


def predictions(
    costs: Costs, links: dict[str, Links], runs: Sequence[Run], sizes: Sizes
) -> dict[str, dict[int, float]]:
    """The seconds of the longer of each run's two, by its name and the number of devices."""
    cores = len(os.sched_getaffinity(0))
    xor, file, *by_batch = runs
    joined = {1: Links(0.0, 1.0)} | {count: links[f"{count} devices of one process"] for count in DEVICES[1:]}
    found = {
        xor.name: {
            count: costs.xor.seconds(count, units=xor_units(sizes), epochs=xor.epochs[1], cores=cores)
            for count in DEVICES
        },
        file.name: {
            count: costs.file.seconds(count, units=sizes.file_starts, epochs=file.epochs[1], cores=cores)
            for count in DEVICES
        },
    }
    for batch, run in zip(sizes.batches, by_batch, strict=True):
        found[run.name] = {
            count: costs.rows.seconds(
                count, joined[count], rows=sizes.rows, batch=batch, epochs=run.epochs[1], cores=cores
            )
            for count in DEVICES
        }
    return found


def machine_text(sizes: Sizes) -> str:
    """What was measured, in a sentence."""
    cores = len(os.sched_getaffinity(0))
    return (
        f"On {cores} cores: {sizes.starts:,} starts of XOR, {sizes.file_starts} starts of a file of {sizes.rows:,} rows "
        f"and {COLUMNS} columns with {'-'.join(map(str, HIDDEN))} units, and one network on its rows. "
        f"Medians of {sizes.turns} turns; programs are in the cache."
    )


def parameter_table(costs: Costs, sums: dict[str, tuple[int, tuple[float, float]]]) -> str:
    """Every parameter of the model, and what was measured."""
    rows = [
        ["parameter", "what it is", "measured"],
        [
            "`start`",
            "imports, the table, compiling, the end: XOR; the file",
            f"{costs.xor.start:.1f} s; {costs.rows.start:.1f} s",
        ],
        ["`unit`, XOR", "an epoch of a chunk of 64 starts", time_text(costs.xor.unit)],
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


def write_between_marks(page: Path, text: str) -> None:
    """Put a text between the marks of a page. Raises SystemExit if it does not have both."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} must have the lines {BEGIN} and {END}, and one is missing; add it")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def runs_of(table: Path, sizes: Sizes) -> list[Run]:
    """What is trained: starts of a truth table and of a file, and one network on the rows of a file, in two batches."""
    whole = ("--restarts=1", "--ensemble=1", "--encodings=numbers")
    file = (str(table), "--target=y", f"--hidden={','.join(map(str, HIDDEN))}", "--validation=0", "--folds=1")
    starts = (
        f"--restarts={sizes.file_starts}",
        "--ensemble=1",
        "--encodings=numbers",
        f"--batch-size={sizes.batches[0]}",
    )
    xor, in_file, in_rows = sizes.epochs
    return [
        Run("starts of XOR", "restart", ("xor", f"--restarts={sizes.starts}", f"--log-every={xor[0]}"), xor),
        Run("starts of a file", "restart", (*file, *starts), in_file),
        *(
            Run(f"rows, {batch:,} a step", "data", (*file, *whole, f"--batch-size={batch}"), in_rows)
            for batch in sizes.batches
        ),
    ]


def write_table(path: Path, rows: int) -> None:
    """Write normally distributed columns, and a target of two classes that a sum of them gives."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    y = (x @ rng.normal(size=COLUMNS) + rng.normal(size=rows) > 0).astype(np.int64)
    pl.DataFrame({**{f"x{index}": x[:, index] for index in range(COLUMNS)}, "y": y}).write_csv(path)


def mesh_is_there() -> bool:
    """Whether `nudge train` has the option."""
    command = [sys.executable, "-m", "model", "train", "--help"]
    return "--mesh" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def measure(run: Run, devices: int, turns: int) -> Times:
    """The medians over some turns, after one that fills the cache of programs."""
    found: list[Times] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns + 1):
            short, long = (seconds_of(run, devices, epochs, folder) for epochs in run.epochs)
            epoch = (long - short) / (run.epochs[1] - run.epochs[0])
            found.append(Times(epoch, short - run.epochs[0] * epoch))
    return Times(*(statistics.median(each) for each in zip(*found[1:], strict=True)))


def seconds_of(run: Run, devices: int, epochs: int, folder: str) -> float:
    """The seconds of one run of `nudge train`."""
    out = Path(folder, "trained.safetensors")
    mesh = () if devices == 1 else (f"--mesh={run.axis}={devices}",)
    command = [
        sys.executable,
        "-m",
        "model",
        "train",
        *run.arguments,
        f"--epochs={epochs}",
        f"--out={out}",
        "--json",
        *mesh,
    ]
    environment = environment_of(devices) | {"XDG_CACHE_HOME": folder}
    started = time.perf_counter()
    subprocess.run(pinned(command, devices), cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def environment_of(devices: int) -> dict[str, str]:
    """The environment of a process with so many virtual devices."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    return environment


def pinned(command: list[str], devices: int) -> list[str]:
    """The command on one core for each device, or on all there are."""
    cores = sorted(os.sched_getaffinity(0))
    if shutil.which("taskset") is None:
        raise SystemExit("bench.scaling needs taskset, to give a device one core; install util-linux")
    return ["taskset", "--cpu-list", ",".join(map(str, cores[:devices])), *command]


def sums_of_devices(devices: int) -> tuple[float, float]:
    """The seconds of two sums over the virtual devices of one process: of one number, and of LARGE_SUM numbers."""
    command = [sys.executable, "-m", "bench.scaling", "--collective", "none", "1", "0"]
    process = subprocess.run(command, cwd=ROOT, env=environment_of(devices), capture_output=True, text=True, check=True)
    small, large = json.loads(process.stdout.splitlines()[-1])
    return small, large


def sums_of_processes(processes: int) -> tuple[float, float]:
    """The same over processes of one device each, joined by Gloo."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    start = [sys.executable, "-m", "bench.scaling", "--collective", address, str(processes)]
    running = [
        subprocess.Popen([*start, str(number)], cwd=ROOT, env=environment_of(1), stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    printed = [process.communicate(timeout=300)[0] for process in running]
    small, large = json.loads(printed[0].splitlines()[-1])
    return small, large


def time_sums(address: str, processes: int, process_id: int) -> tuple[float, float]:
    """The seconds of both sums in this process. Each is one of many in a compiled loop, as in training."""
    import jax
    import numpy as np
    from jax.sharding import NamedSharding, PartitionSpec

    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(address, processes, process_id)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
    part = PartitionSpec("data")

    def seconds(size: int, repeats: int) -> float:
        def loop(x: jax.Array) -> jax.Array:
            return jax.lax.fori_loop(0, repeats, lambda _, x: jax.lax.psum(x, "data") / mesh.size, x)

        program = jax.jit(jax.shard_map(loop, mesh=mesh, in_specs=part, out_specs=part, check_vma=False))
        shape = (mesh.size * size,)
        x = jax.make_array_from_callback(shape, NamedSharding(mesh, part), lambda index: np.zeros(size, np.float32))
        jax.block_until_ready(program(x))
        best = float("inf")
        for _ in range(5):
            started = time.perf_counter()
            jax.block_until_ready(program(x))
            best = min(best, (time.perf_counter() - started) / repeats)
        return best

    return seconds(1, 200), seconds(LARGE_SUM, 10)


if __name__ == "__main__":
    main()

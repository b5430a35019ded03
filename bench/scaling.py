"""Training on 1, 2, 4 and 8 devices, predicted by the model in docs/scaling.md and measured.

    python -m bench.scaling [--write docs/scaling.md] [--only parameters] [--turns 3]

The devices are virtual ones of one CPU, in one process of `nudge train --mesh …`. Each has a core, as long as there are
cores. Two runs of different length give the seconds of an epoch, and those of everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cost_model import fitted_links
from bench.cost_tables import COLUMNS, DEVICES, HIDDEN, LARGE_SUM, Run, Sizes, Times, cores, tables_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "scaling.json"
BEGIN, END = "<!-- measured: python -m bench.scaling --write docs/scaling.md -->", "<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between the marks of this page")
    parser.add_argument("--only", choices=["parameters"], help="measure one device and the collectives, not the mesh")
    parser.add_argument("--turns", type=int, default=3, help="of which the fastest counts")
    parser.add_argument("--collective", nargs=3, metavar=("COORDINATOR", "PROCESSES", "ID"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.collective:
        address, processes, process_id = options.collective
        print(json.dumps(time_sums(address, int(processes), int(process_id))))
        return
    has_mesh = options.only is None and mesh_is_there()
    if options.only is None and not has_mesh:
        print("This `nudge train` has no --mesh, so only one device is measured.")
    if options.write and options.only:
        parser.error("--write needs everything to be measured; leave --only out")
    sizes = Sizes(turns=options.turns)
    found = measure_all(sizes, DEVICES if has_mesh else (1,))
    text = tables_of(found, sizes)
    print(text)
    if options.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        write_between_marks(options.write, text)


def measure_all(sizes: Sizes, devices: Sequence[int]) -> dict[str, Any]:
    """The times of all runs and of all sums, as JSON."""
    load = os.getloadavg()[0]
    sums = {f"{count} devices of one process": (count, sums_of_devices(count)) for count in DEVICES[1:]}
    sums |= {f"{count} processes, Gloo": (count, sums_of_processes(count)) for count in DEVICES[1:3]}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "rows.parquet")
        write_table(table, sizes.rows)
        measured = {
            run.name: {str(count): measure(run, count, sizes.turns) for count in devices}
            for run in runs_of(table, sizes)
        }
    return {"cores": cores(), "turns": sizes.turns, "load": load, "sums": sums, "measured": measured}


def tables_of(found: dict[str, Any], sizes: Sizes) -> str:
    """All tables as Markdown, from what `measure_all` found."""
    sums = {name: (count, (small, large)) for name, (count, (small, large)) in found["sums"].items()}
    links = {name: fitted_links(count, *times, 4 * LARGE_SUM) for name, (count, times) in sums.items()}
    measured = {
        name: {int(count): Times(*times) for count, times in by_count.items()}
        for name, by_count in found["measured"].items()
    }
    return tables_text(runs_of(Path("rows"), sizes), measured, sums, links, sizes, found["load"])


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
    pl.DataFrame({**{f"x{index}": x[:, index] for index in range(COLUMNS)}, "y": y}).write_parquet(path)


def mesh_is_there() -> bool:
    """Whether `nudge train` has the option."""
    command = [sys.executable, "-m", "model", "train", "--help"]
    return "--mesh" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def measure(run: Run, devices: int, turns: int) -> Times:
    """The seconds of an epoch and of the rest. The fastest turn counts, after a run that fills the cache."""
    with tempfile.TemporaryDirectory() as folder:
        seconds_of(run, devices, run.epochs[0], folder)
        found = [[seconds_of(run, devices, epochs, folder) for epochs in run.epochs] for _ in range(turns)]
    short, long = map(min, zip(*found, strict=True))
    epoch = (long - short) / (run.epochs[1] - run.epochs[0])
    if epoch <= 0:
        raise SystemExit(
            f"{run.name}: {run.epochs[1]} epochs took no longer than {run.epochs[0]}; end other work first"
        )
    return Times(epoch, short - run.epochs[0] * epoch)


def seconds_of(run: Run, devices: int, epochs: int, folder: str) -> float:
    """The seconds of one run of `nudge train`. With one device, they are those that its core worked for it."""
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
    before, started = os.times(), time.perf_counter()
    subprocess.run(pinned(command, devices), cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    passed, after = time.perf_counter() - started, os.times()
    if devices > 1:
        return passed
    return after.children_user - before.children_user + after.children_system - before.children_system


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
    usable = sorted(os.sched_getaffinity(0))
    if shutil.which("taskset") is None:
        raise SystemExit("bench.scaling needs taskset, to give a device one core; install util-linux")
    return ["taskset", "--cpu-list", ",".join(map(str, usable[:devices])), *command]


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

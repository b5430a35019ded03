"""Training and checking on an accelerator, compared to the CPU of the same machine and to PyTorch.

    python -m bench.gpu [--torch-python PYTHON] [--cpu] [--tiny]

Each library has its own process on each device. Compiling does not count, except for the check. On a GPU, JAX
multiplies matrices of float32 with fewer digits by default. JAX_DEFAULT_MATMUL_PRECISION=float32 asks for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bench.epochs import nudge_epochs, random_rows

ROOT = Path(__file__).resolve().parent.parent
CPU, ACCELERATOR = "CPU", "accelerator"
NO_ACCELERATOR = (
    "bench.gpu: JAX finds no accelerator here, only the CPU; install nudge-jax[cuda12] on a machine with a GPU, or "
    "measure the CPU alone with --cpu"
)


class Sizes(NamedTuple):
    """How much is computed.

    restarts, xor_epochs: of XOR. torch_epochs: as many of PyTorch, which takes longer.
    rows: of the network with ten classes. many_rows, batches: of the large table, and the rows in a step.
    checked: the layers of the network whose gradient is checked, and checked_rows: its rows.
    """

    restarts: int = 1024
    xor_epochs: int = 20_000
    torch_epochs: int = 500
    rows: int = 20_000
    many_rows: int = 1_000_000
    batches: tuple[int, ...] = (1024, 16_384)
    checked: tuple[int, ...] = (784, 1024, 192, 10)
    checked_rows: int = 256


FULL = Sizes()
TINY = Sizes(64, 200, 5, 300, 1000, (128,), (6, 8, 3), 16)
CLASSES, CLASS_LAYERS, CLASS_BATCH = 10, (64, 128, 128, 10), 128
COLUMNS, HIDDEN = 30, (64, 64)
EPOCHS = 4

# What a process measures: seconds by the name of what was done.
Measurements = dict[str, float]


class Subject(NamedTuple):
    """A library on a device."""

    library: str
    device: str

    def __str__(self) -> str:
        return f"{self.library}, {self.device}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch and numpy")
    parser.add_argument("--cpu", action="store_true", help="measure the CPU, even if there is no accelerator")
    parser.add_argument("--tiny", action="store_true", help="compute next to nothing, to try this script")
    parser.add_argument("--worker", nargs=2, metavar=("LIBRARY", "DEVICE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = TINY if options.tiny else FULL
    if options.worker:
        library, device = options.worker
        print(json.dumps(dict(WORKERS[library](device, sizes))))
        return
    name = name_of_accelerator()
    if name is None and not options.cpu:
        sys.exit(NO_ACCELERATOR)
    devices = (CPU,) if name is None else (ACCELERATOR, CPU)
    pythons = {"JAX": sys.executable, "PyTorch": options.torch_python}
    found: dict[Subject, Measurements] = {}
    for library, python in pythons.items():
        if library == "PyTorch" and not has_torch(python):
            print("PyTorch is not installed, so it is left out; name an interpreter that has it with --torch-python.\n")
            continue
        for device in devices:
            print(f"{library} on the {device} …", file=sys.stderr)
            found[Subject(library, device)] = run_worker(python, library, device, options.tiny)
    print(f"{name or 'No accelerator'}; {os.cpu_count()} cores.\n\n{table_text(found)}")


def name_of_accelerator() -> str | None:
    """What JAX computes on by default; None if it is the CPU."""
    program = "import jax; print(jax.default_backend() != 'cpu' and jax.devices()[0].device_kind or '')"
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.strip() or None


def has_torch(python: str) -> bool:
    """Whether an interpreter can import PyTorch."""
    return not subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode


def run_worker(python: str, library: str, device: str, tiny: bool) -> Measurements:
    """Run a library on a device in its own process."""
    environment = os.environ | ({"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""} if device == CPU else {})
    command = [python, "-m", "bench.gpu", "--worker", library, device, *(["--tiny"] if tiny else [])]
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measurements: Measurements = json.loads(process.stdout.splitlines()[-1])
    return measurements


def table_text(found: dict[Subject, Measurements]) -> str:
    """The times as Markdown, and how many times as fast as its CPU the accelerator is."""
    subjects = list(found)
    fast, slow = Subject("JAX", ACCELERATOR), Subject("JAX", CPU)
    ratio = ["JAX, CPU : accelerator"] if fast in found else []
    rows = [["", *map(str, subjects), *ratio]]
    for name in found[slow]:
        cells = [f"{found[each][name]:.3g} s" if name in found[each] else "–" for each in subjects]
        rows.append([name, *cells, *(f"{found[slow][name] / found[fast][name]:.2f}" for _ in ratio)])
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])


def names(sizes: Sizes) -> Iterator[str]:
    """What is measured, in the order in which both libraries do it."""
    yield f"1,000 epochs of XOR, {sizes.restarts:,} restarts"
    yield f"an epoch of {'-'.join(map(str, CLASS_LAYERS))}, {sizes.rows:,} rows, {CLASS_BATCH} a step"
    for batch in sizes.batches:
        yield f"an epoch of {sizes.many_rows:,} rows, {batch:,} a step"
    yield f"the check of {parameters(sizes.checked):,} parameters, {sizes.checked_rows} rows"


def parameters(layers: tuple[int, ...]) -> int:
    """How many weights and biases there are."""
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(layers))


def measure_jax(device: str, sizes: Sizes) -> Iterator[tuple[str, float]]:
    """The seconds of Nudge."""
    import jax

    from model.commands.jax_setup import configure_jax

    configure_jax()
    jax.config.update("jax_enable_compilation_cache", False)
    assert (jax.default_backend() == "cpu") == (device == CPU)
    xor, classes, *many, check = names(sizes)
    yield xor, 1000 * jax_xor(sizes)
    yield classes, jax_epoch(sizes.rows, CLASS_LAYERS, CLASS_BATCH)
    for name, batch in zip(many, sizes.batches, strict=True):
        yield name, jax_epoch(sizes.many_rows, (COLUMNS, *HIDDEN, 1), batch)
    yield check, jax_check(sizes)


def jax_xor(sizes: Sizes) -> float:
    """The seconds of an epoch of all restarts."""
    import jax

    from model import Network, fit, truth_table

    def train() -> None:
        options = {"epochs": sizes.xor_epochs, "restarts": sizes.restarts, "log_every": sizes.xor_epochs}
        fit(Network((2, 2, 1)), truth_table("xor"), key=jax.random.key(0), **options)

    train()
    return seconds_of(train) / sizes.xor_epochs


def jax_epoch(rows: int, layers: tuple[int, ...], batch: int) -> float:
    """The seconds of an epoch, after one in which the program is compiled."""
    epoch = nudge_epochs(rows, layers, batch)
    return min(epoch() for _ in range(EPOCHS))


def jax_check(sizes: Sizes) -> float:
    """The seconds of a check, which compiles all that it needs."""
    import jax
    import numpy as np

    from model import Network, chain_rule, check_gradients, init_params, loss

    network = Network(sizes.checked, task="multiclass")
    params = init_params(network, key=jax.random.key(0), init="he")
    x, y = random_rows(sizes.checked_rows, sizes.checked[0], sizes.checked[-1])
    y = np.asarray(y, np.int32)

    def check() -> None:
        assert check_gradients(loss, params, x, y, network, by_hand=chain_rule).ok

    return seconds_of(check)


def seconds_of(action: Callable[[], None]) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure_torch(device: str, sizes: Sizes) -> Iterator[tuple[str, float]]:
    """The seconds of PyTorch."""
    from bench.gpu_torch import check_seconds, epoch_seconds, xor_seconds

    on = "cpu" if device == CPU else "cuda"
    xor, classes, *many, check = names(sizes)
    yield xor, 1000 * xor_seconds(on, sizes.restarts, sizes.torch_epochs)
    yield classes, epoch_seconds(on, random_rows(sizes.rows, CLASS_LAYERS[0], CLASSES), CLASS_LAYERS, CLASS_BATCH)
    for name, batch in zip(many, sizes.batches, strict=True):
        yield name, epoch_seconds(on, random_rows(sizes.many_rows, COLUMNS, 2), (COLUMNS, *HIDDEN, 2), batch)
    yield check, check_seconds(on, random_rows(sizes.checked_rows, sizes.checked[0], sizes.checked[-1]), sizes.checked)


WORKERS: dict[str, Callable[[str, Sizes], Iterator[tuple[str, float]]]] = {"JAX": measure_jax, "PyTorch": measure_torch}


if __name__ == "__main__":
    main()

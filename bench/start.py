"""How long `python -m model train` takes, compared to `python -c 'import jax'`, without and with a cache of programs.

python -m bench.start
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from model.messages import align_columns

ROOT = Path(__file__).resolve().parent.parent
TURNS = 5


class TimeBar(NamedTuple):
    """At most `factor` times the time of the import, and `seconds` more."""

    factor: float
    seconds: float


BAR_WITHOUT_CACHE, BAR_WITH_CACHE = TimeBar(3.0, 1.0), TimeBar(2.0, 0.7)


def main() -> None:
    import_times: list[float] = []
    times_without_cache: list[float] = []
    times_with_cache: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        train = [sys.executable, "-m", "model", "train", "--out", f"{folder}/xor.safetensors"]
        for turn in range(1 + TURNS):
            cache = f"{folder}/cache{turn}"
            seconds = [
                measure([sys.executable, "-c", "import jax"], cache),
                measure(train, cache),
                measure(train, cache),
            ]
            if turn > 0:  # the first turn reads everything from disk
                for times, taken in zip((import_times, times_without_cache, times_with_cache), seconds, strict=True):
                    times.append(taken)
    import_time = statistics.median(import_times)
    rows = [
        ["", "seconds", "bar"],
        ["python -c 'import jax'", f"{import_time:.2f}", ""],
        ["train, nothing in cache", *time_and_bar(times_without_cache, import_time, BAR_WITHOUT_CACHE)],
        ["train, programs in cache", *time_and_bar(times_with_cache, import_time, BAR_WITH_CACHE)],
    ]
    print(align_columns(rows))
    print(f"\nMedians of {TURNS} runs in turns, Python {sys.version.split()[0]}.")


def measure(command: list[str], cache: str) -> float:
    """The seconds that a command takes with this folder as its cache."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONPATH": str(ROOT)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def time_and_bar(times: list[float], import_time: float, bar: TimeBar) -> list[str]:
    """The median time and its bar, as cells of the table."""
    taken, largest = statistics.median(times), bar.factor * import_time + bar.seconds
    missed = "" if taken < largest else "  MISSED"
    return [f"{taken:.2f}", f"under {bar.factor:g} × + {bar.seconds:g} s = {largest:.2f}{missed}"]


if __name__ == "__main__":
    main()

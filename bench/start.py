"""How long `python -m model train` takes beside `python -c 'import jax'`, without and with compiled programs in cache.

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

from model.messages import align_columns

ROOT = Path(__file__).resolve().parent.parent
TURNS = 5
# At most so many times the import, and so many seconds.
COLD_BAR, WARM_BAR = (3.0, 1.0), (2.0, 0.7)


def main() -> None:
    imports, cold, warm = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        train = [sys.executable, "-m", "model", "train", "--out", f"{folder}/xor.safetensors"]
        for turn in range(1 + TURNS):
            cache = f"{folder}/cache{turn}"
            seconds = [run([sys.executable, "-c", "import jax"], cache), run(train, cache), run(train, cache)]
            if turn > 0:  # the first one reads everything from disk
                for times, taken in zip((imports, cold, warm), seconds, strict=True):
                    times.append(taken)
    base = statistics.median(imports)
    rows = [
        ["", "seconds", "bar"],
        ["python -c 'import jax'", f"{base:.2f}", ""],
        ["train, nothing in cache", *against(cold, base, *COLD_BAR)],
        ["train, programs in cache", *against(warm, base, *WARM_BAR)],
    ]
    print(align_columns(rows))
    print(f"\nMedians of {TURNS} runs in turns, Python {sys.version.split()[0]}.")


def run(command: list[str], cache: str) -> float:
    """The seconds of a command, with its cache in a folder of its own."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONPATH": str(ROOT)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def against(times: list[float], base: float, factor: float, more: float) -> list[str]:
    taken, bar = statistics.median(times), factor * base + more
    return [f"{taken:.2f}", f"under {factor:g} × + {more:g} s = {bar:.2f}{'' if taken < bar else '  MISSED'}"]


if __name__ == "__main__":
    main()

"""How far Nudge is from the limit, and from what one would use instead, on this machine.

    python -m bench [--only PART …] [--turns 3] [--torch-python PYTHON]

Every part runs in a process of its own. The results are kept in bench/results.json, and docs/performance.md with its
pictures is made from them. With --only, the other parts keep what was measured before.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from bench.comparisons import Measured, Part
from bench.contestants import ROOT, clean_environment
from bench.part import add_options, options_of
from bench.performance_page import TITLES, write_page

MODULES = {
    "training": "bench.training",
    "minibatches": "bench.minibatches",
    "million": "bench.million",
    "start": "bench.start",
    "digits": "bench.digits",
    "check": "bench.check_cost",
    "service": "bench.serving",
    "growth": "bench.growth",
}
VERSIONS = ("jax", "optax", "numpy", "polars", "scikit-learn")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--only", nargs="+", choices=MODULES, default=list(MODULES), help="measure only these parts")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results.json", help="the file for the results")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="the folder of the page and of its pictures")
    parsed = parser.parse_args()
    options, parts, start = options_of(parsed), {}, time.monotonic()
    before = Measured.read(parsed.out).parts if parsed.out.exists() else {}
    for name in parsed.only:
        print(f"\n{TITLES[name]}\n", flush=True)
        arguments = ["--turns", str(options.turns), *(["--tiny"] if options.tiny else [])]
        arguments += ["--torch-python", options.torch_python] if options.torch_python else []
        parts[name] = run(MODULES[name], arguments)
    kept = {name: parts.get(name, before.get(name)) for name in MODULES}
    measured = Measured(this_machine(), {name: part for name, part in kept.items() if part is not None})
    measured.write(parsed.out)
    write_page(measured, parsed.docs)
    print(
        f"\n{(time.monotonic() - start) / 60:.0f} minutes. Written: {parsed.out} and {parsed.docs / 'performance.md'}"
    )


def run(module: str, arguments: list[str]) -> Part:
    """What a part finds. It prints its table itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.json")
        command = [sys.executable, "-m", module, "--json", str(path), *arguments]
        subprocess.run(command, cwd=ROOT, env=clean_environment(), check=True)
        return Part.from_json(json.loads(path.read_text(encoding="utf-8")))


def this_machine() -> dict[str, str]:
    """What the times depend on: the processor, the memory, the system and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    } | {name: version(name) for name in VERSIONS}


def processor() -> str:
    """The name of the processor, as the system tells it."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def commit() -> str:
    """The commit that was measured, with a + if files differ from it; unknown without git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


if __name__ == "__main__":
    main()

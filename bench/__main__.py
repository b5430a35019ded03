"""How far Nudge is from the limit, and from what one would use instead, on this machine.

    python -m bench [--only PART …] [--turns 3] [--torch-python PYTHON]

Every part runs in a process of its own. The results are kept in bench/results.json, and docs/performance.md with its
pictures is made from them. With --only, the other parts keep what was measured before, if it was on such a machine.
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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.comparisons import LeftOut, Measured, Part
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
VERSIONS = ("jax", "optax", "numpy", "polars", "pandas", "scikit-learn")
RESULTS, DOCS = ROOT / "bench" / "results.json", ROOT / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--only", nargs="+", choices=MODULES, default=list(MODULES), help="measure only these parts")
    parser.add_argument("--peers", default="", help="for the service: name=PYTHON,… of other servers' environments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file for the results")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder of the page and of its pictures")
    parsed = parser.parse_args()
    if parsed.tiny and (parsed.out == RESULTS or parsed.docs == DOCS):
        parser.error("--tiny measures nothing that anybody should read; give another --out and --docs")
    start, machine = time.monotonic(), this_machine()
    parts = kept_parts(parsed.out, machine)
    for name in parsed.only:
        print(f"\n{TITLES[name]}\n", flush=True)
        parts[name] = run(name, arguments_of(name, parsed))
        measured = Measured(machine, {each: parts[each] for each in MODULES if each in parts})
        measured.write(parsed.out)
    if not write_page(measured, parsed.docs):
        print("\nThe pictures are left out: matplotlib is not installed; the extra bench has it.")
    print(
        f"\n{(time.monotonic() - start) / 60:.0f} minutes. Written: {parsed.out} and {parsed.docs / 'performance.md'}"
    )


def kept_parts(path: Path, machine: dict[str, str]) -> dict[str, Part]:
    """What was measured before on such a machine, with the same versions."""
    if not path.exists():
        return {}
    before = Measured.read(path)
    return before.parts if before.machine == machine else {}


def arguments_of(name: str, parsed: argparse.Namespace) -> list[str]:
    """The command line of a part."""
    options = options_of(parsed)
    arguments = ["--turns", str(options.turns), *(["--tiny"] if options.tiny else [])]
    arguments += ["--torch-python", options.torch_python] if options.torch_python else []
    return arguments + (["--peers", parsed.peers] if name == "service" and parsed.peers else [])


def run(name: str, arguments: list[str]) -> Part:
    """What a part finds. It prints its table itself, and its error if it fails."""
    when = f"Measured on {datetime.date.today().isoformat()}, at commit {commit()}."
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.json")
        command = [sys.executable, "-m", MODULES[name], "--json", str(path), *arguments]
        if subprocess.run(command, cwd=ROOT, env=clean_environment(), check=False).returncode:
            return Part(left_out=[LeftOut("All of it", "it ended with an error")], notes=[when])
        part = Part.from_json(json.loads(path.read_text(encoding="utf-8")))
        return part._replace(notes=[*part.notes, when])


def this_machine() -> dict[str, str]:
    """What the times depend on: the processor, the memory, the system and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    } | {name: version_of(name) for name in VERSIONS}


def version_of(name: str) -> str:
    """The version of a package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


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

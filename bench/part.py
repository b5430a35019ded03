"""The command line that all parts of the measurements share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench.comparisons import Part


class Options(NamedTuple):
    """How a part measures.

    Attributes:
        turns: how often each program is measured.
        tiny: whether next to nothing is computed, to try the script.
        torch_python: an interpreter that has PyTorch; empty if there is none.
    """

    turns: int = 3
    tiny: bool = False
    torch_python: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what all parts understand."""
    parser.add_argument("--turns", type=int, default=3, help="how often each program is measured (3)")
    parser.add_argument("--tiny", action="store_true", help="compute next to nothing, to try this script")
    parser.add_argument("--torch-python", default="", help="an interpreter with torch, numpy and polars, if not this")


def options_of(parsed: argparse.Namespace) -> Options:
    """The options of a command line."""
    torch_python = parsed.torch_python or (sys.executable if find_spec("torch") else "")
    return Options(parsed.turns, parsed.tiny, torch_python)


def run_part(measure: Callable[[Options], Part], description: str | None) -> None:
    """Measure, print the table, and write it as JSON if a file is named."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file too")
    parsed = parser.parse_args()
    part = measure(options_of(parsed))
    print(part.text())
    if parsed.json:
        parsed.json.write_text(json.dumps(part.to_json()), encoding="utf-8")

"""The C compiler: `cc`, or what $CC names."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def compiler() -> list[str]:
    """The command."""
    return shlex.split(os.environ.get("CC") or "cc")


def missing() -> str:
    """Why nothing can be compiled; empty if it can."""
    name = compiler()[0]
    return "" if shutil.which(name) else f"there is no C compiler {name}; $CC may name one"


def compile_program(source: Path, program: Path, flags: Sequence[str], libraries: Sequence[str] = ()) -> Path:
    """Compile a program, and return its path."""
    subprocess.run([*compiler(), *flags, "-o", program, source, *libraries], check=True)
    return program

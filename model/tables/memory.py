"""How much memory there is, and whether a table fits into it."""

from __future__ import annotations

import ctypes
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from model.tables.errors import TableError

FEWER = "take fewer rows or columns"


def available_memory() -> int:
    """The memory that this process can still take.

    Returns:
        Bytes: the least of what the machine, the process's control groups and its own limit leave.
    """
    left = [_number(r"^MemAvailable:\s+(\d+)", "/proc/meminfo") * 1024 or sys.maxsize]
    left += _left_by_control_groups("/proc/self/cgroup", "/sys/fs/cgroup")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        left.append(limit - _number(r"^VmSize:\s+(\d+)", "/proc/self/status") * 1024)
    return max(0, min(left))


def _left_by_control_groups(groups: str, root: str) -> Iterator[int]:
    """Yield the bytes that each control group of this process leaves, and that each group above it leaves.

    groups: the file that lists the groups, of version 1 or 2. root: the directory in which they are mounted. The usage
    of a group includes the kernel's copies of files. The part of them that the kernel gives up when asked counts as
    left.
    """
    with suppress(OSError):
        for _, controllers, name in (line.split(":", 2) for line in Path(groups).read_text().splitlines()):
            if controllers and "memory" not in controllers.split(","):
                continue
            mount, limit, usage, cache = (
                (Path(root, "memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                if controllers
                else (Path(root), "memory.max", "memory.current", "inactive_file")
            )
            group = mount / name.lstrip("/")
            for place in (group, *group.parents):
                bound = _number(r"^(\d+)", place / limit)
                if bound and place.is_relative_to(mount):
                    yield bound - _number(r"^(\d+)", place / usage) + _number(rf"^{cache} (\d+)", place / "memory.stat")


def _number(pattern: str, path: str | Path) -> int:
    """The number that the pattern finds in one of the kernel's files; 0 if there is none."""
    with suppress(OSError):
        if found := re.search(pattern, Path(path).read_text(), re.MULTILINE):
            return int(found[1])
    return 0


def check_memory(needed: int, what: str, available: int) -> None:
    """Check that something fits into the memory.

    Args:
        needed: how many bytes it takes.
        what: its name, for the message.
        available: how many bytes there are.

    Raises:
        TableError: if it does not fit.
    """
    if needed > available:
        from rich.filesize import decimal

        expected = f"at most the {decimal(available)} of memory that are available"
        raise TableError(expected, f"{what} of {decimal(needed)}", FEWER)


def return_memory() -> None:
    """Give memory that is no longer used back to the system: the C library would keep that of compiling, say."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim:
        trim(0)

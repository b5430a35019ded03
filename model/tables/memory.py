"""How much memory there is, and whether a table fits into it."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from model.tables.files import File, refusal

LESS = "take fewer rows or columns"


def memory_available() -> int:
    """Bytes that this process can still take: the least of what the machine, its control groups and its limit leave."""
    left = [_number(r"^MemAvailable:\s+(\d+)", "/proc/meminfo") * 1024 or sys.maxsize]
    left += _groups_left("/proc/self/cgroup", "/sys/fs/cgroup")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        left.append(limit - _number(r"^VmSize:\s+(\d+)", "/proc/self/status") * 1024)
    return max(0, min(left))


def _groups_left(groups: str, root: str) -> Iterator[int]:
    """What each control group of memory that this process is in, and each above it, leaves in bytes.

    groups: the file that lists them, of version 1 or 2. root: where they are mounted. A group's usage counts what the
    kernel keeps of files, and that part of it that it gives up when asked is left.
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
    """The number that the pattern finds in one of the kernel's files; 0 where there is none."""
    with suppress(OSError):
        if found := re.search(pattern, Path(path).read_text(), re.MULTILINE):
            return int(found[1])
    return 0


def check_memory(path: File, needed: int, what: str) -> None:
    """Raise TableError where what is needed, in bytes, is more than the memory available. what: named in it."""
    available = memory_available()
    if needed > available:
        expected = f"at most the {shown_bytes(available)} of memory that are available"
        raise refusal(path, expected, f"{what} of {shown_bytes(needed)}", LESS)


def shown_bytes(count: int) -> str:
    """A number of bytes for people.

    >>> shown_bytes(5), shown_bytes(240_000_000)
    ('5 bytes', '240.0 MB')
    """
    for power, unit in ((5, "PB"), (4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return f"{count} bytes"

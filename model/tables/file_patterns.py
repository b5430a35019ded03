"""The files that a user names: one, several, or those that match a pattern such as part-*.csv."""

from __future__ import annotations

import os
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import PurePath

from model.tables.errors import PathLike, TableError

# One file or pattern, or several of them.
Paths = PathLike | Sequence[PathLike]
# The name of a checkpoint if the files have no usable name.
NAMELESS = "table"


def expand_paths(paths: Paths) -> tuple[PathLike, ...]:
    """The files that paths and patterns name.

    Args:
        paths: one or several. In a pattern * stands for any characters, ? for one, [ab] for one of several, and ** for
            folders below folders. If a file has the name of the pattern, it is that file.

    Returns:
        The files, at least one; those of a pattern are sorted by name, without folders.

    Raises:
        TableError: if a pattern matches no file, if a file is named twice, or if there are no paths.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.csv", "a.csv", "a.txt"):
        ...         _ = open(f"{folder}/{name}", "w").close()
        ...     [os.path.basename(path) for path in expand_paths(f"{folder}/*.csv")]
        ['a.csv', 'b.csv']
    """
    files = [file for path in as_sequence(paths) for file in _matches(path)]
    if not files:
        raise TableError("a file", "none", "name one")
    seen: set[str] = set()
    for file in files if len(files) > 1 else ():
        place = os.path.realpath(file)
        if place in seen:
            raise TableError("different files", "this one twice", "name it once", file)
        seen.add(place)
    return tuple(files)


def as_sequence(paths: Paths) -> Sequence[PathLike]:
    """One or several paths as a sequence.

    Args:
        paths: one or several.

    Returns:
        All of them.

    Example:
        >>> as_sequence("a.csv"), as_sequence(["a.csv", "b.csv"])
        (['a.csv'], ['a.csv', 'b.csv'])
    """
    return [paths] if isinstance(paths, str | os.PathLike) else paths


def is_pattern(path: PathLike) -> bool:
    """Whether a path is a pattern.

    Args:
        path: as it is written.

    Returns:
        True if it has one of the characters *, ? and [, and there is no file of that name.

    Example:
        >>> is_pattern("part-*.csv"), is_pattern("part-1.csv")
        (True, False)
    """
    return has_magic(os.fspath(path)) and not os.path.lexists(path)


def _matches(path: PathLike) -> Sequence[PathLike]:
    if not is_pattern(path):
        return [path]
    try:
        files = sorted(file for file in glob(os.fspath(path), recursive=True) if not os.path.isdir(file))
    except (OSError, ValueError):  # such as a NUL byte in it
        files = []
    if not files:
        raise TableError("a file that matches this pattern", "none", "mend the pattern, or name a file", path)
    return files


def describe_paths(paths: Paths) -> str:
    """Paths in a message.

    Args:
        paths: one or several.

    Returns:
        The first, as it is written, and how many more there are.

    Example:
        >>> describe_paths("part-*.csv"), describe_paths(["a.csv", "b.csv", "c.csv"])
        ('part-*.csv', 'a.csv and 2 more')
    """
    first, *others = [os.fspath(path) for path in as_sequence(paths)] or ["no file"]
    return f"{first} and {len(others):,} more" if others else first


def stem_of_paths(paths: Paths) -> str:
    """The name of what is made from files, such as a checkpoint.

    Args:
        paths: one or several files or patterns.

    Returns:
        The name of the first file without its ending. For a pattern, the part before its first special character; if
        there is none, the name of the folder.

    Example:
        >>> [stem_of_paths(each) for each in ("data/part-*.csv", ["a.csv", "b.csv"], "sales/*.csv", "*.csv")]
        ['part', 'a', 'sales', 'table']
    """
    path = PurePath(next(iter(as_sequence(paths))))
    if not is_pattern(path) or not has_magic(path.name):
        return path.stem or NAMELESS
    for name in reversed(path.parts):
        fixed = name[: next((index for index, letter in enumerate(name) if letter in "*?["), len(name))].rstrip("-_. ")
        if fixed and fixed != os.sep:
            return fixed
    return NAMELESS

"""Comparisons: the scores of several files by table, their ranks, and each file compared with the first one."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.tables.runs import Key, Record, key_of, read_run
from bench.tables.tables import CLASSES, HALVES, LISTED, halves

DRAWS = 2000


class Scored(NamedTuple):
    """A file. name: the file's name. records: those of the folds that did not fail. failed: the others."""

    name: str
    records: dict[Key, Record]
    failed: list[Record]

    def values(self, keys: Sequence[Key], field: str = "loss") -> float:
        """The mean of a field over folds."""
        return statistics.fmean(self.records[key][field] for key in keys)


def compare(paths: Sequence[Path], chosen: Sequence[str] = HALVES) -> str:
    """Markdown about each half: the scores by table, the ranks, and each file compared with the first one."""
    files = []
    for path in paths:
        records = read_run(path)["folds"]
        scored = {key_of(each): each for each in records if "error" not in each}
        files.append(Scored(path.stem, scored, [each for each in records if "error" in each]))
    drawn = halves()
    parts = [part for half in chosen for part in half_parts(files, half, drawn[half])]
    return "\n".join(parts)


def half_parts(files: Sequence[Scored], half: str, names: Sequence[str]) -> list[str]:
    """The parts of the Markdown about one half; none if no table has a score."""
    shared = {name: shared_folds([file for file in files if has_table(file, name)], name) for name in names}
    if not any(shared.values()):
        return []
    heads = " | ".join(file.name for file in files)
    lines = [f"## The half for {half}", "", f"| table | rows | folds | score | {heads} |"]
    lines.append("| --- " * (4 + len(files)) + "|")
    lines += [table_line(files, name, keys) for name, keys in shared.items() if keys]
    in_all = [keys for name, keys in shared.items() if keys and all(has_table(file, name) for file in files)]
    lines += ["", f"Of {len(names)} tables, all files have {len(in_all)}.", ""]
    lines += [failure_line(file.name, each) for file in files for each in file.failed if each["table"] in names]
    lines += rank_lines(files, in_all) if in_all and len(files) > 1 else []
    return [*lines, *pair_lines(files, names), ""]


def has_table(file: Scored, name: str) -> bool:
    return any(table == name for table, _, _ in file.records)


def shared_folds(files: Sequence[Scored], name: str) -> list[Key]:
    """The folds of a table that all the files have, at the largest number of rows that they share."""
    if not files:
        return []
    shared = set.intersection(*({key for key in file.records if key[0] == name} for file in files))
    most = max((rows for _, rows, _ in shared), default=0)
    return sorted(key for key in shared if key[1] == most)


def failure_line(name: str, record: Record) -> str:
    return f"{name} failed on fold {record['fold']} of {record['table']}: {record['error']}\n"


def table_line(files: Sequence[Scored], name: str, keys: Sequence[Key]) -> str:
    scores = [f"{file.values(keys, 'score'):.4f}" if has_table(file, name) else "" for file in files]
    task = next(file.records[keys[0]]["task"] for file in files if has_table(file, name))
    kind = "log loss" if task == CLASSES else "R²"
    return f"| {name}, {LISTED[name].target} | {keys[0][1]:,} | {len(keys)} | {kind} | {' | '.join(scores)} |"


def rank_lines(files: Sequence[Scored], tables: Sequence[Sequence[Key]]) -> list[str]:
    """The mean rank of each file over tables, with its standard error over tables drawn anew."""
    losses = np.array([[file.values(keys) for file in files] for keys in tables])
    ranks = (losses[:, :, None] > losses[:, None, :]).sum(axis=2) + 1.0
    ranks += ((losses[:, :, None] == losses[:, None, :]).sum(axis=2) - 1) / 2
    drawn = np.random.default_rng(0).integers(len(tables), size=(DRAWS, len(tables)))
    errors = ranks[drawn].mean(axis=1).std(axis=0)
    lines = ["| file | mean rank |", "| --- | --- |"]
    means = zip(files, ranks.mean(axis=0), errors, strict=True)
    return [*lines, *(f"| {file.name} | {mean:.2f} ± {error:.2f} |" for file, mean, error in means), ""]


def pair_lines(files: Sequence[Scored], names: Iterable[str]) -> list[str]:
    """Each file compared with the first one, on the folds that the two share."""
    first, *others = files
    if not others:
        return []
    lines = [
        f"Compared with {first.name}, on the folds that both have:",
        "",
        "| file | tables | better on | change of the loss, median | mean | seconds of a warm fit, ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for other in others:
        shared = [keys for keys in (shared_folds([first, other], name) for name in names) if keys]
        if not shared:
            lines.append(f"| {other.name} | 0 | | | | |")
            continue
        pairs = [(first.values(keys), other.values(keys)) for keys in shared]
        changes = [theirs / ours - 1 for ours, theirs in pairs]
        better = statistics.fmean(theirs < ours for ours, theirs in pairs)
        ratios = [ratio for keys in shared for ratio in ratio_of_seconds(first, other, keys)]
        time = f"{statistics.median(ratios):.2f}" if ratios else ""
        lines.append(
            f"| {other.name} | {len(shared)} | {better:.0%} | {statistics.median(changes):+.1%} | "
            f"{statistics.fmean(changes):+.1%} | {time} |"
        )
    return lines


def ratio_of_seconds(first: Scored, other: Scored, keys: Sequence[Key]) -> list[float]:
    """How much longer the other's warm fits of one table take; empty if no fold has the times of both."""
    warm = [key for key in keys if all("warm_seconds" in file.records[key] for file in (first, other))]
    return [other.values(warm, "warm_seconds") / first.values(warm, "warm_seconds")] if warm else []

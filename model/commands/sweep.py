"""`nudge sweep`: every combination of some hyperparameters from several seeds, and the best run's checkpoint."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from model.checkpoint import SUFFIX, check_path, load, remove_checkpoints, save
from model.commands.column_table import MAX_LISTED_COLUMNS, table_text
from model.commands.connection import ProcessOptions
from model.commands.grid import combine_grid, parse_grid
from model.commands.interrupts import interrupts
from model.commands.jax_setup import check_platform
from model.commands.many_processes import joined, process_options
from model.commands.shared import DIRECTORY, notes_text
from model.commands.sweep_output import (
    ShowStanding,
    Standing,
    SweepEnd,
    best_text,
    json_of_sweep,
    shown_standing,
    sweep_text,
)
from model.commands.sweep_results import Row, Summary, row_of, score_name, score_of, summarize
from model.commands.table_options import TableOptions, read_named_table, reading_options
from model.commands.training_options import COUNT, training_options
from model.commands.watchdog import Watch
from model.tables.file_patterns import describe_paths, is_pattern, stem_of_paths
from model.tables.result_files import ResultsError, check_results_path, read_results, write_results
from model.tables.table import Table
from model.training.processes import agree, is_first
from model.training.result import make_checkpoint
from model.training.sweep import FinishedRun, train_group
from model.training.sweep_plan import Combination, Run, plan_groups, work_of

FAILED = 1
RESULTS_SUFFIX = ".sweep.parquet"


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@reading_options
@click.option(
    "--grid",
    "grid_texts",
    multiple=True,
    metavar="NAME=V,V,…",
    help="Values of a hyperparameter to try, such as learning_rate=0.01,0.003 or hidden=64,128,64x64. Those of several "
    "--grid are combined.",
)
@click.option("--seeds", type=COUNT, default=8, show_default=True, help="Train every combination with seeds 0, 1, ….")
@training_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"Where to write the best run's checkpoint.  [default: {DIRECTORY}/TABLE{SUFFIX}]",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help=f"A Parquet file with a row for each run.  [default: beside --out, with {RESULTS_SUFFIX}]",
)
@click.option(
    "--resume", is_flag=True, help="Go on with a sweep that was stopped: do only the runs that --results lacks."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else.")
@process_options
def sweep(
    tables: tuple[str, ...],
    table_options: TableOptions,
    grid_texts: tuple[str, ...],
    seeds: int,
    out: Path | None,
    results: Path | None,
    resume: bool,
    as_json: bool,
    process_options: ProcessOptions,
    **options: Any,
) -> None:
    """Train every combination of a grid from several seeds and keep the best.

    TABLE and all options of training are as in `nudge train`. A run with a seed is what `nudge train` with that --seed
    is; runs of the same shape are trained together. The combination with the best mean over all seeds wins, and the
    best of its runs is written as a checkpoint.
    """
    tables = tables or ("xor",)
    out = out or DIRECTORY / f"{stem_of_paths(tables)}{SUFFIX}"
    results = results or out.with_suffix(RESULTS_SUFFIX)
    check_path(out)
    check_results_path(results, [each for each in tables if not is_pattern(each)])
    source = click.get_current_context().get_parameter_source
    grid = parse_grid(grid_texts, [name for name in options if source(name) is ParameterSource.COMMANDLINE])
    with joined(process_options) as watch:
        check_platform()
        shows = is_first() and not as_json
        files = options.pop("validation") if isinstance(options["validation"], str) else None
        data = read_named_table(tables, table_options, files)
        if not data.complete and shows:
            click.echo(table_text(data, MAX_LISTED_COLUMNS))
            click.echo(f"{notes_text(data.notes)}\n" if data.notes else "")
        combinations = combine_grid(data, grid, seeds, options)
        name = describe_paths([Path(each).name for each in tables])
        job = SweepJob(name, data, combinations, seeds, out, results, watch)
        interrupts.hold()
        job.restore() if resume else job.clear()
        if watch is not None:
            watch.check_same(f"{job.origin} {sorted(job.rows)}")
        with shown_standing(not shows) as show:
            job.train(show)
        if is_first():
            job.show_end(as_json)


@dataclass
class SweepJob:
    """The runs of a sweep, and where their results are written.

    After each group of runs, first the best checkpoint of each of its combinations is written, and then the results of
    all runs so far. A sweep that is killed goes on with the first group that is not in the results, and writes again
    what it may have begun to write.

    Attributes:
        table_name: the table's, for people.
        table: what is learned from.
        combinations: of hyperparameters.
        seeds: how many there are.
        out: the file of the best run's checkpoint.
        results: the file of the results.
        watch: over the other processes; None if there are none. Process 0 alone writes.
        rows: of the runs that have ended.
    """

    table_name: str
    table: Table
    combinations: Sequence[Combination]
    seeds: int
    out: Path
    results: Path
    watch: Watch | None = None
    rows: dict[Run, Row] = field(default_factory=dict)

    @property
    def score(self) -> str:
        """By which column of the results runs are compared."""
        return score_name(self.table.task, self.table.complete)

    @property
    def origin(self) -> str:
        """What decides all results, as a digest."""
        each = [(values, network.sizes, network.activation, h) for values, network, h in self.combinations]
        table = self.table_name if self.table.complete else self.table.digest
        return hashlib.sha256(msgspec.json.encode((table, self.seeds, each))).hexdigest()

    def restore(self) -> None:
        """Take over the runs that have ended. Raises ResultsError if the results are those of another sweep."""
        if not self.results.exists():
            return
        rows, origin = read_results(self.results)
        if origin != self.origin:
            raise ResultsError(
                f"{self.results}: expected results of the same table, options and grid, found those of another sweep; "
                "name another with --results, or sweep anew without --resume"
            )
        # Without the best checkpoint of a combination, which somebody may have removed, its runs are done again.
        is_finished = len(rows) == len(self.combinations) * self.seeds and self._is_best(rows)
        lost = {each.combination for each in summarize(rows, self.score) if not self._has_best(each)}
        kept = rows if is_finished else [row for row in rows if row["combination"] not in lost]
        self.rows = {Run(row["combination"], row["seed"]): row for row in kept}

    def _is_best(self, rows: Sequence[Row]) -> bool:
        """Whether the checkpoint that is there is that of the best run."""
        best = summarize(rows, self.score)[0]
        if not self.out.exists() or score_of(best.rows[0], self.score) == math.inf:
            return False
        expected = msgspec.structs.asdict(self.combinations[best.combination].hyperparameters)
        expected |= {"seed": best.rows[0]["seed"], "table_digest": "" if self.table.complete else self.table.digest}
        found = load(self.out).training
        return all(getattr(found, name) == value for name, value in expected.items())

    def _has_best(self, summary: Summary) -> bool:
        return score_of(summary.rows[0], self.score) == math.inf or self._candidate(summary.combination).exists()

    def train(self, show: ShowStanding) -> None:
        """Train all runs that have not ended."""
        groups = plan_groups(self.table, self.combinations, self.seeds)
        work = [sum(work_of(self.table, self.combinations[run.combination]) for run in group) for group in groups]
        done, best = 0.0, best_text(self._summaries(), self.combinations, self.score)

        def show_share(share: float, is_group_done: bool = False) -> None:
            if agree(interrupts.pressed if self.watch is None else self.watch.any_interrupted()):
                interrupts.press()  # in every process
                interrupts.release(self._stopped_text())
            show(
                Standing(
                    len(self.rows),
                    len(self.combinations) * self.seeds,
                    (done + share * size) / sum(work),
                    best,
                    is_group_done,
                )
            )

        for group, size in zip(groups, work, strict=True):
            if not self.rows.keys() >= set(group):
                show_share(0.0)
                finished = train_group(self.table, self.combinations, group, show_share)
                with interrupts.lock:
                    self._keep(finished)
                best = best_text(self._summaries(), self.combinations, self.score)
                show_share(1.0, is_group_done=True)
            done += size

    def _stopped_text(self) -> str:
        kept = f"{self.results} keeps them; go on with --resume." if self.rows else "nothing was written."
        return f"stopped after {len(self.rows):,} of {len(self.combinations) * self.seeds:,} runs; {kept}"

    def _summaries(self) -> list[Summary]:
        return summarize(list(self.rows.values()), self.score)

    def _keep(self, finished: Sequence[FinishedRun]) -> None:
        """Write what a group has led to."""
        best: dict[int, FinishedRun] = {}
        for each in finished:
            self.rows[each.run] = row_of(each, self.combinations[each.run.combination])
        for each in finished:
            rows = [row for run, row in self.rows.items() if run.combination == each.run.combination]
            first = min(rows, key=lambda row: (score_of(row, self.score), row["seed"]))
            if each.result is not None and first["seed"] == each.run.seed:
                best[each.run.combination] = each
        for combination, each in best.items():
            result = each.progress.result()
            checkpoint = make_checkpoint(result, self.table, table_name=self.table_name, seed=each.run.seed)
            if is_first():
                save(self._candidate(combination), checkpoint)
        if is_first():
            write_results(self.results, [self.rows[run] for run in sorted(self.rows)], self.origin)

    def _candidate(self, combination: int) -> Path:
        """The file of the best checkpoint of a combination, until the sweep ends."""
        return self.best_directory / f"{combination}{SUFFIX}"

    @property
    def best_directory(self) -> Path:
        """Where the best checkpoint of each combination is, until the sweep ends."""
        return self.results.with_name(f"{self.results.stem}.best")

    def clear(self) -> None:
        """Remove what is left of a sweep that was stopped."""
        if is_first():
            remove_checkpoints(self.best_directory)

    def show_end(self, as_json: bool) -> None:
        """Write the best run's checkpoint, and show how good the combinations are."""
        with interrupts.lock:
            end = self.finish()
            interrupts.release(f"all runs have ended; {self.out} keeps the best.")
        click.echo(json_of_sweep(end) if as_json else sweep_text(end))

    def finish(self) -> SweepEnd:
        """Write the best run's checkpoint."""
        summaries = self._summaries()
        best = summaries[0]
        if score_of(best.rows[0], self.score) == math.inf:
            click.echo(f"nudge: every run diverged; {self.results} says when; try smaller learning rates", err=True)
            raise SystemExit(FAILED)
        candidate = self._candidate(best.combination)
        # A sweep that is resumed after its end has only the checkpoint that it wrote then.
        checkpoint = save(self.out, load(candidate if candidate.exists() else self.out))
        remove_checkpoints(self.best_directory)
        places = (self.out, self.results)
        return SweepEnd(summaries, self.combinations, self.score, checkpoint, *places, self.table.notes)

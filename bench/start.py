"""How long commands take: `nudge train` beside `import jax`, with and without compiled programs in the cache.

    python -m bench.start [--turns 3]

The truth table of XOR, and a table of a thousand rows as a file. Beside it, a script of scikit-learn does the same
as one would write it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bench.comparisons import Comparison, Part
from bench.contestants import ROOT, clean_environment
from bench.part import Options, run_part

ROWS, COLUMNS = 1000, 8
# At most 3 × the import and a second more, and at most 2 × the import and 0.7 s more.
COLD_BAR, WARM_BAR = (3.0, 1.0), (2.0, 0.7)
SKLEARN = """
import sys
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
frame = pd.read_csv(sys.argv[1])
x, y = pd.get_dummies(frame.drop(columns="target")), frame["target"]
x, held_out, y, expected = train_test_split(x, y, test_size=0.15, random_state=0)
pipeline = make_pipeline(StandardScaler(), MLPClassifier(random_state=0)).fit(x, y)
print(pipeline.score(held_out, expected))
"""


def measure(options: Options) -> Part:
    """The seconds of each command, in turns. The first turn reads everything from the disk, and does not count."""
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "thousand.csv")
        write_table(path)
        python = sys.executable
        xor = [python, "-m", "model", "train", "--out", f"{folder}/xor.safetensors"]
        table = [
            python,
            "-m",
            "model",
            "train",
            str(path),
            "--target",
            "target",
            "--out",
            f"{folder}/table.safetensors",
        ]
        for turn in range(1 + options.turns):
            cache = f"{folder}/cache{turn}"
            commands = {
                "import": [python, "-c", "import jax"],
                "xor cold": xor,
                "xor warm": xor,
                "scikit-learn": [python, "-W", "ignore", "-c", SKLEARN, str(path)],
                "table cold": table,
                "table warm": table,
            }
            for name, command in commands.items():
                taken = seconds_of(command, f"{cache}-{name.split()[0]}")
                seconds.setdefault(name, []).extend([taken] if turn else [])
    return Part(list(compare(seconds)))


def compare(seconds: dict[str, list[float]]) -> list[Comparison]:
    """Each command beside the import, and the table beside scikit-learn."""
    jax, thousand = "import jax", f"`nudge train` of a file of {ROWS:,} rows"
    imports, sklearn = seconds["import"], seconds["scikit-learn"]
    limits = {name: [a * each + b for each in imports] for name, (a, b) in {"c": COLD_BAR, "w": WARM_BAR}.items()}
    cold, warm = (f"3 × `{jax}` + 1 s", f"2 × `{jax}` + 0.7 s")
    return [
        Comparison("`nudge train` of XOR, nothing in the cache", cold, "s", seconds["xor cold"], limits["c"], 1.0),
        Comparison("`nudge train` of XOR, programs in the cache", warm, "s", seconds["xor warm"], limits["w"], 1.0),
        Comparison(f"{thousand}, nothing in the cache", f"`{jax}`", "s", seconds["table cold"], imports),
        Comparison(f"{thousand}, programs in the cache", f"`{jax}`", "s", seconds["table warm"], imports),
        Comparison(
            f"{thousand}, nothing in the cache", "a script of scikit-learn", "s", seconds["table cold"], sklearn
        ),
        Comparison(
            f"{thousand}, programs in the cache", "a script of scikit-learn", "s", seconds["table warm"], sklearn
        ),
    ]


def write_table(path: Path) -> None:
    """Random numbers, a column of texts, and a target that depends on them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, COLUMNS)).round(4)
    colours = rng.choice(["red", "green", "blue"], size=ROWS)
    noise = rng.normal(size=ROWS)
    target = np.where(x[:, 0] + x[:, 1] * x[:, 2] + (colours == "red") + 0.5 * noise > 0, "yes", "no")
    columns = {f"x{index}": x[:, index] for index in range(COLUMNS)} | {"colour": colours, "target": target}
    pl.DataFrame(columns).write_csv(path)


def seconds_of(command: list[str], cache: str) -> float:
    """The seconds that a command takes with this folder as its cache."""
    started = time.perf_counter()
    environment = clean_environment(XDG_CACHE_HOME=cache)
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    run_part(measure, __doc__)

"""Five fits of digits, compiling included: NudgeClassifier beside scikit-learn's MLPClassifier, both by default.

    python -m bench.digits [--turns 3]

The five fits are those of a cross-validation, in a process that has done nothing else, without programs in a cache.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

from bench.comparisons import Comparison, Part
from bench.contestants import ask_once
from bench.part import Options, run_part

FOLDS = 5
NUDGE, MLP = "NudgeClassifier", "MLPClassifier"


def measure(options: Options) -> Part:
    """The seconds of the fits of both, in turns."""
    folds = 2 if options.tiny else FOLDS
    runs: dict[str, list[dict[str, list[float]]]] = {NUDGE: [], MLP: []}
    for turn in range(1 + options.turns):  # the first reads everything from the disk, and does not count
        for name, found in runs.items():
            fits = ask_once("bench.digits", "--worker", name, str(folds))
            found.extend([fits] if turn else [])

    def compare(what: str, of: Any, bar: float | None = None) -> Comparison:
        ours, others = ([of(run) for run in runs[name]] for name in (NUDGE, MLP))
        return Comparison(what, f"scikit-learn's {MLP}", "s", ours, others, bar)

    accuracies = {name: sum(found[0]["accuracies"]) / folds for name, found in runs.items()}
    return Part(
        [
            compare(f"{folds} fits of digits, compiling included", lambda run: sum(run["seconds"]), 1.0),
            compare("the last of them alone, all compiled", lambda run: run["seconds"][-1]),
        ],
        notes=["Digits: the mean accuracy is " + " and ".join(f"{a:.4f} of {n}" for n, a in accuracies.items()) + "."],
    )


def fit_folds(name: str, folds: int) -> dict[str, list[float]]:
    """The seconds and the accuracy of each fit."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from model.estimators import NudgeClassifier

    warnings.simplefilter("ignore")  # MLPClassifier stops after its 200 epochs
    x, y = load_digits(return_X_y=True)
    found: dict[str, list[float]] = {"seconds": [], "accuracies": []}
    for learn, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y):
        if len(found["seconds"]) == folds:
            break
        mlp = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
        classifier = NudgeClassifier() if name == NUDGE else mlp
        started = time.perf_counter()
        classifier.fit(x[learn], y[learn])
        found["seconds"].append(time.perf_counter() - started)
        found["accuracies"].append(float(classifier.score(x[test], y[test])))
    return found


if __name__ == "__main__":
    if "--worker" in sys.argv:
        print(json.dumps(fit_folds(sys.argv[2], int(sys.argv[3]))))
    else:
        run_part(measure, __doc__)

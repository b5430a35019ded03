"""The estimators in scikit-learn's hands."""

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from model import truth_table
from model.estimators import NudgeClassifier
from tests.conftest import ROOT

CHECKS = """
import sys, warnings
warnings.simplefilter("ignore")  # scikit-learn warns of checks that it skips
from sklearn.utils.estimator_checks import check_estimator
from model import estimators
estimator = getattr(estimators, sys.argv[1])(hidden=(16,), epochs=60, restarts=2, ensemble=2)
for one in check_estimator(estimator, on_fail=None):
    print(one["status"], one["check_name"], str(one["exception"]).splitlines()[:1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NudgeClassifier", "NudgeRegressor"])
def test_scikit_learns_own_checks_pass(name: str) -> None:
    """In a process that spends less on compiling, as every shape of data is compiled anew."""
    quick = os.environ | {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    run = subprocess.run([sys.executable, "-c", CHECKS, name], capture_output=True, text=True, cwd=ROOT, env=quick)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert sum(line.startswith("passed ") for line in lines) > 40
    assert [line for line in lines if not line.startswith(("passed ", "skipped "))] == []


def test_estimators_work_in_pipelines_and_searches() -> None:
    table = truth_table("xor")
    x, y = np.repeat(table.x, 10, axis=0), np.repeat(table.y, 10).astype(int)
    pipeline = make_pipeline(MinMaxScaler(), NudgeClassifier(hidden=(8,), epochs=150, restarts=2, ensemble=1))
    search = GridSearchCV(pipeline, {"nudgeclassifier__weight_decay": [(0.0,), (3.0,)]}, cv=2).fit(x, y)
    assert search.best_params_ == {"nudgeclassifier__weight_decay": (0.0,)}
    assert search.score(x, y) == 1.0

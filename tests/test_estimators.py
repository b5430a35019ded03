"""The estimators in scikit-learn's hands."""

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

from model import truth_table
from model.estimators import NudgeClassifier, NudgeRegressor


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # scikit-learn warns of checks that it skips
@pytest.mark.parametrize("estimator", [NudgeClassifier, NudgeRegressor])
def test_scikit_learns_own_checks_pass(estimator: Any) -> None:
    results = check_estimator(estimator(hidden=(16,), epochs=60, restarts=2, ensemble=2), on_fail=None)
    assert len(results) > 40
    assert {
        one["check_name"]: str(one["exception"]) for one in results if one["status"] not in ("passed", "skipped")
    } == {}


def test_estimators_work_in_pipelines_and_searches() -> None:
    table = truth_table("xor")
    x, y = np.repeat(table.x, 10, axis=0), np.repeat(table.y, 10).astype(int)
    pipeline = make_pipeline(MinMaxScaler(), NudgeClassifier(hidden=(8,), epochs=150, restarts=2, ensemble=1))
    search = GridSearchCV(pipeline, {"nudgeclassifier__weight_decay": [(0.0,), (3.0,)]}, cv=2).fit(x, y)
    assert search.best_params_ == {"nudgeclassifier__weight_decay": (0.0,)}
    assert search.score(x, y) == 1.0

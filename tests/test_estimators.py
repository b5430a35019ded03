"""The estimators, by scikit-learn's own checks and in its pipelines and searches."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from model import truth_table
from model.estimators import AUTO, NudgeClassifier, NudgeRegressor
from model.training.defaults import file_hyperparameters
from tests.conftest import ROOT
from tests.examples import same_bits

CHECKS = """
import sys, warnings
warnings.simplefilter("ignore")  # scikit-learn warns of checks that it skips
from sklearn.utils.estimator_checks import check_estimator
from model import estimators
estimator = getattr(estimators, sys.argv[1])(hidden=(16,), epochs=60, restarts=2, ensemble=2)
for check in check_estimator(estimator, on_fail=None):
    print(check["status"], check["check_name"], str(check["exception"]).splitlines()[:1])
"""
QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 3, "restarts": 2, "ensemble": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NudgeClassifier", "NudgeRegressor"])
def test_the_checks_of_scikit_learn_pass(name: str) -> None:
    """They compile a program for each shape of data, so they run in a process that spends less time on compiling."""
    environment = os.environ | {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    run = subprocess.run(
        [sys.executable, "-c", CHECKS, name], capture_output=True, text=True, cwd=ROOT, env=environment
    )
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


@pytest.fixture(scope="module")
def numbers() -> tuple[np.ndarray, np.ndarray]:
    """x and y of a regression with 600 rows."""
    x = np.random.default_rng(0).normal(size=(600, 2))
    return x, x[:, 0] * x[:, 1]


def fitted_params(numbers: tuple[np.ndarray, np.ndarray], **options: Any) -> Any:
    """The parameters that a quick regressor learns."""
    return NudgeRegressor(**QUICK, **options).fit(*numbers).params_


def test_auto_is_the_default_for_the_number_of_rows(numbers: tuple[np.ndarray, np.ndarray]) -> None:
    parameters = NudgeRegressor().get_params()
    assert (parameters["batch_size"], parameters["weight_decay"]) == (AUTO, AUTO) == ("auto", "auto")
    defaults = file_hyperparameters(600)
    by_name = {"batch_size": defaults.batch_size, "weight_decay": defaults.weight_decay}
    automatic = fitted_params(numbers)
    assert same_bits(automatic, fitted_params(numbers, **by_name))
    assert not same_bits(automatic, fitted_params(numbers, **(by_name | {"weight_decay": (9.0,)})))


def test_a_batch_size_of_none_means_all_rows(numbers: tuple[np.ndarray, np.ndarray]) -> None:
    all_rows = fitted_params(numbers, batch_size=None)
    assert same_bits(all_rows, fitted_params(numbers, batch_size=600))
    assert not same_bits(all_rows, fitted_params(numbers))


@pytest.mark.parametrize(
    ("name", "message"), [("batch_size", "batch_size must be a whole number"), ("weight_decay", "weight_decay must be")]
)
def test_any_other_text_is_refused(numbers: tuple[np.ndarray, np.ndarray], name: str, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        fitted_params(numbers, **{name: "default"})


def test_a_random_state_decides_the_result(numbers: tuple[np.ndarray, np.ndarray]) -> None:
    first = fitted_params(numbers, random_state=1)
    assert same_bits(first, fitted_params(numbers, random_state=1))
    assert not same_bits(first, fitted_params(numbers, random_state=2))


def test_the_probabilities_of_the_classes_sum_to_1() -> None:
    x = np.random.default_rng(1).normal(size=(90, 2))
    for classes in (("a", "b"), ("a", "b", "c")):
        y = np.array(classes)[np.arange(90) % len(classes)]
        classifier = NudgeClassifier(**QUICK).fit(x, y)
        probabilities = classifier.predict_proba(x)
        assert probabilities.shape == (90, len(classes))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        assert classifier.predict(x).tolist() == classifier.classes_[probabilities.argmax(axis=1)].tolist()


def test_a_single_class_is_refused() -> None:
    with pytest.raises(ValueError, match="y must have at least two classes, and has one class, 1"):
        NudgeClassifier(**QUICK).fit(np.zeros((9, 1)), np.ones(9, int))


@pytest.mark.parametrize("estimator", [NudgeClassifier(), NudgeRegressor()])
def test_an_estimator_predicts_only_after_fit(estimator: Any) -> None:
    with pytest.raises(NotFittedError):
        estimator.predict(np.zeros((1, 1)))

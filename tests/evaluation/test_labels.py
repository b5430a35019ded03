"""The confusion matrix, against scikit-learn."""

import numpy as np
import pytest

from model.evaluation.labels import MAX_CONFUSION_CLASSES, confusion_matrix


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    labels, classes = rng.integers(0, 4, 50), rng.integers(0, 3, 50)
    found = confusion_matrix(labels, classes, 5)
    assert found == tuple(map(tuple, sklearn.confusion_matrix(classes, labels, labels=range(5)).tolist()))


def test_many_classes_have_no_confusion_matrix() -> None:
    none = np.zeros(1, int)
    assert len(confusion_matrix(none, none, MAX_CONFUSION_CLASSES)) == MAX_CONFUSION_CLASSES
    assert confusion_matrix(none, none, MAX_CONFUSION_CLASSES + 1) == ()

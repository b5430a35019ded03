"""The predictor: from rows of columns to answers."""

import gc
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from model import Checkpoint, Layer, Network, Predictor, encode
from model.ensembles import Members
from model.evaluation.batches import predict_rows
from model.inference import _programs, keep_programs
from model.network import MAX_FUSED_UNITS
from tests.examples import (
    COLUMN_SPECS,
    INPUTS,
    RECORD,
    checkpoint_of,
    ensemble_of,
    members_by_hand,
    values_of,
    with_bins,
    with_knee,
    with_params,
)

TASKS = ("binary", "multiclass", "regression")
# Units of the hidden layer. NumPy computes a network of few units, and JAX one of more.
FEW_UNITS, MANY_UNITS = 3, MAX_FUSED_UNITS + 4


@pytest.mark.parametrize("hidden", [FEW_UNITS, MANY_UNITS])
@pytest.mark.parametrize("task", TASKS)
def test_the_predictor_predicts_the_encoded_rows_in_the_unit_of_the_target(task: str, hidden: int) -> None:
    checkpoint = checkpoint_of(task, hidden=hidden)
    predictor = Predictor(checkpoint, numpy_values=8, batch_sizes=(3, 4))
    values = values_of(11)
    assert np.isnan(values).any()
    x = encode(COLUMN_SPECS, list(values.T))
    expected = predict_rows(checkpoint.ensemble, x, checkpoint.temperature)
    scaling = checkpoint.target_scaling
    for rows in (1, 3, 4, 5, 11):
        mean, spread, interval = predictor.predict(values[:rows])
        assert interval is None
        np.testing.assert_allclose(mean, scaling.center + scaling.scale * expected.mean[:rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(spread, scaling.scale * expected.spread[:rows], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("hidden", [FEW_UNITS, MANY_UNITS])
@pytest.mark.parametrize("task", TASKS)
def test_networks_that_see_bins_predict_beside_those_that_see_numbers(task: str, hidden: int) -> None:
    checkpoint = with_bins(checkpoint_of(task, hidden=hidden))
    values = values_of(11)
    members = members_by_hand(checkpoint, encode(checkpoint.column_specs, list(values.T)))
    assert len(members) == checkpoint.member_count == 4
    scaling, mean = checkpoint.target_scaling, members.mean(axis=0)
    spread = members.std(axis=0)
    if task == "multiclass":
        spread = spread[np.arange(11), mean.argmax(axis=1)]
    for rows in (1, 4, 11):
        found = Predictor(checkpoint, numpy_values=8, batch_sizes=(3, 4)).predict(values[:rows])
        np.testing.assert_allclose(found.mean, scaling.center + scaling.scale * mean[:rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.spread, scaling.scale * spread[:rows], rtol=1e-4, atol=1e-6)


def test_a_target_that_was_drawn_together_is_expected_over_its_errors() -> None:
    """The spread is that of the members times the slope of the prediction, and the interval is drawn apart itself."""
    checkpoint = with_knee(checkpoint_of("regression"))
    values = values_of(30)
    members = members_by_hand(checkpoint, encode(checkpoint.column_specs, list(values.T)))
    ends = 0.8 * np.arcsinh((np.array([15.0, 250.0]) - 100) / 20 / 0.8)
    scaled = np.clip(members.mean(axis=0), *ends)
    assert 0 < (scaled == ends[0]).sum() < 30

    def expected(scaled: np.ndarray) -> np.ndarray:
        return 100 + 20 * 0.8 * (1.1 * np.sinh(scaled / 0.8) - 0.2 * np.cosh(scaled / 0.8))

    slope = (expected(scaled + 1e-5) - expected(scaled - 1e-5)) / 2e-5
    mean, spread, interval = Predictor(checkpoint).predict(values)
    np.testing.assert_allclose(mean, expected(scaled), rtol=1e-5)
    np.testing.assert_allclose(spread, members.std(axis=0) * slope, rtol=1e-4)
    np.testing.assert_allclose(interval[:, 0], 100 + 16 * np.sinh((scaled - 0.5) / 0.8), rtol=1e-5)
    np.testing.assert_allclose(interval[:, 1], 100 + 16 * np.sinh((scaled + 0.5) / 0.8), rtol=1e-5)
    answers = Predictor(checkpoint).answers(values)
    assert [list(answer) for answer in answers] == [["prediction", "spread", "interval"]] * 30
    assert [answer["interval"] for answer in answers] == interval.tolist()


def test_a_row_far_from_all_others_has_a_finite_answer() -> None:
    """The sinh of a prediction far beyond the targets of training would be infinite."""
    network = Network((INPUTS, 1), task="regression")
    checkpoint = with_knee(with_params(checkpoint_of("regression"), ensemble_of(network, 2), network))
    values = values_of(2)
    values[0, 0], values[1, 0] = 1e6, -1e6
    mean, spread, interval = Predictor(checkpoint).predict(values)
    assert np.isfinite([mean, spread, *interval.T]).all()


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_has_the_prediction_the_label_and_the_spread(task: str) -> None:
    predictor = Predictor(checkpoint_of(task))
    values = values_of(11)
    mean, spread, _ = predictor.predict(values)
    for answer, row_mean, row_spread in zip(predictor.answers(values), mean.tolist(), spread.tolist(), strict=True):
        assert answer["spread"] == row_spread
        if task == "regression":
            assert "label" not in answer
            assert answer["prediction"] == row_mean
        elif task == "binary":
            assert (answer["prediction"], answer["label"]) == (row_mean, "yes" if row_mean >= 0.5 else "no")
        else:
            assert answer["prediction"] == dict(zip("123", row_mean, strict=True))
            assert answer["label"] == 1 + int(np.argmax(row_mean))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_the_label_is_the_second_class_from_the_threshold_on(threshold: float) -> None:
    """A probability in float32 may round to a threshold above it: 0.7 in float32 is below 0.7."""
    predictor = Predictor(replace(checkpoint_of("binary"), threshold=threshold))
    mean = np.array([0, np.nextafter(threshold, -1), threshold, np.nextafter(threshold, 2), 1]).astype(np.float32)
    expected = [probability >= threshold for probability in mean.tolist()]
    assert predictor.class_indices(mean).tolist() == expected
    assert predictor.labels(mean) == [("no", "yes")[is_second] for is_second in expected]
    values = values_of(11)
    expected = [probability >= threshold for probability in np.asarray(predictor.predict(values).mean).tolist()]
    assert [answer["label"] == "yes" for answer in predictor.answers(values)] == expected


def test_a_single_network_gives_no_spread() -> None:
    ensemble = checkpoint_of("binary")
    params = jax.tree.map(lambda leaf: leaf[0], ensemble.params)
    assert all("spread" not in answer for answer in Predictor(checkpoint_of("binary", params)).answers(values_of(3)))


def test_a_compiled_predictor_compiles_nothing_more(compilations: list[str]) -> None:
    """The batch sizes are those of no other test, because JAX keeps compiled programs."""
    predictor = Predictor(checkpoint_of("binary", hidden=MANY_UNITS), numpy_values=8, batch_sizes=(5, 7))
    predictor.compile()
    assert compilations
    compilations.clear()
    assert [len(predictor.answers(values_of(rows))) for rows in (6, 12)] == [6, 12]
    assert compilations == []


def test_predictors_of_the_same_shapes_share_their_programs_and_free_them(compilations: list[str]) -> None:
    checkpoint = checkpoint_of("binary", hidden=MANY_UNITS + 1)
    other = with_params(checkpoint, ensemble_of(checkpoint.network, 2))
    values = values_of(9)
    before = len(_programs)
    predictors = [Predictor(each, numpy_values=8, batch_sizes=(11,), is_lazy=False) for each in (checkpoint, other)]
    compilations.clear()
    by_numpy = [predictor.predict(values).mean for predictor in predictors]
    assert compilations == []
    predictors[0].compile()
    first = len(compilations)
    assert first >= 1
    predictors[1].compile()
    assert len(compilations) == first
    assert len(_programs) == before + 1
    for predictor, expected in zip(predictors, by_numpy, strict=True):
        np.testing.assert_allclose(predictor.predict(values).mean, expected, rtol=1e-5)
    del predictors, predictor
    gc.collect()
    assert len(_programs) == before


def test_the_params_are_in_memory_once() -> None:
    predictor = Predictor(checkpoint_of("binary", hidden=MANY_UNITS), numpy_values=8, batch_sizes=(11,))
    predictor.compile()
    on_device = jax.tree.leaves(predictor._device_ensemble)
    for leaf, by_numpy, kept in zip(
        on_device, jax.tree.leaves(predictor._ensemble), jax.tree.leaves(predictor.checkpoint.ensemble), strict=True
    ):
        assert np.shares_memory(np.asarray(leaf), by_numpy)
        assert np.shares_memory(by_numpy, kept)


def test_a_cache_of_programs_that_cannot_be_used_costs_a_compilation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compilations: list[str]
) -> None:
    """First the files in it are cut off, as on a full disk; then it is gone."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    names = ("dir", "min_compile_time_secs", "min_entry_size_bytes")
    settings = {name: jax.config._read(name) for name in map("jax_persistent_cache_{}".format, names[1:])}
    settings |= {"jax_compilation_cache_dir": jax.config._read("jax_compilation_cache_dir")}
    try:
        keep_programs()
        reset_cache()
        for turn in range(3):
            predictor = Predictor(checkpoint_of("binary", hidden=MANY_UNITS + 2), numpy_values=8, batch_sizes=(13,))
            predictor.compile()
            assert len(predictor.answers(values_of(9))) == 9
            for path in (tmp_path / "cache").iterdir() if turn == 0 else ():
                path.write_bytes(path.read_bytes()[:20])
            if turn == 1:
                shutil.rmtree(tmp_path / "cache")
            del predictor
            gc.collect()
    finally:
        for name, value in settings.items():
            jax.config.update(name, value)
        reset_cache()


@pytest.mark.parametrize("setting", ["", "{}/file/cache"])
def test_a_process_without_a_cache_directory_takes_the_fallback_or_none(
    nudge_python: Callable[..., str], tmp_path: Path, setting: str
) -> None:
    (tmp_path / "file").write_text("no directory")
    program = (
        "import jax; from pathlib import Path; from model.inference import keep_programs; "
        "keep_programs({}); print(jax.config.jax_compilation_cache_dir)"
    )
    variables = {"XDG_CACHE_HOME": str(tmp_path / "file"), "JAX_COMPILATION_CACHE_DIR": setting.format(tmp_path)}
    assert nudge_python(program.format(""), **variables) == "None"
    assert nudge_python(program.format(f"Path({str(tmp_path / 'own')!r})"), **variables) == str(tmp_path / "own")


@pytest.fixture
def nudge_python(environment: dict[str, str]) -> Callable[..., str]:
    """A function that runs a program in its own process, and returns what it prints."""

    def run(program: str, **variables: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program],
            env=environment | variables,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.strip()

    return run


def test_no_rows_have_no_answers() -> None:
    assert Predictor(checkpoint_of("binary")).answers(values_of(0)) == []


def test_values_with_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^values must have 4 columns, not \[2, 3\]$"):
        Predictor(checkpoint_of("binary")).predict(np.zeros((2, 3)))


def test_a_row_that_overflows_is_refused() -> None:
    network = Network((1, 1), task="regression")
    params = [Layer(jnp.array([[1e20]]), jnp.zeros(1))]
    predictor = Predictor(Checkpoint((Members(network, params),), ("a",), "y", (), RECORD))
    with pytest.raises(ValueError, match=r"within the network's range were expected, and \[1e\+30\] overflows in it"):
        predictor.answers(np.array([[1.0], [1e30]]))

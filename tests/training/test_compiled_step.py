"""What XLA makes of a training step: how many kernels it has, that no loop waits for the host, and what is compiled."""

import re
from collections import Counter
from typing import Any

import jax
import numpy as np
import pytest

from model import Network, fit, truth_table
from model.tables.table import table_from_arrays
from model.training import run

# What would make a loop wait for the host.
HOST_OPERATIONS = {"infeed", "outfeed", "send", "send-done", "recv", "recv-done"}
# What a program does without doing anything at run time.
FREE = {"parameter", "constant", "get-tuple-element", "tuple", "bitcast"}
COMPUTATION = re.compile(r"^(?:ENTRY )?%([\w.\-]+) \(.*?^\}", re.MULTILINE | re.DOTALL)
MINIBATCHES: Any = {
    "epochs": 1,
    "restarts": 1,
    "ensemble": 1,
    "encodings": ("numbers",),
    "validation": 0.0,
    "folds": 1,
}
OPERATION = re.compile(r"^  (?:ROOT )?%[\w.\-]+ = .*? ([a-z][\w\-]*)\(", re.MULTILINE)


def loops(text: str) -> dict[str, Counter[str]]:
    """The operations in the body of each loop of a compiled program, by the name of the body."""
    bodies = {match[1]: match[0] for match in COMPUTATION.finditer(text)}
    names = re.findall(r"\bbody=%([\w.\-]+)", text)
    return {name: Counter(OPERATION.findall(bodies[name])) for name in names}


def kernels(operations: Counter[str]) -> int:
    """How many of the operations compute something. The copies are of counters."""
    return sum(count for name, count in operations.items() if name not in FREE)


def step_of(text: str) -> Counter[str]:
    """The operations of a step: of the innermost loops, the one with the most kernels. Others draw random numbers."""
    return max((each for each in loops(text).values() if "while" not in each), key=kernels)


def compiled_programs(monkeypatch: pytest.MonkeyPatch, program: str, *arguments: Any, **options: Any) -> list[str]:
    """What XLA makes of the training programs of a `fit`."""
    texts: list[str] = []
    original = getattr(run, program)

    def compile_and_call(*arguments: Any, **named: Any) -> Any:
        jitted = jax.jit(original, static_argnames="settings") if not hasattr(original, "lower") else original
        texts.append(jitted.lower(*arguments, **named).compile().as_text())
        return original(*arguments, **named)

    monkeypatch.setattr(run, program, compile_and_call)
    fit(*arguments, key=jax.random.key(0), **options)
    return sorted(set(texts))


def minibatch_table(rows: int = 11_000) -> Any:
    rng = np.random.default_rng(0)
    return table_from_arrays(rng.normal(size=(rows, 64)), rng.integers(0, 10, rows), [str(i) for i in range(10)])


def waits_for_the_host(text: str) -> bool:
    operations = set().union(*loops(text).values())
    return bool(operations & HOST_OPERATIONS) or "callback" in text


@pytest.mark.parametrize("restarts", [1, 64])
def test_a_step_of_xor_has_seven_kernels_and_two_copies(monkeypatch: pytest.MonkeyPatch, restarts: int) -> None:
    options = {"epochs": 100, "restarts": restarts}
    (text,) = compiled_programs(monkeypatch, "train_full_batch", Network((2, 2, 1)), truth_table("xor"), **options)
    assert kernels(step_of(text)) <= 7 + 2
    assert not waits_for_the_host(text)


def test_a_step_in_batches_is_one_loop_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    network, table = Network((64, 128, 128, 10), task="multiclass"), minibatch_table()
    (text,) = compiled_programs(monkeypatch, "train_minibatches", network, table, batch_size=128, **MINIBATCHES)
    assert kernels(step_of(text)) <= 46
    assert not waits_for_the_host(text)


def test_a_program_that_asks_the_host_is_found() -> None:
    def step(_: Any, x: Any) -> Any:
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), np.float32), x)

    program = jax.jit(lambda x: jax.lax.fori_loop(0, 10, step, x))
    assert waits_for_the_host(program.lower(1.0).compile().as_text())


def test_a_further_fit_compiles_nothing(compilations: list[str]) -> None:
    fit(Network((2, 5, 1)), truth_table("or"), key=jax.random.key(0), epochs=100, restarts=3)
    first = len(compilations)
    assert 0 < first <= 6
    fit(Network((2, 5, 1)), truth_table("xor"), key=jax.random.key(1), epochs=700, restarts=3)
    assert len(compilations) == first

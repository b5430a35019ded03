"""bench.gpu at a tiny size, on the CPU."""

import sys

import pytest

from bench import gpu


def test_everything_is_measured_on_the_cpu() -> None:
    found = gpu.run_worker(sys.executable, "JAX", gpu.CPU, tiny=True)
    assert list(found) == list(gpu.names(gpu.TINY))
    assert all(seconds > 0 for seconds in found.values())


def test_pytorch_measures_the_same() -> None:
    pytest.importorskip("torch")
    assert list(gpu.run_worker(sys.executable, "PyTorch", gpu.CPU, tiny=True)) == list(gpu.names(gpu.TINY))


def test_without_an_accelerator_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu"])
    monkeypatch.setattr(gpu, "name_of_accelerator", lambda: None)
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == gpu.NO_ACCELERATOR


def test_the_table_says_how_many_times_as_fast_the_accelerator_is() -> None:
    fast, slow = (gpu.Subject("JAX", device) for device in (gpu.ACCELERATOR, gpu.CPU))
    peer = gpu.Subject("PyTorch", gpu.CPU)
    text = gpu.table_text({fast: {"a": 0.5, "b": 2.0}, slow: {"a": 2.0, "b": 1.0}, peer: {"a": 3.0}})
    assert text.splitlines() == [
        "|  | JAX, accelerator | JAX, CPU | PyTorch, CPU | JAX, CPU : accelerator |",
        "| --- | --- | --- | --- | --- |",
        "| a | 0.5 s | 2 s | 3 s | 4.00 |",
        "| b | 2 s | 1 s | – | 0.50 |",
    ]

"""A script of ten lines trains and checks a network, and its functions work under jit, vmap and jvp."""

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.core

SCRIPT = """
import jax
from model import Network, chain_rule, check_gradients, fit, init_params, loss, predict, truth_table

network = Network(sizes=(2, 2, 1))
params = init_params(network, key=jax.random.key(0))
table = truth_table("xor")
grads = jax.grad(loss)(params, table.x, table.y, network)
report = check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule)
result = fit(network, table, key=jax.random.key(0), epochs=30_000, restarts=64)
print(predict(result.params, table.x, network).round(2), f"{result.solved} of {result.restarts} solved it")
"""

TRANSFORMATIONS = """
jitted = jax.jit(jax.grad(loss))(params, table.x, table.y, network)
by_row = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0, None))(params, table.x[:, None], table.y[:, None], network)
tangent = jax.jvp(lambda p: loss(p, table.x, table.y, network), (params,), (grads,))[1]
"""


def test_the_script_runs_under_every_transformation(capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, object] = {}
    with jax.numpy_rank_promotion("allow"):
        exec(SCRIPT + TRANSFORMATIONS, scope)
    assert len(SCRIPT.strip().splitlines()) <= 11
    report, grads, jitted, by_row = (scope[name] for name in ("report", "grads", "jitted", "by_row"))
    assert report.ok  # type: ignore[attr-defined]
    for grad, jitted_grad, row_grads in zip(*map(jax.tree.leaves, (grads, jitted, by_row)), strict=True):
        np.testing.assert_allclose(jitted_grad, grad, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(row_grads.mean(axis=0), grad, rtol=1e-4, atol=1e-6)
    squared_norm = sum(float((grad**2).sum()) for grad in jax.tree.leaves(grads))
    assert float(scope["tangent"]) == pytest.approx(squared_norm, rel=1e-4)  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert "of 64 solved it" in printed
    predictions = scope["predict"](scope["result"].params, scope["table"].x, scope["network"])  # type: ignore
    assert np.round(predictions).tolist() == [0, 1, 1, 0]

"""Whether XOR is solved from every seed, with the defaults of `train`: 100,000 epochs and 64 restarts.

python -m bench.seeds
"""

from __future__ import annotations

import statistics
import sys

import jax

from model import Network, fit, predict, truth_table
from model.commands.jax_setup import configure_jax

SEEDS = 200
LOSS_BAR = 0.01


def main() -> None:
    configure_jax()
    network, table = Network((2, 2, 1)), truth_table("xor")
    predict_rows = jax.jit(predict)
    unsolved, losses, solved_restarts = [], [], []
    for seed in range(SEEDS):
        result = fit(network, table, key=jax.random.key(seed))
        labels = predict_rows(result.params, table.x, network) >= 0.5
        if not ((labels == table.y).all() and result.loss < LOSS_BAR):
            unsolved.append(seed)
        losses.append(result.loss)
        solved_restarts.append(result.solved)
    print(
        f"{SEEDS - len(unsolved)} of {SEEDS} seeds solved: all rows right, loss below {LOSS_BAR}; "
        f"the largest loss is {max(losses):.4f}.\n"
        f"Of {result.restarts} restarts, {min(solved_restarts)} solved it at the least, "
        f"{statistics.median(solved_restarts):g} at the median, {max(solved_restarts)} at the most."
    )
    if unsolved:
        sys.exit(f"not solved from the seeds {', '.join(map(str, unsolved))}")


if __name__ == "__main__":
    main()

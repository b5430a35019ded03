"""From how many of 200 seeds XOR is solved, with the defaults of `train`: 100,000 epochs and 64 restarts.

It also says how many single starts solve it, as the guide has them.

python -m bench.seeds
"""

from __future__ import annotations

import statistics
import sys

import jax

from model import Network, fit, predict, truth_table
from model.commands.jax_setup import configure_jax

SEEDS = 200
STARTS, EARLY_EPOCHS = 512, 1_000
MAX_LOSS = 0.01


def main() -> None:
    configure_jax()
    network, table = Network((2, 2, 1)), truth_table("xor")
    compiled_predict = jax.jit(predict)
    unsolved_seeds, losses, solved_restarts = [], [], []
    for seed in range(SEEDS):
        result = fit(network, table, key=jax.random.key(seed))
        labels = compiled_predict(result.params, table.x, network) >= 0.5
        if not ((labels == table.y).all() and result.loss < MAX_LOSS):
            unsolved_seeds.append(seed)
        losses.append(result.loss)
        solved_restarts.append(result.solved)
    print(
        f"{SEEDS - len(unsolved_seeds)} of {SEEDS} seeds solved: all rows right, loss below {MAX_LOSS}; "
        f"the largest loss is {max(losses):.4f}.\n"
        f"Of {result.restarts} restarts, {min(solved_restarts)} to {max(solved_restarts)} solved it, "
        f"{statistics.median(solved_restarts):g} in the median."
    )
    for epochs in (EARLY_EPOCHS, 100_000):
        solved = fit(network, table, key=jax.random.key(0), restarts=STARTS, epochs=epochs).solved
        print(f"Of {STARTS} starts, {solved / STARTS:.1%} solved it after {epochs:,} epochs.")
    if unsolved_seeds:
        sys.exit(f"not solved from the seeds {', '.join(map(str, unsolved_seeds))}")


if __name__ == "__main__":
    main()

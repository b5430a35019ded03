"""Why XOR is not solved from one start: the places where training ends, and whether what `why_stuck` names helps.

python -m bench.stuck
python -m bench.stuck --first-seed 200
python -m bench.stuck --hidden 2 2 --activation tanh
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict

import jax
import numpy as np

from model import Diagnosis, Finding, Hyperparameters, Layer, Network, Params, fit, truth_table, why_stuck
from model.commands.jax_setup import configure_jax
from model.diagnosing.activity import Unit
from model.diagnosing.placing import place_unit
from model.diagnosing.trials import train_further
from model.messages import align_columns

SEEDS = 200
CONFIRMED_BAR = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, nargs="+", default=[2])
    parser.add_argument("--activation", default="relu")
    options = parser.parse_args()
    first, network = options.first_seed, Network((2, *options.hidden, 1), options.activation)
    configure_jax()
    table = truth_table("xor")
    diagnoses, seconds, others = [], [], []
    for seed in range(first, first + SEEDS):
        result = fit(network, table, key=jax.random.key(seed), restarts=1)
        started = time.perf_counter()
        diagnosis = why_stuck(result.params, table, network, losses=result.history.losses[:, 0])
        seconds.append(time.perf_counter() - started)
        if not diagnosis.solved:
            diagnoses.append(diagnosis)
            others += other_unit_placed(result.params, diagnosis, network)
    confirmed = sum(bool(diagnosis.confirmed) for diagnosis in diagnoses)
    reasons = Counter(diagnosis.reason for diagnosis in diagnoses)
    print(
        f"Of {SEEDS} seeds from {first}, {len(diagnoses)} do not solve XOR. {confirmed} of them "
        f"({confirmed / len(diagnoses):.1%}, bar {CONFIRMED_BAR:.0%}) get a finding that its change confirms.\n"
        f"The reason given first: {', '.join(f'{kind} {count}' for kind, count in reasons.most_common())}.\n"
        f"A diagnosis takes {np.median(seconds):.2f} s in the median, {max(seconds[1:]):.2f} s at most, and "
        f"{seconds[0]:.2f} s the first time.\n"
    )
    places = Counter(f.numbers["place"] for d in diagnoses for f in d.findings if f.kind == "flat_minimum")
    print(f"Flat places: {dict(places)}.\n")
    print(places_text(diagnoses), kinds_text(diagnoses), sep="\n\n")
    solved = sum(trained_further(others, network))
    if others:
        print(f"\nWhere one unit is dead and the other one is placed instead, {solved} of {len(others)} solve it.")


def other_unit_placed(params: Params, diagnosis: Diagnosis, network: Network) -> list[Params]:
    """The same change made to the unit that is not the one dead unit."""
    dead = [unit for finding in diagnosis.findings if finding.kind == "dead_units" for unit in finding.units]
    if network.sizes != (2, 2, 1) or len(dead) != 1:
        return []
    arrays = [Layer(*(np.asarray(leaf) for leaf in layer)) for layer in params]
    placed = place_unit(arrays, Unit(0, 1 - dead[0].index), truth_table("xor"), network)
    return [] if placed is None else [placed.params]


def trained_further(networks: list[Params], network: Network) -> list[bool]:
    """Whether each solves XOR after as many epochs again."""
    solved: list[bool] = []
    for start in range(0, len(networks), 64):
        part = networks[start : start + 64]
        solved += train_further(part, truth_table("xor"), network, Hyperparameters()).solved.tolist()
    return solved


def places_text(diagnoses: list[Diagnosis]) -> str:
    """How many starts end at which loss."""
    places = Counter(f"{diagnosis.loss:.2f}" for diagnosis in diagnoses)
    return align_columns([["loss", "starts"], *([loss, str(count)] for loss, count in sorted(places.items()))])


def kinds_text(diagnoses: list[Diagnosis]) -> str:
    """How often each kind is found, how often its change helps, and how often random changes do."""
    by_kind: dict[str, list[Finding]] = defaultdict(list)
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            by_kind[finding.kind].append(finding)
    rows = [["kind", "found", "tried", "confirmed", "solved", "by random changes", "median length"]]
    for kind, findings in sorted(by_kind.items(), key=lambda pair: -len(pair[1])):
        trials = [finding.trial for finding in findings if finding.trial is not None]
        randoms = sum(trial.random_solved for trial in trials), sum(len(trial.random_losses) for trial in trials)
        counts = (len(findings), len(trials), sum(f.confirmed for f in findings), sum(t.solved for t in trials))
        share = f"{randoms[0] / max(randoms[1], 1):.0%}"
        rows.append([kind, *map(str, counts), share, f"{np.median([trial.length for trial in trials]):.1f}"])
    return align_columns(rows)


if __name__ == "__main__":
    main()

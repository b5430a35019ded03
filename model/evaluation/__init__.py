"""How good predictions are, in detail: labels, ranks, intervals, thresholds, and what a plot shows."""

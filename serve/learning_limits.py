"""The limits of what a learner may ask for: each call ends within a few seconds, and its answer stays small."""

from __future__ import annotations

MAX_INPUTS, MAX_OUTPUTS = 16, 8
MAX_HIDDEN_LAYERS, MAX_UNITS = 3, 8
MAX_ROWS, MAX_EPOCHS, MAX_RECORDS, MAX_STARTS = 2000, 100_000, 1000, 64
# In all calls together, as a checkpoint and a script say it.
MAX_TOTAL_EPOCHS = 2**31 - 1
# Rows × parameters × epochs × networks: on a core of an AMD EPYC, so much takes at most two and a half seconds.
MAX_WORK = 300_000_000
MIN_GRID, MAX_GRID = 2, 64
MIN_EPSILON, MAX_EPSILON = 1e-12, 1.0
MIN_LEARNING_RATE, MAX_LEARNING_RATE = 1e-30, 1000.0
MAX_NOISE = 10.0
MAX_SEED, MAX_INDEX = 2**32 - 1, 2**31 - 1
# Characters in the name of a column, of a target or of a class, and columns in a file of text.
MAX_NAME, MAX_FILE_COLUMNS = 100, 64
MAX_BODY_BYTES = 2 * 1024 * 1024

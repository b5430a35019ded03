"""Forty real tables, in two halves, on which Nudge is compared with other models (its peers).

    python -m bench.tables run --model nudge --half choosing --folds 2 --option restarts=4 --out tried.json
    python -m bench.tables compare today.json tried.json
    python -m bench.tables time --models nudge hist lightgbm catboost

`run` fits one model on one half of the tables, or on both. It writes the score and the seconds of every fold to a file.
It skips folds that are in the file already, so a run that was stopped goes on where it was. An option is handed on to
the model. `--tables` runs only some tables, and `--rows 3000` cuts every table to so many rows.

`compare` prints how well the models of several files do on each half, and each of them compared with the first file.
Only folds of the same rows are compared.

`time` measures the first fit of a process, a further fit, and the prediction of one row. Each measurement has a process
of its own, and the models take turns. Run it on a machine that does nothing else.

Defaults are chosen on the half `choosing` only. The half `confirming` is for one look at the end. The models have their
defaults and the seed 0. The peers use as many threads as OMP_NUM_THREADS says, or all cores.
"""

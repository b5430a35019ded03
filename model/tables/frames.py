"""The library polars, loaded with the settings that every module of tables needs."""

from __future__ import annotations

import os

# polars reads this when it is loaded: its allocator returns freed memory to the system at once.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
import polars as pl

__all__ = ["Types", "pl"]

# The type of each column, by its name.
Types = dict[str, pl.DataType | type[pl.DataType]]

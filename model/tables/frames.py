"""polars, as every module that reads a table loads it."""

from __future__ import annotations

import os

# Before polars is loaded: its allocator shall give memory back to the system when it is freed, and not keep it.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
import polars as pl

__all__ = ["Types", "pl"]

Types = dict[str, pl.DataType | type[pl.DataType]]

"""polars, loaded with the settings that every module here needs."""

from __future__ import annotations

import os

# Must be set before polars is loaded: its allocator returns freed memory to the system at once.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
import polars as pl

__all__ = ["Types", "pl"]

Types = dict[str, pl.DataType | type[pl.DataType]]

"""The same columns in every kind of frame that can be a table."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

try:
    import pyarrow as pa
except ImportError:
    pa = None


class ArrowOnly:
    """A table of which only Arrow's interface is known."""

    def __init__(self, frame: pl.DataFrame | pl.Series) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


CARRIERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "dict of lists": dict,
    "dict of arrays": lambda columns: {name: np.array(values, object) for name, values in columns.items()},
    "dict of pandas": lambda columns: {name: pd.Series(values, dtype=object) for name, values in columns.items()},
    "pandas objects": lambda columns: pd.DataFrame(columns, dtype=object),
    "pandas": pd.DataFrame,
    "pandas best": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas indexed": lambda columns: pd.DataFrame(columns, index=[7] * len(next(iter(columns.values())))),
    "polars": pl.DataFrame,
    "Arrow": lambda columns: ArrowOnly(pl.DataFrame(columns)),
}
if pa is not None:
    CARRIERS["pyarrow"] = pa.table

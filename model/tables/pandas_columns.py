"""A column of a pandas DataFrame -> a polars Series. pandas is not imported here, and pyarrow is not needed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from model.tables.frames import pl
from model.tables.typed_columns import category_texts
from model.tables.value_columns import column_of_array, column_of_objects


def is_pandas(value: Any, name: str) -> bool:
    """Whether a value is of a class of pandas.

    Args:
        value: any object.
        name: of the class: DataFrame or Series.

    Returns:
        True if it is. If pandas has not been imported, no value is.

    Example:
        >>> is_pandas([], "DataFrame")
        False
    """
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, name))


def column_of_pandas(column: Any) -> pl.Series:
    """A column of pandas, of any of its types.

    Args:
        column: a pandas Series.

    Returns:
        The column without a name. It is Categorical if it is categorical in pandas, and of Object if its values cannot
        be learned from. Points in time are in UTC.

    Example:
        >>> import pandas
        >>> column_of_pandas(pandas.Series([1, None], dtype="Int64")).to_list()
        [1, None]
    """
    pandas, dtype = sys.modules["pandas"], column.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return _categories(column)
    if isinstance(dtype, pandas.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    elif isinstance(dtype, pandas.SparseDtype):
        column = column.sparse.to_dense()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        return column_of_array(column.to_numpy())
    absent = column.isna().tolist()
    values = column.astype(object).tolist()
    return column_of_objects([None if is_absent else value for value, is_absent in zip(values, absent, strict=True)])


def _categories(column: Any) -> pl.Series:
    """A column of categories. Categories that are not texts become texts, as in `category_texts`."""
    categories = column_of_objects(column.dtype.categories.tolist())
    if categories.dtype == pl.Object:
        return pl.Series("", [None] * len(column), dtype=pl.Object)
    codes = pl.Series("", column.cat.codes.to_numpy().astype(np.int64))
    return category_texts(categories).gather(codes.set(codes < 0, None)).cast(pl.Categorical)

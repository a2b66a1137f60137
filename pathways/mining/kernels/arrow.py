"""Arrow arrays as numpy arrays and polars series, without the packages that pyarrow imports for its own conversions."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pathways.mining.kernels.sequences import Integers


def integers(array: Any) -> Integers:
    """Return an array of integers, dates or times without nulls as the integers that are stored."""
    kind = np.dtype(str(array.type) if pa.types.is_integer(array.type) else f"int{array.type.bit_width}")
    stored = array.buffers()[1]
    if not len(array):
        return np.zeros(0, dtype=kind)
    return np.frombuffer(stored, dtype=kind, count=len(array), offset=array.offset * kind.itemsize)


class _Capsule:
    """An Arrow array that says nothing but its memory."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


def series(array: Any) -> pl.Series:
    """Return an Arrow array as a series."""
    return pl.Series(_Capsule(array))

"""What every trap uses to draw the rows it touches."""

from __future__ import annotations

import numpy as np
import polars as pl

People = pl.DataFrame
Rng = np.random.Generator


def drawn(rng: Rng, size: int, share: float) -> pl.Series:
    """Whether each of `size` rows is touched."""
    return pl.Series(rng.random(size) < share, dtype=pl.Boolean)

"""Patients' identifiers as integers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from eventlogs.errors import LogError
from pathways.mining.kernels.arrow import integers, series
from pathways.mining.kernels.packing import Dense
from pathways.mining.kernels.sequences import Integers

SEEDS = 0x5EED, 0xC0DE
"""Of the two hashes of a text identifier."""

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""An odd number: multiplying by it spreads integers over 64 bits, and no two meet."""

NEAR = 1 << 32
"""Integers in so wide a range are their own codes."""


class People:
    """Gives each identifier, integer or text, an integer, the same for the same; remembers the identifiers.

    Two text identifiers are taken for one only if two hashes of 64 bits agree.
    """

    def __init__(self) -> None:
        self._dense = Dense()
        self._checks = np.zeros(0, dtype=np.uint64)
        self._names: list[pl.Series] = []
        self._is_near: bool | None = None

    def codes(self, identifiers: pa.Array) -> Integers:
        """Return one integer an identifier.

        Raises
        ------
        LogError
            Two text identifiers have the same first hash.
        """
        if pa.types.is_integer(identifiers.type):
            return self._of_integers(integers(identifiers))
        return self._of_text(series(identifiers).cast(pl.String))

    def names(self, codes: Integers) -> pl.Series:
        """Return the identifiers of codes, as text."""
        if not self._names:
            return pl.Series(codes).cast(pl.String)
        if len(self._names) > 1:
            self._names = [pl.concat(self._names)]
        return self._names[0].gather(codes)

    def _of_integers(self, values: Integers) -> Integers:
        if self._is_near is None:
            self._is_near = not len(values) or int(values.max()) - int(values.min()) < NEAR
        if self._is_near:
            return values.copy()
        codes, new = self._dense.codes(values.astype(np.int64).view(np.uint64) * SPREAD)
        self._names.append(pl.Series(values[new]).cast(pl.String))
        return codes

    def _of_text(self, names: pl.Series) -> Integers:
        codes, new = self._dense.codes(names.hash(SEEDS[0]).to_numpy())
        check = names.hash(SEEDS[1]).to_numpy()
        self._names.append(names.gather(new))
        self._checks = np.append(self._checks, check[new])
        if (self._checks[codes] != check).any():
            raise LogError("two patient identifiers have the same hash of 64 bits; give integers instead")
        return codes

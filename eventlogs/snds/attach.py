"""K1: the sources that are read.

Each source is a module of joins, filters and selections in the Narwhals subset that polars, DuckDB and PySpark share
(`rows` has what they have in common). A new source is one entry of `SOURCES`.
"""

from __future__ import annotations

from eventlogs.snds.beneficiaries import ILLNESSES
from eventlogs.snds.dcir import CLAIMS
from eventlogs.snds.mco import STAYS
from eventlogs.snds.rows import Source

SOURCES: tuple[Source, ...] = (STAYS, ILLNESSES, CLAIMS)
"""In the order of reading: those that tell a diagnosis come before the claims."""

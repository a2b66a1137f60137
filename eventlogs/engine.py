"""Where K1 and K2 run: here one machine, slices of rows scattered to buckets of whole patients.

Memory is bounded by a slice and by a bucket, never by the extract. The engine knows no table: it is given
slices (what K1 returns) and K2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.errors import CarePathwaysError, ExtractError

Progress = Callable[[str, int, int], None]
"""Told of each step: what, how far, out of how many."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Slice:
    """A part of the rows that K1 can attach on its own: a name for messages, and how to make it."""

    name: str
    rows: Callable[[], nw.LazyFrame[Any]]


@dataclass(frozen=True)
class Local:
    """This machine: slices one after the other, then buckets one after the other (polars uses every core).

    Parameters
    ----------
    work : pathlib.Path
        Folder for the rows between K1 and K2; the caller removes it.
    n_persons : int
        Persons are numbered from 0 to this, in the order of ``patient_id``.
    n_buckets : int
        Contiguous ranges of persons, so that the buckets' events follow each other sorted.
    """

    work: Path
    n_persons: int
    n_buckets: int

    def run(
        self,
        slices: Sequence[Slice],
        k2: Callable[[pl.DataFrame, int], None],
        progress: Progress = silent,
    ) -> None:
        """Scatter each slice to the buckets, then give each bucket's rows to `k2`.

        Raises
        ------
        ExtractError
            A slice can't be read; the sentence names it.
        """
        for done, part in enumerate(slices):
            progress("attach", done, len(slices))
            self._scatter(part, done)
        progress("attach", len(slices), len(slices))
        for bucket in range(self.n_buckets):
            progress("patients", bucket, self.n_buckets)
            k2(self._gather(bucket), bucket)
        progress("patients", self.n_buckets, self.n_buckets)

    def _scatter(self, part: Slice, number: int) -> None:
        try:
            rows = part.rows().collect("polars").to_native()
        except CarePathwaysError:
            raise
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ExtractError(
                f"{part.name} can't be read: a file is truncated or damaged; export it again"
            ) from error
        for (key,), piece in (
            rows.with_columns(self._bucket().alias("bucket"))
            .partition_by("bucket", as_dict=True, include_key=False)
            .items()
        ):
            folder = self.work / f"bucket-{key:05}"
            folder.mkdir(parents=True, exist_ok=True)
            piece.write_parquet(folder / f"slice-{number:05}.parquet")

    def _bucket(self) -> pl.Expr:
        return pl.col("person") * self.n_buckets // max(self.n_persons, 1)

    def bucket_of(self, people: pl.DataFrame, bucket: int) -> pl.DataFrame:
        """Return the persons of a bucket, those without any row too.

        Parameters
        ----------
        people : polars.DataFrame
            With ``person``.
        bucket : int
            From 0.
        """
        return people.filter(self._bucket() == bucket)

    def _gather(self, bucket: int) -> pl.DataFrame:
        folder = self.work / f"bucket-{bucket:05}"
        parts = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
        return pl.concat([pl.read_parquet(part, glob=False) for part in parts]) if parts else pl.DataFrame()

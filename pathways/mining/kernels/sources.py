"""What kernels read: an `EventLog`, its `Sequences`, or an `EventScan` of files, in slices of whole patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EventLog
from pathways.mining.kernels.scan import EventScan
from pathways.mining.kernels.sequences import Sequences

Log = EventLog | Sequences | EventScan
"""What every kernel accepts."""

By = str | pl.DataFrame
"""What divides the events into strata: the name of a column of the events or of the patients, or a frame with
``patient_id`` and one other column, one row a patient."""


@dataclass(frozen=True)
class Strata:
    """A division of the events.

    Parameters
    ----------
    names : list of str or None
        The strata, as text; a stratum's code is its place here. None, the last, holds what has no value.
    of_patient : polars.DataFrame, optional
        ``patient_id``, ``stratum`` (code).
    column : str, optional
        Column of the events.
    """

    names: list[str | None]
    of_patient: pl.DataFrame | None = None
    column: str | None = None

    @classmethod
    def of_frame(cls, frame: pl.DataFrame) -> Strata:
        """Divide by a value of each patient."""
        others = [name for name in frame.columns if name != "patient_id"]
        if len(others) != 1 or frame.width != 2:
            raise LogError(f"strata have columns {frame.columns}; give 'patient_id' and one other")
        text = frame.select(pl.col("patient_id", others[0]).cast(pl.String))
        if text["patient_id"].n_unique() < text.height:
            raise LogError("strata repeat a patient_id; give one row a patient")
        names = named(text[others[0]])
        return cls(names, text.select("patient_id", stratum=codes(text[others[0]], names)))

    def with_strata(self, seq: Sequences) -> Sequences:
        """Return the events with the stratum of their patient."""
        if self.of_patient is None:
            return seq
        found = pl.DataFrame({"patient_id": seq.ids}).join(
            self.of_patient, on="patient_id", how="left", maintain_order="left"
        )
        code = found["stratum"].fill_null(len(self.names) - 1).to_numpy()
        return replace(seq, stratum=np.repeat(code, seq.lengths))


def named(values: pl.Series) -> list[str | None]:
    """Return the distinct values, sorted, then None."""
    return [*values.drop_nulls().unique().sort().to_list(), None]


def codes(values: pl.Series, names: list[str | None]) -> pl.Series:
    """Return the place of each value among `names`, whose last is None."""
    return (
        values.cast(pl.Enum([name for name in names if name is not None]))
        .to_physical()
        .cast(pl.Int32)
        .fill_null(len(names) - 1)
    )


ONE_STRATUM = Strata([None])


@dataclass(frozen=True)
class Source:
    """A log to be read in slices, and how it is divided.

    Parameters
    ----------
    log : EventScan or Sequences
        Where the events are.
    strata : Strata
        How they are divided.
    """

    log: EventScan | Sequences
    strata: Strata = ONE_STRATUM

    @classmethod
    def of(cls, log: Log, by: By | None = None) -> Source:
        """Open a log, divided by `by`.

        Raises
        ------
        LogError
            There is no such column, or the frame is not of two columns, one row a patient.
        """
        if isinstance(by, pl.DataFrame):
            return cls(_readable(log), Strata.of_frame(by))
        if by is None:
            return cls(_readable(log))
        if isinstance(log, Sequences):
            raise LogError(f"encoded sequences have no column '{by}'; give the log or a frame by patient")
        if by in log.patients.columns and by != "patient_id":
            return cls(_readable(log), Strata.of_frame(log.patients.select("patient_id", by)))
        if isinstance(log, EventScan):
            return cls(log, Strata([*log.values(by), None], column=by))
        return _by_event(log, by)

    @property
    def activities(self) -> list[str]:
        """Names of all activities, sorted."""
        return self.log.activities

    def slices(self, *, start: bool = True, ids: bool = False) -> Iterator[Sequences]:
        """Yield slices of whole patients.

        Parameters
        ----------
        start, ids : bool
            Whether times and identifiers of patients are needed; without, a scan may leave them empty.
        """
        if isinstance(self.log, Sequences):
            yield from map(self.strata.with_strata, self.log.slices())
            return
        by_patient = self.strata.of_patient is not None
        for seq in self.log.slices(start=start, ids=ids or by_patient, by=self.strata.column):
            yield self.strata.with_strata(seq)


def _readable(log: Log) -> EventScan | Sequences:
    return Sequences.of(log) if isinstance(log, EventLog) else log


def _by_event(log: EventLog, by: str) -> Source:
    if by not in log.events.columns:
        choices = {*log.events.columns, *log.patients.columns}
        raise LogError(f"the log has no column '{by}'{did_you_mean(by, choices)}")
    values = log.events[by].cast(pl.String)
    names = named(values)
    seq = replace(Sequences.of(log), stratum=codes(values, names).to_numpy())
    return Source(seq, Strata(names, column=by))

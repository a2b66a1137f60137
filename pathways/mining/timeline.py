"""A log as sorted integers, to find the first event of some kinds since a moment, for every patient at once.

A *moment* is one integer: the day and the place inside it. Events of one patient are taken by start, then by rank;
the beginning of a day is before its events, and its end, where deaths lie, after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.log import EventLog

Moments = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
"""The moment, or the day, of what did not happen."""


@dataclass(frozen=True)
class Timeline:
    """The events of a log as integers: rows by patient and moment.

    Parameters
    ----------
    names : list of str
        Activities; an activity's code is its place here.
    activity, patient, day : arrays of length n_events
        Activity code; row of the patient among the log's patients; day since 1970-01-01.
    n_patients : int
        Patients of the log, those without events included.
    """

    names: list[str]
    activity: NDArray[Any]
    patient: NDArray[np.int64]
    day: NDArray[np.int64]
    n_patients: int

    @classmethod
    def of(cls, log: EventLog, activities: Iterable[str]) -> Timeline:
        """Encode the events of these activities."""
        names = sorted(set(activities))
        events = log.events.lazy().filter(pl.col("activity").is_in(names))
        people = log.patients.lazy().select("patient_id").with_row_index("patient")
        rows = events.select("patient_id", "activity", "start").collect()
        firsts = rows.select("patient_id", run=pl.col("patient_id").rle_id())
        places = (
            firsts.unique("run", keep="first", maintain_order=True)
            .lazy()
            .join(people, on="patient_id", how="left", maintain_order="left")
            .collect()["patient"]
            .to_numpy()
        )
        patient = places.astype(np.int64)[firsts["run"].to_numpy()]
        start = rows["start"].to_physical().to_numpy()
        order = _order(patient, start)
        codes = rows["activity"].cast(pl.Enum(names)).to_physical().to_numpy()
        return cls(
            names=names,
            activity=codes[order],
            patient=patient[order],
            day=days(rows["start"])[order],
            n_patients=log.patients.height,
        )

    @property
    def places(self) -> int:
        """Places inside a day: its beginning, one an event of the log, its end."""
        return len(self.day) + 2

    def beginning(self, day: Moments) -> Moments:
        """Return the moment before all events of each day."""
        return _known(day, day * self.places)

    def end(self, day: Moments) -> Moments:
        """Return the moment after all events of each day."""
        return _known(day, day * self.places + self.places - 1)

    def day_of(self, moment: Moments) -> Moments:
        """Return the day of each moment."""
        return _known(moment, moment // self.places)

    @cached_property
    def _first_day(self) -> int:
        return int(self.day.min(initial=0))

    @cached_property
    def _span(self) -> int:
        return int(self.day.max(initial=0)) - self._first_day + 3

    def _key(self, patient: NDArray[np.int64], day: Moments) -> Moments:
        """Return one integer that ascends with the patient, then with the day."""
        return patient * self._span + np.clip(day, self._first_day - 1, self._first_day + self._span - 2)

    @property
    def past(self) -> int:
        """The moment before every event."""
        return (self._first_day - 1) * self.places

    def moments(self, rows: NDArray[np.int64]) -> Moments:
        """Return the moments of some rows."""
        return self.day[rows] * self.places + rows + 1

    def rows(self, activities: Iterable[str]) -> NDArray[np.int64]:
        """Return the rows of the events of these activities."""
        wanted = np.isin(self.names, list(activities))
        return np.flatnonzero(wanted[self.activity])

    def first(self, activities: Iterable[str], since: Moments, patient: NDArray[np.int64]) -> Moments:
        """Return the moment of each patient's first event after a moment; `NEVER` where there is none.

        Parameters
        ----------
        activities : iterable of str
            Which events count.
        since : array
            The moment after which it is looked for, one a patient: of an event of theirs, or the beginning of a day;
            `NEVER` finds nothing.
        patient : array
            The patients' rows.
        """
        rows = self.rows(activities)
        if not len(rows):
            return np.full(len(patient), NEVER)
        known = since != NEVER
        asked = np.where(known, since, 0)
        day, place = asked // self.places, asked % self.places
        by_day = np.searchsorted(self._key(self.patient[rows], self.day[rows]), self._key(patient, day))
        by_row = np.where(place > 0, np.searchsorted(rows, place - 1, side="right"), 0)
        at = np.minimum(np.maximum(by_day, by_row), len(rows) - 1)
        past_end = np.maximum(by_day, by_row) >= len(rows)
        row = rows[at]
        found = known & ~past_end & (self.patient[row] == patient)
        return np.where(found, self.moments(row), NEVER)


def days(times: pl.Series) -> NDArray[np.int64]:
    """Return days since 1970-01-01; `NEVER` where there is no time."""
    return times.dt.epoch("d").cast(pl.Int64).fill_null(NEVER).to_numpy()


def _known(given: Moments, value: Moments) -> Moments:
    return np.where(given == NEVER, NEVER, value)


def _order(patient: NDArray[np.int64], start: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return the order by patient and time; what stands in it already is not sorted."""
    later = (patient[1:] > patient[:-1]) | ((patient[1:] == patient[:-1]) & (start[1:] >= start[:-1]))
    return slice(None) if later.all() else np.lexsort((start, patient))

"""A log as integers, in its order: what every kernel counts, one slice of whole patients at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.log import RESERVED, EventLog

Integers = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]

START, END, ELSEWHERE = RESERVED
"""Virtual nodes: before the first event, after the last, and the flow that a map does not draw."""

DAY_US = 86_400_000_000
"""Microseconds in a day."""

SLICE_EVENTS = 1 << 18
"""Events of a slice: its columns stay in the processor's cache."""


@dataclass(frozen=True)
class Sequences:
    """Events of whole patients as integers, in order: the input of every kernel.

    Parameters
    ----------
    activities : list of str
        Names of the whole log; an activity's code is its place here (by name).
    activity : array of length n_events
        Activity code.
    start_us : array of length n_events
        Start in microseconds since 1970.
    first : array of length n_patients
        Row of each patient's first event.
    ids : polars.Series
        ``patient_id`` of each patient, as text.
    patients : polars.DataFrame
        ``patient_id``, ``index_date``: of some patients or none.
    stratum : array of length n_events, optional
        Stratum code, where events are divided (see `pathways.mining.kernels.sources.Strata`).
    """

    activities: list[str]
    activity: Integers
    start_us: Integers = field(repr=False)
    first: Integers = field(repr=False)
    ids: pl.Series = field(repr=False)
    patients: pl.DataFrame = field(repr=False)
    stratum: Integers | None = field(default=None, repr=False)

    @classmethod
    def of(cls, log: EventLog) -> Sequences:
        """Encode a log."""
        events, names = log.events, log.activities
        first = np.flatnonzero((events["rank"] == 0).to_numpy())
        codes = events["activity"].cast(pl.Enum(names)).to_physical().to_numpy()
        return cls(
            activities=names,
            activity=codes.astype(code_type(len(names))),
            start_us=events["start"].to_physical().to_numpy(),
            first=first,
            ids=events["patient_id"].gather(first),
            patients=log.patients.select("patient_id", "index_date"),
        )

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.activity)

    @cached_property
    def last(self) -> Integers:
        """Row of each patient's last event."""
        return np.append(self.first[1:], self.n_events) - 1 if len(self.first) else self.first

    @cached_property
    def lengths(self) -> Integers:
        """Number of events of each patient."""
        return self.last - self.first + 1

    @cached_property
    def patient(self) -> Integers:
        """Patient number of each event: 0, 1, ... in the order of the slice."""
        return np.repeat(np.arange(len(self.first)), self.lengths)

    @cached_property
    def on_tie(self) -> Flags:
        """Whether an event shares its timestamp with another activity of its patient."""
        same = np.zeros(self.n_events, dtype=np.bool_)
        same[1:] = self.start_us[1:] == self.start_us[:-1]
        same[self.first] = False
        return _mixed(np.flatnonzero(same), self.activity)

    def slices(self, n_events: int = SLICE_EVENTS) -> Iterator[Sequences]:
        """Yield the same events in slices of whole patients, of `n_events` or of one patient who has more."""
        begins = np.append(self.first, self.n_events)
        low = 0
        while low < len(self.first):
            high = max(low + 1, int(np.searchsorted(begins, begins[low] + n_events, side="right")) - 1)
            yield self._slice(low, high, slice(int(begins[low]), int(begins[high])))
            low = high

    def _slice(self, low: int, high: int, rows: slice) -> Sequences:
        return Sequences(
            activities=self.activities,
            activity=self.activity[rows],
            start_us=self.start_us[rows],
            first=self.first[low:high] - rows.start,
            ids=self.ids[low:high],
            patients=self.patients,
            stratum=None if self.stratum is None else self.stratum[rows],
        )


def _mixed(same: Integers, activity: Integers) -> Flags:
    """Flag the events of groups that hold two activities; `same` are the rows that continue the group before them."""
    flags = np.zeros(len(activity), dtype=np.bool_)
    if not len(same):
        return flags
    begins = np.flatnonzero(np.diff(same, prepend=-2) != 1)
    mixed = np.logical_or.reduceat(activity[same] != activity[same - 1], begins)
    flags[same[np.repeat(mixed, np.diff(begins, append=len(same)))]] = True
    flags[same[begins[mixed]] - 1] = True
    return flags


def code_type(n_codes: int) -> np.dtype[Any]:
    """Return a signed type that holds a pair of codes, ``a * n_codes + b``."""
    return np.promote_types(np.int32, np.min_scalar_type(-(max(n_codes, 1) ** 2)))


def runs_of(group: Integers, patient: Integers, n_groups: int) -> tuple[Integers, Integers]:
    """Return the order that puts each patient of each group together, and where in it each of these begins.

    Patients ascend already, so that a stable radix sort of the groups is enough.
    """
    order = np.argsort(group.astype(np.min_scalar_type(max(n_groups, 1))), kind="stable")
    group, patient = group[order], patient[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (patient[1:] != patient[:-1])
    return order, np.flatnonzero(new)

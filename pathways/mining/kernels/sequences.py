"""A log as integers, in its order: what every kernel counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.log import EventLog

Integers = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]

START, END, ELSEWHERE = "▶", "■", "*"
"""Virtual nodes: before the first event, after the last, and the flow that a map does not draw."""

DAY_US = 86_400_000_000
"""Microseconds in a day."""


@dataclass(frozen=True)
class Sequences:
    """A log as integers, in its order: the input of every kernel.

    Parameters
    ----------
    activities : list of str
        Names; an activity's code is its place here (by name).
    activity, patient, start_us : arrays of length n_events
        Activity code, patient number (0, 1, ... in the order of the log), start in microseconds.
    first : array of length n_patients
        Row of each patient's first event.
    on_tie : array of bool of length n_events
        The event shares its timestamp with another activity of its patient.
    """

    activities: list[str]
    activity: Integers
    patient: Integers
    start_us: Integers
    first: Integers
    on_tie: Flags

    @classmethod
    def of(cls, log: EventLog) -> Sequences:
        """Encode a log."""
        events, names = log.events, log.activities
        new_patient = (events["rank"] == 0).to_numpy()
        start = events["start"].to_physical().to_numpy()
        codes = events["activity"].cast(pl.Enum(names)).to_physical().to_numpy()
        activity = codes.astype(np.promote_types(np.int32, np.min_scalar_type(len(names) ** 2)))
        return cls(
            activities=names,
            activity=activity,
            patient=np.cumsum(new_patient, dtype=np.int32) - 1,
            start_us=start,
            first=np.flatnonzero(new_patient),
            on_tie=_on_tie(new_patient, start, activity),
        )

    @property
    def last(self) -> Integers:
        """Row of each patient's last event."""
        return np.append(self.first[1:], len(self.activity)) - 1 if len(self.first) else self.first


def _on_tie(new_patient: Flags, start: Integers, activity: Integers) -> Flags:
    """Flag the events of a timestamp that holds two activities or more of one patient."""
    new_group = new_patient.copy()
    new_group[1:] |= start[1:] != start[:-1]
    group = np.cumsum(new_group) - 1
    inside = np.flatnonzero(~new_group)
    mixed = np.zeros(len(group), dtype=np.bool_)
    mixed[group[inside[activity[inside] != activity[inside - 1]]]] = True
    return np.take(mixed, group)


def runs_of(group: Integers, patient: Integers, n_groups: int) -> tuple[Integers, Integers]:
    """Return the order that puts each patient of each group together, and where in it each of these begins.

    Patients ascend already, so that a stable radix sort of the groups is enough.
    """
    order = np.argsort(group.astype(np.min_scalar_type(max(n_groups, 1))), kind="stable")
    group, patient = group[order], patient[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (patient[1:] != patient[:-1])
    return order, np.flatnonzero(new)


def distinct(group: Integers, patient: Integers, n_groups: int) -> Integers:
    """Count distinct patients by group."""
    order, runs = runs_of(group, patient, n_groups)
    return np.bincount(group[order[runs]], minlength=n_groups)

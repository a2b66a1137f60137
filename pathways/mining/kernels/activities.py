"""Events and patients by activity: where pathways start and end, how many meet a step, when, and how often again."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pathways.mining.kernels.sequences import Flags, Integers, Sequences, runs_of
from pathways.mining.kernels.sources import Log, Source
from pathways.mining.kernels.tallies import Delays, Tally

TERMINAL_COLUMNS: dict[str, Any] = {
    "activity": pl.String,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "n_tied_patients": pl.Int64,
}
"""Columns of `start_activities` and `end_activities`."""

REWORK_COLUMNS: dict[str, Any] = {
    "activity": pl.String,
    "n_events": pl.Int64,
    "n_patients": pl.Int64,
    "n_rework_patients": pl.Int64,
    "n_repeats": pl.Int64,
    "n_self_loops": pl.Int64,
}
"""Columns of `rework`."""

POSITION_COLUMNS: dict[str, Any] = {"activity": pl.String, "position": pl.Int64, "n_events": pl.Int64}
"""Columns of `activity_positions`."""


def start_activities(log: Log) -> pl.DataFrame:
    """Count the patients by their first activity: `TERMINAL_COLUMNS`, most frequent first."""
    return _terminals(log, first=True)


def end_activities(log: Log) -> pl.DataFrame:
    """Count the patients by their last activity: `TERMINAL_COLUMNS`, most frequent first."""
    return _terminals(log, first=False)


def _terminals(log: Log, first: bool) -> pl.DataFrame:
    source = Source.of(log)
    n = len(source.activities)
    counts, tied = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for seq in source.slices():
        rows = seq.first if first else seq.last
        counts += np.bincount(seq.activity[rows], minlength=n)
        tied += np.bincount(seq.activity[rows[seq.on_tie[rows]]], minlength=n)
    frame = pl.DataFrame(
        {
            "activity": source.activities,
            "n_patients": counts,
            "tied_share": tied / np.maximum(counts, 1),
            "n_tied_patients": tied,
        },
        schema=TERMINAL_COLUMNS,
    )
    return frame.filter(pl.col("n_patients") > 0).sort("n_patients", "activity", descending=[True, False])


def node_counts(log: Log) -> pl.DataFrame:
    """Count events and distinct patients by activity.

    Returns
    -------
    polars.DataFrame
        ``activity``, ``n_events``, ``n_patients``, ``median_day``: median over these patients of the day of their
        first such event since the index date (since their first event where no index date is known). Most
        frequent first.
    """
    source = Source.of(log)
    n = len(source.activities)
    events, days = np.zeros(n, dtype=np.int64), Delays(n)
    for seq in source.slices(ids=True):
        events += np.bincount(seq.activity, minlength=n)
        order, runs = runs_of(seq.activity, seq.patient, n)
        rows = order[runs]
        days.add(seq.activity[rows], seq.start_us[rows] - day_zero(seq)[seq.patient[rows]])
    statistics = days.statistics()
    frame = pl.DataFrame(
        {"activity": source.activities, "n_events": events}, schema_overrides=_NODE
    ).with_columns(n_patients=statistics["n"], median_day=statistics["median_days"])
    return frame.sort("n_events", "activity", descending=[True, False])


_NODE = {"activity": pl.String, "n_events": pl.Int64}


def day_zero(seq: Sequences) -> Integers:
    """Return the index date of each patient, in microseconds; else their first event."""
    first = seq.start_us[seq.first]
    if not seq.patients["index_date"].count():
        return first
    people = pl.DataFrame({"patient_id": seq.ids})
    dated = people.join(seq.patients, on="patient_id", how="left", maintain_order="left")["index_date"]
    known = dated.is_not_null().to_numpy()
    return np.where(known, dated.to_physical().fill_null(0).to_numpy(), first)


def rework(log: Log) -> pl.DataFrame:
    """Count what is done again.

    Returns
    -------
    polars.DataFrame
        `REWORK_COLUMNS`, one row an activity, by name: ``n_rework_patients`` of its ``n_patients`` have it twice or
        more; ``n_repeats`` of its ``n_events`` are not a patient's first; ``n_self_loops`` of these follow the one
        before without another event between.
    """
    source = Source.of(log)
    n = len(source.activities)
    totals = {name: np.zeros(n, dtype=np.int64) for name in REWORK_COLUMNS if name != "activity"}
    for seq in source.slices(start=False):
        for name, activity in _rework_of(seq).items():
            totals[name] += np.bincount(activity, minlength=n)
    return pl.DataFrame({"activity": source.activities, **totals}, schema=REWORK_COLUMNS)


def _rework_of(seq: Sequences) -> dict[str, Integers]:
    """Return, for each count of one slice, the activities to count."""
    order, runs = runs_of(seq.activity, seq.patient, len(seq.activities))
    owned, lengths = seq.activity[order[runs]], np.diff(runs, append=len(order))
    again = np.ones(len(order), dtype=np.bool_)
    again[runs] = False
    return {
        "n_events": seq.activity,
        "n_patients": owned,
        "n_rework_patients": owned[lengths > 1],
        "n_repeats": seq.activity[order[again]],
        "n_self_loops": seq.activity[1:][_loops(seq)],
    }


def _loops(seq: Sequences) -> Flags:
    """Flag the pairs of neighbours of one patient with one activity."""
    same: Flags = seq.activity[1:] == seq.activity[:-1]
    same[seq.first[1:] - 1] = False
    return same


def activity_positions(log: Log) -> pl.DataFrame:
    """Count the events of each activity by their place in the patient's sequence.

    Returns
    -------
    polars.DataFrame
        `POSITION_COLUMNS`: ``position`` 0 is a patient's first event; sorted by activity and position.
    """
    source = Source.of(log)
    n = max(len(source.activities), 1)
    places = Tally(n << 40)
    for seq in source.slices(start=False):
        place = np.arange(seq.n_events) - np.repeat(seq.first, seq.lengths)
        places.add(place * n + seq.activity)
    cells, counts = places.counts()
    names = pl.Series(source.activities, dtype=pl.String)
    frame = pl.DataFrame({"activity": names.gather(cells % n), "position": cells // n, "n_events": counts})
    return frame.cast(pl.Schema(POSITION_COLUMNS)).sort("activity", "position")

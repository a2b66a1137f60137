"""Events and patients by activity: where pathways start and end, how many meet a step, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from eventlogs.log import EventLog
from pathways.mining.kernels.sequences import DAY_US, Integers, Sequences, runs_of

TERMINAL_COLUMNS: dict[str, Any] = {
    "activity": pl.String,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "n_tied_patients": pl.Int64,
}
"""Columns of `start_activities` and `end_activities`."""


def start_activities(log: EventLog) -> pl.DataFrame:
    """Count the patients by their first activity: `TERMINAL_COLUMNS`, most frequent first."""
    seq = Sequences.of(log)
    return terminals(seq, seq.first)


def end_activities(log: EventLog) -> pl.DataFrame:
    """Count the patients by their last activity: `TERMINAL_COLUMNS`, most frequent first."""
    seq = Sequences.of(log)
    return terminals(seq, seq.last)


def terminals(seq: Sequences, rows: Integers) -> pl.DataFrame:
    n = len(seq.activities)
    counts = np.bincount(seq.activity[rows], minlength=n)
    tied = np.bincount(seq.activity[rows[seq.on_tie[rows]]], minlength=n)
    frame = pl.DataFrame(
        {
            "activity": seq.activities,
            "n_patients": counts,
            "tied_share": tied / np.maximum(counts, 1),
            "n_tied_patients": tied,
        },
        schema=TERMINAL_COLUMNS,
    )
    return frame.filter(pl.col("n_patients") > 0).sort("n_patients", "activity", descending=[True, False])


def node_counts(log: EventLog) -> pl.DataFrame:
    """Count events and distinct patients by activity.

    Returns
    -------
    polars.DataFrame
        ``activity``, ``n_events``, ``n_patients``, ``median_day``: median over these patients of the day of their
        first such event since the index date (since their first event where no index date is known). Most
        frequent first.
    """
    return node_counts_of(Sequences.of(log), day_zero(log))


def day_zero(log: EventLog) -> Integers:
    """Return the index date of each patient with events, in microseconds; else the first event."""
    first = log.events.filter(pl.col("rank") == 0).select("patient_id", "start")
    dated = first.join(log.patients, on="patient_id", how="left", maintain_order="left")
    return dated.select(pl.coalesce("index_date", "start"))["index_date"].to_physical().to_numpy()


def node_counts_of(seq: Sequences, day_zero: Integers) -> pl.DataFrame:
    n = len(seq.activities)
    order, runs = runs_of(seq.activity, seq.patient, n)
    rows = order[runs]
    days = (seq.start_us[rows] - day_zero[seq.patient[rows]]) / DAY_US
    firsts = pl.DataFrame({"code": seq.activity[rows], "day": days})
    medians = firsts.group_by("code").agg(pl.len(), pl.col("day").median()).sort("code")
    frame = pl.DataFrame(
        {
            "activity": pl.Series(seq.activities, dtype=pl.String),
            "n_events": np.bincount(seq.activity, minlength=n),
            "n_patients": medians["len"].cast(pl.Int64),
            "median_day": medians["day"],
        }
    )
    return frame.sort("n_events", "activity", descending=[True, False])

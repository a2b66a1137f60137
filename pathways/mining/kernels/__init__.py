"""Kernels: counts of a log in one pass, each equal to the plain reading of its definition.

Kernels read an `EventLog`, its `Sequences`, or an `EventScan` of Parquet files larger than memory. They turn sorted
events into small integers once, slice by slice of whole patients, compare neighbours by shift, and count with a dense
code for each pair of activities; text, windows and per-patient lists stay off the way. Each returns a frame of
aggregates (`case_durations` excepted: one row a patient), the same for any order of the rows and any slices.

Rules
-----
Days are exact elapsed time divided by 86 400 s. Quantiles interpolate linearly between order statistics
(Hyndman and Fan 1996, type 7), the rule of numpy's default. A step *rests on a tie* when one of its two events
shares its timestamp with an event of another activity of the same patient: ``n_events * (1 - tied_share)`` steps
remain whatever the order inside ties.
"""

from __future__ import annotations

from pathways.mining.kernels.activities import (
    POSITION_COLUMNS,
    REWORK_COLUMNS,
    TERMINAL_COLUMNS,
    activity_positions,
    end_activities,
    node_counts,
    rework,
    start_activities,
)
from pathways.mining.kernels.cases import case_durations, variants
from pathways.mining.kernels.eventually import EVENTUALLY_COLUMNS, eventually_follows
from pathways.mining.kernels.follows import EDGE_COLUMNS, delay_counts, directly_follows, edge_counts
from pathways.mining.kernels.scan import EventScan
from pathways.mining.kernels.sequences import DAY_US, ELSEWHERE, END, START, Sequences
from pathways.mining.kernels.sources import By, Log

__all__ = [
    "DAY_US",
    "EDGE_COLUMNS",
    "ELSEWHERE",
    "END",
    "EVENTUALLY_COLUMNS",
    "POSITION_COLUMNS",
    "REWORK_COLUMNS",
    "START",
    "TERMINAL_COLUMNS",
    "By",
    "EventScan",
    "Log",
    "Sequences",
    "activity_positions",
    "case_durations",
    "delay_counts",
    "directly_follows",
    "edge_counts",
    "end_activities",
    "eventually_follows",
    "node_counts",
    "rework",
    "start_activities",
    "variants",
]

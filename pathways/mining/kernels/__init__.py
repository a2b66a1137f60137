"""Kernels: counts of a sorted log in one pass, each equal to the plain reading of its definition.

Kernels turn the sorted events into small integers once, compare neighbours by shift, and count with a dense code
for each pair of activities; text, windows and per-patient lists stay off the way. Each function takes an
`EventLog` and returns a frame of aggregates (`case_durations` excepted: one row a patient).

Rules
-----
Days are exact elapsed time divided by 86 400 s. Quantiles interpolate linearly between order statistics
(Hyndman and Fan 1996, type 7), the rule of numpy's default. A step *rests on a tie* when one of its two events
shares its timestamp with an event of another activity of the same patient: ``n_events * (1 - tied_share)`` steps
remain whatever the order inside ties.
"""

from __future__ import annotations

from pathways.mining.kernels.activities import (
    TERMINAL_COLUMNS,
    end_activities,
    node_counts,
    start_activities,
)
from pathways.mining.kernels.cases import case_durations, variants
from pathways.mining.kernels.follows import EDGE_COLUMNS, delay_counts, directly_follows
from pathways.mining.kernels.sequences import DAY_US, ELSEWHERE, END, START, Sequences

__all__ = [
    "DAY_US",
    "EDGE_COLUMNS",
    "ELSEWHERE",
    "END",
    "START",
    "TERMINAL_COLUMNS",
    "Sequences",
    "case_durations",
    "delay_counts",
    "directly_follows",
    "end_activities",
    "node_counts",
    "start_activities",
    "variants",
]

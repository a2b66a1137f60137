"""Who does what after what, how often and how long after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from eventlogs.log import EventLog
from pathways.mining.kernels.sequences import DAY_US, Flags, Integers, Sequences, distinct, runs_of

EDGE_COLUMNS: dict[str, Any] = {
    "source": pl.String,
    "target": pl.String,
    "n_events": pl.Int64,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "n_tied_patients": pl.Int64,
    "mean_days": pl.Float64,
    "median_days": pl.Float64,
    "p90_days": pl.Float64,
    "min_days": pl.Float64,
    "max_days": pl.Float64,
}
"""Columns of `directly_follows`."""


@dataclass(frozen=True)
class Steps:
    """Neighbouring events of one patient: the edge (dense number), who, how long, whether on a tie.

    ``order`` and ``runs`` put the steps of one patient on one edge together, as `runs_of`.
    """

    sources: Integers
    targets: Integers
    edge: Integers
    patient: Integers
    delay_us: Integers
    tied: Flags
    n_events: Integers
    order: Integers
    runs: Integers

    @classmethod
    def of(cls, seq: Sequences) -> Steps:
        n, inside = len(seq.activities), np.ones(max(len(seq.activity) - 1, 0), dtype=np.bool_)
        inside[seq.first[1:] - 1] = False
        code = (seq.activity[:-1] * n + seq.activity[1:])[inside]
        counts = np.bincount(code, minlength=n * n)
        present = np.flatnonzero(counts)
        number = np.zeros(n * n, dtype=np.int32)
        number[present] = np.arange(len(present))
        sources, targets = np.divmod(present, max(n, 1))
        edge, patient = number[code], seq.patient[1:][inside]
        order, runs = runs_of(edge, patient, len(present))
        return cls(
            sources=sources,
            targets=targets,
            edge=edge,
            patient=patient,
            delay_us=np.diff(seq.start_us)[inside],
            tied=(seq.on_tie[:-1] | seq.on_tie[1:])[inside],
            n_events=counts[present],
            order=order,
            runs=runs,
        )

    def named(self, names: list[str]) -> pl.DataFrame:
        """Return ``source``, ``target`` of each edge number."""
        label = pl.Series(names, dtype=pl.String)
        return pl.DataFrame({"source": label.gather(self.sources), "target": label.gather(self.targets)})


def directly_follows(log: EventLog) -> pl.DataFrame:
    """Count the steps from one event to the next of the same patient.

    Parameters
    ----------
    log : EventLog
        Any log; its rank order is the order.

    Returns
    -------
    polars.DataFrame
        `EDGE_COLUMNS`, most frequent first: ``n_events`` steps by ``n_patients`` distinct patients;
        ``tied_share`` (0 to 1) of the steps rest on a tie, those of ``n_tied_patients`` patients; delays in days
        (mean, median, 90th percentile, minimum, maximum). Mean, minimum and maximum are never released.
    """
    seq = Sequences.of(log)
    return follows_of(seq, Steps.of(seq))


def follows_of(seq: Sequences, steps: Steps) -> pl.DataFrame:
    n = len(steps.n_events)
    tied = np.bincount(steps.edge[steps.tied], minlength=n)
    counts = steps.named(seq.activities).with_columns(
        n_events=steps.n_events,
        n_patients=np.bincount(steps.edge[steps.order[steps.runs]], minlength=n),
        tied_share=tied / np.maximum(steps.n_events, 1),
        n_tied_patients=distinct(steps.edge[steps.tied], steps.patient[steps.tied], n),
    )
    edges = pl.concat([counts, _delay_statistics(steps)], how="horizontal").select(*EDGE_COLUMNS)
    return edges.sort("n_events", "source", "target", descending=[True, False, False])


def _delay_statistics(steps: Steps) -> pl.DataFrame:
    """Return mean, median, p90, minimum and maximum in days, one row an edge number."""
    delay = pl.col("delay")
    frame = pl.DataFrame({"edge": steps.edge.astype(np.uint32), "delay": steps.delay_us})
    statistics = frame.group_by("edge").agg(
        mean_days=delay.mean(),
        median_days=delay.median(),
        p90_days=delay.quantile(0.9, "linear"),
        min_days=delay.min(),
        max_days=delay.max(),
    )
    return statistics.sort("edge").select(pl.exclude("edge") / DAY_US)


def delay_counts(log: EventLog) -> pl.DataFrame:
    """Count the steps of each edge by whole days of delay.

    Returns
    -------
    polars.DataFrame
        ``source``, ``target``, ``day`` (completed days), ``n_events``, ``n_first`` and ``n_last``: patients whose
        shortest, longest delay on that edge is that day. Both are additive over days, so that the distinct
        patients of any run of days are at least their sum: what the disclosure gate needs.
    """
    seq = Sequences.of(log)
    return delay_counts_of(seq, Steps.of(seq))


def delay_counts_of(seq: Sequences, steps: Steps) -> pl.DataFrame:
    days = steps.delay_us // DAY_US
    first, span = (int(days.min()), int(np.ptp(days)) + 1) if len(days) else (0, 1)
    cell = steps.edge.astype(np.int64) * span + (days - first)
    ordered = cell[steps.order]
    cells = [
        _counted(cell, "n_events"),
        _counted(_reduce(np.minimum, ordered, steps.runs), "n_first"),
        _counted(_reduce(np.maximum, ordered, steps.runs), "n_last"),
    ]
    counts = pl.concat(cells, how="diagonal").group_by("cell").sum().sort("cell")
    edge, day = counts["cell"] // span, counts["cell"] % span + first
    named = steps.named(seq.activities)[edge]
    return named.with_columns(day.alias("day"), *counts.drop("cell"))


def _reduce(function: np.ufunc, values: Integers, runs: Integers) -> Integers:
    return function.reduceat(values, runs) if len(runs) else values


def _counted(cell: Integers, name: str) -> pl.DataFrame:
    return pl.DataFrame({"cell": cell}).group_by("cell").agg(pl.len().cast(pl.Int64).alias(name))

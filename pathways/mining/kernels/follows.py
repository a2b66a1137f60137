"""Who does what after what, how often and how long after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pathways.mining.kernels.sequences import DAY_US, Flags, Integers, Sequences, code_type, runs_of
from pathways.mining.kernels.sources import By, Log, Source
from pathways.mining.kernels.tallies import Delays, Tally, begins_of

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
    """Neighbouring events of one patient: which edge (dense number), who, and in which rows they end.

    ``edge`` is ``(stratum * n + source) * n + target`` with n activities; ``inside`` says which pairs are steps.
    """

    edge: Integers
    patient: Integers
    inside: Flags

    @classmethod
    def of(cls, seq: Sequences) -> Steps:
        n = len(seq.activities)
        inside = np.ones(max(seq.n_events - 1, 0), dtype=np.bool_)
        inside[seq.first[1:] - 1] = False
        edge = seq.activity[:-1] * n + seq.activity[1:]
        if seq.stratum is not None:
            edge = edge.astype(np.int64) + seq.stratum[1:].astype(np.int64) * n**2
        return cls(edge[inside], seq.patient[1:][inside], inside)

    def delay_us(self, seq: Sequences) -> Integers:
        """Return how long each step took."""
        return np.diff(seq.start_us)[self.inside]

    def tied(self, seq: Sequences) -> Flags:
        """Return which steps rest on a tie."""
        return (seq.on_tie[:-1] | seq.on_tie[1:])[self.inside]


@dataclass(frozen=True)
class Passages:
    """Steps of a log with the edges that occur numbered 0, 1, ..., and a patient's steps on one edge put together.

    ``sources``, ``targets``: codes of each edge. ``order`` puts the steps of one patient on one edge together, the
    earliest first; ``runs`` is where in it each of these begins.
    """

    sources: Integers
    targets: Integers
    edge: Integers
    patient: Integers
    delay_us: Integers
    order: Integers
    runs: Integers

    @classmethod
    def of(cls, seq: Sequences) -> Passages:
        """Number the steps of a log."""
        steps = Steps.of(seq)
        present, edge = np.unique(steps.edge, return_inverse=True)
        sources, targets = np.divmod(present, max(len(seq.activities), 1))
        order, runs = runs_of(edge, steps.patient, len(present))
        return cls(sources, targets, edge, steps.patient, steps.delay_us(seq), order, runs)

    def named(self, names: list[str]) -> pl.DataFrame:
        """Return ``source``, ``target`` of each edge number."""
        label = pl.Series(names, dtype=pl.String)
        return pl.DataFrame({"source": label.gather(self.sources), "target": label.gather(self.targets)})


def distinct(group: Integers, patient: Integers, n_groups: int, n_patients: int) -> Integers:
    """Return the group of each pair of group and patient that occurs, once a pair."""
    pairs = np.sort(packed(group, patient, n_groups, n_patients))
    found: Integers = pairs[begins_of(pairs)] // np.asarray(max(n_patients, 1), dtype=pairs.dtype)
    return found


def packed(high: Integers, low: Integers, n_high: int, n_low: int) -> Integers:
    """Return one unsigned integer a pair, ordered as the pairs; the narrowest type that holds them sorts fastest."""
    kind = np.uint32 if n_high * n_low < 1 << 32 else np.uint64
    return np.asarray(high.astype(kind) * np.asarray(n_low, dtype=kind) + low.astype(kind))


def directly_follows(log: Log, *, by: By | None = None) -> pl.DataFrame:
    """Count the steps from one event to the next of the same patient.

    Parameters
    ----------
    log : EventLog or EventScan
        Any log; its rank order is the order.
    by : str or polars.DataFrame, optional
        Count each stratum by itself: a column of the events (a step is of the stratum of the event that it leads
        to), a column of the patients, or a frame with ``patient_id`` and one other column.

    Returns
    -------
    polars.DataFrame
        `EDGE_COLUMNS`, most frequent first: ``n_events`` steps by ``n_patients`` distinct patients;
        ``tied_share`` (0 to 1) of the steps rest on a tie, those of ``n_tied_patients`` patients; delays in days
        (mean, median, 90th percentile, minimum, maximum). Mean, minimum and maximum are never released. With `by`,
        a leading column ``stratum`` (text, null where there is no value), by which rows are sorted first.

    Raises
    ------
    LogError
        `by` names no column, or is not one row a patient; a file of a scan can't be used.
    """
    source = Source.of(log, by)
    n_edges = len(source.strata.names) * len(source.activities) ** 2
    delays, patients, tied, tied_patients = Delays(n_edges), *(Tally(n_edges) for _ in range(3))
    for seq in source.slices():
        steps = Steps.of(seq)
        delays.add(steps.edge, steps.delay_us(seq))
        patients.add(distinct(steps.edge, steps.patient, n_edges, len(seq.first)))
        on_tie = steps.tied(seq)
        tied.add(steps.edge[on_tie])
        tied_patients.add(distinct(steps.edge[on_tie], steps.patient[on_tie], n_edges, len(seq.first)))
    statistics = delays.statistics()
    edge = statistics["group"].to_numpy()
    counted = statistics.with_columns(
        n_events="n",
        n_patients=patients.counts()[1],
        tied_share=_at(tied, edge) / np.maximum(statistics["n"].to_numpy(), 1),
        n_tied_patients=_at(tied_patients, edge),
    )
    return _named(counted, source, by is not None).select(
        *(["stratum"] if by is not None else []), *EDGE_COLUMNS
    )


def _at(tally: Tally, groups: Integers) -> Integers:
    """Return the count of each of `groups`, which holds every value that was tallied, ascending."""
    cells, counts = tally.counts()
    found = np.zeros(len(groups), dtype=np.int64)
    found[np.searchsorted(groups, cells)] = counts
    return found


def _named(counted: pl.DataFrame, source: Source, stratified: bool) -> pl.DataFrame:
    """Add the names of each edge ``group``; most frequent first, stratum by stratum."""
    n = max(len(source.activities), 1)
    names = pl.Series(source.activities, dtype=pl.String)
    strata = pl.Series(source.strata.names, dtype=pl.String)
    edge = counted["group"]
    frame = counted.with_columns(
        stratum=strata.gather(edge // n**2),
        place=edge // n**2,
        source=names.gather(edge // n % n),
        target=names.gather(edge % n),
    )
    order = ["place", "n_events", "source", "target"] if stratified else ["n_events", "source", "target"]
    return frame.sort(order, descending=[name == "n_events" for name in order])


def edge_counts(log: Log) -> pl.DataFrame:
    """Count the steps of each edge, and nothing else: what `directly_follows` costs least.

    Returns
    -------
    polars.DataFrame
        ``source``, ``target``, ``n_events``; most frequent first.
    """
    source = Source.of(log)
    n = len(source.activities)
    pairs, crossings = Tally(n**2), Tally(n**2)
    for seq in source.slices(start=False):
        wide = seq.activity.astype(code_type(n))
        pairs.add(wide[:-1] * n + wide[1:])
        next_patient = seq.first[1:]
        crossings.add(wide[next_patient - 1] * n + wide[next_patient])
    edge, counts = pairs.counts()
    counts = counts - _at(crossings, edge)
    frame = pl.DataFrame({"group": edge[counts > 0], "n_events": counts[counts > 0]})
    return _named(frame, source, False).select("source", "target", "n_events")


def delay_counts(log: Log) -> pl.DataFrame:
    """Count the steps of each edge by whole days of delay.

    Returns
    -------
    polars.DataFrame
        ``source``, ``target``, ``day`` (completed days), ``n_events``, ``n_first`` and ``n_last``: patients whose
        shortest, longest delay on that edge is that day. Both are additive over days, so that the distinct
        patients of any run of days are at least their sum: what the disclosure gate needs.
    """
    source = Source.of(log)
    parts = [_days_of(seq, Steps.of(seq)) for seq in source.slices()]
    whole = pl.concat([pl.DataFrame(schema=_CELL), *parts]).group_by("edge", "day").sum().sort("edge", "day")
    n, names = max(len(source.activities), 1), pl.Series(source.activities, dtype=pl.String)
    return whole.select(
        names.gather(whole["edge"] // n).alias("source"),
        names.gather(whole["edge"] % n).alias("target"),
        "day",
        "n_events",
        "n_first",
        "n_last",
    )


_CELL: dict[str, Any] = dict.fromkeys(("edge", "day", "n_events", "n_first", "n_last"), pl.Int64)


def _days_of(seq: Sequences, steps: Steps) -> pl.DataFrame:
    """Return the counts of one slice: sorted by edge, patient and day, a patient's runs begin and end them."""
    days = steps.delay_us(seq) // DAY_US
    low, span = (int(days.min()), int(np.ptp(days)) + 1) if len(days) else (0, 1)
    n_patients = max(len(seq.first), 1)
    pair = steps.edge.astype(np.uint64) * np.uint64(n_patients) + steps.patient.astype(np.uint64)
    keys = np.sort(pair * np.uint64(span) + (days - low).astype(np.uint64))
    pair, day = keys // np.uint64(span), (keys % np.uint64(span)).astype(np.int64) + low
    new = np.ones(len(keys) + 1, dtype=np.bool_)
    new[1:-1] = pair[1:] != pair[:-1]
    flags = {"n_events": np.ones(len(keys)), "n_first": new[:-1], "n_last": new[1:]}
    frame = pl.DataFrame({"edge": pair // np.uint64(n_patients), "day": day, **flags}).cast(pl.Schema(_CELL))
    return frame.group_by("edge", "day").sum()

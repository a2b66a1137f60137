"""What comes, sooner or later, after what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from pathways.mining.kernels.sequences import Flags, Integers, Sequences, runs_of
from pathways.mining.kernels.sources import Log, Source
from pathways.mining.kernels.tallies import Tally

EVENTUALLY_COLUMNS: dict[str, Any] = {
    "source": pl.String,
    "target": pl.String,
    "n_pairs": pl.Int64,
    "n_patients": pl.Int64,
}
"""Columns of `eventually_follows`."""


def eventually_follows(log: Log) -> pl.DataFrame:
    """Count the pairs of events of one patient, one before the other, by their activities.

    Returns
    -------
    polars.DataFrame
        `EVENTUALLY_COLUMNS`: ``n_pairs`` ordered pairs (the events need not be neighbours), of ``n_patients``
        distinct patients; most frequent first.

    Notes
    -----
    Earlier events are counted as they run, each of a patient's activities at a time: the cost is a patient's events
    times their distinct activities, never the number of pairs.
    """
    source = Source.of(log)
    n = max(len(source.activities), 1)
    pairs, patients = Tally(n * n), Tally(n * n)
    for seq in source.slices(start=False):
        last = _last_of_its_kind(seq)
        for pair, earlier, row in _earlier(seq):
            pairs.add(pair, earlier)
            patients.add(pair[last[row]])
    edge, n_pairs = pairs.counts()
    names = pl.Series(source.activities, dtype=pl.String)
    frame = pl.DataFrame(
        {
            "source": names.gather(edge // n),
            "target": names.gather(edge % n),
            "n_pairs": n_pairs,
            "n_patients": patients.counts()[1],
        }
    )
    return frame.sort("n_pairs", "source", "target", descending=[True, False, False])


def _last_of_its_kind(seq: Sequences) -> Flags:
    """Flag the last event of each activity of each patient."""
    order, runs = runs_of(seq.activity, seq.patient, len(seq.activities))
    flags = np.zeros(seq.n_events, dtype=np.bool_)
    flags[order[np.append(runs, len(order))[1:] - 1]] = True
    return flags


def _earlier(seq: Sequences) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Yield, for each patient's first, second, ... distinct activity, the events that such events came before.

    Each time: the pair (earlier activity, activity) of an event, how many such events came before it, and its row.
    """
    n, kind = len(seq.activities), _kinds(seq)
    activity = seq.activity.astype(np.int64)
    most, end = np.maximum.reduceat(kind, seq.first) if len(kind) else kind, seq.last + 1
    for place in range(int(kind.max(initial=-1)) + 1):
        who = np.flatnonzero(most >= place)
        lengths = seq.lengths[who]
        rows = np.repeat(end[who] - np.cumsum(lengths), lengths) + np.arange(lengths.sum())
        here = kind[rows] == place
        so_far = np.cumsum(here) - here
        begins = np.cumsum(lengths) - lengths
        earlier = so_far - np.repeat(so_far[begins], lengths)
        of_place = activity[rows[here & (earlier == 0)]]
        after = earlier > 0
        pair = np.repeat(of_place, lengths)[after] * n + activity[rows[after]]
        yield pair, earlier[after], rows[after]


def _kinds(seq: Sequences) -> Integers:
    """Number the distinct activities of each patient 0, 1, ... and return the number of each event's."""
    order, runs = runs_of(seq.activity, seq.patient, len(seq.activities))
    owner = seq.patient[order[runs]]
    by_patient = np.argsort(owner, kind="stable")
    ranked = np.arange(len(runs)) - np.searchsorted(owner[by_patient], owner[by_patient])
    number = np.empty(len(runs), dtype=np.int64)
    number[by_patient] = ranked
    kinds = np.empty(seq.n_events, dtype=np.int64)
    kinds[order] = np.repeat(number, np.diff(runs, append=len(order)))
    return kinds

"""Whole pathways: their sequence and their duration."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from eventlogs.log import EventLog
from pathways.mining.kernels.sequences import DAY_US, Flags, Integers, Sequences


def case_durations(log: EventLog) -> pl.DataFrame:
    """Return ``patient_id``, ``n_events``, ``days`` from first to last event: one row a patient with events."""
    seq = Sequences.of(log)
    ids = log.events["patient_id"].gather(seq.first)
    days, lengths = _durations(seq), seq.last - seq.first + 1
    return pl.DataFrame({"patient_id": ids, "n_events": lengths, "days": days})


def _durations(seq: Sequences) -> NDArray[np.float64]:
    return (seq.start_us[seq.last] - seq.start_us[seq.first]) / DAY_US


def variants(log: EventLog, *, collapse: bool = False) -> pl.DataFrame:
    """Count the patients by their whole sequence of activities.

    Parameters
    ----------
    log : EventLog
        Any log.
    collapse : bool
        Write a run of one activity once; durations still run from the first to the last event.

    Returns
    -------
    polars.DataFrame
        ``variant`` (list of str), ``n_patients``, ``median_days`` (first to last event); most frequent first,
        then by the activities' names.
    """
    return variants_of(Sequences.of(log), collapse)


def variants_of(seq: Sequences, collapse: bool) -> pl.DataFrame:
    keep = _run_starts(seq) if collapse else np.ones(len(seq.activity), dtype=np.bool_)
    words = seq.activity[keep].astype(np.min_scalar_type(len(seq.activities)).newbyteorder(">"))
    ends = np.cumsum(keep)
    offsets = np.append(0, ends[seq.last]) * words.itemsize
    frame = pl.DataFrame({"word": _binary(offsets, words), "days": _durations(seq)})
    counts = frame.group_by("word").agg(
        n_patients=pl.len().cast(pl.Int64), median_days=pl.col("days").median()
    )
    ranked = counts.sort("n_patients", "word", descending=[True, False])
    spelt = _spell(ranked["word"], seq.activities, words.dtype)
    return ranked.select(spelt.alias("variant"), "n_patients", "median_days")


def _run_starts(seq: Sequences) -> Flags:
    new = np.ones(len(seq.activity), dtype=np.bool_)
    new[1:] = (seq.activity[1:] != seq.activity[:-1]) | (seq.patient[1:] != seq.patient[:-1])
    return new


def _binary(offsets: Integers, words: NDArray[Any]) -> pl.Series:
    """Return one byte string a patient: codes side by side, compared as they are."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(np.ascontiguousarray(words))]
    array = pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
    return pl.Series(array, dtype=pl.Binary)


def _spell(words: pl.Series, names: list[str], dtype: np.dtype[Any]) -> pl.Series:
    """Return each byte string as its list of activity names."""
    codes = np.frombuffer(b"".join(words), dtype=dtype).astype(np.int64)
    activities = pl.Series(names, dtype=pl.String).gather(codes)
    lengths = words.bin.size().to_numpy() // dtype.itemsize
    frame = pl.DataFrame({"row": np.repeat(np.arange(len(words)), lengths), "activity": activities})
    return frame.group_by("row", maintain_order=True).agg("activity")["activity"]

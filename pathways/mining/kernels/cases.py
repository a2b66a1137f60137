"""Whole pathways: their sequence and their duration."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from pathways.mining.kernels.arrow import series
from pathways.mining.kernels.sequences import DAY_US, Flags, Integers, Sequences
from pathways.mining.kernels.sources import Log, Source


def case_durations(log: Log) -> pl.DataFrame:
    """Return ``patient_id``, ``n_events``, ``days`` from first to last event: one row a patient with events, by id."""
    schema = {"patient_id": pl.String, "n_events": pl.Int64, "days": pl.Float64}
    frames = [
        pl.DataFrame({"patient_id": seq.ids, "n_events": seq.lengths, "days": _durations(seq)}, schema=schema)
        for seq in Source.of(log).slices(ids=True)
    ]
    return pl.concat([pl.DataFrame(schema=schema), *frames]).sort("patient_id")


def _durations(seq: Sequences) -> NDArray[np.float64]:
    return (seq.start_us[seq.last] - seq.start_us[seq.first]) / DAY_US


def variants(log: Log, *, collapse: bool = False) -> pl.DataFrame:
    """Count the patients by their whole sequence of activities.

    Parameters
    ----------
    log : EventLog or EventScan
        Any log.
    collapse : bool
        Write a run of one activity once; durations still run from the first to the last event.

    Returns
    -------
    polars.DataFrame
        ``variant`` (list of str), ``n_patients``, ``median_days`` (first to last event); most frequent first,
        then by the activities' names.
    """
    source = Source.of(log)
    letter = np.min_scalar_type(len(source.activities)).newbyteorder(">")
    parts = [_words(seq, letter, collapse) for seq in source.slices()]
    words = pl.concat([pl.DataFrame(schema={"word": pl.Binary, "days": pl.Float64}), *parts])
    counts = words.group_by("word").agg(
        n_patients=pl.len().cast(pl.Int64), median_days=pl.col("days").median()
    )
    ranked = counts.sort("n_patients", "word", descending=[True, False])
    spelt = _spell(ranked["word"], source.activities, letter)
    return ranked.select(spelt.alias("variant"), "n_patients", "median_days")


def _words(seq: Sequences, letter: np.dtype[Any], collapse: bool) -> pl.DataFrame:
    """Return ``word`` (codes side by side, compared as bytes) and ``days``, one row a patient."""
    if not collapse:
        offsets, letters = np.append(seq.first, seq.n_events), seq.activity.astype(letter)
    else:
        keep = _run_starts(seq)
        offsets, letters = np.append(0, np.cumsum(keep)[seq.last]), seq.activity[keep].astype(letter)
    return pl.DataFrame({"word": _binary(offsets * letter.itemsize, letters), "days": _durations(seq)})


def _run_starts(seq: Sequences) -> Flags:
    new = np.ones(seq.n_events, dtype=np.bool_)
    new[1:] = seq.activity[1:] != seq.activity[:-1]
    new[seq.first] = True
    return new


def _binary(offsets: Integers, letters: NDArray[Any]) -> pl.Series:
    buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(np.ascontiguousarray(letters))]
    array = pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
    return series(array)


def _spell(words: pl.Series, names: list[str], letter: np.dtype[Any]) -> pl.Series:
    """Return each byte string as its list of activity names."""
    if words.is_empty():
        return pl.Series(dtype=pl.List(pl.String))
    _, ends, stored = words.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    bytes_before = np.frombuffer(ends, dtype=np.int64, count=len(words) + 1)
    letters = np.frombuffer(stored, dtype=letter, count=int(bytes_before[-1]) // letter.itemsize)
    activities = pl.Series(names, dtype=pl.String).gather(letters.astype(np.uint32)).to_arrow()
    offsets = pa.py_buffer(bytes_before // letter.itemsize)
    lists = pa.Array.from_buffers(
        pa.large_list(activities.type), len(words), [None, offsets], children=[activities]
    )
    return series(lists)

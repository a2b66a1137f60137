"""What pm4py's miners and checks read of a log, counted from distinct variants and their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import polars as pl

from eventlogs.errors import LogError
from pathways.mining.maps import ProcessMap

Variants = ProcessMap | pl.DataFrame
"""A map, or its frame of variants: ``variant`` (list of str, repeats kept), ``n_patients``."""

Word = tuple[str, ...]


def weights_of(variants: Variants) -> dict[Word, int]:
    """Return patients by sequence, most frequent first.

    Raises
    ------
    LogError
        There is no patient.
    """
    frame = variants.variants if isinstance(variants, ProcessMap) else variants
    if frame.is_empty():
        raise LogError("the map has no patient; a model needs at least one")
    return {tuple(word): n for word, n in frame.select("variant", "n_patients").rows()}


def pairs(weights: dict[Word, int], window: int = 1) -> dict[tuple[str, str], int]:
    """Count the events followed, `window` places later, by another of the same patient; by name."""
    neighbours = _rows(weights).with_columns(
        target=pl.col("activity").shift(-window), same=pl.col("row") == pl.col("row").shift(-window)
    )
    counted = neighbours.filter("same").group_by("activity", "target").agg(pl.col("n").sum())
    return {(source, target): n for source, target, n in counted.sort("activity", "target").rows()}


def returns(weights: dict[Word, int]) -> dict[tuple[str, str, str], int]:
    """Count three neighbours A, B, A where B is another activity; by name."""
    rows = _rows(weights).with_columns(
        between=pl.col("activity").shift(-1),
        again=pl.col("activity").shift(-2),
        same=pl.col("row") == pl.col("row").shift(-2),
    )
    back = (pl.col("activity") == pl.col("again")) & (pl.col("activity") != pl.col("between"))
    counted = rows.filter(pl.col("same") & back).group_by("activity", "between").agg(pl.col("n").sum())
    return {(a, b, a): n for a, b, n in counted.sort("activity", "between").rows()}


def occurrences(weights: dict[Word, int]) -> dict[str, int]:
    """Count the events by activity, by name."""
    return dict(_rows(weights).group_by("activity").agg(pl.col("n").sum()).sort("activity").rows())


def terminals(weights: dict[Word, int], place: int) -> dict[str, int]:
    """Count the patients by the activity at `place` of their sequence: 0 the first, -1 the last; by name."""
    counted: Counter[str] = Counter()
    for word, n in weights.items():
        counted[word[place]] += n
    return dict(sorted(counted.items()))


def prefixes(weights: dict[Word, int]) -> dict[Word, Counter[str]]:
    """Return, by non-empty proper prefix, the patients by what comes next."""
    following: dict[Word, Counter[str]] = {}
    for word, n in weights.items():
        for prefix, activity in _steps(word):
            following.setdefault(prefix, Counter())[activity] += n
    return following


def _steps(word: Word) -> Iterator[tuple[Word, str]]:
    return ((word[:place], word[place]) for place in range(1, len(word)))


def _rows(weights: dict[Word, int]) -> pl.DataFrame:
    """One row an event of each distinct sequence: ``row``, ``activity``, ``n`` patients."""
    frame = pl.DataFrame(
        {"activity": [list(word) for word in weights], "n": list(weights.values())},
        schema={"activity": pl.List(pl.String), "n": pl.Int64},
    )
    return frame.with_row_index("row").explode("activity")

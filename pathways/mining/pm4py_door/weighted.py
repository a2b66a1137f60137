"""What pm4py's miners and checks read of a log, counted from distinct variants and their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

from eventlogs.errors import LogError
from pathways.mining.maps import ProcessMap

Variants = ProcessMap | pl.DataFrame
"""A map, or its frame of variants: ``variant`` (list of str, repeats kept), ``n_patients``."""

Word = tuple[str, ...]


def frame_of(variants: Variants) -> pl.DataFrame:
    """Return ``variant``, ``n_patients``, without the row of a released frame that names no activity.

    Raises
    ------
    LogError
        There is no patient.
    """
    frame = variants.variants if isinstance(variants, ProcessMap) else variants
    named = frame.filter(pl.col("variant").list.len() > 0)
    if named.is_empty():
        raise LogError("the map has no patient; a model needs at least one")
    return named.select("variant", "n_patients")


def weights_of(variants: Variants) -> Counter[Word]:
    """Return patients by sequence, in the order of the rows; a sequence that comes twice is counted together."""
    weights: Counter[Word] = Counter()
    for word, n in frame_of(variants).rows():
        weights[tuple(word)] += n
    return weights


def events_of(variants: Variants) -> pl.DataFrame:
    """Return one row an event of each distinct sequence: ``row``, ``activity`` (categorical), ``n`` patients."""
    rows = frame_of(variants).with_row_index("row").explode("variant")
    return rows.select("row", activity=pl.col("variant").cast(pl.Categorical), n="n_patients")


def pairs(events: pl.DataFrame, window: int = 1) -> dict[tuple[str, str], int]:
    """Count the events of `events_of` followed, `window` places later, by another of their patient; by name."""
    then = events.select("row", "activity").slice(window).rename({"row": "row_then", "activity": "then"})
    both = pl.concat([events.head(then.height), then], how="horizontal").filter(
        pl.col("row") == pl.col("row_then")
    )
    counted = _counted(both, "activity", "then")
    return {(source, target): n for source, target, n in counted.rows()}


def returns(events: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    """Count three neighbours A, B, A of `events_of` where B is another activity; by name."""
    rows = events.with_columns(
        between=pl.col("activity").shift(-1),
        again=pl.col("activity").shift(-2),
        same=pl.col("row") == pl.col("row").shift(-2),
    )
    back = (pl.col("activity") == pl.col("again")) & (pl.col("activity") != pl.col("between"))
    counted = _counted(rows.filter(pl.col("same") & back), "activity", "between")
    return {(a, b, a): n for a, b, n in counted.rows()}


def occurrences(events: pl.DataFrame) -> dict[str, int]:
    """Count the events of `events_of` by activity, by name."""
    return dict(_counted(events, "activity").rows())


def _counted(events: pl.DataFrame, *names: str) -> pl.DataFrame:
    counts = events.group_by(names).agg(pl.col("n").sum())
    return counts.with_columns(pl.col(names).cast(pl.String)).select(*names, "n").sort(names)


def terminals(variants: Variants, place: int) -> dict[str, int]:
    """Count the patients by the activity at `place` of their sequence: 0 the first, -1 the last; by name."""
    rows = frame_of(variants).select(activity=pl.col("variant").list.get(place), n="n_patients")
    return dict(_counted(rows, "activity").rows())


def prefixes(weights: Mapping[Word, int]) -> dict[Word, Counter[str]]:
    """Return, by proper prefix and the empty one, the patients by what comes next."""
    following: dict[Word, Counter[str]] = {}
    for word, n in weights.items():
        for place, activity in enumerate(word):
            following.setdefault(word[:place], Counter())[activity] += n
    return following

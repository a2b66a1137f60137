"""Drift: shares of steps by merged months, the changes found in them, and how far each month is from all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pathways.definition import Language, Pathway
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    conform,
    released_table,
)
from pathways.mining.drift import Drift
from pathways.mining.kernels import ELSEWHERE, END

Integers = NDArray[np.int64]

LISTED_SHARE = 0.1
"""Steps that take this share of the steps from their source are listed, the others pooled: with rarer ones, months
would have to be merged into years. An operational choice."""

SHARE_STEP = 5
"""Shares before and after a change are rounded to a multiple of this, in percent."""

MONTH_COLUMNS: dict[str, Any] = {
    "kind": pl.String,
    "source": pl.String,
    "target": pl.String,
    "month_from": pl.Date,
    "month_to": pl.Date,
    "n_patients": pl.Int64,
    "n_of": pl.Int64,
    "share": pl.Float64,
    "ratio": pl.Float64,
}
CHANGE_COLUMNS: dict[str, Any] = {
    "kind": pl.String,
    "source": pl.String,
    "target": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    "month": pl.Date,
    "direction": pl.String,
    "percent_before": pl.Int64,
    "percent_after": pl.Int64,
    "q_value": pl.Float64,
    "cause": pl.String,
    "reason": pl.String,
}
DISTANCE_COLUMNS: dict[str, Any] = {
    "month": pl.Date,
    "distance": pl.Float64,
    "chance_95": pl.Float64,
}


def release_drift(
    drift: Drift,
    nodes: Released,
    edges: Released,
    *,
    pathway: Pathway | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> tuple[Released, Released, Released]:
    """Release monthly shares, changes and distances.

    Parameters
    ----------
    drift : Drift
        From `pathways.mining.drift.drift`, of the patients of `nodes` and `edges`.
    nodes, edges : Released
        From `release_map`: of which the monthly counts are parts.
    pathway : Pathway, optional
        Gives labels.

    Returns
    -------
    drift : Released
        `MONTH_COLUMNS`. Steps: months are merged, source by source, until each listed step and the pooled rest
        (``*``) hold the threshold. Activities: the ratio of observed to expected only.
    drift_changes : Released
        `CHANGE_COLUMNS`: changes of what `nodes` and `edges` show; shares are rounded, or null where they would tell of
        few.
    drift_distance : Released
        `DISTANCE_COLUMNS`, months of enough patients.

    Notes
    -----
    The patients of a source and month are split into its steps, so counts of any steps and months are 0 or at least
    the threshold. Where all months together leave a few of a published node or edge, the first months are not shown.
    """
    published = _published(drift.level, nodes, edges)
    shown = _shown(drift, published)
    months = pl.concat(
        [_steps(drift.months, published, shown, policy), _activities(drift.months, shown, policy)]
    )
    changes = _changes(drift, shown, pathway, policy)
    distance = drift.distance.filter(pl.col("n_patients") >= 10 * policy.threshold)
    rounded = conform(distance.with_columns(pl.col("distance", "chance_95").round(2)), DISTANCE_COLUMNS)
    words = {"denominator": "patients who reach the source that month", "rounded": "see the data contracts"}
    hidden = {
        "drift": drift.months.select("kind", "source", "target").n_unique()
        - months.select("kind", "source", "target").n_unique(),
        "drift_changes": drift.changes.height - changes.height,
        "drift_distance": drift.distance.height - rounded.height,
    }
    told = {"drift": months, "drift_changes": changes, "drift_distance": rounded}
    numerator = "patients who take the step within the days of a step"
    one, two, three = (
        released_table(name, table, policy, origin, numerator=numerator, suppressed=hidden[name], **words)
        for name, table in told.items()
    )
    return one, two, three


Totals = Mapping[tuple[str, ...], int]


def _published(level: str, nodes: Released, edges: Released) -> Totals:
    """Return the counts of patients, and of steps, that monthly counts are part of; None is 0 where it is hidden."""
    of_level = (frame.frame.filter(pl.col("level") == level) for frame in (nodes, edges))
    node, edge = of_level
    totals: dict[tuple[str, ...], int] = {("all",): int(str(nodes.meta["denominator"]))}
    phases = dict(nodes.frame.filter(level="phase").select("activity", "n_patients").rows())
    for name, phase, n in node.select("activity", "phase", "n_patients").rows():
        totals["node", name] = n or 0
        totals["phase", name] = phases.get(phase) or 0
    for source, target, n, steps in edge.select("source", "target", "n_patients", "n_events").rows():
        totals["edge", source, target] = n or 0
        totals["steps", source, target] = steps or 0
    return totals


def _shown(drift: Drift, published: Totals) -> pl.DataFrame:
    """Return the series that the map shows: ``kind``, ``source``, ``target``."""
    series = drift.months.select("kind", "source", "target").unique().sort("kind", "source", "target")
    flags = [_is_shown(kind, source, target, published) for kind, source, target in series.rows()]
    return series.filter(pl.Series(flags, dtype=pl.Boolean))


def _is_shown(kind: str, source: str, target: str, published: Totals) -> bool:
    if kind == "edge":
        return ("node", source) in published and (target == END or ("edge", source, target) in published)
    return ("node", target if kind == "activity" else source) in published


def _steps(
    months: pl.DataFrame, published: Totals, shown: pl.DataFrame, policy: DisclosurePolicy
) -> pl.DataFrame:
    edges = months.filter(pl.col("kind") == "edge")
    named = set(shown.filter(pl.col("kind") == "edge").select("source", "target").rows())
    frames = [
        _of_source(str(source), rows, named, published, policy)
        for (source,), rows in edges.group_by("source", maintain_order=True)
        if ("node", str(source)) in published
    ]
    return pl.concat([pl.DataFrame(schema=MONTH_COLUMNS), *frames])


def _of_source(
    source: str,
    rows: pl.DataFrame,
    named: set[tuple[str, str]],
    published: Totals,
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    """Merge the months of the steps from one source."""
    wide = rows.pivot("target", index="month", values="n_patients").sort("month")
    counts = {
        target: wide[target].to_numpy().astype(np.int64) for target in wide.columns if target != "month"
    }
    listed, rest = _listed(counts, {target for target in counts if (source, target) in named})
    cells = {target: counts[target] for target in listed} | ({ELSEWHERE: rest} if rest.any() else {})
    if not listed or len(cells) < 2:
        return pl.DataFrame(schema=MONTH_COLUMNS)
    bins = _bins(np.array(list(cells.values())), policy.threshold)
    bins = _without_small_rest(bins, cells, source, published, policy)
    frames = [
        _binned(wide["month"], counts, np.sum(list(cells.values()), axis=0), bins).with_columns(
            kind=pl.lit("edge"), source=pl.lit(source), target=pl.lit(target), ratio=pl.lit(None, pl.Float64)
        )
        for target, counts in cells.items()
    ]
    return pl.concat(
        [pl.DataFrame(schema=MONTH_COLUMNS), *(conform(frame, MONTH_COLUMNS) for frame in frames)]
    )


def _listed(counts: Mapping[str, Integers], nameable: set[str]) -> tuple[list[str], Integers]:
    """Return the frequent steps, and the sum of the others; a rest that is rare takes the rarest of the frequent."""
    total = sum(int(column.sum()) for column in counts.values())
    by_size = sorted(nameable, key=lambda target: (-int(counts[target].sum()), target))
    listed = [target for target in by_size if counts[target].sum() >= LISTED_SHARE * total]
    while True:
        others = [column for target, column in counts.items() if target not in listed]
        rest: Integers = np.sum([*others, np.zeros_like(next(iter(counts.values())))], axis=0)
        if not listed or not 0 < rest.sum() < LISTED_SHARE * total:
            return listed, rest
        listed.pop()


def _bins(cells: Integers, least: int) -> list[list[int]]:
    """Return runs of neighbouring months such that each cell holds at least `least`; what is left joins the last."""
    bins: list[list[int]] = []
    run: list[int] = []
    for month in range(cells.shape[1]):
        run.append(month)
        if (cells[:, run].sum(axis=1) >= least).all():
            bins.append(run)
            run = []
    if bins:
        bins[-1] = bins[-1] + run
    return bins


def _without_small_rest(
    bins: list[list[int]],
    cells: Mapping[str, Integers],
    source: str,
    published: Totals,
    policy: DisclosurePolicy,
) -> list[list[int]]:
    """Drop the first bins until no published count minus all of its months is small."""
    while bins and any(
        0 < rest < policy.threshold for rest in _rests(list(chain(*bins)), cells, source, published)
    ):
        bins = bins[1:]
    return bins


def _rests(months: list[int], cells: Mapping[str, Integers], source: str, published: Totals) -> list[int]:
    """Return what the months leave of all patients, of the source and of each listed step, their nodes and phases.

    A hidden node is in its phase and in all patients: who wasn't seen at the source is not told of them either.
    """
    sums = {target: int(counts[months].sum()) for target, counts in cells.items()}
    of_source: tuple[tuple[str, ...], ...] = (("all",), ("phase", source), ("node", source))
    wholes = [(key, sum(sums.values())) for key in of_source]
    for target, n in sums.items():
        wholes += [(key, n) for key in of_source]
        if target not in (END, ELSEWHERE):
            step = (source, target)
            inside = (("edge", *step), ("steps", *step), ("node", target), ("phase", target))
            wholes += [(key, n) for key in inside]
    return [published[key] - n for key, n in wholes if published.get(key, 0) > 0]


def _binned(months: pl.Series, counts: Integers, of: Integers, bins: list[list[int]]) -> pl.DataFrame:
    rows = [
        {
            "month_from": months[run[0]],
            "month_to": months[run[-1]],
            "n_patients": int(counts[run].sum()),
            "n_of": int(of[run].sum()),
        }
        for run in bins
    ]
    frame = pl.DataFrame(
        rows, schema={name: MONTH_COLUMNS[name] for name in ("month_from", "month_to", "n_patients", "n_of")}
    )
    return frame.with_columns(share=(pl.col("n_patients") / pl.col("n_of")).round(3))


def _activities(months: pl.DataFrame, shown: pl.DataFrame, policy: DisclosurePolicy) -> pl.DataFrame:
    """Return the ratio of observed to expected first events by merged months; no count."""
    wanted = months.filter(pl.col("kind") == "activity").join(
        shown, on=["kind", "source", "target"], how="semi"
    )
    frames = [pl.DataFrame(schema=MONTH_COLUMNS)]
    for _, rows in wanted.group_by("target", maintain_order=True):
        observed = rows["n_patients"].to_numpy().astype(np.int64)
        expected = rows["expected"].to_numpy()
        told = [
            {
                **rows.select("kind", "source", "target").row(0, named=True),
                "month_from": rows["month"][run[0]],
                "month_to": rows["month"][run[-1]],
                "ratio": round(float(observed[run].sum() / expected[run].sum()), 2),
            }
            for run in _bins(np.array([observed, np.floor(expected).astype(np.int64)]), policy.threshold)
        ]
        frames.append(conform(_with_all(pl.DataFrame(told)), MONTH_COLUMNS) if told else frames[0])
    return pl.concat(frames)


def _with_all(frame: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in MONTH_COLUMNS if name not in frame.columns]
    return frame.with_columns(pl.lit(None, MONTH_COLUMNS[name]).alias(name) for name in missing)


def _changes(
    drift: Drift, shown: pl.DataFrame, pathway: Pathway | None, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Return the changes of shown series; shares of a step with one change where they span enough patients."""
    series = ["kind", "source", "target"]
    changes = drift.changes.join(shown, on=series, how="semi", maintain_order="left").with_columns(
        alone=pl.len().over(series) == 1
    )
    flags = [row["alone"] and _spans_enough(row, policy.threshold) for row in changes.to_dicts()]
    safe = pl.Series(flags, dtype=pl.Boolean)
    labels: tuple[Language, ...] = ("fr", "en")
    told = changes.with_columns(
        direction=pl.when(pl.col("ratio").fill_null(2) >= 1).then(pl.lit("up")).otherwise(pl.lit("down")),
        percent_before=pl.when(safe).then(_percent("share_before")),
        percent_after=pl.when(safe).then(_percent("share_after")),
        q_value=pl.col("q_value").round(3),
        cause="label",
        **{
            f"label_{language}": pl.Series(
                [_label(row, language, pathway) for row in changes.select(series).rows()], dtype=pl.String
            )
            for language in labels
        },
    )
    return conform(told, CHANGE_COLUMNS)


def _percent(name: str) -> pl.Expr:
    return ((pl.col(name) * 100 / SHARE_STEP + 0.5).floor() * SHARE_STEP).cast(pl.Int64)


def _spans_enough(row: Mapping[str, Any], least: int) -> bool:
    """Say whether the patients before, and after, may still vary enough, their sum being known."""
    if row["kind"] != "edge":
        return False
    sides = [_limits(row[f"share_{side}"], row[f"of_{side}"]) for side in ("before", "after")]
    total = row["n_before"] + row["n_after"]
    (low, high), (low_other, high_other) = sides
    return bool(min(high, total - low_other) - max(low, total - high_other) >= least)


def _limits(share: float, of: int) -> tuple[float, float]:
    """Return between what the patients of a rounded share may lie."""
    percent = float(np.floor(share * 100 / SHARE_STEP + 0.5) * SHARE_STEP)
    return max(0.0, (percent - SHARE_STEP / 2) / 100 * of), min(
        float(of), (percent + SHARE_STEP / 2) / 100 * of
    )


NO_STEP: dict[Language, str] = {"fr": "aucune étape", "en": "no step"}


def _label(series: tuple[str, str, str], language: Language, pathway: Pathway | None) -> str:
    kind, source, target = series
    names = [
        NO_STEP[language] if word == END else word if pathway is None else pathway.name(word, language)
        for word in (source, target)
        if word
    ]
    return {"edge": " → ", "code": " : ", "activity": ""}[kind].join(names)

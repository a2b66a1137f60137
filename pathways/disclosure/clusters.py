"""Clusters of pathways: how many patients follow each, and what it is rich in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pathways.definition import Pathway
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    conform,
    released_table,
)
from pathways.mining.cluster import ARROW, Clustering, cluster_names

Numbers = NDArray[np.float64]

SHARE_STEP = 10
"""Shares of traits are rounded to a multiple of this, in percent."""

TRAITS_SHOWN = 6
"""Traits shown of a cluster."""

CLUSTER_COLUMNS: dict[str, Any] = {
    "cluster": pl.Int64,
    "name_fr": pl.String,
    "name_en": pl.String,
    "level": pl.String,
    "sequence": pl.List(pl.String),
    "n_patients": pl.Int64,
    "share": pl.Float64,
    "median_days": pl.Int64,
    "silhouette": pl.Float64,
    "jaccard": pl.Float64,
    "stable": pl.Boolean,
}
TRAIT_COLUMNS: dict[str, Any] = {
    "cluster": pl.Int64,
    "kind": pl.String,
    "trait": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    "percent": pl.Int64,
    "percent_elsewhere": pl.Int64,
}


def release_clusters(
    clustering: Clustering,
    nodes: Released,
    edges: Released,
    variants: Released,
    *,
    pathway: Pathway | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> tuple[Released, Released]:
    """Release the clusters of pathways, and what is over-represented in them.

    Parameters
    ----------
    clustering : Clustering
        From `pathways.mining.cluster.clusters`, of all patients that `variants` counts.
    nodes, edges : Released
        From `release_map` on the same log: how many patients have a step, or two neighbours, in all.
    variants : Released
        From `release_milestones` or `release_variants`: who knows how clusters are made can tell the cluster of
        each listed sequence.
    pathway : Pathway, optional
        Gives labels, and the phase of each activity.

    Returns
    -------
    clusters : Released
        `CLUSTER_COLUMNS`; ``sequence`` is the medoid where enough patients share it, else the most frequent sequence
        of the cluster where enough share that, else null. A cluster of too few patients is absent; ``n_patients`` and
        ``share`` are null where they would tell of few. Clusters are numbered anew, the largest first, then those
        without a count.
    cluster_traits : Released
        `TRAIT_COLUMNS`: shares in percent, rounded.

    Notes
    -----
    A count is told where the cluster's patients whose sequence is not listed are nobody or at least the threshold, and
    so are those of all clusters without a count together; and where all of these patients of some clusters have a
    step (or none has it), those with the step (or without) elsewhere likewise. A rounded share is told where the
    patients who may have the trait still span the threshold, knowing how many have it in all.
    """
    known = _known(clustering, variants, pathway)
    hidden = _hidden(known, _published(clustering.level, nodes, edges), policy)
    shown = clustering.clusters.filter(pl.col("n_patients") >= policy.threshold)
    told = clustering.traits.filter(pl.col("over_represented"), pl.col("n_with") >= policy.threshold)
    table = _cluster_frame(clustering, shown=shown, known=known, told=told, pathway=pathway, policy=policy)
    counted = _counted(table, hidden, known, policy)
    rows = _traits(clustering, told=told, known=known, pathway=pathway, policy=policy)
    counted, rows = _renumbered(counted, rows)
    words = {
        "denominator": "patients with at least one event",
        "rounded": f"durations to whole days, shares to 3 decimals, shares of traits to {SHARE_STEP} %",
    }
    of_clusters = {"numerator": "patients whose sequence is nearest", "suppressed": len(hidden)}
    of_traits = {"numerator": "patients with the trait", "suppressed": told.height - rows.height}
    return (
        released_table("clusters", counted, policy, origin, **words, **of_clusters),
        released_table("cluster_traits", rows, policy, origin, **words, **of_traits),
    )


def _known(clustering: Clustering, variants: Released, pathway: Pathway | None) -> pl.DataFrame:
    """Add to distinct sequences the patients that listed variants tell: ``n_listed``, with finer ones ``n_told``."""
    listed = variants.frame.filter(pl.col("variant").list.len() > 0).select("level", "variant", "n_patients")
    own = listed.filter(pl.col("level") == clustering.level).select(
        pl.col("variant").alias("sequence"), n_listed="n_patients"
    )
    finer = listed.filter(pl.col("level") == "activity") if clustering.level == "phase" else listed.clear()
    images = [_image(each, pathway) for each in finer["variant"].to_list()]
    by_image = pl.DataFrame(
        {"sequence": images, "n_finer": finer["n_patients"]},
        schema_overrides={"sequence": pl.List(pl.String)},
    )
    told = by_image.group_by("sequence").agg(pl.col("n_finer").sum())
    return (
        clustering.sequences.join(own, on="sequence", how="left", maintain_order="left")
        .join(told, on="sequence", how="left", maintain_order="left")
        .with_columns(pl.col("n_listed").fill_null(0))
        .with_columns(n_told=pl.max_horizontal("n_listed", pl.col("n_finer").fill_null(0)))
        .drop("n_finer")
    )


def _published(level: str, nodes: Released, edges: Released) -> set[str]:
    """Return the steps, and the pairs of neighbours, whose patients are published."""
    of_level = "phase" if level == "milestone" else level
    steps = nodes.frame.filter(pl.col("level") == of_level).drop_nulls("n_patients")["activity"]
    if level == "milestone":
        return set(steps)
    pairs = (
        edges.frame.filter(pl.col("level") == of_level).drop_nulls("n_patients").select("source", "target")
    )
    return {*steps, *(ARROW.join(pair) for pair in pairs.rows())}


def _image(sequence: list[str], pathway: Pathway | None) -> list[str]:
    phases = {} if pathway is None else pathway.phase_of()
    return [phase for phase, _ in groupby(phases.get(name, name) for name in sequence)]


@dataclass(frozen=True)
class _Rest:
    """Patients of a group of clusters that no listed sequence tells, in all and by trait of their sequences."""

    n_patients: int
    rest: int
    having: Mapping[str, int]

    def __add__(self, other: _Rest) -> _Rest:
        names = {*self.having, *other.having}
        having = {name: self.having.get(name, 0) + other.having.get(name, 0) for name in names}
        return _Rest(self.n_patients + other.n_patients, self.rest + other.rest, having)


def _rests(known: pl.DataFrame, told: str, published: set[str]) -> dict[int, _Rest]:
    rows = known.with_row_index("row").with_columns(rest=pl.col("n_patients") - pl.col(told))
    having = (
        _marks(rows.filter(pl.col("rest") > 0))
        .filter(pl.col("mark").is_in(sorted(published)))
        .group_by("cluster", "mark")
        .agg(pl.col("rest").sum())
    )
    sums = rows.group_by("cluster").agg(pl.col("n_patients", "rest").sum()).sort("cluster")
    return {
        cluster: _Rest(
            n, rest, dict(having.filter(pl.col("cluster") == cluster).select("mark", "rest").rows())
        )
        for cluster, n, rest in sums.rows()
    }


def _marks(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows once for each step of their sequence and each pair of neighbours, as ``mark``."""
    steps = rows.explode("sequence").drop_nulls("sequence").rename({"sequence": "mark"})
    following = pl.col("mark") + ARROW + pl.col("mark").shift(-1).over("row")
    pairs = steps.with_columns(mark=following).drop_nulls("mark")
    return pl.concat([steps, pairs]).unique(["row", "mark"])


def _hidden(known: pl.DataFrame, published: set[str], policy: DisclosurePolicy) -> set[int]:
    """Return the clusters without a count: it would tell of few patients, alone, together, or by a step they share."""
    hidden: set[int] = set()
    while True:
        more = {
            cluster
            for told in ("n_listed", "n_told")
            for cluster in _next_to_hide(_rests(known, told, published), hidden, policy)
        }
        if not more - hidden:
            return hidden
        hidden |= more


def _next_to_hide(rests: Mapping[int, _Rest], hidden: set[int], policy: DisclosurePolicy) -> set[int]:
    shown = {cluster: rest for cluster, rest in rests.items() if cluster not in hidden}
    if small := {cluster for cluster, rest in shown.items() if _is_small(rest, policy)}:
        return small
    pool = sum((rests[cluster] for cluster in hidden), _Rest(0, 0, {}))
    groups = [*shown.values(), *([pool] if hidden else [])]
    alone = len(hidden) == 1 or (bool(hidden) and _is_small(pool, policy))
    if alone or _has_small_complement(groups, policy):
        by_size = sorted(shown, key=lambda cluster: (shown[cluster].n_patients, -cluster))
        return set(by_size[:1])
    return set()


def _is_small(rest: _Rest, policy: DisclosurePolicy) -> bool:
    return 0 < rest.rest < policy.threshold or 0 < rest.n_patients < policy.threshold


def _has_small_complement(groups: list[_Rest], policy: DisclosurePolicy) -> bool:
    """Say whether groups that all have (or lack) a trait leave a few who have (or lack) it elsewhere."""
    for mark in {mark for group in groups for mark in group.having}:
        having = [group.having.get(mark, 0) for group in groups]
        partly = [(n, group.rest - n) for n, group in zip(having, groups, strict=True) if 0 < n < group.rest]
        some_are_whole = any(
            n in (0, group.rest) for n, group in zip(having, groups, strict=True) if group.rest
        )
        if some_are_whole and any(0 < sum(side) < policy.threshold for side in zip(*partly, strict=True)):
            return True
    return False


def _cluster_frame(
    clustering: Clustering,
    *,
    shown: pl.DataFrame,
    known: pl.DataFrame,
    told: pl.DataFrame,
    pathway: Pathway | None,
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    n_patients = int(clustering.clusters["n_patients"].sum())
    sequences = [
        _shared_sequence(known, cluster, medoid, policy)
        for cluster, medoid in shown.select("cluster", "medoid").rows()
    ]
    table = shown.with_columns(
        medoid=pl.Series(sequences, dtype=pl.List(pl.String)),
        median_days=pl.when(pl.col("n_patients") >= 2 * policy.threshold).then(pl.col("median_days").round()),
    )
    named = table.with_columns(*cluster_names(table, told, pathway)).rename({"medoid": "sequence"})
    whole = named.with_columns(
        pl.col("silhouette", "jaccard").round(2),
        level=pl.lit(clustering.level),
        share=(pl.col("n_patients") / max(n_patients, 1)).round(3),
    )
    return conform(whole, CLUSTER_COLUMNS)


def _counted(
    table: pl.DataFrame, hidden: set[int], known: pl.DataFrame, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Hide the counts, and medians that would bound them; order by what remains: counts, then listed patients."""
    listed = known.group_by("cluster").agg(listed=pl.col("n_listed").sum())
    counted = ~pl.col("cluster").is_in(sorted(hidden))
    seen = table.join(listed, on="cluster", how="left").with_columns(
        median_days=pl.when(counted | (pl.col("listed") >= 2 * policy.threshold)).then("median_days"),
        **{name: pl.when(counted).then(name) for name in ("n_patients", "share")},
    )
    order = ["n_patients", "listed", "name_fr"]
    return seen.sort(order, descending=[True, True, False], nulls_last=True).drop("listed")


def _renumbered(table: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the clusters in their released order: the order by size would bound a hidden count."""
    numbers = table.select("cluster", number=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    one, other = (
        frame.join(numbers, on="cluster", maintain_order="left")
        .with_columns(cluster="number")
        .drop("number")
        .sort("cluster", maintain_order=True)
        for frame in (table, rows)
    )
    return one, other


def _shared_sequence(
    known: pl.DataFrame, cluster: int, medoid: list[str], policy: DisclosurePolicy
) -> list[str] | None:
    shared = known.filter(pl.col("cluster") == cluster, pl.col("n_patients") >= policy.threshold)
    candidates: list[list[str]] = shared.sort("n_patients", descending=True, maintain_order=True)[
        "sequence"
    ].to_list()
    return medoid if medoid in candidates else next(iter(candidates), None)


def _traits(
    clustering: Clustering,
    *,
    told: pl.DataFrame,
    known: pl.DataFrame,
    pathway: Pathway | None,
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    wanted = told.filter(pl.int_range(pl.len()).over("cluster") < TRAITS_SHOWN)
    frames = [
        _safe_shares(
            clustering.traits.filter(pl.col("kind") == kind, pl.col("trait") == trait),
            rows["cluster"].to_list(),
            _told_limits(clustering, str(kind), str(trait), known, pathway),
            policy,
        )
        for (kind, trait), rows in wanted.group_by("kind", "trait", maintain_order=True)
    ]
    shares = pl.concat([pl.DataFrame(schema=_SHARE_COLUMNS), *frames])
    rows = wanted.join(shares, on=["cluster", "kind", "trait"], maintain_order="left")
    labels = {
        f"label_{language}": pl.Series(
            [_label(trait, language, pathway) for trait in rows["trait"]], dtype=pl.String
        )
        for language in ("fr", "en")
    }
    return conform(rows.with_columns(**labels), TRAIT_COLUMNS)


def _label(trait: str, language: Any, pathway: Pathway | None) -> str:
    return ARROW.join(
        word if pathway is None else pathway.name(word, language) for word in trait.split(ARROW)
    )


_SHARE_COLUMNS: dict[str, Any] = {name: TRAIT_COLUMNS[name] for name in ("cluster", "kind", "trait")} | {
    "percent": pl.Int64,
    "percent_elsewhere": pl.Int64,
}


def _safe_shares(
    one_trait: pl.DataFrame,
    wanted: list[int],
    limits: pl.DataFrame,
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    """Round the shares of one trait in some clusters, and drop those that say too much, the narrowest first."""
    rows = one_trait.sort("cluster").with_columns(
        percent=_rounded("n_with", "n_patients"),
        percent_elsewhere=_rounded("n_with_elsewhere", "n_elsewhere"),
    )
    clusters = rows["cluster"].to_list()
    bounds = rows.join(limits, on="cluster", how="left", maintain_order="left")
    low, high = (bounds[name].to_numpy().astype(np.float64) for name in ("low", "high"))
    kept = set(wanted)
    while kept:
        spans = _spans(rows, low, high, [cluster in kept for cluster in clusters])
        narrow = {c: span for c, span in zip(clusters, spans, strict=True) if span < policy.threshold}
        if not narrow.keys() & kept:
            break
        kept -= {min(narrow.keys() & kept, key=lambda cluster: narrow[cluster])}
    return conform(rows.filter(pl.col("cluster").is_in(list(kept))), _SHARE_COLUMNS)


def _rounded(part: str, whole: str) -> pl.Expr:
    share = pl.col(part) / pl.max_horizontal(pl.col(whole), 1) * 100 / SHARE_STEP
    return ((share + 0.5).floor() * SHARE_STEP).cast(pl.Int64)


def _told_limits(
    clustering: Clustering, kind: str, trait: str, known: pl.DataFrame, pathway: Pathway | None
) -> pl.DataFrame:
    """Return, by ``cluster``, how many patients have a trait at least (``low``) and at most (``high``).

    Who has an activity has its step, and who has the only activity of a step is who has the step.
    """
    step, is_same = (trait, True) if kind != "activity" else _step_of(clustering, trait, pathway)
    listed = known.filter(pl.col("n_told") > 0).with_row_index("row")
    having = _marks(listed).filter(pl.col("mark") == step)
    told = pl.col("n_told").sum()
    counts = (
        clustering.clusters.select("cluster", "n_patients")
        .join(listed.group_by("cluster").agg(told=told), on="cluster", how="left")
        .join(having.group_by("cluster").agg(with_it=told), on="cluster", how="left")
        .with_columns(pl.col("told", "with_it").fill_null(0))
    )
    is_step = kind != "activity" or step in known["sequence"].explode()
    without = pl.col("told") - pl.col("with_it") if is_step else pl.lit(0)
    low = pl.col("with_it") if is_same else pl.lit(0)
    return counts.select("cluster", low=low, high=pl.col("n_patients") - without)


def _step_of(clustering: Clustering, activity: str, pathway: Pathway | None) -> tuple[str, bool]:
    """Return the step that an activity belongs to, and whether it is the only one of the log that does."""
    if pathway is None or clustering.level == "activity":
        return activity, True
    phases = pathway.phase_of()
    every = clustering.traits.filter(pl.col("kind") == "activity")["trait"].unique().to_list()
    phase = phases.get(activity, activity)
    return phase, sum(phases.get(name, name) == phase for name in every) == 1


def _spans(rows: pl.DataFrame, low: Numbers, high: Numbers, shown: list[bool]) -> Numbers:
    """Return how far the count of each cluster may vary under the rounded shares that are shown and the known total."""
    n, elsewhere, total = (
        rows[name].to_numpy().astype(np.float64) for name in ("n_patients", "n_elsewhere", "n_with")
    )
    everybody, half, flag = total.sum(), SHARE_STEP / 2, np.array(shown)
    inside = [(rows["percent"].to_numpy() + way * half) / 100 * n for way in (-1, 1)]
    outside = [
        everybody - (rows["percent_elsewhere"].to_numpy() + way * half) / 100 * elsewhere for way in (1, -1)
    ]
    low = np.where(flag, np.maximum(low, np.maximum(inside[0], outside[0])), low)
    high = np.where(flag, np.minimum(high, np.minimum(inside[1], outside[1])), high)
    lowest = np.maximum(low, everybody - (high.sum() - high))
    highest = np.minimum(high, everybody - (low.sum() - low))
    spans: Numbers = highest - lowest
    return spans

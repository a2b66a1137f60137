"""The gate: what may leave, and how it is protected.

Every table of `STUDY/released/` is made here. The rule is *no count of 1 to 10 patients*, for what is shown and for
what can be computed from it:

- an edge, a node or a variant of fewer patients is absent; a number that would say it is null;
- hidden flows span at least `DisclosurePolicy.threshold` values under everything published: balance at each node,
  sums of activities over phases, totals (linear programs, see `pathways.suppression`);
- where a published set of patients is part of another, the difference is a count too, and is protected;
- the parts of a total (statuses, territories, variants) protect each other;
- a quantile is shown where at least the threshold of patients lies on each side, rounded to whole days; there is no
  minimum and no maximum.

The threshold of 11 is the rule of the French secure data access centre (CASD) for hospital data, taken for all
tables here. Not covered: what somebody knows from elsewhere, and counts of events that are no counts of patients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.abstraction import Level
from eventlogs.errors import DisclosureRefused
from eventlogs.log import EventLog
from pathways.definition import BreakdownDefinition, Pathway
from pathways.mining.maps import ELSEWHERE, END, START, ProcessMap
from pathways.mining.territories import ANY, STATUSES, UNKNOWN
from pathways.suppression import (
    FlowLevel,
    flow_system,
    merge_bins,
    nearest,
    protect_flows,
    protect_nested,
    protect_parts,
    protect_sum,
)

Flags = NDArray[np.bool_]

NODE_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "activity": pl.String,
    "phase": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    "n_patients": pl.Int64,
    "median_day": pl.Int64,
    "order": pl.Int64,
}
EDGE_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "source": pl.String,
    "target": pl.String,
    "n_events": pl.Int64,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "median_days": pl.Int64,
    "p90_days": pl.Int64,
}
DELAY_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "source": pl.String,
    "target": pl.String,
    "day_from": pl.Int64,
    "day_to": pl.Int64,
    "n_events": pl.Int64,
}
VARIANT_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "rank": pl.Int64,
    "variant": pl.List(pl.String),
    "n_patients": pl.Int64,
    "share": pl.Float64,
    "median_days": pl.Int64,
}
DEFINED = ("kind", "within_days", "grace_days", "evidence", "source")
"""What a row of ``breakdowns`` repeats of its definition."""

BREAKDOWN_COLUMNS: dict[str, Any] = {
    "breakdown": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    "kind": pl.String,
    "n_patients": pl.Int64,
    **dict.fromkeys(STATUSES, pl.Int64),
    "within_days": pl.Int64,
    "grace_days": pl.Int64,
    "evidence": pl.String,
    "source": pl.String,
}
TERRITORY_COLUMNS: dict[str, Any] = {
    "breakdown": pl.String,
    "territory": pl.String,
    "n_evaluable": pl.Int64,
    "n_broken": pl.Int64,
    "rate": pl.Float64,
    "expected": pl.Float64,
    "ratio": pl.Float64,
    "ratio_low": pl.Float64,
    "ratio_high": pl.Float64,
    "shrunk_ratio": pl.Float64,
    "funnel_low": pl.Float64,
    "funnel_high": pl.Float64,
    "hotspot": pl.Boolean,
    "suppressed": pl.Boolean,
}
SUMMARY_COLUMNS: dict[str, Any] = {
    "n_patients": pl.Int64,
    "n_events": pl.Int64,
    "n_activities": pl.Int64,
    "first_day": pl.Date,
    "last_day": pl.Date,
    "source": pl.String,
    "synthetic": pl.Boolean,
    "cutoff": pl.Date,
    "pathway_id": pl.String,
    "pathway_version": pl.String,
    "pathway_label_fr": pl.String,
    "pathway_label_en": pl.String,
}


@dataclass(frozen=True)
class DisclosurePolicy:
    """How small a number may be.

    Parameters
    ----------
    threshold : int
        Least number of patients behind a number, least span of a hidden one. 11 or more.
    event_rounding : int
        The total of events is said to a multiple of this.

    Raises
    ------
    DisclosureRefused
        A threshold below 11.
    """

    threshold: int = 11
    event_rounding: int = 100

    def __post_init__(self) -> None:
        if self.threshold < 11:
            raise DisclosureRefused(f"a threshold of {self.threshold} is below 11; give 11 or more")

    def is_small(self, count: pl.Expr) -> pl.Expr:
        """Say of a count of patients that it concerns somebody and too few."""
        return count.is_between(1, self.threshold - 1)


@dataclass(frozen=True)
class Released:
    """A table that passed the gate.

    Parameters
    ----------
    name : str
        Name of the table.
    frame : polars.DataFrame
        What may be shown.
    meta : dict
        ``numerator``, ``denominator``, ``threshold``, ``filters``, ``study``, ``suppressed``, ``rounded``.
    """

    name: str
    frame: pl.DataFrame
    meta: dict[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Released({self.name!r}: {self.frame.height} rows, {self.meta.get('suppressed', 0)} cells hidden)"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.frame._repr_html_()}"


@dataclass(frozen=True)
class Origin:
    """Where a release comes from: the study's hash and the filters in words; both go into the meta."""

    study: str = ""
    filters: tuple[str, ...] = ()


POLICY = DisclosurePolicy()
UNFILTERED = Origin()


def _released(
    name: str, frame: pl.DataFrame, policy: DisclosurePolicy, origin: Origin, **words: object
) -> Released:
    meta: dict[str, object] = {
        "numerator": words["numerator"],
        "denominator": words["denominator"],
        "threshold": policy.threshold,
        "filters": list(origin.filters),
        "study": origin.study,
        "suppressed": words["suppressed"],
        "rounded": words["rounded"],
    }
    return Released(name, frame, meta)


def release_map(
    maps: Mapping[Level, ProcessMap],
    *,
    pathway: Pathway | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> tuple[Released, Released]:
    """Release nodes and edges of a map, all its levels together.

    Parameters
    ----------
    maps : mapping of level to ProcessMap
        ``activity``, ``phase`` or both, of one log. They protect each other, so release them in one call.
    pathway : Pathway, optional
        Gives phases, labels and the order of phases; without it a node is its own phase and label.
    policy : DisclosurePolicy
        Threshold.
    origin : Origin
        Study and filters.

    Returns
    -------
    nodes, edges : Released
        `NODE_COLUMNS`, `EDGE_COLUMNS`. A null ``n_patients`` would give away a small complement; a null duration
        or ``tied_share`` rests on too few patients. The row ``*`` to ``*`` of each level is the flow not shown.

    Raises
    ------
    DisclosureRefused
        Fewer patients than the threshold, or no set of hidden edges protects the small ones.
    """
    for one in maps.values():
        _check_enough(one.n_patients, policy)
    nodes, flows, pooled = _shown_flows(maps, pathway, policy)
    shown = _protected_counts(maps, nodes, flows, pathway, policy)
    node_frame = _node_frame({level: shown[level, "node"] for level in maps}, pathway, policy)
    edge_frame = _edge_frame(maps, {level: shown[level, "edge"] for level in maps}, pooled, policy)
    return _map_tables(maps, node_frame, edge_frame, policy, origin)


def _map_tables(
    maps: Mapping[Level, ProcessMap],
    nodes: pl.DataFrame,
    edges: pl.DataFrame,
    policy: DisclosurePolicy,
    origin: Origin,
) -> tuple[Released, Released]:
    drawn = edges.filter(pl.col("source") != ELSEWHERE)
    absent_nodes = sum(one.nodes.height for one in maps.values()) - nodes.height
    absent_edges = sum(one.flow().height for one in maps.values()) - drawn.height
    words = {
        "denominator": next(iter(maps.values())).n_patients,
        "rounded": "durations to whole days, shares to 2 decimals",
    }
    of_nodes = {
        "numerator": "patients with at least one such event",
        "suppressed": absent_nodes + nodes["n_patients"].null_count(),
    }
    of_edges = {
        "numerator": "steps from one event to the next, and the patients who make them",
        "suppressed": absent_edges + drawn["n_patients"].null_count(),
    }
    return (
        _released("nodes", nodes, policy, origin, **words, **of_nodes),
        _released("edges", edges, policy, origin, **words, **of_edges),
    )


def _check_enough(n_patients: int, policy: DisclosurePolicy) -> None:
    if n_patients < policy.threshold:
        raise DisclosureRefused(
            f"there are fewer than {policy.threshold} patients; nothing of them can be released, widen the selection"
        )


def _groups(pathway: Pathway | None) -> dict[str, str]:
    return {} if pathway is None else pathway.phase_of()


def _in_order(maps: Iterable[Level]) -> list[Level]:
    """Levels, the finest first."""
    return sorted(maps, key=("activity", "phase").index)


def _shown_flows(
    maps: Mapping[Level, ProcessMap], pathway: Pathway | None, policy: DisclosurePolicy
) -> tuple[dict[Level, pl.DataFrame], dict[Level, pl.DataFrame], dict[Level, int | None]]:
    """Return nodes, edges and the flow not shown; where the nodes' counts pin small flows, none of them is said.

    ``n_shown`` is the count of patients that a node may say.
    """
    nodes = {level: one.nodes.filter(pl.col("n_patients") >= policy.threshold) for level, one in maps.items()}
    counts = pl.col("n_patients")
    try:
        said = {
            level: frame.select("activity", counts, counts.alias("high")) for level, frame in nodes.items()
        }
        flows, pooled = _protected_flows(maps, said, pathway, policy)
    except DisclosureRefused:
        unsaid = {level: _bounds_of_edges(maps, level, pathway, policy) for level in maps}
        flows, pooled = _protected_flows(maps, unsaid, pathway, policy)
        counts = pl.lit(None, dtype=pl.Int64)
    return {level: frame.with_columns(n_shown=counts) for level, frame in nodes.items()}, flows, pooled


def _bounds_of_edges(
    maps: Mapping[Level, ProcessMap], level: Level, pathway: Pathway | None, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Return what edges still tell of the patients of coarser nodes: at least those of an edge inside."""
    if level == _in_order(maps)[0]:
        return pl.DataFrame(schema={"activity": pl.String, "low": pl.Int64, "high": pl.Int64})
    groups, finest = _groups(pathway), maps[_in_order(maps)[0]]
    ends = finest.edges.filter(pl.col("n_patients") >= policy.threshold).with_columns(
        pl.col("source", "target").replace(groups)
    )
    inside = ends.filter(pl.col("source") == pl.col("target"))
    low = inside.group_by(activity="source").agg(low=pl.col("n_patients").max())
    return low.with_columns(high=pl.lit(finest.n_patients, dtype=pl.Int64))


def _protected_flows(
    maps: Mapping[Level, ProcessMap],
    bounds: Mapping[Level, pl.DataFrame],
    pathway: Pathway | None,
    policy: DisclosurePolicy,
) -> tuple[dict[Level, pl.DataFrame], dict[Level, int | None]]:
    """Return the edges of each level that may be shown, and the flow of the others where it may be said."""
    order = _in_order(maps)
    flows = {level: maps[level].flow() for level in order}
    totals = {order[0]: _total_between(maps[order[0]], policy)}
    levels = [FlowLevel(flows[level], bounds[level], totals.get(level)) for level in order]
    small = [flows[level].select(policy.is_small(pl.col("n_patients"))).to_series() for level in order]
    primary = np.concatenate([*(flags.to_numpy() for flags in small), [False] * len(order)])
    hidden = protect_flows(flow_system(levels, _groups(pathway)), primary, policy.threshold)
    ends = np.cumsum([flows[level].height for level in order])
    masks = dict(zip(order, np.split(hidden[: ends[-1]], ends[:-1]), strict=True))
    pooled = {
        level: None if gone else int(flows[level].filter(masks[level])["n_events"].sum())
        for level, gone in zip(order, hidden[ends[-1] :], strict=True)
    }
    return {level: flows[level].filter(~masks[level]) for level in order}, pooled


def _total_between(one: ProcessMap, policy: DisclosurePolicy) -> tuple[int, int]:
    """Return the bounds of a map's flow that its rounded number of events and its patients tell."""
    rounded = nearest(one.n_events, policy.event_rounding)
    low = rounded - policy.event_rounding // 2 + one.n_patients
    return low, low + policy.event_rounding - 1


def _protected_counts(
    maps: Mapping[Level, ProcessMap],
    nodes: Mapping[Level, pl.DataFrame],
    flows: Mapping[Level, pl.DataFrame],
    pathway: Pathway | None,
    policy: DisclosurePolicy,
) -> dict[tuple[Level, str], pl.DataFrame]:
    """Return nodes and edges with the counts of patients null that would give away a small complement."""
    sets: dict[tuple[str, ...], int] = {("all",): next(iter(maps.values())).n_patients}
    for level in maps:
        sets |= {("node", level, name): n for name, n in nodes[level].select("activity", "n_patients").rows()}
        edges = flows[level].select("source", "target", "n_patients").rows()
        sets |= {("edge", level, source, target): n for source, target, n in edges}
    number = {key: place for place, key in enumerate(sets)}
    pairs = [
        (number[part], number[whole]) for part in sets for whole in _wholes(part, pathway) if whole in number
    ]
    hideable = np.array([key[0] != "all" and START not in key and END not in key for key in sets])
    withheld = {
        ("node", level, name)
        for level in maps
        for name in nodes[level].filter(pl.col("n_shown").is_null())["activity"]
    }
    hidden = protect_nested(
        np.array(list(sets.values()), dtype=np.int64),
        np.array([key in withheld for key in sets]),
        hideable,
        pairs,
        policy.threshold,
    )
    kept = {key for key, place in number.items() if not hidden[place]}
    shown: dict[tuple[Level, str], pl.DataFrame] = {}
    for level in maps:
        seen = [("node", level, name) in kept for name in nodes[level]["activity"]]
        shown[level, "node"] = _null_unless(nodes[level], seen)
        seen = [("edge", level, *pair) in kept for pair in flows[level].select("source", "target").rows()]
        shown[level, "edge"] = _null_unless(flows[level], seen)
    return shown


def _null_unless(frame: pl.DataFrame, seen: Sequence[bool]) -> pl.DataFrame:
    flag = pl.Series(seen, dtype=pl.Boolean)
    return frame.with_columns(n_shown=pl.when(flag).then("n_patients"))


def _wholes(part: tuple[str, ...], pathway: Pathway | None) -> list[tuple[str, ...]]:
    """Return the sets of patients that contain a set, of those that a release may publish."""
    groups = _groups(pathway)
    if part[0] == "all":
        return []
    if part[0] == "node":
        _, level, name = part
        coarser = [("node", "phase", groups.get(name, name))] if level == "activity" else []
        return [("all",), *coarser]
    _, level, source, target = part
    ends = [("node", level, name) for name in (source, target) if name not in (START, END)]
    pair = groups.get(source, source), groups.get(target, target)
    return [*ends, ("edge", "phase", *pair)] if level == "activity" and pair[0] != pair[1] else [*ends]


def _node_frame(
    nodes: Mapping[Level, pl.DataFrame], pathway: Pathway | None, policy: DisclosurePolicy
) -> pl.DataFrame:
    frames = [_described(frame, level, pathway, policy) for level, frame in nodes.items()]
    return _conform(pl.concat(frames), NODE_COLUMNS)


def _described(
    nodes: pl.DataFrame, level: Level, pathway: Pathway | None, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Add phase, labels and order to the nodes of one level, hide the medians of few patients."""
    names = nodes["activity"].to_list()
    phases = [_groups(pathway).get(name, name) for name in names] if level == "activity" else names
    place = {phase: i for i, phase in enumerate(pathway.phases)} if pathway is not None else {}
    labels = {language: [_label(name, language, pathway) for name in names] for language in ("fr", "en")}
    by_time = nodes["median_day"].rank("dense").cast(pl.Int64) - 1
    order = (
        by_time
        if pathway is None
        else pl.Series([place.get(phase, len(place)) for phase in phases], dtype=pl.Int64)
    )
    enough = pl.col("n_patients") >= 2 * policy.threshold
    return nodes.with_columns(
        level=pl.lit(level),
        phase=pl.Series(phases, dtype=pl.String),
        label_fr=pl.Series(labels["fr"], dtype=pl.String),
        label_en=pl.Series(labels["en"], dtype=pl.String),
        median_day=pl.when(enough).then(pl.col("median_day").round().cast(pl.Int64)),
        order=order,
        n_patients=pl.col("n_shown"),
    ).select(*NODE_COLUMNS)


def _label(name: str, language: Any, pathway: Pathway | None) -> str:
    return name if pathway is None else pathway.name(name, language)


def _edge_frame(
    maps: Mapping[Level, ProcessMap],
    edges: Mapping[Level, pl.DataFrame],
    pooled: Mapping[Level, int | None],
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    frames = []
    for level, frame in edges.items():
        row = {"source": ELSEWHERE, "target": ELSEWHERE, "n_events": pooled[level]}
        rest = pl.DataFrame([row], schema_overrides={"n_events": pl.Int64})
        guarded = _guarded(frame, maps[level].delays, policy)
        frames.append(pl.concat([guarded, rest], how="diagonal").with_columns(level=pl.lit(level)))
    return _conform(pl.concat(frames), EDGE_COLUMNS)


def _guarded(edges: pl.DataFrame, delays: pl.DataFrame, policy: DisclosurePolicy) -> pl.DataFrame:
    """Hide the quantiles and the tied shares that rest on too few patients, and counts that tell of few repeats."""
    sides = _sides(edges, delays)
    small_tie = policy.is_small(pl.col("n_tied_patients")) | policy.is_small(
        pl.col("n_events") - (pl.col("tied_share") * pl.col("n_events")).round().cast(pl.Int64)
    )
    return sides.with_columns(
        _quantile("median_days", 0.5, policy),
        _quantile("p90_days", 0.9, policy),
        tied_share=pl.when(~small_tie).then(pl.col("tied_share").round(2)),
        n_patients=pl.when(~policy.is_small(pl.col("n_events") - pl.col("n_patients"))).then("n_shown"),
    ).drop("n_shown")


def _sides(edges: pl.DataFrame, delays: pl.DataFrame) -> pl.DataFrame:
    """Add, for each quantile, the patients with a delay up to it and the patients with one from it on."""
    days = edges.join(delays.select("source", "target", "day", "n_first", "n_last"), on=["source", "target"])
    counts = days.group_by("source", "target").agg(
        count
        for name in ("median_days", "p90_days")
        for count in (
            pl.col("n_first").filter(pl.col("day") <= pl.col(name)).sum().alias(f"below_{name}"),
            pl.col("n_last").filter(pl.col("day") >= pl.col(name).floor()).sum().alias(f"above_{name}"),
        )
    )
    return edges.join(counts, on=["source", "target"], how="left", maintain_order="left")


def _quantile(name: str, share: float, policy: DisclosurePolicy) -> pl.Expr:
    """Round to whole days where enough patients lie on each side (22 for a median, 110 for the 90th percentile)."""
    least = policy.threshold / min(share, 1 - share)
    enough = (
        (pl.col("n_patients") >= least - 1e-9)
        & (pl.col(f"below_{name}") >= policy.threshold)
        & (pl.col(f"above_{name}") >= policy.threshold)
    )
    return pl.when(enough).then(pl.col(name).round()).cast(pl.Int64).alias(name)


def release_delays(
    maps: Mapping[Level, ProcessMap],
    edges: Released,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release how long the steps of each shown edge take, as a histogram of merged bins.

    Parameters
    ----------
    maps : mapping of level to ProcessMap
        The maps that `edges` were released from.
    edges : Released
        From `release_map`: only these have a histogram.

    Returns
    -------
    Released
        `DELAY_COLUMNS`: days of single days up to 127 and of weeks above, merged until each bin holds the threshold
        of patients, where a patient counts in one bin of an edge only. The first bin starts at 0 and the last is open.
    """
    shown = edges.frame.filter(~pl.col("source").is_in([START, ELSEWHERE]), pl.col("target") != END)
    frames = [pl.DataFrame(schema=DELAY_COLUMNS)]
    for (level,), wanted in shown.group_by("level", maintain_order=True):
        delays = maps[_level(level)].delays.join(wanted, on=["source", "target"], how="semi")
        frames += [
            _bins(edge.sort("day"), policy).with_columns(level=pl.lit(level)).select(*DELAY_COLUMNS)
            for _, edge in delays.group_by("source", "target", maintain_order=True)
        ]
    return _released(
        "edge_delays",
        pl.concat(frames),
        policy,
        origin,
        numerator="steps by completed days",
        denominator="steps of the edge",
        suppressed=edges.meta["suppressed"],
        rounded=f"bins merged to at least {policy.threshold} patients; no minimum, no maximum",
    )


def _level(word: object) -> Level:
    return "phase" if word == "phase" else "activity"


def _bins(days: pl.DataFrame, policy: DisclosurePolicy) -> pl.DataFrame:
    """Merge the days of one edge."""
    day = pl.col("day").clip(0)
    gridded = days.with_columns(day=pl.when(day < 128).then(day).otherwise(128 + (day - 128) // 7 * 7))
    cells = gridded.group_by("source", "target", "day").agg(pl.col("n_events", "n_first").sum()).sort("day")
    bins = pl.Series("bin", merge_bins(cells["n_first"].to_list(), policy.threshold))
    merged = cells.with_columns(bins).group_by("source", "target", "bin", maintain_order=True)
    return merged.agg(pl.col("day").min(), pl.col("n_events").sum()).with_columns(
        day_from=pl.when(pl.col("bin") > 0).then("day").otherwise(0),
        day_to=pl.col("day").shift(-1) - 1,
    )


def release_variants(
    variants: Mapping[Level, pl.DataFrame],
    nodes: Released,
    edges: Released,
    *,
    pathway: Pathway | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release the whole sequences that enough patients share, and pool the rarer ones.

    Parameters
    ----------
    variants : mapping of level to polars.DataFrame
        From `pathways.mining.maps.variants` with ``collapse=True``.
    nodes, edges : Released
        From `release_map` on the same log.
    pathway : Pathway, optional
        Gives the phase of each activity.

    Returns
    -------
    Released
        `VARIANT_COLUMNS`, rank 1 the most frequent; the row with an empty variant pools all others of its level.

    Notes
    -----
    A variant is listed where every edge it takes is shown, and where what remains of each node, edge and phase
    variant after its listed variants are taken off is nobody or at least the threshold.
    """
    listed: dict[Level, pl.DataFrame] = {}
    for level in reversed(_in_order(variants)):
        candidates = _candidates(variants[level], level, edges, policy)
        coarser = listed.get("phase")
        totals = _variant_totals(int(variants[level]["n_patients"].sum()), nodes, edges, coarser)
        uses = [_uses(each, level, _groups(pathway), coarser) for each in candidates["variant"].to_list()]
        listed[level] = candidates.filter(_listable(candidates["n_patients"], uses, totals, policy))
    whole = {level: int(frame["n_patients"].sum()) for level, frame in variants.items()}
    frames = [_variant_frame(whole[level], listed[level], level, policy) for level in _in_order(variants)]
    n_listed = sum(frame.height for frame in listed.values())
    return _released(
        "variants",
        pl.concat([pl.DataFrame(schema=VARIANT_COLUMNS), *frames]),
        policy,
        origin,
        numerator="patients with this whole sequence, repeats written once",
        denominator="patients with at least one event",
        suppressed=sum(frame.height for frame in variants.values()) - n_listed,
        rounded="durations to whole days, shares to 3 decimals",
    )


def release_milestones(
    sequences: pl.DataFrame,
    nodes: Released,
    n_patients: int,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release the sequences of milestones that enough patients share, and pool the rarer ones.

    Parameters
    ----------
    sequences : polars.DataFrame
        From `pathways.mining.maps.variants` of a `pathways.mining.maps.milestone_log`.
    nodes : Released
        From `release_map` on the same log: each sequence is part of the patients of its phases.
    n_patients : int
        Patients with at least one event: those without any milestone are pooled with the rarer sequences.

    Returns
    -------
    Released
        `VARIANT_COLUMNS` with ``level`` = ``milestone``; named ``variants``.

    Notes
    -----
    A sequence is listed where what remains of all patients, and of each of its phases, after the listed sequences
    are taken off is nobody or at least the threshold.
    """
    phases = nodes.frame.filter(level="phase").select("activity", "n_patients").drop_nulls()
    totals: dict[tuple[str, ...], int] = {
        ("all",): n_patients,
        **{("node", name): n for name, n in phases.rows()},
    }
    frequent = sequences.filter(pl.col("n_patients") >= policy.threshold).sort(
        "n_patients", descending=True, maintain_order=True
    )
    uses = [{("all",): 1, **{("node", name): 1 for name in each}} for each in frequent["variant"].to_list()]
    listed = frequent.filter(_listable(frequent["n_patients"], uses, totals, policy))
    return _released(
        "variants",
        _variant_frame(n_patients, listed, "milestone", policy),
        policy,
        origin,
        numerator="patients with this whole sequence of milestones, repeats written once",
        denominator="patients with at least one event",
        suppressed=sequences.height - listed.height,
        rounded="durations to whole days, shares to 3 decimals",
    )


def _listable(
    parts: pl.Series,
    uses: Sequence[Mapping[tuple[str, ...], int]],
    totals: Mapping[tuple[str, ...], int],
    policy: DisclosurePolicy,
) -> Flags:
    """Say which parts may be listed: what remains of each total, and of all patients without a node, is not small."""
    matrix = np.array([[use.get(key, 0) for key in totals] for use in uses], dtype=np.float64)
    matrix = matrix.reshape(len(uses), len(totals))
    counts = np.array(list(totals.values()), dtype=np.int64)
    node = np.array([key[0] == "node" for key in totals], dtype=np.bool_)
    without = 1 - matrix[:, node], totals[("all",)] - counts[node]
    every = np.hstack([matrix, without[0]]), np.concatenate([counts, without[1]])
    return protect_parts(parts.to_numpy(), *every, policy.threshold)


def _candidates(
    variants: pl.DataFrame, level: Level, edges: Released, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Return the variants of enough patients whose edges are all shown."""
    shown = set(edges.frame.filter(pl.col("level") == level).select("source", "target").rows())
    frequent = variants.filter(pl.col("n_patients") >= policy.threshold)
    seen = [shown.issuperset(_steps(sequence)) for sequence in frequent["variant"].to_list()]
    return frequent.filter(pl.Series(seen, dtype=pl.Boolean)).sort(
        "n_patients", descending=True, maintain_order=True
    )


def _steps(sequence: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise([START, *sequence, END]))


def _variant_totals(
    n_patients: int, nodes: Released, edges: Released, coarser: pl.DataFrame | None
) -> dict[tuple[str, ...], int]:
    """Return the published counts that variants are part of: patients, nodes, edges, coarser variants."""
    drawn = edges.frame.filter(pl.col("source") != ELSEWHERE, pl.col("source") != pl.col("target"))
    totals: dict[tuple[str, ...], int] = {("all",): n_patients}
    for level, name, n in nodes.frame.select("level", "activity", "n_patients").drop_nulls().rows():
        totals["node", level, name] = n
    for what, count in (("edge", "n_patients"), ("flow", "n_events")):
        for level, source, target, n in drawn.select("level", "source", "target", count).drop_nulls().rows():
            totals[what, level, source, target] = n
    if coarser is not None:
        totals |= {
            ("variant", *sequence): n for sequence, n in coarser.select("variant", "n_patients").rows()
        }
        rest = n_patients - sum(coarser["n_patients"])
        totals |= {("others",): rest} if rest else {}
    return totals


def _uses(
    sequence: Sequence[str], level: Level, groups: Mapping[str, str], coarser: pl.DataFrame | None
) -> Counter[tuple[str, ...]]:
    """Count how often one patient of a variant counts in each total."""
    uses = Counter({("all",): 1}) + _uses_of_level(sequence, level)
    if coarser is not None:
        image = [group for group, _ in groupby(groups.get(name, name) for name in sequence)]
        listed = image in coarser["variant"].to_list()
        uses += _uses_of_level(image, "phase") + Counter([("variant", *image) if listed else ("others",)])
    return uses


def _uses_of_level(sequence: Sequence[str], level: Level) -> Counter[tuple[str, ...]]:
    flows = Counter(("flow", level, *step) for step in _steps(sequence))
    sets = [("edge", level, *step) for step in set(_steps(sequence))]
    return Counter([*sets, *(("node", level, name) for name in set(sequence))]) + flows


def _variant_frame(total: int, listed: pl.DataFrame, level: str, policy: DisclosurePolicy) -> pl.DataFrame:
    rest = total - int(listed["n_patients"].sum())
    shown = listed.select(
        "variant",
        "n_patients",
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        median_days=pl.when(pl.col("n_patients") >= 2 * policy.threshold).then(pl.col("median_days").round()),
    ).cast({"median_days": pl.Int64})
    others = pl.DataFrame(
        {"variant": [[]], "n_patients": [rest]}, schema_overrides={"variant": pl.List(pl.String)}
    )
    whole = pl.concat([shown, others.filter(pl.col("n_patients") > 0)], how="diagonal")
    return whole.with_columns(level=pl.lit(level), share=(pl.col("n_patients") / total).round(3)).select(
        *VARIANT_COLUMNS
    )


HIDE_FIRST = ("excused", "undecidable", "kept", "broken")
"""Which status is hidden with a small one: the least useful to the reader first."""


def release_breakdowns(
    counts: pl.DataFrame,
    pathway: Pathway,
    *,
    nodes: Released | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release how many patients kept and broke each expectation.

    Parameters
    ----------
    counts : polars.DataFrame
        ``breakdown``, ``kept``, ``broken``, ``excused``, ``undecidable``: patients by status, one row a breakdown.
    pathway : Pathway
        Gives labels, windows and sources; its breakdowns are the rows.
    nodes : Released, optional
        From `release_map` on the same log: patients whose trigger was not seen, or opened nothing, must not be
        counted by subtraction from all patients or from those with the trigger.

    Returns
    -------
    Released
        `BREAKDOWN_COLUMNS`. A status of 1 to 10 patients is null, and another with it, since they add up to
        ``n_patients``; ``broken`` is the last that is hidden for another. A zero concerns nobody and stays.
    """
    known = {row["breakdown"]: [row[status] for status in STATUSES] for row in counts.to_dicts()}
    rows = []
    for item in pathway.breakdowns.values():
        statuses = np.array(known.get(item.id, [0] * len(STATUSES)), dtype=np.int64)
        shown = _shown_statuses(statuses, _patients_around(item, pathway, nodes), policy)
        described = {
            "breakdown": item.id,
            "label_fr": item.label["fr"],
            "label_en": item.label["en"],
            **{name: getattr(item, name) for name in DEFINED},
        }
        rows.append(described | dict(zip(("n_patients", *STATUSES), shown, strict=True)))
    frame = pl.DataFrame(rows, schema=BREAKDOWN_COLUMNS)
    return _released(
        "breakdowns",
        frame,
        policy,
        origin,
        numerator="patients by the state of the expectation",
        denominator="patients whose trigger was seen",
        suppressed=int(frame.select(pl.col("n_patients", *STATUSES).null_count()).sum_horizontal().item()),
        rounded="nothing",
    )


def _patients_around(item: BreakdownDefinition, pathway: Pathway, nodes: Released | None) -> list[int]:
    """Return published counts that contain the patients of a breakdown: all, its only trigger, its triggers' phase."""
    if nodes is None:
        return []
    phases = {_groups(pathway).get(word, word) for word in item.trigger}
    around = {"activity": set(item.trigger), "phase": phases}
    counts = [
        nodes.frame.filter(pl.col("level") == level, pl.col("activity").is_in(words))[
            "n_patients"
        ].drop_nulls()
        for level, words in around.items()
        if len(words) == 1
    ]
    return [int(str(nodes.meta["denominator"])), *(count for part in counts for count in part.to_list())]


def _shown_statuses(
    counts: NDArray[np.int64], around: Sequence[int], policy: DisclosurePolicy
) -> list[int | None]:
    """Return the total and the statuses, null where hidden."""
    total = int(counts.sum())
    if 0 < total < policy.threshold:
        return [None] * (1 + len(counts))
    outside = sorted(whole - total for whole in around if 0 < whole - total < policy.threshold)[:1]
    cells = np.append(counts, np.array(outside, dtype=np.int64))
    order = [STATUSES.index(status) for status in HIDE_FIRST]
    hidden = protect_sum(cells, (cells > 0) & (cells < policy.threshold), policy.threshold, order)
    shown = [None if gone else int(n) for n, gone in zip(counts, hidden, strict=False)]
    return [None if outside else total, *shown]


def release_territories(
    rates: pl.DataFrame,
    breakdowns: Released,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release rates by territory.

    Parameters
    ----------
    rates : polars.DataFrame
        From `pathways.mining.territories.territory_rates`.
    breakdowns : Released
        From `release_breakdowns`: the territories add up to it.

    Returns
    -------
    Released
        `TERRITORY_COLUMNS`. A row with fewer patients than the threshold among those evaluable, with a breakdown, or
        without one, has no number; so have others where the country or the row ``any`` would give it away.
    """
    cells = rates.with_columns(n_kept=pl.col("n_evaluable") - pl.col("n_broken"))
    small = pl.any_horizontal(pl.col("n_broken", "n_kept") < policy.threshold) | (
        pl.col("territory") == UNKNOWN
    )
    no_country = breakdowns.frame.filter(pl.col("broken").is_null())["breakdown"].to_list()
    no_kept = breakdowns.frame.filter(pl.col("kept").is_null())["breakdown"].to_list()
    hidden = cells.select(small | pl.col("breakdown").is_in(no_country)).to_series().to_numpy()
    hidden = hidden | _nearly_any(cells, policy)
    hidden = _protect_territories(cells, hidden, no_kept, policy)
    flagged = cells.with_columns(suppressed=pl.Series(hidden, dtype=pl.Boolean))
    decimals = {"rate": 3, "expected": 1, "funnel_low": 3, "funnel_high": 3}
    ratios = dict.fromkeys(("ratio", "ratio_low", "ratio_high", "shrunk_ratio"), 2)
    numbers = [pl.col(name).round(places) for name, places in (decimals | ratios).items()]
    counts = [pl.col(name) for name in ("n_evaluable", "n_broken", "hotspot")]
    frame = flagged.filter(pl.col("territory") != UNKNOWN).with_columns(
        pl.when(~pl.col("suppressed")).then(number).name.keep() for number in [*counts, *numbers]
    )
    return _released(
        "territories",
        _conform(frame, TERRITORY_COLUMNS),
        policy,
        origin,
        numerator="patients with the breakdown, by territory of residence",
        denominator="patients in whom it can be decided and is not excused",
        suppressed=int(frame["suppressed"].sum()),
        rounded="rates to 3 decimals, ratios to 2, expected counts to 1",
    )


def _nearly_any(cells: pl.DataFrame, policy: DisclosurePolicy) -> Flags:
    """Return the rows that the row ``any`` of their territory exceeds by a few patients: the rest could be told."""
    whole = cells.filter(breakdown=ANY).select(
        "territory", any_evaluable="n_evaluable", any_broken="n_broken"
    )
    beside = cells.join(whole, on="territory", how="left", maintain_order="left")
    differences = (pl.col("any_evaluable") - pl.col("n_evaluable"), pl.col("any_broken") - pl.col("n_broken"))
    few = pl.any_horizontal(policy.is_small(difference) for difference in differences)
    return beside.select((few & (pl.col("breakdown") != ANY)).fill_null(False)).to_series().to_numpy()


def _protect_territories(
    cells: pl.DataFrame, hidden: Flags, no_kept: Sequence[str], policy: DisclosurePolicy
) -> Flags:
    """Hide more until neither the country's sums nor the row ``any`` pins a hidden number.

    Where the country's ``kept`` is hidden, the territories must not add up to it: some of them are hidden too.
    """
    while True:
        wider = hidden.copy()
        for name in cells["breakdown"].unique():
            rows = np.flatnonzero((cells["breakdown"] == name).to_numpy())
            wider[rows] = _protect_country(cells[rows], wider[rows], name in no_kept, policy)
        pinned = _pinned_territories(cells, wider, policy)
        wider |= cells["territory"].is_in(pinned).to_numpy()
        if (wider == hidden).all():
            return hidden
        hidden = wider


def _protect_country(
    cells: pl.DataFrame, hidden: Flags, some_at_least: bool, policy: DisclosurePolicy
) -> Flags:
    """Hide the smallest shown rows of one breakdown until the hidden ones add up to enough of each kind."""
    hidden = hidden.copy()
    broken, kept = cells["n_broken"].to_numpy(), cells["n_kept"].to_numpy()
    for row in np.argsort(broken + kept, kind="stable"):
        sums = broken[hidden].sum(), kept[hidden].sum()
        nothing_to_keep = not hidden.any() and not some_at_least
        if nothing_to_keep or (hidden.sum() > 1 and min(sums) >= policy.threshold):
            break
        hidden[row] = True
    return hidden


def _pinned_territories(cells: pl.DataFrame, hidden: Flags, policy: DisclosurePolicy) -> list[str]:
    """Return territories where ``any`` and the single breakdowns pin each other.

    A union holds at least its largest part and at most the sum of its parts.
    """
    flagged = cells.with_columns(hidden=pl.Series(hidden, dtype=pl.Boolean))
    pinned: set[str] = set()
    for count in ("n_broken", "n_evaluable"):
        hidden_sum = pl.col(count).filter("hidden").sum().over("breakdown")
        high = pl.when("hidden").then(hidden_sum).otherwise(count)
        bounds = flagged.with_columns(low=pl.when("hidden").then(0).otherwise(count), high=high)
        unions = bounds.filter(pl.col("breakdown") == ANY).select("territory", "hidden", "low", "high")
        parts = bounds.filter(pl.col("breakdown") != ANY)
        pinned |= set(_narrow_unions(parts, unions, policy)) | set(_narrow_parts(parts, unions, policy))
    return sorted(pinned)


def _narrow_unions(parts: pl.DataFrame, unions: pl.DataFrame, policy: DisclosurePolicy) -> pl.Series:
    sides = parts.group_by("territory").agg(least=pl.col("low").max(), most=pl.col("high").sum())
    span = pl.min_horizontal("high", "most") - pl.col("least")
    hidden = unions.filter("hidden").join(sides, on="territory")
    return hidden.filter(span < policy.threshold, pl.col("least") > 0)["territory"]


def _narrow_parts(parts: pl.DataFrame, unions: pl.DataFrame, policy: DisclosurePolicy) -> pl.Series:
    whole = unions.select("territory", union_low="low", union_high="high")
    others = pl.col("high").sum().over("territory") - pl.col("high")
    bounded = parts.with_columns(others=others).join(whole, on="territory").filter("hidden")
    least = pl.max_horizontal(pl.col("union_low") - pl.col("others"), 0)
    span = pl.min_horizontal("high", "union_high") - least
    return bounded.filter(span < policy.threshold, pl.col("union_low") > 0)["territory"]


def release_summary(
    log: EventLog,
    pathway: Pathway | None,
    *,
    source: str,
    synthetic: bool,
    cutoff: date | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release what a study holds, in one row.

    Parameters
    ----------
    log : EventLog
        The study's log.
    pathway : Pathway or None
        Its definition; without one the columns of the pathway are null.
    source, synthetic, cutoff
        Where the data come from, in words; whether they are synthetic; the day until which they are complete.

    Returns
    -------
    Released
        `SUMMARY_COLUMNS`. Patients are those with at least one event. The total of events is rounded, as an exact one
        would help to compute hidden flows; the period is widened to whole months, as a first day is one patient's.

    Raises
    ------
    DisclosureRefused
        Fewer patients than the threshold.
    """
    n_patients = log.events["patient_id"].n_unique()
    _check_enough(n_patients, policy)
    counts = {
        "n_patients": n_patients,
        "n_events": nearest(log.n_events, policy.event_rounding),
        "n_activities": len(log.activities),
    }
    said = {"source": source, "synthetic": synthetic, "cutoff": cutoff}
    frame = pl.concat([pl.DataFrame([counts | said | _identity(pathway)]), _months(log)], how="horizontal")
    return _released(
        "summary",
        _conform(frame, SUMMARY_COLUMNS),
        policy,
        origin,
        numerator="patients with at least one event, and their events",
        denominator=n_patients,
        suppressed=0,
        rounded=f"events to a multiple of {policy.event_rounding}, the period to whole months",
    )


def _months(log: EventLog) -> pl.DataFrame:
    """Return the period of the events, widened to whole months."""
    return log.events.select(
        first_day=pl.col("start").min().dt.month_start().cast(pl.Date),
        last_day=pl.col("start").max().dt.month_end().cast(pl.Date),
    )


def _identity(pathway: Pathway | None) -> dict[str, str | None]:
    names = ("pathway_id", "pathway_version", "pathway_label_fr", "pathway_label_en")
    if pathway is None:
        return dict.fromkeys(names)
    values = (pathway.id, pathway.version, pathway.label["fr"], pathway.label["en"])
    return dict(zip(names, values, strict=True))


def _conform(frame: pl.DataFrame, columns: Mapping[str, Any]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())

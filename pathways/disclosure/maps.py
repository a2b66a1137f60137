"""Maps: nodes, edges and the histogram of each edge's delays, all levels together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from eventlogs.abstraction import Level
from eventlogs.errors import DisclosureRefused
from pathways.definition import Pathway
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    check_enough,
    conform,
    released_table,
)
from pathways.disclosure.suppression import (
    FlowLevel,
    flow_system,
    merge_bins,
    nearest,
    protect_flows,
    protect_nested,
)
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap

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
        check_enough(one.n_patients, policy)
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
        released_table("nodes", nodes, policy, origin, **words, **of_nodes),
        released_table("edges", edges, policy, origin, **words, **of_edges),
    )


def phase_groups(pathway: Pathway | None) -> dict[str, str]:
    return {} if pathway is None else pathway.phase_of()


def in_order(maps: Iterable[Level]) -> list[Level]:
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
    if level == in_order(maps)[0]:
        return pl.DataFrame(schema={"activity": pl.String, "low": pl.Int64, "high": pl.Int64})
    groups, finest = phase_groups(pathway), maps[in_order(maps)[0]]
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
    order = in_order(maps)
    flows = {level: maps[level].flow() for level in order}
    totals = {order[0]: _total_between(maps[order[0]], policy)}
    levels = [FlowLevel(flows[level], bounds[level], totals.get(level)) for level in order]
    small = [flows[level].select(policy.is_small(pl.col("n_patients"))).to_series() for level in order]
    primary = np.concatenate([*(flags.to_numpy() for flags in small), [False] * len(order)])
    hidden = protect_flows(flow_system(levels, phase_groups(pathway)), primary, policy.threshold)
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
    groups = phase_groups(pathway)
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
    return conform(pl.concat(frames), NODE_COLUMNS)


def _described(
    nodes: pl.DataFrame, level: Level, pathway: Pathway | None, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Add phase, labels and order to the nodes of one level, hide the medians of few patients."""
    names = nodes["activity"].to_list()
    phases = [phase_groups(pathway).get(name, name) for name in names] if level == "activity" else names
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
    return conform(pl.concat(frames), EDGE_COLUMNS)


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
    return released_table(
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

"""Maps: nodes, edges and the histogram of each edge's delays, all levels together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from eventlogs.abstraction import LEVELS, Level
from eventlogs.errors import DisclosureRefused
from pathways.definition import Language, Pathway
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
    Flags,
    FlowLevel,
    flow_system,
    merge_bins,
    nearest,
    protect_flows,
    protect_nested,
)
from pathways.mining.codes import code_of
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap
from pathways.mining.outcomes import LABELS

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
        Levels of one log, from `pathways.mining.maps.process_maps`. They protect each other, so release them in one
        call.
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
    maps, nodes, flows, pooled = _shown_flows(maps, pathway, policy)
    shown = _protected_counts(maps, nodes, flows, pathway, policy)
    node_frame = _node_frame(maps, {level: shown[level, "node"] for level in maps}, pathway, policy)
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
    every_node = [*(one.nodes for one in maps.values()), *(one.outcome_nodes() for one in maps.values())]
    absent_nodes = sum(frame.height for frame in every_node) - nodes.height
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
    return sorted(maps, key=LEVELS.index)


def _groups(
    maps: Mapping[Level, ProcessMap], pathway: Pathway | None, fine: Level, coarse: Level
) -> dict[str, str]:
    """Return the node of a coarser level by node of a finer one, where they differ."""
    phases = phase_groups(pathway)
    if fine == "code":
        activities = dict(maps["code"].activity_of)
        return activities if coarse == "activity" else {c: phases.get(a, a) for c, a in activities.items()}
    return phases


Set = tuple[str, ...]
Nodes = dict[Level, pl.DataFrame]
Masks = dict[Level, Flags]
"""What is hidden of each level: its edges in the order of `ProcessMap.flow`, then its total."""


def _shown_flows(
    maps: Mapping[Level, ProcessMap], pathway: Pathway | None, policy: DisclosurePolicy
) -> tuple[Mapping[Level, ProcessMap], Nodes, Nodes, dict[Level, int | None]]:
    """Return maps, nodes, edges and the flow not shown; where the nodes' counts pin small flows, none of them is said.

    Codes come last: what is shown of activities and phases is settled without them, and they are released only where
    they can be protected without hiding more of it. ``n_shown`` is the count of patients that a node may say.
    """
    coarse: dict[Level, ProcessMap] = {level: one for level, one in maps.items() if level != "code"}
    counts = pl.col("n_patients")
    try:
        masks = _hidden_flows(coarse, _said_bounds(coarse, policy), pathway, policy, {})
    except DisclosureRefused:
        masks = _hidden_flows(coarse, _unsaid_bounds(coarse, pathway, policy), pathway, policy, {})
        counts = pl.lit(None, dtype=pl.Int64)
    if len(coarse) < len(maps):
        said = counts.meta.is_column()
        bounds = _said_bounds(maps, policy) if said else _unsaid_bounds(maps, pathway, policy)
        try:
            masks = _hidden_flows(maps, bounds, pathway, policy, masks)
        except DisclosureRefused:
            maps = coarse
    every = {level: one.flow() for level, one in maps.items()}
    pooled = {
        level: None if masks[level][-1] else int(flow.filter(masks[level][:-1])["n_events"].sum())
        for level, flow in every.items()
    }
    flows = {level: flow.filter(~masks[level][:-1]) for level, flow in every.items()}
    nodes = {level: _shown_nodes(one, flows[level], counts, policy) for level, one in maps.items()}
    return maps, nodes, flows, pooled


def _shown_nodes(
    one: ProcessMap, flow: pl.DataFrame, counts: pl.Expr, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Return the nodes of enough patients, and every outcome: its count is that of its shown edge to ``■``."""
    steps = one.nodes.filter(pl.col("n_patients") >= policy.threshold).with_columns(n_shown=counts)
    said = flow.filter(pl.col("target") == END, pl.col("source") != START)["source"].to_list()
    nobody = pl.col("n_patients") == 0
    ends = one.outcome_nodes().with_columns(
        n_shown=pl.when(pl.col("activity").is_in(said) | nobody).then("n_patients")
    )
    return pl.concat([steps, ends], how="diagonal")


def _said_bounds(maps: Mapping[Level, ProcessMap], policy: DisclosurePolicy) -> Nodes:
    """Return what the published counts of nodes tell: the counts themselves."""
    enough = pl.col("n_patients") >= policy.threshold
    return {
        level: one.nodes.filter(enough).select("activity", "n_patients", high="n_patients")
        for level, one in maps.items()
    }


def _unsaid_bounds(
    maps: Mapping[Level, ProcessMap], pathway: Pathway | None, policy: DisclosurePolicy
) -> Nodes:
    """Return what edges still tell of the patients of coarser nodes: at least those of a finer edge inside."""
    order = in_order(maps)
    bounds: Nodes = {}
    for place, level in enumerate(order):
        inside = [pl.DataFrame(schema={"activity": pl.String, "low": pl.Int64})]
        for finer in order[:place]:
            groups = _groups(maps, pathway, finer, level)
            ends = maps[finer].edges.filter(pl.col("n_patients") >= policy.threshold)
            named = ends.with_columns(pl.col("source", "target").replace(groups))
            within = named.filter(pl.col("source") == pl.col("target"))
            inside.append(within.select(activity="source", low="n_patients"))
        low = pl.concat(inside).group_by("activity").agg(pl.col("low").max())
        bounds[level] = low.with_columns(high=pl.lit(maps[level].n_patients, dtype=pl.Int64))
    return bounds


def _hidden_flows(
    maps: Mapping[Level, ProcessMap],
    bounds: Nodes,
    pathway: Pathway | None,
    policy: DisclosurePolicy,
    settled: Masks,
) -> Masks:
    """Return what must be hidden of each level; where a level is settled, nothing more of it is."""
    order = in_order(maps)
    flows = {level: maps[level].flow() for level in order}
    totals = {order[0]: _total_between(maps[order[0]], policy)}
    levels = [
        FlowLevel(
            edges=flows[level],
            nodes=bounds[level],
            total_between=totals.get(level),
            groups=_groups(maps, pathway, order[0], level),
            collapsed=level == "phase",
        )
        for level in order
    ]
    small = {
        level: flow.select(policy.is_small(pl.col("n_patients"))).to_series().to_numpy()
        for level, flow in flows.items()
    }
    first = {level: settled.get(level, np.append(small[level], False)) for level in order}
    fixed = {level: ~first[level] if level in settled else np.zeros_like(first[level]) for level in order}
    system = flow_system(levels).holding(_joined(fixed, order))
    hidden = protect_flows(system, _joined(first, order), policy.threshold)
    ends = np.cumsum([flows[level].height for level in order])
    parts = np.split(hidden[: ends[-1]], ends[:-1])
    return {
        level: np.append(part, total)
        for level, part, total in zip(order, parts, hidden[ends[-1] :], strict=True)
    }


def _joined(masks: Masks, order: Sequence[Level]) -> Flags:
    """Put the edges of all levels one after the other, then the totals."""
    return np.concatenate([*(masks[level][:-1] for level in order), [masks[level][-1] for level in order]])


def _total_between(one: ProcessMap, policy: DisclosurePolicy) -> tuple[int, int]:
    """Return the bounds of a map's flow that its rounded number of events and its patients tell."""
    rounded = nearest(one.n_events, policy.event_rounding)
    ends = one.n_patients if one.outcomes.is_empty() else 2 * one.n_patients
    low = rounded - policy.event_rounding // 2 + ends
    return low, low + policy.event_rounding - 1


def _protected_counts(
    maps: Mapping[Level, ProcessMap],
    nodes: Mapping[Level, pl.DataFrame],
    flows: Mapping[Level, pl.DataFrame],
    pathway: Pathway | None,
    policy: DisclosurePolicy,
) -> dict[tuple[Level, str], pl.DataFrame]:
    """Return nodes and edges with the counts of patients null that would give away a small complement."""
    sets = _sets(maps, nodes, flows)
    number = {key: place for place, key in enumerate(sets)}
    pairs = [
        (number[part], number[whole])
        for part in sets
        for whole in _wholes(part, maps, pathway)
        if whole in number
    ]
    hideable = np.array([key[0] in ("node", "edge") and not _is_terminal(key) for key in sets])
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
        frame = nodes[level]
        outcome = frame["activity"].str.starts_with(END) & frame["n_shown"].is_not_null()
        seen = [("node", level, name) in kept for name in frame["activity"]]
        shown[level, "node"] = _null_unless(frame, outcome | pl.Series(seen, dtype=pl.Boolean))
        pairs_drawn = flows[level].select("source", "target").rows()
        seen = [s.startswith(END) or ("edge", level, s, t) in kept for s, t in pairs_drawn]
        shown[level, "edge"] = _null_unless(flows[level], seen)
    return shown


def _sets(
    maps: Mapping[Level, ProcessMap], nodes: Mapping[Level, pl.DataFrame], flows: Mapping[Level, pl.DataFrame]
) -> dict[Set, int]:
    """Return the sets of patients whose sizes can be read off the map, with their sizes.

    Outcomes are left out: they share out all patients, and the flows into them protect them. The patients of a node
    whose last event it is, whatever became of them, are a set too.
    """
    sets: dict[Set, int] = {("all",): next(iter(maps.values())).n_patients}
    for level, one in maps.items():
        counts = nodes[level].select("activity", "n_patients").rows()
        sets |= {("node", level, name): n for name, n in counts if not name.startswith(END)}
        edges = flows[level].select("source", "target", "n_patients").rows()
        sets |= {("edge", level, s, t): n for s, t, n in edges if not s.startswith(END)}
        sets |= {("last", level, name): n for name, n in _last_said(one, flows[level])}
    return sets


def _last_said(one: ProcessMap, flow: pl.DataFrame) -> list[tuple[str, int]]:
    """Return the nodes whose flow to every outcome is shown, with the patients whose last event they are."""
    shown = flow.filter(pl.col("target").str.starts_with(END)).group_by(activity="source")
    counts = one.ends.join(shown.agg(said=pl.col("n_patients").sum()), on="activity")
    whole = counts.filter(pl.col("n_patients") == pl.col("said"))
    return whole.select("activity", "n_patients").rows() if one.outcomes.height else []


def _is_terminal(key: Set) -> bool:
    """Say whether the patients of an edge are counted by its flow as well."""
    return key[0] == "edge" and (key[2] == START or key[3].startswith(END))


def _null_unless(frame: pl.DataFrame, seen: Sequence[bool] | pl.Series) -> pl.DataFrame:
    flag = pl.Series(seen, dtype=pl.Boolean)
    return frame.with_columns(n_shown=pl.when(flag).then("n_patients"))


def _wholes(part: Set, maps: Mapping[Level, ProcessMap], pathway: Pathway | None) -> list[Set]:
    """Return the sets of patients that contain a set, of those that a release may publish."""
    if part[0] == "all":
        return []
    kind, level = part[0], _level(part[1])
    coarser = [
        (one, _groups(maps, pathway, level, one)) for one in in_order(maps)[in_order(maps).index(level) + 1 :]
    ]
    if kind in ("node", "last"):
        name = part[2]
        above: list[Set] = [("node", one, groups.get(name, name)) for one, groups in coarser]
        return [("all",), *above] if kind == "node" else [("node", level, name)]
    _, _, source, target = part
    ends: list[Set] = [("node", level, name) for name in (source, target)]
    images = [(one, groups.get(source, source), groups.get(target, target)) for one, groups in coarser]
    return [*ends, *(("edge", one, s, t) for one, s, t in images if s != t or one != "phase")]


def _node_frame(
    maps: Mapping[Level, ProcessMap],
    nodes: Mapping[Level, pl.DataFrame],
    pathway: Pathway | None,
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    frames = [_described(frame, level, maps[level], pathway, policy) for level, frame in nodes.items()]
    return conform(pl.concat(frames), NODE_COLUMNS)


def _described(
    nodes: pl.DataFrame, level: Level, one: ProcessMap, pathway: Pathway | None, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Add phase, labels and order to the nodes of one level, hide the medians of few patients."""
    names, codes = nodes["activity"].to_list(), one.activity_of
    phases = [_phase(name, level, codes, pathway) for name in names]
    place = {phase: i for i, phase in enumerate(pathway.phases)} if pathway is not None else {}
    labels = {
        "fr": [_label(name, "fr", codes, pathway) for name in names],
        "en": [_label(name, "en", codes, pathway) for name in names],
    }
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


OUTCOME_PHASE = "outcome"


def _phase(name: str, level: Level, codes: Mapping[str, str], pathway: Pathway | None) -> str:
    if name.startswith(END):
        return OUTCOME_PHASE
    activity = codes.get(name, name)
    return activity if level == "phase" else phase_groups(pathway).get(activity, activity)


def _label(name: str, language: Language, codes: Mapping[str, str], pathway: Pathway | None) -> str:
    if name in LABELS:
        return LABELS[name][language]
    activity = codes.get(name, name)
    label = activity if pathway is None else pathway.name(activity, language)
    return label if activity == name else f"{label} {code_of(name, language)}"


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
    shown = edges.frame.filter(
        ~pl.col("source").is_in([START, ELSEWHERE]),
        ~pl.col("target").str.starts_with(END),
        pl.col("level") != "code",
    )
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
    return next(level for level in LEVELS if level == word)


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

"""Process maps: what a map is drawn from, by level, and the levels of a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from math import ceil
from typing import Any

import networkx as nx
import polars as pl

from eventlogs.abstraction import Level, in_phases
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.mining.codes import by_code
from pathways.mining.kernels import (
    EDGE_COLUMNS,
    ELSEWHERE,
    END,
    START,
    EventScan,
    Sequences,
    delay_counts,
    directly_follows,
    end_activities,
    node_counts,
    start_activities,
    variants,
)
from pathways.mining.outcomes import OUTCOME_COLUMNS, OUTCOMES, count_outcomes, is_outcome, outcomes


def phase_log(log: EventLog, pathway: Pathway) -> EventLog:
    """Return the log at the level of phases: activities renamed to theirs, runs of one phase written once."""
    return in_phases(log, pathway.phase_of())


def milestone_log(log: EventLog, pathway: Pathway) -> EventLog:
    """Return the log reduced to the definition's milestones: their phases in order, runs written once."""
    phases = pathway.phase_of()
    kept = (activity for activity, phase in phases.items() if phase in pathway.milestones)
    return log.keep_activities(kept).with_activities(phases).collapse_repeats()


@dataclass(frozen=True)
class ProcessMap:
    """What a map is drawn from, as frames of aggregates.

    Parameters
    ----------
    nodes : polars.DataFrame
        As `node_counts`.
    edges : polars.DataFrame
        As `directly_follows`; a filtered map ends with the residual row (``*`` to ``*``).
    starts, ends : polars.DataFrame
        As `start_activities`, `end_activities`.
    variants : polars.DataFrame
        As `variants`: whole sequences, repeats kept.
    delays : polars.DataFrame
        As `delay_counts`.
    outcomes : polars.DataFrame
        As `pathways.mining.outcomes.count_outcomes`; empty where the log does not say how the follow-up ended.
    n_patients, n_events : int
        Patients with at least one event; events.
    name : str
        Title.
    level : {'code', 'activity', 'phase'}
        What a node is.
    activity_of : mapping of str to str
        At the level of codes: the activity that each node is part of.

    Notes
    -----
    Counts here may be small: a map leaves through `pathways.disclosure` only.
    """

    nodes: pl.DataFrame = field(repr=False)
    edges: pl.DataFrame = field(repr=False)
    starts: pl.DataFrame = field(repr=False)
    ends: pl.DataFrame = field(repr=False)
    variants: pl.DataFrame = field(repr=False)
    delays: pl.DataFrame = field(repr=False)
    outcomes: pl.DataFrame = field(repr=False)
    n_patients: int
    n_events: int
    name: str = ""
    level: Level = "activity"
    activity_of: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_log(
        cls,
        log: EventLog | EventScan,
        *,
        name: str = "",
        level: Level = "activity",
        found: pl.DataFrame | None = None,
    ) -> ProcessMap:
        """Count a log once.

        Parameters
        ----------
        log : EventLog or EventScan
            The log, already at the level wanted (see `phase_log`).
        name : str
            Title of the map.
        level : {'code', 'activity', 'phase'}
            What its activities are.
        found : polars.DataFrame, optional
            What became of each patient, from `pathways.mining.outcomes.outcomes`; default: what the log itself says.
        """
        read = Sequences.of(log) if isinstance(log, EventLog) else log
        starts = start_activities(read)
        return cls(
            nodes=node_counts(read),
            edges=directly_follows(read),
            starts=starts,
            ends=end_activities(read),
            variants=variants(read),
            delays=delay_counts(read),
            outcomes=_outcomes(log, read, found),
            n_patients=int(starts["n_patients"].sum()),
            n_events=read.n_events,
            name=name,
            level=level,
        )

    def flow(self) -> pl.DataFrame:
        """Return the edges with those from ``▶`` to first and from last activities to ``■`` (`EDGE_COLUMNS`).

        Where outcomes are known, last activities lead to them (``■death``, ``■lost``, ``■followed``) and they to ``■``.
        """
        first = self.starts.select(
            pl.lit(START).alias("source"), pl.col("activity").alias("target"), pl.exclude("activity")
        )
        terminals = pl.concat([first, *self._last()]).with_columns(n_events=pl.col("n_patients"))
        return pl.concat([self.edges, terminals], how="diagonal").select(*EDGE_COLUMNS)

    def _last(self) -> list[pl.DataFrame]:
        columns = ["source", "target", "n_patients", "tied_share", "n_tied_patients"]
        if self.outcomes.is_empty():
            ends = self.ends.rename({"activity": "source"}).with_columns(target=pl.lit(END))
            return [ends.select(columns)]
        into = self.outcomes.rename({"activity": "source", "outcome": "target"}).select(columns)
        out = self.outcome_nodes().filter(pl.col("n_patients") > 0)
        on = out.select(
            source="activity",
            target=pl.lit(END),
            n_patients="n_patients",
            tied_share=pl.lit(0.0),
            n_tied_patients=pl.lit(0, pl.Int64),
        )
        return [into, on]

    def outcome_nodes(self) -> pl.DataFrame:
        """Return ``activity`` (an outcome), ``n_patients``, also of outcomes without any; no row where unknown."""
        counts = dict(self.outcomes.group_by("outcome").agg(pl.col("n_patients").sum()).rows())
        known = OUTCOMES if counts else ()
        rows = {"activity": known, "n_patients": [counts.get(name, 0) for name in known]}
        return pl.DataFrame(rows, schema={"activity": pl.String, "n_patients": pl.Int64})

    def filter_to(self, *, activities_share: float = 1.0, paths_share: float = 1.0) -> ProcessMap:
        """Return the map with its most frequent activities and paths; see `filter_to`."""
        nodes, edges = filter_to(
            self.nodes, self.edges, activities_share=activities_share, paths_share=paths_share
        )
        return replace(self, nodes=nodes, edges=edges)

    def to_networkx(self) -> nx.DiGraph[str]:
        """Return a directed graph: columns of `nodes` and `flow` as attributes, ``▶`` and ``■`` as nodes."""
        graph: nx.DiGraph[str] = nx.DiGraph(
            name=self.name, n_patients=self.n_patients, n_events=self.n_events
        )
        graph.add_nodes_from([START, END, *self.outcome_nodes()["activity"]])
        graph.add_nodes_from((row.pop("activity"), row) for row in self.nodes.to_dicts())
        drawn = self.flow().filter(pl.all_horizontal(pl.col("source", "target").is_in(list(graph))))
        graph.add_edges_from((row.pop("source"), row.pop("target"), row) for row in drawn.to_dicts())
        return graph

    def __repr__(self) -> str:
        return (
            f"ProcessMap({self.name or self.level!r}: {self.n_patients} patients, {self.n_events} events, "
            f"{self.nodes.height} nodes, {self.edges.height} edges)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{_svg(self)}"


def _outcomes(
    log: EventLog | EventScan, read: Sequences | EventScan, found: pl.DataFrame | None
) -> pl.DataFrame:
    """Count outcomes; a scan of events says nothing of patients."""
    if not isinstance(log, EventLog) or not isinstance(read, Sequences):
        return pl.DataFrame(schema=OUTCOME_COLUMNS)
    ids = log.events["patient_id"].gather(read.first)
    return count_outcomes(read, ids, outcomes(log) if found is None else found)


def filter_to(
    nodes: pl.DataFrame, edges: pl.DataFrame, *, activities_share: float = 1.0, paths_share: float = 1.0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Keep the most frequent activities and paths, and say how much flow is no longer drawn.

    Parameters
    ----------
    nodes : polars.DataFrame
        ``activity``, ``n_patients``; of a `ProcessMap` or released. A hidden count is read as the flow into it.
    edges : polars.DataFrame
        ``source``, ``target``, ``n_events``; of a `ProcessMap` or released, with or without ``▶``, ``■``, ``*``.
    activities_share : float
        Share of the activities to keep, 0 to 1, rounded up; at least one stays. What became of patients (outcomes,
        the activity *death*) always stays and is not counted.
    paths_share : float
        Share of the edges between kept activities to keep, 0 to 1, rounded up. The strongest edge into and out
        of each kept activity always stays, so that no activity floats alone.

    Returns
    -------
    nodes, edges : polars.DataFrame
        The same columns. The last edge, ``*`` to ``*``, carries the flow that is not drawn in ``n_events``: null
        where the edges given already hide a flow that can't be said. With a column ``level``, each level is
        filtered by itself.

    Raises
    ------
    ValueError
        A share is not between 0 and 1.
    """
    for name, share in (("activities_share", activities_share), ("paths_share", paths_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} = {share}; give a share between 0 and 1")
    if "level" not in nodes.columns:
        return _filter_level(nodes, edges, activities_share, paths_share)
    levels = nodes["level"].unique(maintain_order=True)
    parts = [
        _filter_level(nodes.filter(level=level), edges.filter(level=level), activities_share, paths_share)
        for level in levels
    ]
    return pl.concat([nodes.clear(), *(n for n, _ in parts)]), pl.concat(
        [edges.clear(), *(e for _, e in parts)]
    )


def _filter_level(
    nodes: pl.DataFrame, edges: pl.DataFrame, activities_share: float, paths_share: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    flow = edges.filter(pl.col("source") != ELSEWHERE)
    kept = _most_frequent(nodes, flow, activities_share)
    names = [*kept["activity"], START, END, *OUTCOMES]
    inside = flow.filter(pl.col("source").is_in(names), pl.col("target").is_in(names))
    drawn = _strongest(inside, paths_share)
    before = edges.filter(pl.col("source") == ELSEWHERE)["n_events"]
    hidden = int(edges["n_events"].sum()) - int(drawn["n_events"].sum())
    residual: dict[str, object] = {
        "source": ELSEWHERE,
        "target": ELSEWHERE,
        "n_events": None if before.null_count() else hidden,
    }
    if "level" in nodes.columns:
        residual["level"] = nodes["level"].first()
    row = pl.DataFrame([residual], schema={name: edges.schema[name] for name in residual})
    return kept, pl.concat([drawn, row], how="diagonal")


def _most_frequent(nodes: pl.DataFrame, flow: pl.DataFrame, share: float) -> pl.DataFrame:
    into = flow.group_by("target").agg(pl.col("n_events").sum().alias("inflow"))
    ranked = nodes.join(into, left_on="activity", right_on="target", how="left", maintain_order="left")
    frequency = pl.coalesce("n_patients", "inflow").fill_null(0)
    always = pl.Series([is_outcome(name) for name in nodes["activity"]], dtype=pl.Boolean)
    place = ranked.select(pl.when(~always).then(frequency).rank("ordinal", descending=True)).to_series()
    return nodes.filter(always | (place <= max(1, ceil(share * int((~always).sum())))).fill_null(False))


def _strongest(edges: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return the most frequent edges, and the strongest into and out of each node, in the order given."""
    numbered = edges.with_row_index("row").sort("n_events", "row", descending=[True, False])
    reached = pl.col("source").str.starts_with(END)
    backbone = [
        *(numbered.unique(side, keep="first")["row"] for side in ("source", "target")),
        numbered.filter(reached)["row"],
    ]
    among = numbered.filter(~reached)["row"]
    top = among.head(ceil(share * among.len()))
    rows = pl.concat([top, *backbone]).unique().sort()
    return edges[rows]


_SVG_NODES, _SVG_STEP, _SVG_LINE = 12, 90, 190


def _svg(process_map: ProcessMap) -> str:
    """Draw the map small: activities in their order in time, steps forward above the line, back below it."""
    share = min(1.0, _SVG_NODES / max(process_map.nodes.height, 1))
    small = process_map.filter_to(activities_share=share, paths_share=0.3)
    nodes = small.nodes.sort("median_day", "activity")
    place = {name: 60 + _SVG_STEP * i for i, name in enumerate(nodes["activity"])}
    edges = small.edges.filter(pl.col("source") != ELSEWHERE)
    widest = max(edges["n_events"].to_list(), default=1)
    arcs = [
        _svg_arc(place, s, t, n, widest) for s, t, n in edges.select("source", "target", "n_events").rows()
    ]
    dots = [_svg_node(place[row["activity"]], row) for row in nodes.to_dicts()]
    width = 120 + _SVG_STEP * len(place)
    return (
        f'<svg role="img" viewBox="0 40 {width} 320" width="{width}" font-family="sans-serif" font-size="11">'
        f"{''.join(arcs)}{''.join(dots)}</svg>"
    )


def _svg_arc(place: dict[str, int], source: str, target: str, n_events: int, widest: int) -> str:
    x0, x1 = place[source], place[target]
    height = min(150, 30 + 0.4 * abs(x1 - x0))
    y = _SVG_LINE - height * (1 if x1 >= x0 else -1)
    x0, x1 = (x0 - 12, x1 + 12) if x0 == x1 else (x0, x1)
    title = f"{escape(source)} → {escape(target)}: {n_events}"
    return (
        f'<path d="M{x0} {_SVG_LINE} C{x0} {y:.0f} {x1} {y:.0f} {x1} {_SVG_LINE}" fill="none" stroke="#31708f" '
        f'stroke-opacity="0.6" stroke-width="{0.5 + 5 * n_events / widest:.1f}"><title>{title}</title></path>'
    )


def _svg_node(x: int, row: dict[str, Any]) -> str:
    name = escape(row["activity"])
    return (
        f'<circle cx="{x}" cy="{_SVG_LINE}" r="5" fill="#1b3a4b"><title>{name}: {row["n_patients"]} patients'
        f'</title></circle><text transform="translate({x},{_SVG_LINE + 14}) rotate(50)">{name}</text>'
    )


def process_maps(
    log: EventLog,
    pathway: Pathway | None,
    molecules: pl.DataFrame | None = None,
    found: pl.DataFrame | None = None,
) -> dict[Level, ProcessMap]:
    """Return the map of a log by activity and, with a definition that has phases, by phase.

    Parameters
    ----------
    log : EventLog
        A log of activities.
    pathway : Pathway or None
        Gives phases, and the silence after which a patient counts as lost.
    molecules : polars.DataFrame, optional
        `pathways.mining.codes.MOLECULE_COLUMNS`: where given, also the map by code.
    found : polars.DataFrame, optional
        What became of each patient, as `outcomes`; default: what the log says, with that silence.
    """
    if found is None:
        found = outcomes(log, None if pathway is None else pathway.cohort.silence_days)
    maps: dict[Level, ProcessMap] = {"activity": ProcessMap.from_log(log, found=found)}
    if pathway is not None and pathway.phases:
        maps["phase"] = ProcessMap.from_log(phase_log(log, pathway), level="phase", found=found)
    if molecules is not None:
        fine, activity_of = by_code(log, molecules)
        maps["code"] = replace(ProcessMap.from_log(fine, level="code", found=found), activity_of=activity_of)
    return maps


def collapsed_variants(log: EventLog, pathway: Pathway | None) -> dict[Level, pl.DataFrame]:
    """Return `variants` with repeats written once, at the levels of `process_maps`; durations run to the last event."""
    sequences: dict[Level, pl.DataFrame] = {"activity": variants(log, collapse=True)}
    if pathway is not None and pathway.phases:
        sequences["phase"] = variants(log.with_activities(pathway.phase_of()), collapse=True)
    return sequences

"""Process maps: who does what after what, how often and how long after, counted in one pass over the sorted log.

Kernels turn the sorted events into small integers once, compare neighbours by shift, and count with a dense code
for each pair of activities; text, windows and per-patient lists stay off the way. Each function takes an
`EventLog` and returns a frame of aggregates (`case_durations` excepted: one row a patient).

Rules
-----
Days are exact elapsed time divided by 86 400 s. Quantiles interpolate linearly between order statistics
(Hyndman and Fan 1996, type 7), the rule of numpy's default. A step *rests on a tie* when one of its two events
shares its timestamp with an event of another activity of the same patient: ``n_events * (1 - tied_share)`` steps
remain whatever the order inside ties.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html import escape
from math import ceil
from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from eventlogs.abstraction import Level, in_phases
from eventlogs.log import EventLog
from pathways.definition import Pathway

Integers = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]

START, END, ELSEWHERE = "▶", "■", "*"
"""Virtual nodes: before the first event, after the last, and the flow that a map does not draw."""

DAY_US = 86_400_000_000
"""Microseconds in a day."""

EDGE_COLUMNS: dict[str, Any] = {
    "source": pl.String,
    "target": pl.String,
    "n_events": pl.Int64,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "n_tied_patients": pl.Int64,
    "mean_days": pl.Float64,
    "median_days": pl.Float64,
    "p90_days": pl.Float64,
    "min_days": pl.Float64,
    "max_days": pl.Float64,
}
"""Columns of `directly_follows`."""

TERMINAL_COLUMNS: dict[str, Any] = {
    "activity": pl.String,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "n_tied_patients": pl.Int64,
}
"""Columns of `start_activities` and `end_activities`."""


@dataclass(frozen=True)
class Sequences:
    """A log as integers, in its order: the input of every kernel.

    Parameters
    ----------
    activities : list of str
        Names; an activity's code is its place here (by name).
    activity, patient, start_us : arrays of length n_events
        Activity code, patient number (0, 1, ... in the order of the log), start in microseconds.
    first : array of length n_patients
        Row of each patient's first event.
    on_tie : array of bool of length n_events
        The event shares its timestamp with another activity of its patient.
    """

    activities: list[str]
    activity: Integers
    patient: Integers
    start_us: Integers
    first: Integers
    on_tie: Flags

    @classmethod
    def of(cls, log: EventLog) -> Sequences:
        """Encode a log."""
        events, names = log.events, log.activities
        new_patient = (events["rank"] == 0).to_numpy()
        start = events["start"].to_physical().to_numpy()
        codes = events["activity"].cast(pl.Enum(names)).to_physical().to_numpy()
        activity = codes.astype(np.promote_types(np.int32, np.min_scalar_type(len(names) ** 2)))
        return cls(
            activities=names,
            activity=activity,
            patient=np.cumsum(new_patient, dtype=np.int32) - 1,
            start_us=start,
            first=np.flatnonzero(new_patient),
            on_tie=_on_tie(new_patient, start, activity),
        )

    @property
    def last(self) -> Integers:
        """Row of each patient's last event."""
        return np.append(self.first[1:], len(self.activity)) - 1 if len(self.first) else self.first


def _on_tie(new_patient: Flags, start: Integers, activity: Integers) -> Flags:
    """Flag the events of a timestamp that holds two activities or more of one patient."""
    new_group = new_patient.copy()
    new_group[1:] |= start[1:] != start[:-1]
    group = np.cumsum(new_group) - 1
    inside = np.flatnonzero(~new_group)
    mixed = np.zeros(len(group), dtype=np.bool_)
    mixed[group[inside[activity[inside] != activity[inside - 1]]]] = True
    return np.take(mixed, group)


def _runs(group: Integers, patient: Integers, n_groups: int) -> tuple[Integers, Integers]:
    """Return the order that puts each patient of each group together, and where in it each of these begins.

    Patients ascend already, so that a stable radix sort of the groups is enough.
    """
    order = np.argsort(group.astype(np.min_scalar_type(max(n_groups, 1))), kind="stable")
    group, patient = group[order], patient[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (patient[1:] != patient[:-1])
    return order, np.flatnonzero(new)


def _distinct(group: Integers, patient: Integers, n_groups: int) -> Integers:
    """Count distinct patients by group."""
    order, runs = _runs(group, patient, n_groups)
    return np.bincount(group[order[runs]], minlength=n_groups)


@dataclass(frozen=True)
class _Steps:
    """Neighbouring events of one patient: the edge (dense number), who, how long, whether on a tie.

    ``order`` and ``runs`` put the steps of one patient on one edge together, as `_runs`.
    """

    sources: Integers
    targets: Integers
    edge: Integers
    patient: Integers
    delay_us: Integers
    tied: Flags
    n_events: Integers
    order: Integers
    runs: Integers

    @classmethod
    def of(cls, seq: Sequences) -> _Steps:
        n, inside = len(seq.activities), np.ones(max(len(seq.activity) - 1, 0), dtype=np.bool_)
        inside[seq.first[1:] - 1] = False
        code = (seq.activity[:-1] * n + seq.activity[1:])[inside]
        counts = np.bincount(code, minlength=n * n)
        present = np.flatnonzero(counts)
        number = np.zeros(n * n, dtype=np.int32)
        number[present] = np.arange(len(present))
        sources, targets = np.divmod(present, max(n, 1))
        edge, patient = number[code], seq.patient[1:][inside]
        order, runs = _runs(edge, patient, len(present))
        return cls(
            sources=sources,
            targets=targets,
            edge=edge,
            patient=patient,
            delay_us=np.diff(seq.start_us)[inside],
            tied=(seq.on_tie[:-1] | seq.on_tie[1:])[inside],
            n_events=counts[present],
            order=order,
            runs=runs,
        )

    def named(self, names: list[str]) -> pl.DataFrame:
        """Return ``source``, ``target`` of each edge number."""
        label = pl.Series(names, dtype=pl.String)
        return pl.DataFrame({"source": label.gather(self.sources), "target": label.gather(self.targets)})


def directly_follows(log: EventLog) -> pl.DataFrame:
    """Count the steps from one event to the next of the same patient.

    Parameters
    ----------
    log : EventLog
        Any log; its rank order is the order.

    Returns
    -------
    polars.DataFrame
        `EDGE_COLUMNS`, most frequent first: ``n_events`` steps by ``n_patients`` distinct patients;
        ``tied_share`` (0 to 1) of the steps rest on a tie, those of ``n_tied_patients`` patients; delays in days
        (mean, median, 90th percentile, minimum, maximum). Mean, minimum and maximum are never released.
    """
    seq = Sequences.of(log)
    return _directly_follows(seq, _Steps.of(seq))


def _directly_follows(seq: Sequences, steps: _Steps) -> pl.DataFrame:
    n = len(steps.n_events)
    tied = np.bincount(steps.edge[steps.tied], minlength=n)
    counts = steps.named(seq.activities).with_columns(
        n_events=steps.n_events,
        n_patients=np.bincount(steps.edge[steps.order[steps.runs]], minlength=n),
        tied_share=tied / np.maximum(steps.n_events, 1),
        n_tied_patients=_distinct(steps.edge[steps.tied], steps.patient[steps.tied], n),
    )
    edges = pl.concat([counts, _delay_statistics(steps)], how="horizontal").select(*EDGE_COLUMNS)
    return edges.sort("n_events", "source", "target", descending=[True, False, False])


def _delay_statistics(steps: _Steps) -> pl.DataFrame:
    """Return mean, median, p90, minimum and maximum in days, one row an edge number."""
    delay = pl.col("delay")
    frame = pl.DataFrame({"edge": steps.edge.astype(np.uint32), "delay": steps.delay_us})
    statistics = frame.group_by("edge").agg(
        mean_days=delay.mean(),
        median_days=delay.median(),
        p90_days=delay.quantile(0.9, "linear"),
        min_days=delay.min(),
        max_days=delay.max(),
    )
    return statistics.sort("edge").select(pl.exclude("edge") / DAY_US)


def delay_counts(log: EventLog) -> pl.DataFrame:
    """Count the steps of each edge by whole days of delay.

    Returns
    -------
    polars.DataFrame
        ``source``, ``target``, ``day`` (completed days), ``n_events``, ``n_first`` and ``n_last``: patients whose
        shortest, longest delay on that edge is that day. Both are additive over days, so that the distinct
        patients of any run of days are at least their sum: what the disclosure gate needs.
    """
    seq = Sequences.of(log)
    return _delay_counts(seq, _Steps.of(seq))


def _delay_counts(seq: Sequences, steps: _Steps) -> pl.DataFrame:
    days = steps.delay_us // DAY_US
    first, span = (int(days.min()), int(np.ptp(days)) + 1) if len(days) else (0, 1)
    cell = steps.edge.astype(np.int64) * span + (days - first)
    ordered = cell[steps.order]
    cells = [
        _counted(cell, "n_events"),
        _counted(_reduce(np.minimum, ordered, steps.runs), "n_first"),
        _counted(_reduce(np.maximum, ordered, steps.runs), "n_last"),
    ]
    counts = pl.concat(cells, how="diagonal").group_by("cell").sum().sort("cell")
    edge, day = counts["cell"] // span, counts["cell"] % span + first
    named = steps.named(seq.activities)[edge]
    return named.with_columns(day.alias("day"), *counts.drop("cell"))


def _reduce(function: np.ufunc, values: Integers, runs: Integers) -> Integers:
    return function.reduceat(values, runs) if len(runs) else values


def _counted(cell: Integers, name: str) -> pl.DataFrame:
    return pl.DataFrame({"cell": cell}).group_by("cell").agg(pl.len().cast(pl.Int64).alias(name))


def start_activities(log: EventLog) -> pl.DataFrame:
    """Count the patients by their first activity: `TERMINAL_COLUMNS`, most frequent first."""
    seq = Sequences.of(log)
    return _terminals(seq, seq.first)


def end_activities(log: EventLog) -> pl.DataFrame:
    """Count the patients by their last activity: `TERMINAL_COLUMNS`, most frequent first."""
    seq = Sequences.of(log)
    return _terminals(seq, seq.last)


def _terminals(seq: Sequences, rows: Integers) -> pl.DataFrame:
    n = len(seq.activities)
    counts = np.bincount(seq.activity[rows], minlength=n)
    tied = np.bincount(seq.activity[rows[seq.on_tie[rows]]], minlength=n)
    frame = pl.DataFrame(
        {
            "activity": seq.activities,
            "n_patients": counts,
            "tied_share": tied / np.maximum(counts, 1),
            "n_tied_patients": tied,
        },
        schema=TERMINAL_COLUMNS,
    )
    return frame.filter(pl.col("n_patients") > 0).sort("n_patients", "activity", descending=[True, False])


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
    return _variants(Sequences.of(log), collapse)


def _variants(seq: Sequences, collapse: bool) -> pl.DataFrame:
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


def node_counts(log: EventLog) -> pl.DataFrame:
    """Count events and distinct patients by activity.

    Returns
    -------
    polars.DataFrame
        ``activity``, ``n_events``, ``n_patients``, ``median_day``: median over these patients of the day of their
        first such event since the index date (since their first event where no index date is known). Most
        frequent first.
    """
    return _node_counts(Sequences.of(log), _day_zero(log))


def _day_zero(log: EventLog) -> Integers:
    """Return the index date of each patient with events, in microseconds; else the first event."""
    first = log.events.filter(pl.col("rank") == 0).select("patient_id", "start")
    dated = first.join(log.patients, on="patient_id", how="left", maintain_order="left")
    return dated.select(pl.coalesce("index_date", "start"))["index_date"].to_physical().to_numpy()


def _node_counts(seq: Sequences, day_zero: Integers) -> pl.DataFrame:
    n = len(seq.activities)
    order, runs = _runs(seq.activity, seq.patient, n)
    rows = order[runs]
    days = (seq.start_us[rows] - day_zero[seq.patient[rows]]) / DAY_US
    firsts = pl.DataFrame({"code": seq.activity[rows], "day": days})
    medians = firsts.group_by("code").agg(pl.len(), pl.col("day").median()).sort("code")
    frame = pl.DataFrame(
        {
            "activity": pl.Series(seq.activities, dtype=pl.String),
            "n_events": np.bincount(seq.activity, minlength=n),
            "n_patients": medians["len"].cast(pl.Int64),
            "median_day": medians["day"],
        }
    )
    return frame.sort("n_events", "activity", descending=[True, False])


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
    n_patients, n_events : int
        Patients with at least one event; events.
    name : str
        Title.
    level : {'code', 'activity', 'phase'}
        What a node is (see `eventlogs.abstraction.at_level`).

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
    n_patients: int
    n_events: int
    name: str = ""
    level: Level = "activity"

    @classmethod
    def from_log(cls, log: EventLog, *, name: str = "", level: Level = "activity") -> ProcessMap:
        """Count a log once.

        Parameters
        ----------
        log : EventLog
            The log, already at the level wanted (see `phase_log`).
        name : str
            Title of the map.
        level : {'activity', 'phase'}
            What its activities are.
        """
        seq = Sequences.of(log)
        steps = _Steps.of(seq)
        return cls(
            nodes=_node_counts(seq, _day_zero(log)),
            edges=_directly_follows(seq, steps),
            starts=_terminals(seq, seq.first),
            ends=_terminals(seq, seq.last),
            variants=_variants(seq, collapse=False),
            delays=_delay_counts(seq, steps),
            n_patients=len(seq.first),
            n_events=len(seq.activity),
            name=name,
            level=level,
        )

    def flow(self) -> pl.DataFrame:
        """Return the edges with those from ``▶`` to first and from last activities to ``■`` (`EDGE_COLUMNS`)."""
        first = self.starts.select(
            pl.lit(START).alias("source"), pl.col("activity").alias("target"), pl.exclude("activity")
        )
        last = self.ends.select(
            pl.col("activity").alias("source"), pl.lit(END).alias("target"), pl.exclude("activity")
        )
        terminals = pl.concat([first, last]).with_columns(n_events=pl.col("n_patients"))
        return pl.concat([self.edges, terminals], how="diagonal").select(*EDGE_COLUMNS)

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
        graph.add_nodes_from([START, END])
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
        Share of the activities to keep, 0 to 1, rounded up; at least one stays.
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
    names = [*kept["activity"], START, END]
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
    place = ranked.select(frequency.rank("ordinal", descending=True)).to_series()
    return nodes.filter(place <= max(1, ceil(share * nodes.height)))


def _strongest(edges: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return the most frequent edges, and the strongest into and out of each node, in the order given."""
    numbered = edges.with_row_index("row").sort("n_events", "row", descending=[True, False])
    backbone = [numbered.unique(side, keep="first")["row"] for side in ("source", "target")]
    top = numbered["row"].head(ceil(share * edges.height))
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


def process_maps(log: EventLog, pathway: Pathway | None) -> dict[Level, ProcessMap]:
    """Return the map of a log by activity and, with a definition that has phases, by phase."""
    maps: dict[Level, ProcessMap] = {"activity": ProcessMap.from_log(log)}
    if pathway is not None and pathway.phases:
        maps["phase"] = ProcessMap.from_log(phase_log(log, pathway), level="phase")
    return maps


def collapsed_variants(log: EventLog, pathway: Pathway | None) -> dict[Level, pl.DataFrame]:
    """Return `variants` with repeats written once, at the levels of `process_maps`; durations run to the last event."""
    sequences: dict[Level, pl.DataFrame] = {"activity": variants(log, collapse=True)}
    if pathway is not None and pathway.phases:
        sequences["phase"] = variants(log.with_activities(pathway.phase_of()), collapse=True)
    return sequences

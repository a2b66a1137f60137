"""Honest delays: curves that are made of rounded counts only.

The number who have met each cause by each day of a fixed grid is rounded down to the edge of a cell, before anything
is estimated: incidences, numbers at risk and intervals are computed from the rounded counts, so no arithmetic on them
tells more than the cells. A cell holds two thresholds of values or more. Three rules, which use published numbers
only, keep counts apart when the curves are put beside other tables:

- no cell begins nearer than the threshold to a published count of which the rounded one is a part or a whole;
- on each day the rounded counts of one risk set leave room for a whole cell among its patients, and those that are
  no steps among the patients without a step, so that those who still wait don't pin the others;
- the steps of an edge are counted at the end of their bin of ``edge_delays``, whose counts are exact; the last bin,
  which is open, is taken to end as long after the one before as that one did after the origin (an only bin: on the
  published median).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.abstraction import Level
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
from pathways.mining.incidence import CAUSES, DEATHS, INDEX, WAIT_COLUMNS, Waits, cumulative_incidence
from pathways.mining.kernels import ELSEWHERE, END

Counts = NDArray[np.int64]

EDGE = ["level", "source", "target"]

INCIDENCE_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "origin": pl.String,
    "target": pl.String,
    "cause": pl.String,
    "day": pl.Int64,
    "n_at_risk": pl.Int64,
    "incidence": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
"""``cause``: ``step`` (the target), ``other`` (another next event; from an activity only), ``death``, ``exit``."""

GRID = (
    *range(15),
    *range(15, 60, 5),
    *range(60, 180, 15),
    *range(180, 720, 30),
    *range(720, 3601, 90),
)
"""Days since the origin on which a curve is told, where it changes."""

RELEASED_CAUSES = ("step", "other", "death", "exit")
"""Causes that have a curve; ``other`` only from an activity."""

Curve = tuple[str, str | None]
"""Cause, and the target of a step."""

N_ENDS = len(CAUSES) - 1
"""Rows of a risk set that are no steps."""

LEAST_CELLS = 5
"""A curve is told where at least so many cells hold its patients."""


@dataclass(frozen=True)
class RoundedCounts:
    """What the curves of one risk set are made of.

    Parameters
    ----------
    level, origin : str
        Of what, and where the clock starts.
    target : str or None
        What is waited for; None: any next event.
    causes : list of Curve
        Cause and target of each row of `counts`; the last one is ``censored``.
    counts : array of int, shape (n_causes, n_days)
        Patients by each day of `GRID`, rounded down to the edge of a cell.
    n_patients : int
        Patients who wait, rounded down to the edge of a cell.
    cells : list of array of int
        Where the cells of each row begin, and the end of the last one; then those of `n_patients`.
    most : int
        Published number of the patients of whom those who wait are a part.
    """

    level: str
    origin: str
    target: str | None
    causes: list[Curve]
    counts: Counts = field(repr=False)
    n_patients: int
    cells: list[Counts] = field(repr=False)
    most: int


@dataclass(frozen=True)
class Counted:
    """Published counts of patients by what became of an expectation.

    Parameters
    ----------
    starts, steps : frozenset of str
        Activities or phases (or ``index``) that start the wait, and those waited for.
    numbers : tuple of int
        The counts.
    """

    starts: frozenset[str]
    steps: frozenset[str]
    numbers: tuple[int, ...]


def release_incidence(
    index: Mapping[Level, Waits],
    steps: Mapping[Level, Waits],
    nodes: Released,
    edges: Released,
    delays: Released,
    *,
    counted: Sequence[Counted] = (),
    pathway: Pathway | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release how many have had each shown step by each day, with death and exit as competing causes.

    Parameters
    ----------
    index : mapping of level to Waits
        From `pathways.mining.incidence.index_waits`, not in strata.
    steps : mapping of level to Waits
        From `pathways.mining.incidence.edge_waits`, each patient once.
    nodes, edges, delays : Released
        From `release_map` and `release_delays` on the same log: only what they show has a curve.
    counted : sequence of Counted
        What other tables publish of waits: breakdowns, rules of the reference pathway.
    pathway : Pathway, optional
        Says which activities are in a phase, and after which a breakdown expects nothing.

    Returns
    -------
    Released
        `INCIDENCE_COLUMNS`: since the index (``origin`` ``index``) for each node, and from the first occurrence of an
        activity for each edge. A curve ends where fewer than two thresholds still wait. An incidence of 0 means fewer
        than the first cell holds; intervals hold sampling (95 %) and rounding.
    """
    known = Known.of(nodes, edges, delays, counted, pathway, threshold=policy.threshold)
    rounded = rounded_counts(index, steps, known)
    told = [one for one in rounded if one.n_patients >= LEAST_CELLS * 2 * policy.threshold]
    frames = [pl.DataFrame(schema=INCIDENCE_COLUMNS), *(curves(one, policy.threshold) for one in told)]
    return released_table(
        "incidence",
        pl.concat(frames),
        policy,
        origin,
        numerator="patients who have met the cause by the day",
        denominator="patients who wait, each once",
        suppressed=len(rounded) - len(told),
        rounded=f"counts down to cells of {2 * policy.threshold} patients or more, before the estimate",
    )


@dataclass(frozen=True)
class Known:
    """Published counts of patients: all, by node and edge, and by what became of expectations.

    ``ends`` are nodes after which nothing is expected, ``large`` the edges of enough events for a curve, ``bins``
    those of ``edge_delays`` with their edge's ``median_days``.
    """

    threshold: int
    n_patients: int
    nodes: Mapping[tuple[str, str], int | None]
    edges: Mapping[tuple[str, str, str], int | None]
    counted: Sequence[Counted]
    ends: frozenset[str]
    large: frozenset[tuple[str, str, str]]
    phases: Mapping[str, str]
    bins: pl.DataFrame = field(repr=False)

    @classmethod
    def of(
        cls,
        nodes: Released,
        edges: Released,
        delays: Released,
        counted: Sequence[Counted],
        pathway: Pathway | None,
        *,
        threshold: int,
    ) -> Known:
        """Read what the other tables say."""
        plans = {} if pathway is None else pathway.breakdowns
        flows = _rows(edges, "level", "source", "target", "n_patients", "n_events")
        least = LEAST_CELLS * 2 * threshold
        return cls(
            threshold=threshold,
            n_patients=int(str(nodes.meta["denominator"])),
            nodes={(level, name): n for level, name, n in _rows(nodes, "level", "activity", "n_patients")},
            edges={(level, s, t): n for level, s, t, n, _ in flows if ELSEWHERE not in (s, t)},
            counted=counted,
            large=frozenset((level, s, t) for level, s, t, _, events in flows if (events or 0) >= least),
            ends=frozenset(DEATHS).union(*(plan.exits for plan in plans.values())),
            phases={} if pathway is None else pathway.phase_of(),
            bins=delays.frame.join(edges.frame.select(*EDGE, "median_days"), on=EDGE, how="left"),
        )

    def words(self, level: str, name: str) -> set[str]:
        """Return a node with its phase, or its activities."""
        inside = {a for a, phase in self.phases.items() if phase == name} if level == "phase" else set()
        return {name, self.phases.get(name, name), *inside}

    def about(self, level: str, name: str) -> list[int]:
        """Return the counts of nodes that hold the patients with a node, or are part of them."""
        nested = {(one, word) for one in ("activity", "phase") for word in self.words(level, name)}
        return [n for key in nested if (n := self.nodes.get(key)) is not None]

    def about_step(self, level: str, origin: str, target: str) -> list[int]:
        """Return the counts that hold the patients with a step after an origin, or are part of them."""
        starts, steps = self.words(level, origin), self.words(level, target)
        own = self.edges.get((level, origin, target))
        waits = [n for one in self.counted if one.starts & starts and one.steps & steps for n in one.numbers]
        return [
            *self.about(level, origin),
            *self.about(level, target),
            *waits,
            *([] if own is None else [own]),
        ]

    def about_ends(self, level: str, name: str) -> list[int]:
        """Return the counts that hold those for whom nothing came after a node, or are part of them."""
        fates = {target for _, _, target in self.edges if target.startswith(END)} | self.ends
        last = [self.edges.get((level, name, end)) for end in fates]
        whole = [n for end in fates for n in self.about("activity", end)]
        return [*self.about(level, name), *whole, *(n for n in last if n is not None)]

    def targets(self, level: str, source: str) -> list[str]:
        """Return the nodes that are shown after another often enough for a curve."""
        after = [t for one, s, t in self.edges if (one, s) == (level, source) and not t.startswith(END)]
        return [target for target in after if (level, source, target) in self.large]


def _rows(table: Released, *columns: str) -> list[tuple[Any, ...]]:
    return table.frame.select(columns).rows()


def rounded_counts(
    index: Mapping[Level, Waits], steps: Mapping[Level, Waits], known: Known
) -> list[RoundedCounts]:
    """Round the counts of every risk set that holds something shown: `release_incidence` tells nothing else."""
    nodes = [(level, name) for level, name in known.nodes if level in index and not name.startswith(END)]
    since = [_since_index(level, name, index[_level(level)], known) for level, name in nodes]
    after = [_after(level, name, steps[_level(level)], known) for level, name in nodes]
    return [one for one in (*since, *after) if one is not None]


def _level(word: str) -> Level:
    return "phase" if word == "phase" else "activity"


def _since_index(level: str, name: str, waits: Waits, known: Known) -> RoundedCounts | None:
    part = waits.counts.filter(target=name)
    if part.is_empty():
        return None
    counts = np.array([_by_day(part.filter(cause=cause)) for cause in CAUSES])
    ends = known.about_ends(level, name)
    cells = [
        cell_edges(anchors, known) for anchors in (known.about_step(level, INDEX, name), ends, ends, ends, [])
    ]
    causes: list[Curve] = [(cause, name) for cause in CAUSES]
    rounded = _rounded(counts, int(part["n"].sum()), cells, known)
    return RoundedCounts(level, INDEX, name, causes, *rounded, cells, known.n_patients)


def _after(level: str, source: str, waits: Waits, known: Known) -> RoundedCounts | None:
    part = waits.counts.filter(origin=source)
    targets = [name for name in known.targets(level, source) if name in part["target"]]
    if not targets:
        return None
    dated = _at_end_of_bin(part.filter(cause="step"), known.bins.filter(level=level, source=source))
    steps = [_by_day(dated.filter(target=name)) for name in targets]
    others = dated.filter(~pl.col("target").is_in(targets))
    ends = [_by_day(part.filter(cause=cause)) for cause in CAUSES[1:]]
    counts = np.array([*steps, _by_day(others), *ends])
    around, ends_around = known.about(level, source), known.about_ends(level, source)
    anchors = [
        *(known.about_step(level, source, target) for target in targets),
        around,
        *[ends_around] * 3,
        around,
    ]
    cells = [cell_edges(one, known) for one in anchors]
    named: list[Curve] = [("step", name) for name in (*targets, ELSEWHERE)]
    causes = [*named, *((cause, None) for cause in CAUSES[1:])]
    rounded = _rounded(counts, int(part["n"].sum()), cells, known)
    most = known.nodes.get((level, source)) or known.n_patients
    return RoundedCounts(level, source, None, causes, *rounded, cells, most)


def _by_day(part: pl.DataFrame) -> Counts:
    """Return how many by each day of the grid."""
    first = np.searchsorted(GRID, part["day"].to_numpy())
    on = np.bincount(first, weights=part["n"].to_numpy(), minlength=len(GRID) + 1)
    return np.cumsum(on)[: len(GRID)].astype(np.int64)


def _at_end_of_bin(steps: pl.DataFrame, bins: pl.DataFrame) -> pl.DataFrame:
    """Move steps to the last day of their bin; those of targets that have none keep their day.

    An open bin that begins on day d is taken to end on day 2 d; the only bin of a target on the published median, or
    else with the last of the other targets' bins.
    """
    latest = pl.col("day_to").max().fill_null(GRID[0])
    only = pl.coalesce("median_days", latest)
    ends = pl.when(pl.col("day_from") > 0).then(2 * pl.col("day_from")).otherwise(only)
    closed = bins.select("target", "day_from", end=pl.coalesce("day_to", ends)).sort("day_from")
    found = steps.sort("day").join_asof(
        closed, left_on="day", right_on="day_from", by="target", strategy="backward", check_sortedness=False
    )
    return found.with_columns(day=pl.coalesce("end", "day"))


def _rounded(counts: Counts, n_patients: int, cells: Sequence[Counts], known: Known) -> tuple[Counts, int]:
    """Round the counts of one risk set, and its patients, whose cells are the last.

    Deaths, exits and ends of data (the last rows) leave room among those who have had no step, who may be known.
    """
    of_all, margin = cells[-1], 2 * known.threshold - 1
    whole = int(floors(np.array([n_patients]), of_all)[0])
    down = np.array([floors(row, of_row) for row, of_row in zip(counts, cells, strict=False)])
    no_step = floors(n_patients - counts[:-N_ENDS].sum(axis=0), of_all)
    down[-N_ENDS:] = with_room(down[-N_ENDS:], cells[-N_ENDS - 1 : -1], no_step - margin)
    return with_room(down, cells, np.full(len(GRID), whole - margin)), whole


def cell_edges(anchors: Collection[int], known: Known) -> Counts:
    """Return where cells begin, multiples of two thresholds that no anchor is near to, and the end of the last one.

    Parameters
    ----------
    anchors : collection of int
        Published counts; the number of all patients is always one.
    known : Known
        Gives the threshold and the number of all patients.
    """
    multiples = np.arange(0, known.n_patients + 1, 2 * known.threshold)
    published = np.array(sorted({*anchors, known.n_patients}), dtype=np.int64)
    far = (np.abs(multiples[:, None] - published[None, :]) >= known.threshold).all(axis=1)
    return np.append(multiples[far | (multiples == 0)], known.n_patients + 1)


def floors(counts: Counts, cells: Counts) -> Counts:
    """Return where the cell begins that each count is in."""
    begins: Counts = cells[np.searchsorted(cells, counts, side="right") - 1]
    return begins


def with_room(counts: Counts, cells: Sequence[Counts], most: Counts) -> Counts:
    """Lower rounded counts, the greatest first, until they add up to no more than is allowed on each day.

    Counts stay ascending from day to day. What needed no lowering and what was lowered to the same are told alike.

    Parameters
    ----------
    counts : array of int, shape (n_causes, n_days)
        Where the cell of each count begins.
    cells : sequence of array of int
        Where the cells of each row begin.
    most : array of int, length n_days
        Greatest sum of each day; below 0 as 0.
    """
    lowered = counts.copy()
    for day in reversed(range(counts.shape[1])):
        column = lowered[:, day]
        while column.sum() > max(most[day], 0):
            greatest = int(np.argmax(column))
            of_row = cells[greatest]
            column[greatest] = of_row[np.searchsorted(of_row, column[greatest]) - 1]
        if day:
            lowered[:, day - 1] = np.minimum(lowered[:, day - 1], column)
    return lowered


def curves(rounded: RoundedCounts, threshold: int) -> pl.DataFrame:
    """Estimate the curves of one risk set from its rounded counts and nothing else: `INCIDENCE_COLUMNS`."""
    told = cumulative_incidence(_as_waits(rounded), _telling_days(rounded.counts))
    told = told.filter(pl.col("n_at_risk") >= 2 * threshold).join(
        _blurs(rounded), on=["cause", "target"], nulls_equal=True, maintain_order="left"
    )
    is_step = pl.col("cause") == "step"
    steps = told.filter(is_step, pl.col("target") != ELSEWHERE)
    names = steps.select("target").unique(maintain_order=True)
    ends = told.filter(~is_step).drop("target").join(names, how="cross")
    parts = [_blurred(steps), _blurred(ends)]
    if rounded.target is None:
        any_step = told.filter(is_step).group_by("day").agg(any_step=pl.col("incidence").sum())
        others = steps.join(any_step, on="day", maintain_order="left").with_columns(
            cause=pl.lit("other"), incidence=pl.col("any_step") - pl.col("incidence"), low=None, high=None
        )
        parts.append(others)
    whole = pl.concat(
        [conform(part.with_columns(level=pl.lit(rounded.level)), INCIDENCE_COLUMNS) for part in parts]
    )
    return whole.with_columns(pl.col("incidence", "low", "high").round(3)).sort(
        pl.col("target").cast(pl.Enum(names["target"])), pl.col("cause").cast(pl.Enum(RELEASED_CAUSES)), "day"
    )


def _telling_days(counts: Counts) -> list[int]:
    """Return the first day of the grid, and those on which a rounded count changes."""
    changes = np.diff(counts, axis=1, prepend=-1).any(axis=0)
    days: list[int] = np.array(GRID)[changes].tolist()
    return days


def _blurs(rounded: RoundedCounts) -> pl.DataFrame:
    """Return ``cause``, ``target``, ``blur``: half the widest cell as a share of the patients."""
    widest = [float(np.diff(cells).max()) / 2 / max(rounded.n_patients, 1) for cells in rounded.cells[:-1]]
    causes, targets = zip(*rounded.causes, strict=True)
    columns = {"cause": pl.String, "target": pl.String, "blur": pl.Float64}
    return pl.DataFrame({"cause": causes, "target": targets, "blur": widest}, schema=columns)


def _blurred(told: pl.DataFrame) -> pl.DataFrame:
    """Widen the intervals by what the rounding may hide."""
    some = pl.col("incidence") > 0
    low = pl.when(some).then(pl.coalesce("low", "incidence") - pl.col("blur")).otherwise(0)
    high = pl.coalesce("high", "incidence") + pl.when(some).then("blur").otherwise(2 * pl.col("blur"))
    return told.with_columns(low=low.clip(0, 1), high=high.clip(0, 1))


def _as_waits(rounded: RoundedCounts) -> Waits:
    """Return waits with the middle of each cell, scaled where the middles add up to more than the patients."""
    rows = zip(rounded.counts, rounded.cells, strict=False)
    by_day = np.array([_middle(row, cells) for row, cells in rows])
    n_patients = min(int(_middle(np.array([rounded.n_patients]), rounded.cells[-1])[0]), rounded.most)
    scale = min(1.0, n_patients / max(int(by_day[:, -1].sum()), 1))
    scaled: Counts = np.floor(by_day * scale).astype(np.int64)
    on = _half_a_step_early(np.diff(scaled, axis=1, prepend=np.int64(0)))
    still = np.zeros((len(on), 1), dtype=np.int64)
    still[-1] = n_patients - int(on.sum())
    days = (*GRID, GRID[-1] + 1)
    row, day = (place.ravel() for place in np.indices((len(on), len(days))))
    causes, targets = zip(*rounded.causes, strict=True)
    frame = pl.DataFrame(
        {
            "origin": rounded.origin,
            "target": pl.Series(targets, dtype=pl.String).gather(row),
            "day": np.array(days)[day],
            "cause": pl.Series(causes, dtype=pl.String).gather(row),
            "n": np.hstack([on, still]).ravel(),
        },
        schema_overrides=WAIT_COLUMNS,
    )
    counts = frame.filter((pl.col("n") > 0) | ((pl.col("cause") == "step") & (pl.col("day") == 0)))
    return Waits(counts, (), rounded.target is None, "patients", frame.clear())


def _middle(counts: Counts, cells: Counts) -> Counts:
    """Return the middle of the cell that begins at each count; 0 for the first cell."""
    middle = (cells[:-1] + cells[1:]) // 2
    middle[0] = 0
    found: Counts = middle[np.searchsorted(cells, counts)]
    return found


def _half_a_step_early(on: Counts) -> Counts:
    """Take half of those whose data end between two days of the grid (the last row) at the first of the two."""
    on = on.copy()
    early = on[-1, 1:] // 2
    on[-1, 1:] -= early
    on[-1, :-1] += early
    return on

"""Released curves under attack: what can be computed from them and from the other tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import lil_array

from eventlogs.errors import DisclosureRefused
from eventlogs.log import EventLog
from pathways import definition
from pathways.definition import Pathway
from pathways.disclosure import (
    INCIDENCE_COLUMNS,
    POLICY,
    Counted,
    DisclosurePolicy,
    Released,
    release_delays,
    release_incidence,
    release_map,
)
from pathways.disclosure.incidence import (
    GRID,
    Known,
    RoundedCounts,
    cell_edges,
    curves,
    floors,
    rounded_counts,
    with_room,
)
from pathways.mining.incidence import INDEX, Waits, cumulative_incidence, edge_waits, index_waits
from pathways.mining.kernels import ELSEWHERE
from pathways.mining.maps import process_maps
from pathways.releases import expectations_published
from tests.unit.test_disclosure import LEAST, random_log, small_pathway

WIDTH = 2 * POLICY.threshold
quick = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mortal_log(
    seed: int, n_patients: int, n_activities: int, concentration: float, tidy: bool = False
) -> EventLog:
    """A generated log whose patients have an index date, and some of them a death, an exit or an own horizon.

    In a tidy one they come after the last event, and each activity happens once: then the maps tell first steps too.
    """
    log = random_log(seed, n_patients, n_activities, concentration)
    events = log.events
    if tidy:
        events = events.unique(["patient_id", "activity"], keep="first", maintain_order=True)
    rng = np.random.default_rng(seed)
    seen = events.group_by("patient_id").agg(index_date=pl.col("start").min(), last=pl.col("start").max())
    chances, waited = rng.random((3, n_patients)), rng.integers(0, 400, (3, n_patients))
    since = pl.col("last" if tidy else "index_date")
    days = [
        pl.when(pl.Series(chances[place] < share)).then(since + pl.duration(days=pl.Series(waited[place])))
        for place, share in enumerate((0.2, 0.1, 0.5))
    ]
    dated = log.patients.select("patient_id").join(seen, on="patient_id", how="left", maintain_order="left")
    patients = dated.with_columns(death_date=days[0], exit_date=days[1]).drop("last")
    own = dated.select("patient_id", observed_until=days[2]).drop_nulls()
    everyone = pl.DataFrame(
        {"patient_id": None, "observed_until": [datetime(2021, 12, 1)]}, schema=own.schema
    )
    return EventLog.create(events, patients, pl.concat([everyone, own]), keep_order=True)


class Case:
    """A log, what is released of it, and what the curves are made of."""

    def __init__(self, log: EventLog, pathway: Pathway, policy: DisclosurePolicy = POLICY) -> None:
        maps = process_maps(log, pathway)
        self.nodes, self.edges = release_map(maps, pathway=pathway, policy=policy)
        self.delays = release_delays(maps, self.edges, policy=policy)
        words = {"activity": None, "phase": pathway.phase_of()}
        self.index: dict[Any, Waits] = {
            level: index_waits(log, phases=phases) for level, phases in words.items()
        }
        self.steps: dict[Any, Waits] = {
            level: edge_waits(log, phases=phases) for level, phases in words.items()
        }
        self.pathway, self.policy = pathway, policy
        self.known = Known.of(self.nodes, self.edges, self.delays, (), pathway, threshold=policy.threshold)
        self.rounded = rounded_counts(self.index, self.steps, self.known)

    def released(self) -> Released:
        tables = (self.nodes, self.edges, self.delays)
        return release_incidence(self.index, self.steps, *tables, pathway=self.pathway, policy=self.policy)


logs = st.tuples(
    st.integers(0, 10**6),
    st.integers(150, 900),
    st.integers(2, 8),
    st.sampled_from([0.2, 0.5, 2.0]),
    st.booleans(),
)


def case_of(log: tuple[int, int, int, float, bool]) -> Case:
    return Case(mortal_log(*log), small_pathway(log[2]))


def true_counts(case: Case, one: RoundedCounts) -> tuple[np.ndarray[Any, Any], int]:
    """What was rounded: by cause and day, and in all; steps of an edge at the end of their bin."""
    waits = (case.index if one.origin == INDEX else case.steps)[one.level]
    part = waits.counts.filter(pl.col("target" if one.target else "origin") == (one.target or one.origin))
    shown = [target for cause, target in one.causes if cause == "step"]
    rows = []
    for cause, target in one.causes:
        mine = part.filter(cause=cause)
        if cause == "step" and one.target is None:
            rest = mine.filter(~pl.col("target").is_in(shown))
            mine = at_end_of_bin(rest if target == ELSEWHERE else mine.filter(target=target), case, one)
        days, n = mine["day"].to_numpy(), mine["n"].to_numpy()
        rows.append([n[days <= day].sum() for day in GRID])
    return np.array(rows), int(part["n"].sum())


def at_end_of_bin(mine: pl.DataFrame, case: Case, one: RoundedCounts) -> pl.DataFrame:
    """Date each step at the end of its published bin, one by one."""
    bins = case.delays.frame.filter(level=one.level, source=one.origin)
    latest = max((day for day in bins["day_to"] if day is not None), default=0)
    flows = case.edges.frame.filter(level=one.level, source=one.origin)
    only = {
        target: latest if day is None else day for target, day in flows.select("target", "median_days").rows()
    }
    ends: dict[str, list[tuple[int, int]]] = {}
    for target, first, last in bins.select("target", "day_from", "day_to").rows():
        ends.setdefault(target, []).append((first, last if last is not None else 2 * first or only[target]))
    moved = [
        next((end for first, end in sorted(ends.get(target, []), reverse=True) if first <= day), day)
        for target, day in mine.select("target", "day").rows()
    ]
    return mine.with_columns(day=pl.Series(moved, dtype=pl.Int64))


def floored(counts: np.ndarray[Any, Any], one: RoundedCounts) -> np.ndarray[Any, Any]:
    return np.array([floors(row, cells) for row, cells in zip(counts, one.cells, strict=False)])


@quick
@given(logs)
def test_each_count_could_be_any_of_a_whole_cell(log):
    """Worlds whose counts differ by a cell are published alike, and contradict no published count."""
    try:
        case = case_of(log)
    except DisclosureRefused:
        return
    for one in case.rounded:
        counts, n_patients = true_counts(case, one)
        low = one.counts
        assert (low <= counts).all() and (np.diff(low, axis=1) >= 0).all()
        assert n_patients >= one.n_patients
        room = one.n_patients - (WIDTH - 1)
        assert (low.sum(axis=0) <= max(room, 0)).all()
        no_step = n_patients - counts[:-3].sum(axis=0)
        assert (low[-3:].sum(axis=0) <= np.maximum(no_step - (WIDTH - 1), 0)).all()
        for row, day in product(range(len(low)), range(0, len(GRID), 12)):
            world = low.copy()
            world[row, day:] = np.maximum(world[row, day:], low[row, day] + LEAST)
            if room > 0:
                assert world.sum(axis=0).max() <= one.n_patients
                assert (with_room(floored(world, one), one.cells, np.full(len(GRID), room)) == low).all()


def published_wholes(case: Case, one: RoundedCounts, target: str | None) -> list[int]:
    """Counts of the other tables that hold a curve's steps, or all its patients."""
    nodes = case.nodes.frame.select("level", "activity", "n_patients").rows()
    sizes = {(level, name): n for level, name, n in nodes}
    flows = case.edges.frame.select("level", "source", "target", "n_patients").rows()
    edges = {(level, source, end): n for level, source, end, n in flows}
    held = [sizes.get((one.level, name)) for name in (target, one.origin)]
    held.append(edges.get((one.level, one.origin, target)))
    return [case.known.n_patients, *(n for n in held if n is not None)]


@quick
@given(logs)
def test_no_cell_begins_near_a_published_count(log):
    try:
        case = case_of(log)
    except DisclosureRefused:
        return
    for one in case.rounded:
        targets = [*(target for _, target in one.causes), None]
        for target, cells in zip(targets, one.cells, strict=True):
            for whole in published_wholes(case, one, target):
                assert (np.abs(cells[1:-1] - whole) >= POLICY.threshold).all()
            assert (np.diff(cells)[:-1] >= WIDTH).all() and np.diff(cells)[-1] >= POLICY.threshold


EVERY = 8
"""The attacker looks at each so many days of the grid."""


class Attack:
    """What is published of some risk sets as one linear program: a variable a count by a day, and one for all patients.

    The attacker knows the rounding, the cells, the nodes, the edges, the bins of delays and how levels nest; and of a
    tidy log that first steps from one activity to another are all steps.
    """

    def __init__(self, case: Case, origins: Callable[[str], bool], tidy: bool) -> None:
        self.case, self.tidy = case, tidy
        self.sets = [one for one in case.rounded if origins(one.origin)]
        self.days = list(range(0, len(GRID), EVERY))
        self.place: dict[tuple[int, int, int], int] = {}
        self.total: list[int] = []
        self.bounds: list[tuple[float, float]] = []
        self.rows: list[tuple[dict[int, float], float]] = []
        for number, one in enumerate(self.sets):
            self._boxes(number, one)
            self._sums(number, one)
        self._levels()

    def _boxes(self, number: int, one: RoundedCounts) -> None:
        counts, _ = true_counts(self.case, one)
        for row, day in product(range(len(one.causes)), self.days):
            low = int(one.counts[row, day])
            high = max(end_of_cell(one.cells[row], low), int(counts[row, day]))
            self.place[number, row, day] = len(self.bounds)
            self.bounds.append((low, high))
        self.total.append(len(self.bounds))
        size = self.case.known.nodes.get((one.level, one.target or one.origin))
        if self.tidy and one.origin == INDEX:
            self.bounds.append((self.case.known.n_patients,) * 2)
        elif self._told(one) and size is not None:
            self.bounds.append((size, size))
        else:
            self.bounds.append((one.n_patients, end_of_cell(one.cells[-1], one.n_patients)))

    def _sums(self, number: int, one: RoundedCounts) -> None:
        """Causes add up to no more than the patients, grow, and are among published counts."""
        rows = range(len(one.causes))
        for day, later in zip(self.days, [*self.days[1:], None], strict=True):
            cells = [self.place[number, row, day] for row in rows]
            self.rows.append((dict.fromkeys(cells, 1.0) | {self.total[number]: -1.0}, 0))
            for row, (cause, target) in enumerate(one.causes):
                if cause == "step" and target == ELSEWHERE and self._told(one):
                    self.rows += self._pooled(one, cells[row], GRID[day])
                elif cause == "step" and target != ELSEWHERE:
                    self.rows.append(({cells[row]: 1.0}, min(published_wholes(self.case, one, target))))
                    self.rows += self._bins(one, target, cells[row], GRID[day])
                if later is not None:
                    self.rows.append(({cells[row]: 1.0, self.place[number, row, later]: -1.0}, 0))

    def _bins(
        self, one: RoundedCounts, target: str | None, cell: int, day: int
    ) -> list[tuple[dict[int, float], float]]:
        """No more first steps than steps in bins that have ended; as many where patients have the origin once."""
        if one.target is not None:
            return []
        bins = self.case.delays.frame.filter(level=one.level, source=one.origin, target=target)
        steps = at_end_of_bin(bins.with_columns(day="day_from"), self.case, one)
        ended = int(steps.filter(pl.col("day") <= day)["n_events"].sum())
        exactly = [({cell: -1.0}, -ended)] if self._told(one) else []
        return [({cell: 1.0}, ended), *exactly]

    def _pooled(self, one: RoundedCounts, cell: int, day: int) -> list[tuple[dict[int, float], float]]:
        """At least the steps of the small edges that are shown; no more where no edge is hidden."""
        told = {target for _, target in one.causes}
        bins = self.case.delays.frame.filter(pl.col("level") == one.level, pl.col("source") == one.origin)
        small = bins.filter(~pl.col("target").is_in([name for name in told if name]))
        steps = at_end_of_bin(small.with_columns(day="day_from"), self.case, one)
        ended = int(steps.filter(pl.col("day") <= day)["n_events"].sum())
        real = self.case.steps["activity"].counts.filter(origin=one.origin, cause="step")["target"].unique()
        none_hidden = set(real) <= told | set(small["target"])
        return [({cell: -1.0}, -ended), *([({cell: 1.0}, ended)] if none_hidden else [])]

    def _told(self, one: RoundedCounts) -> bool:
        """Say whether the bins tell the first steps as they are."""
        return self.tidy and one.level == "activity" and one.origin != INDEX

    def _levels(self) -> None:
        """Since the index, a phase has been met where one of its activities has been, and only then."""
        number = {
            (one.level, one.target): place for place, one in enumerate(self.sets) if one.origin == INDEX
        }
        phases = self.case.pathway.phase_of()
        for (level, name), place in number.items():
            inside = [a for a, phase in phases.items() if phase == name] if level == "phase" else []
            for day in self.days if inside else []:
                whole = self.place[place, 0, day]
                parts = [
                    self.place[number["activity", a], 0, day] for a in inside if ("activity", a) in number
                ]
                self.rows += [({part: 1.0, whole: -1.0}, 0) for part in parts]
                if len(parts) == len(inside):
                    self.rows.append((dict.fromkeys(parts, -1.0) | {whole: 1.0}, 0))

    def span(self, form: dict[int, float]) -> tuple[float, float]:
        matrix = lil_array((len(self.rows), len(self.bounds)))
        for number, (row, _) in enumerate(self.rows):
            for cell, value in row.items():
                matrix[number, cell] = value
        cost = np.zeros(len(self.bounds))
        cost[list(form)] = list(form.values())
        most = [limit for _, limit in self.rows]
        ends = []
        for sign in (1, -1):
            found = linprog(sign * cost, A_ub=matrix.tocsr(), b_ub=most, bounds=self.bounds)
            assert found.status == 0, "the truth fits what is published"
            ends.append(sign * found.fun)
        return ends[0], ends[1]

    def forms(self, how_many: int) -> Iterator[dict[int, float]]:
        """Counts by a day, between two days, and those who still wait; not those that are published as they are."""
        steps = {
            (number, row)
            for number, one in enumerate(self.sets)
            for row, (cause, _) in enumerate(one.causes)
            if cause == "step"
        }
        hidden = [key for key in self.place if not (self._told(self.sets[key[0]]) and key[:2] in steps)]
        for chosen in np.random.default_rng(0).permutation(len(hidden))[:how_many]:
            number, row, day = hidden[chosen]
            cell = self.place[number, row, day]
            yield {cell: 1.0}
            if day:
                yield {cell: 1.0, self.place[number, row, day - EVERY]: -1.0}
            rows = range(len(self.sets[number].causes))
            yield dict.fromkeys((self.place[number, i, day] for i in rows), -1.0) | {self.total[number]: 1.0}

    def pinned(self, how_many: int) -> list[tuple[float, float]]:
        """Return the spans of small counts that are narrower than the threshold; a zero concerns nobody."""
        spans = [self.span(form) for form in self.forms(how_many)]
        return [
            (low, high) for low, high in spans if high - low < LEAST - 1e-6 and low <= LEAST and high > 1e-6
        ]


def end_of_cell(cells: np.ndarray[Any, Any], begin: int) -> int:
    return int(cells[np.searchsorted(cells, begin) + 1]) - 1


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs, st.booleans())
def test_no_linear_program_pins_a_small_count(log, since_index):
    try:
        case = case_of(log)
    except DisclosureRefused:
        return
    attack = Attack(case, lambda origin: (origin == INDEX) == since_index, log[-1])
    assert attack.pinned(6) == []


def test_the_attacker_of_these_tests_beats_narrow_cells(monkeypatch):
    def narrow(anchors: Any, known: Known) -> np.ndarray[Any, Any]:
        return np.array([*range(0, known.n_patients, 5), known.n_patients + 1])

    monkeypatch.setattr("pathways.disclosure.incidence.cell_edges", narrow)
    attack = Attack(case_of((2, 528, 3, 2.0, False)), lambda origin: origin == INDEX, False)
    assert attack.pinned(12)


def test_curves_are_a_function_of_rounded_counts_and_say_nothing_small():
    case = case_of((3, 900, 5, 2.0, False))
    table = case.released()
    told = [one for one in case.rounded if one.n_patients >= 5 * WIDTH]
    assert table.frame.equals(pl.concat([curves(one, POLICY.threshold) for one in told]))
    assert dict(table.frame.schema) == {name: dtype() for name, dtype in INCIDENCE_COLUMNS.items()}
    assert table.frame["n_at_risk"].min() >= WIDTH
    assert {"index", "a01"} <= set(table.frame["origin"]) and set(table.frame["cause"]) == {
        "step",
        "other",
        "death",
        "exit",
    }
    assert table.meta["suppressed"] == len(case.rounded) - len(told)


def test_the_released_curve_is_near_the_estimate_and_its_interval_holds_it():
    case = case_of((5, 900, 3, 2.0, False))
    frame = case.released().frame
    exact = cumulative_incidence(case.index["activity"], GRID).select(
        "target", "cause", "day", exact="incidence"
    )
    since = frame.filter(origin="index", level="activity").join(exact, on=["target", "cause", "day"])
    assert since.height > 50
    widest = max(np.diff(cells).max() for one in case.rounded for cells in one.cells[:-1])
    assert (since["incidence"] - since["exact"]).abs().max() < widest / 900
    assert since.select(
        pl.col("exact").is_between(pl.col("low") - 0.001, pl.col("high") + 0.001).all()
    ).item()


def test_causes_never_add_up_to_more_than_everybody():
    frame = case_of((7, 700, 6, 0.5, False)).released().frame
    sums = frame.group_by("level", "origin", "target", "day").agg(pl.col("incidence").sum())
    assert sums["incidence"].max() <= 1.003


def test_small_groups_have_no_curve():
    table = case_of((1, 100, 3, 2.0, False)).released()
    assert table.frame.is_empty() and int(str(table.meta["suppressed"])) > 0


def test_a_higher_threshold_makes_wider_cells():
    case = Case(mortal_log(3, 900, 4, 2.0), small_pathway(4), DisclosurePolicy(threshold=20))
    assert all((np.diff(cells)[:-1] >= 40).all() for one in case.rounded for cells in one.cells)


@pytest.mark.parametrize(
    ("anchors", "expected"),
    [
        ((), [0, 22, 44, 66, 88, 101]),
        ((50,), [0, 22, 66, 88, 101]),
        ((100,), [0, 22, 44, 66, 88, 101]),
        ((98,), [0, 22, 44, 66, 101]),
    ],
)
def test_cells_begin_away_from_published_counts(anchors, expected):
    known = Known(11, 100, {}, {}, (), frozenset(), frozenset(), {}, pl.DataFrame())
    assert cell_edges(anchors, known).tolist() == expected


def test_rounded_counts_leave_room_for_a_cell():
    cells = np.array([0, 22, 44, 66, 88, 101])
    counts = np.array([[22, 44, 66], [0, 0, 22]])
    assert with_room(counts, [cells, cells], np.full(3, 88 - 21)).tolist() == [[22, 44, 44], [0, 0, 22]]


def test_the_attacker_of_these_tests_beats_cells_without_room(monkeypatch):
    """Cells alone are not enough: those who still wait pin the others."""
    log = mortal_log(2, 528, 2, 2.0)
    monkeypatch.setattr("pathways.disclosure.incidence.with_room", lambda counts, cells, most: counts)
    case = Case(log, small_pathway(2))
    tight = [one for one in case.rounded if (one.counts.sum(axis=0) > one.n_patients - (WIDTH - 1)).any()]
    assert tight


def test_counts_of_expectations_keep_cells_away_where_they_are_of_the_same_wait():
    counted = (Counted(frozenset({INDEX, "a"}), frozenset({"P", "c"}), (50, 7000)),)
    phases = {"a": "O", "b": "P", "c": "Q"}
    known = Known(
        11, 100, {("activity", "b"): 60}, {}, counted, frozenset(), frozenset(), phases, pl.DataFrame()
    )
    assert known.about_step("activity", INDEX, "b") == [60, 50, 7000]
    assert known.about_step("phase", "O", "Q") == [50, 7000]
    assert known.about_step("activity", "c", "b") == [60]


def test_mined_breakdowns_are_counts_of_waits():
    pathway = definition.load("breast_cancer")
    row = {
        "breakdown": "late_start",
        "n_patients": 400,
        "kept": 300,
        "broken": None,
        "excused": 40,
        "undecidable": 60,
    }
    table = Released("breakdowns", pl.DataFrame([row]))
    (one,) = expectations_published(pathway, {"breakdowns": table})
    assert {INDEX, "breast_biopsy"} <= one.starts and "mastectomy" in one.steps
    assert one.numbers == (400, 300, 40, 60)

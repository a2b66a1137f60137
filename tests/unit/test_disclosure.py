"""The gate under attack: what a reader could compute from everything that was released."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from eventlogs.errors import DisclosureRefused
from eventlogs.log import EventLog
from pathways import definition
from pathways.definition import Pathway
from pathways.disclosure import (
    DELAY_COLUMNS,
    EDGE_COLUMNS,
    NODE_COLUMNS,
    VARIANT_COLUMNS,
    DisclosurePolicy,
    Origin,
    Released,
    release_breakdowns,
    release_delays,
    release_map,
    release_summary,
    release_territories,
    release_variants,
)
from pathways.disclosure.suppression import protect_flows
from pathways.mining.codes import MOLECULE_COLUMNS, by_code
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import collapsed_variants, process_maps
from pathways.mining.outcomes import DEAD, FOLLOWED, LOST, OUTCOMES

Key = tuple[str, ...]

LEAST = 10
"""Least width of the interval of a hidden number."""


def small_pathway(n_activities: int) -> Pathway:
    """A definition with three activities a phase."""
    phases = "\n".join(
        f'P{i} = {{ fr = "Phase {i}", en = "Stage {i}" }}' for i in range(-(-n_activities // 3))
    )
    activities = "\n".join(
        f'[activities.a{i:02d}]\nlabel = {{ fr = "Acte {i}", en = "Act {i}" }}\nphase = "P{i // 3}"\n'
        f'CCAM = ["AAAA{i:03d}"]\nsource = "test"'
        for i in range(n_activities)
    )
    return definition.parse(
        f'id = "t"\nversion = "1"\nlabel = {{ fr = "T", en = "T" }}\n[phases]\n{phases}\n{activities}\n',
        "t.toml",
    )


def random_log(
    seed: int, n_patients: int, n_activities: int, concentration: float, fates: tuple[float, float] = (0, 0)
) -> EventLog:
    """A Markov chain over activities; the smaller the concentration, the rarer most steps are.

    Each activity has two codes, the second rarer; shares of the patients die, are lost.
    """
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.full(n_activities + 1, concentration), size=n_activities)
    current = rng.choice(n_activities, n_patients, p=rng.dirichlet(np.full(n_activities, concentration)))
    alive, days, parts = np.arange(n_patients), np.zeros(n_patients, dtype=np.int64), []
    for _ in range(20):
        parts.append(pl.DataFrame({"patient": alive, "code": current, "day": days}))
        draws = rng.random((len(alive), 1)) > np.cumsum(chances[current], axis=1)
        following = draws.sum(axis=1).clip(0, n_activities)
        stay = following < n_activities
        alive, current, days = alive[stay], following[stay], days[stay] + rng.integers(0, 30, stay.sum())
    start = pl.lit(datetime(2020, 1, 1)) + pl.duration(days="day")
    name = pl.format("a{}", pl.col("code").cast(pl.String).str.zfill(2))
    events = pl.concat(parts, how="vertical_relaxed")
    rare = pl.Series(rng.random(events.height) < 0.1)
    named = events.select(
        patient_id=pl.format("p{}", "patient"),
        activity=name,
        start=start,
        code_system=pl.lit("CCAM"),
        code=pl.format("{}{}", name, rare.cast(pl.Int8)),
    )
    draw = pl.Series(rng.random(n_patients))
    dead, lost = draw < fates[0], draw > 1 - fates[1]
    patients = pl.DataFrame({"patient_id": [f"p{i}" for i in range(n_patients)]}).with_columns(
        death_date=pl.when(dead).then(datetime(2025, 1, 1)),
        exit_reason=pl.when(lost).then(pl.lit("scheme_exit")),
    )
    return EventLog.create(named, patients, keep_order=True)


NO_MOLECULES = pl.DataFrame(schema=MOLECULE_COLUMNS)


def released(
    log: EventLog, pathway: Pathway, codes: bool = True
) -> tuple[Released, Released, Released, Released]:
    maps = process_maps(log, pathway, NO_MOLECULES if codes else None)
    nodes, edges = release_map(maps, pathway=pathway)
    variants = release_variants(collapsed_variants(log, pathway), nodes, edges, pathway=pathway)
    return nodes, edges, release_delays(maps, edges), variants


class Attacker:
    """Knows what was released, the definition, the rounded totals, and which steps exist at all."""

    def __init__(self, log: EventLog, pathway: Pathway, nodes: pl.DataFrame, edges: pl.DataFrame) -> None:
        self.phase = pathway.phase_of()
        self.codes = by_code(log, NO_MOLECULES)[1]
        self.n = log.events["patient_id"].n_unique()
        self.events = release_summary(log, pathway, source="t", synthetic=True).frame["n_events"][0]
        shown = set(edges["level"])
        self.truth = {
            level: true_flow(one) for level, one in levels_of(log, self.phase).items() if level in shown
        }
        self.ends = 1 + any(target in OUTCOMES for _, target in self.truth["activity"])
        self.known: dict[tuple[str, str, str], int] = {}
        self.pooled: dict[str, int | None] = {}
        for level, source, target, n in edges.select("level", "source", "target", "n_events").rows():
            if source == ELSEWHERE:
                self.pooled[level] = n
            else:
                self.known[level, source, target] = n
        self.sizes = published_sizes(nodes, edges, self.n)
        self.pairs = structural_pairs([*self.sizes, *all_nodes(self.truth)], self.phase, self.codes)
        keys = [(level, s, t) for level, flow in self.truth.items() for s, t in flow]
        self.hidden = [key for key in keys if key not in self.known]
        self.column = {key: i for i, key in enumerate(self.hidden)}
        self.equal: list[tuple[np.ndarray, float]] = []
        self.least: list[tuple[np.ndarray, float]] = []
        self.reason()

    def form(self, *terms: tuple[float, tuple[str, str, str]]) -> tuple[np.ndarray, float]:
        """A sum of flows: coefficients of the hidden ones, and what the known ones add."""
        row, constant = np.zeros(len(self.hidden)), 0.0
        for factor, key in terms:
            if key in self.column:
                row[self.column[key]] += factor
            else:
                constant += factor * self.known.get(key, 0)
        return row, constant

    def exactly(self, value: float, *terms: tuple[float, tuple[str, str, str]]) -> None:
        row, constant = self.form(*terms)
        self.equal.append((row, value - constant))

    def at_least(self, value: float, *terms: tuple[float, tuple[str, str, str]]) -> None:
        row, constant = self.form(*terms)
        self.least.append((row, value - constant))

    def reason(self) -> None:
        for level, flow in self.truth.items():
            keys = [(level, s, t) for s, t in flow]
            for node in {s for s, _ in flow} - {START}:
                into = [(1.0, key) for key in keys if key[2] == node]
                out = [(-1.0, key) for key in keys if key[1] == node]
                self.exactly(0, *into, *out)
                low, high = limits((level, node), self.sizes, self.pairs)
                self.at_least(low, *into)
                self.at_least(-high, *((-1.0, key) for key in keys if key[1] == START and key[2] == node))
                self.at_least(-high, *((-1.0, key) for key in keys if key[1] == node and key[2][0] == END))
            self.exactly(self.n, *((1.0, key) for key in keys if key[1] == START))
            self.exactly(self.n, *((1.0, key) for key in keys if key[2] == END))
            if self.pooled[level] is not None:
                self.exactly(self.pooled[level], *((1.0, key) for key in self.hidden if key[0] == level))
        acts = [("activity", s, t) for s, t in self.truth["activity"]]
        rest = self.ends * self.n
        self.at_least(self.events - 50 + rest, *((1.0, key) for key in acts))
        self.at_least(-(self.events + 50 + rest), *((-1.0, key) for key in acts))
        self.add_up("activity", "phase", self.phase)
        if "code" in self.truth:
            self.add_up("code", "activity", self.codes)

    def add_up(self, fine: str, coarse: str, groups: dict[str, str]) -> None:
        """Every coarser flow is the sum of the finer ones between its groups."""
        parts = [(fine, s, t) for s, t in self.truth[fine]]
        for source, target in self.truth[coarse]:
            image = (source, target)
            inside = [
                (1.0, key)
                for key in parts
                if (groups.get(key[1], key[1]), groups.get(key[2], key[2])) == image
            ]
            self.exactly(0, *inside, (-1.0, (coarse, source, target)))

    def narrowest(self) -> float:
        """Width of the tightest interval over all hidden flows; infinite where nothing is hidden."""
        widths = [self.bound(i, -1) - self.bound(i, 1) for i in range(len(self.hidden))]
        return min(widths, default=np.inf)

    def bound(self, cell: int, sign: int) -> float:
        cost = np.zeros(len(self.hidden))
        cost[cell] = sign
        found = linprog(
            cost,
            A_eq=np.array([row for row, _ in self.equal]),
            b_eq=[value for _, value in self.equal],
            A_ub=-np.array([row for row, _ in self.least]),
            b_ub=[-value for _, value in self.least],
            method="highs",
        )
        assert found.status == 0, found.message
        return float(sign * found.fun)


def levels_of(log: EventLog, phase: dict[str, str]) -> dict[str, EventLog]:
    fine, _ = by_code(log, NO_MOLECULES)
    return {"code": fine, "activity": log, "phase": log.with_activities(phase).collapse_repeats()}


def walks(log: EventLog) -> list[list[str]]:
    """Whole pathways, from the start to the end by what became of the patient, where the log says it."""
    rows = log.patients.sort("patient_id").select("patient_id", "death_date", "exit_reason").rows()
    fates = {p: DEAD if died else LOST if left else FOLLOWED for p, died, left in rows}
    known = {DEAD, LOST} & set(fates.values())
    ends = [[fates[p]] if known else [] for p in sorted(set(log.events["patient_id"]))]
    return [[START, *walk, *end, END] for walk, end in zip(sequences(log), ends, strict=True)]


def sequences(log: EventLog) -> list[list[str]]:
    rows = log.events.sort("patient_id", "rank").select("patient_id", "activity").rows()
    return [[activity for _, activity in group] for _, group in groupby(rows, key=lambda row: row[0])]


def true_flow(log: EventLog) -> Counter[tuple[str, str]]:
    return Counter(step for walk in walks(log) for step in pairwise(walk))


def sets_of_patients(log: EventLog, phase: dict[str, str]) -> dict[Key, set[int]]:
    """Every set whose size is or could be released."""
    found: dict[Key, set[int]] = defaultdict(set)
    for level, one in levels_of(log, phase).items():
        for patient, walk in enumerate(walks(one)):
            found[("all",)].add(patient)
            for name in walk[1:-1]:
                found[level, name].add(patient)
            for step in pairwise(walk):
                found[level, *step].add(patient)
    return found


def published_sizes(nodes: pl.DataFrame, edges: pl.DataFrame, n: int) -> dict[Key, int]:
    sizes: dict[Key, int] = {("all",): n}
    for level, name, size in nodes.select("level", "activity", "n_patients").drop_nulls().rows():
        sizes[level, name] = size
    drawn = edges.filter(pl.col("source") != ELSEWHERE)
    for level, s, t, size in drawn.select("level", "source", "target", "n_patients").drop_nulls().rows():
        sizes[level, s, t] = size
    return sizes


def all_nodes(truth: dict[str, Counter[tuple[str, str]]]) -> list[Key]:
    return [(level, name) for level, flow in truth.items() for name in {s for s, _ in flow} - {START}]


def limits(key: Key, sizes: dict[Key, int], pairs: list[tuple[Key, Key]]) -> tuple[int, int]:
    """Between what a set's size must lie, given the published sizes of its parts and wholes."""
    if key in sizes:
        return sizes[key], sizes[key]
    low = max((sizes[part] for part, whole in pairs if whole == key and part in sizes), default=0)
    high = min(sizes[whole] for part, whole in pairs if part == key and whole in sizes)
    return low, high


def structural_pairs(
    keys: list[Key], phase: dict[str, str], codes: dict[str, str] | None = None
) -> list[tuple[Key, Key]]:
    """Pairs (part, whole) that hold in every log."""
    pairs: list[tuple[Key, Key]] = []
    for key in keys:
        level, *names = key if len(key) > 1 else ("",)
        acts = [(codes or {}).get(name, name) for name in names] if level == "code" else names
        images = [("activity", acts), ("phase", [phase.get(name, name) for name in acts])]
        coarser = images if level == "code" else images[1:]
        if names:
            pairs += [(key, ("all",)), *((key, (one, *image)) for one, image in coarser)]
        if len(names) == 2:
            pairs += [(key, (level, name)) for name in names]
            pairs += [(key, (one, name)) for one, image in coarser for name in image]
    return [(part, whole) for part, whole in pairs if part != whole]


def check_released(log: EventLog, pathway: Pathway, codes: bool = True) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every attack of this module on every released table; returns nodes and edges."""
    nodes, edges, delays, variants = (one.frame for one in released(log, pathway, codes))
    assert Attacker(log, pathway, nodes, edges).narrowest() >= LEAST - 1e-6
    check_counts(log, pathway, nodes, edges)
    check_delays(edges, delays)
    check_variants(log, pathway, (nodes, edges, variants))
    return nodes, edges


def check_counts(log: EventLog, pathway: Pathway, nodes: pl.DataFrame, edges: pl.DataFrame) -> None:
    phase = pathway.phase_of()
    true = sets_of_patients(log, phase)
    sizes = published_sizes(nodes, edges, len(true[("all",)]))
    assert all(size == len(true[key]) and (size >= 11 or key[-1] in OUTCOMES) for key, size in sizes.items())
    assert all(size == 0 or size >= 11 for size in sizes.values())
    check_last(true, sizes)
    codes = by_code(log, NO_MOLECULES)[1]
    for part, whole in structural_pairs(list(sizes), phase, codes):
        if whole in sizes:
            assert not 0 < sizes[whole] - sizes[part] < 11, (part, whole)
    nulls = [
        (level, a) for level, a, n in nodes.select("level", "activity", "n_patients").rows() if n is None
    ]
    pairs = structural_pairs([*sizes, *nulls], phase, codes)
    for key in nulls:
        low, high = limits(key, sizes, pairs)
        wholes = [sizes[whole] for part, whole in pairs if part == key and whole in sizes]
        if any(0 < whole - len(true[key]) < 11 for whole in wholes):
            assert high - low >= LEAST


def check_last(true: dict[Key, set[int]], sizes: dict[Key, int]) -> None:
    """The patients who go on after a step are nobody, or enough, where the flows to every outcome say how many end."""
    for level, name in [key for key in sizes if len(key) == 2 and key[1] not in OUTCOMES]:
        ends = [key for key in true if key[:2] == (level, name) and len(key) == 3 and key[2][0] == END]
        if ends and all(key in sizes for key in ends):
            assert not 0 < sizes[level, name] - sum(sizes[key] for key in ends) < 11


def check_delays(edges: pl.DataFrame, delays: pl.DataFrame) -> None:
    bins = delays.group_by("level", "source", "target").agg(
        pl.col("n_events").sum(),
        pl.col("n_events").min().alias("least"),
        pl.col("day_from").min(),
        pl.col("day_to").is_null().sum().alias("open"),
    )
    assert (bins["least"] >= 11).all()
    assert (bins["day_from"] == 0).all()
    assert (bins["open"] == 1).all()
    assert bins.join(edges, on=["level", "source", "target", "n_events"]).height == bins.height


def check_variants(log: EventLog, pathway: Pathway, tables: tuple[pl.DataFrame, ...]) -> None:
    """Take the listed variants off everything that they are part of: nobody is left, or enough."""
    nodes, edges, variants = tables
    phase, n = pathway.phase_of(), log.events["patient_id"].n_unique()
    sizes: dict[tuple[Any, ...], int] = one_end_of(published_sizes(nodes, edges, n))
    last = sets_of_patients(log, phase)
    listed = {level: dict(zip_words(variants.filter(level=level))) for level in ("activity", "phase")}
    for level, part in listed.items():
        assert sum(part.values()) == n
        assert all(size >= 11 for size in part.values())
        rest = dict(sizes)
        rest |= {("variant", word): size for word, size in listed["phase"].items() if level == "activity"}
        for word, size in part.items():
            if word:
                ends = {
                    key for key in last if key[:2] == (level, word[-1]) and len(key) == 3 and key[2][0] == END
                }
                assert sum(len(last[key]) for key in ends) == sizes[level, word[-1], END]
                for key in parts_of(word, level, phase, listed["phase"]):
                    if key in rest:
                        rest[key] -= size
        assert all(left == 0 or left >= 11 for left in rest.values())


def one_end_of(sizes: dict[Key, int]) -> dict[tuple[Any, ...], int]:
    """Published sizes with the flows to all outcomes of a step added up."""
    found: Counter[tuple[Any, ...]] = Counter()
    for key, size in sizes.items():
        if key[-1][0] != END:
            found[key] += size
        elif len(key) == 3 and key[1][0] != END:
            found[*key[:2], END] += size
    return dict(found)


def zip_words(variants: pl.DataFrame) -> list[tuple[tuple[str, ...], int]]:
    return [(tuple(word), n) for word, n in variants.select("variant", "n_patients").rows()]


def parts_of(
    word: tuple[str, ...], level: str, phase: dict[str, str], coarse: dict[Key, int]
) -> set[tuple[Any, ...]]:
    keys: set[tuple[Any, ...]] = {("all",), *((level, name) for name in word)}
    keys |= {(level, *step) for step in pairwise([START, *word, END])}
    if level == "activity":
        image = tuple(name for name, _ in groupby(phase[name] for name in word))
        keys |= parts_of(image, "phase", phase, coarse) | {("variant", image if image in coarse else ())}
    return keys


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 10**6),
    st.integers(11, 400),
    st.integers(2, 9),
    st.sampled_from([0.1, 0.3, 1.0]),
    st.sampled_from([(0.0, 0.0), (0.3, 0.2), (0.02, 0.02), (0.97, 0.01)]),
)
def test_no_attack_succeeds_on_generated_maps(seed, n_patients, n_activities, concentration, fates):
    pathway = small_pathway(n_activities)
    log = random_log(seed, n_patients, n_activities, concentration, fates)
    try:
        check_released(log, pathway, codes=n_activities < 6)
    except DisclosureRefused as refusal:
        assert "release a coarser level or more patients" in str(refusal)


def test_no_attack_succeeds_on_a_large_map_and_it_is_quick():
    pathway, log = small_pathway(25), random_log(3, 4000, 25, 1.0)
    maps = process_maps(log, pathway)
    assert maps["activity"].flow().height >= 300
    began = time.process_time()
    release_map(maps, pathway=pathway)
    assert time.process_time() - began < 5
    nodes, edges = check_released(log, pathway, codes=False)
    assert edges.height > 100
    assert nodes.height == maps["activity"].nodes.height + maps["phase"].nodes.height


def test_a_small_outcome_is_drawn_without_a_number_and_can_not_be_subtracted():
    """Five of 300 are lost: they are on the map, and no other number tells them."""
    pathway, log = small_pathway(4), random_log(5, 300, 4, 20.0, (0.4, 0.0))
    first = pl.col("patient_id").is_in(log.patients["patient_id"][:5].to_list())
    gone = log.patients.with_columns(
        death_date=pl.when(~first).then("death_date"), exit_reason=pl.when(first).then(pl.lit("abroad"))
    )
    few = EventLog.create(log.events, gone, keep_order=True)
    nodes, edges = check_released(few, pathway)
    for level in ("code", "activity", "phase"):
        said = dict(nodes.filter(phase="outcome", level=level).select("activity", "n_patients").rows())
        assert set(said) == {DEAD, LOST, FOLLOWED}
        assert said[LOST] is None
        assert None in (said[DEAD], said[FOLLOWED])
    assert edges.filter(target=LOST).is_empty() or edges.filter(target=LOST)["n_patients"].min() >= 11


def test_an_outcome_of_nobody_is_said_and_a_log_without_outcomes_has_one_end():
    pathway = small_pathway(4)
    nodes, _ = check_released(random_log(5, 300, 4, 20.0, (0.4, 0.0)), pathway)
    assert nodes.filter(activity=LOST)["n_patients"].to_list() == [0, 0, 0]
    nodes, edges = check_released(random_log(5, 300, 4, 20.0), pathway)
    assert nodes.filter(phase="outcome").is_empty()
    assert edges.filter(target=END).height > 0


def test_codes_hide_nothing_of_activities_and_phases():
    pathway, log = small_pathway(6), random_log(11, 900, 6, 0.5, (0.2, 0.1))
    alone = release_map(process_maps(log, pathway), pathway=pathway)
    beside = release_map(process_maps(log, pathway, NO_MOLECULES), pathway=pathway)
    for one, other in zip(alone, beside, strict=True):
        assert one.frame.equals(other.frame.filter(pl.col("level") != "code"))
    codes = beside[0].frame.filter(level="code")
    assert codes.filter(activity="a00/CCAM:a000").select("phase", "label_en").rows() == [
        ("P0", "Act 0 CCAM:a000")
    ]
    assert codes.height > 6 + 3


def detour() -> tuple[EventLog, Pathway]:
    """Everybody takes a00, a03; five pass through a06: their flow is what the others leave."""
    events = [(f"p{i}", name, day) for i in range(300) for name, day in (("a00", 0), ("a03", 9))]
    events += [(f"p{i}", "a06", 4) for i in range(5)]
    frame = pl.DataFrame(events, schema=["patient_id", "activity", "day"], orient="row")
    start = pl.lit(datetime(2020, 1, 1)) + pl.duration(days="day")
    return EventLog.create(frame.select("patient_id", "activity", start=start)), small_pathway(9)


def test_a_small_detour_can_not_be_subtracted():
    log, pathway = detour()
    nodes, edges = check_released(log, pathway)
    shown = edges.filter(level="activity").select("source", "target").rows()
    assert ("a00", "a03") not in shown
    assert (START, "a00") in shown
    assert "a06" not in nodes["activity"]


def test_the_attacker_of_these_tests_beats_primary_suppression(monkeypatch):
    monkeypatch.setattr("pathways.disclosure.maps.protect_flows", lambda system, hidden, width: hidden)
    log, pathway = detour()
    nodes, edges = release_map(process_maps(log, pathway), pathway=pathway)
    assert Attacker(log, pathway, nodes.frame, edges.frame).narrowest() < 1


def test_flow_protection_keeps_a_map_without_small_flows_whole():
    log, pathway = random_log(5, 4000, 3, 20.0), small_pathway(3)
    nodes, edges = release_map(process_maps(log, pathway), pathway=pathway)
    assert edges.meta["suppressed"] == 0
    assert edges.frame.filter(pl.col("source") == ELSEWHERE)["n_events"].to_list() == [0, 0]
    assert nodes.frame.height == 4


def test_levels_of_two_logs_are_refused():
    pathway = small_pathway(4)
    one, other = (process_maps(random_log(seed, 200, 4, 1.0), pathway) for seed in (1, 2))
    with pytest.raises(DisclosureRefused, match="do not add up"):
        release_map({"activity": one["activity"], "phase": other["phase"]}, pathway=pathway)


def test_columns_and_meta_are_the_contract():
    log, pathway = random_log(8, 500, 6, 0.5), small_pathway(6)
    tables = released(log, pathway)
    for table, columns in zip(
        tables, (NODE_COLUMNS, EDGE_COLUMNS, DELAY_COLUMNS, VARIANT_COLUMNS), strict=True
    ):
        assert dict(table.frame.schema) == {
            name: kind() if isinstance(kind, type) else kind for name, kind in columns.items()
        }
        said = "numerator denominator threshold filters filter_hash study suppressed rounded"
        assert set(said.split()) == set(table.meta)
        assert table.meta["threshold"] == 11
    origin = Origin("abc", ("women",), "9c6781213882482d")
    nodes, _ = release_map(process_maps(log, pathway), pathway=pathway, origin=origin)
    assert (nodes.meta["study"], nodes.meta["filters"]) == ("abc", ["women"])
    assert nodes.meta["filter_hash"] == "9c6781213882482d"
    assert nodes.frame["label_en"].str.contains("Act|Stage").all()
    assert nodes.frame.filter(level="activity", activity="a04")["order"].to_list() == [1]


def test_quantiles_are_whole_days_of_enough_patients():
    log, pathway = random_log(4, 2000, 5, 1.0), small_pathway(5)
    maps = process_maps(log, pathway)
    _, edges = release_map(maps, pathway=pathway)
    true = maps["activity"].edges.select("source", "target", patients="n_patients", exact="median_days")
    shown = edges.frame.filter(level="activity").join(true, on=["source", "target"])
    assert (
        shown.filter(pl.col("patients") < 22)["median_days"].null_count()
        == shown.filter(pl.col("patients") < 22).height
    )
    assert (
        shown.filter(pl.col("patients") < 110)["p90_days"].null_count()
        == shown.filter(pl.col("patients") < 110).height
    )
    said = shown.drop_nulls("median_days")
    assert said.height > 5
    assert ((said["median_days"] - said["exact"]).abs() <= 0.5).all()


def test_a_median_of_many_steps_of_one_patient_is_hidden():
    """Forty patients make the step within the day; one makes it fifty times after a month."""
    once = [(f"p{i}", name, 0) for i in range(40) for name in ("a00", "a01")]
    back = [(f"r{i}", name, day) for i in range(40) for name, day in (("a01", 0), ("a00", 1))]
    often = [("q", "a00" if i % 2 else "a01", 30 * i) for i in range(1, 101)]
    frame = pl.DataFrame([*once, *back, *often], schema=["patient_id", "activity", "day"], orient="row")
    start = pl.lit(datetime(2020, 1, 1)) + pl.duration(days="day")
    log = EventLog.create(frame.select("patient_id", "activity", start=start))
    maps = process_maps(log, None)
    _, edges = release_map(maps)
    row = edges.frame.filter(source="a00", target="a01").to_dicts()
    assert maps["activity"].edges.filter(source="a00", target="a01")["median_days"][0] > 11
    assert [one["median_days"] for one in row] == [None]


def test_few_patients_are_refused():
    log = random_log(1, 10, 3, 1.0)
    with pytest.raises(DisclosureRefused, match="fewer than 11 patients"):
        release_map(process_maps(log, None))
    with pytest.raises(DisclosureRefused, match="fewer than 11 patients"):
        release_summary(log, None, source="t", synthetic=True)


def test_a_lower_threshold_is_refused_and_a_higher_one_is_kept():
    with pytest.raises(DisclosureRefused, match="below 11"):
        DisclosurePolicy(threshold=5)
    log, pathway = random_log(8, 500, 6, 0.5), small_pathway(6)
    _, edges = release_map(process_maps(log, pathway), pathway=pathway, policy=DisclosurePolicy(threshold=30))
    assert edges.frame["n_patients"].min() >= 30


def test_the_summary_rounds_events_and_widens_the_period():
    log = random_log(2, 60, 4, 1.0)
    row = release_summary(log, small_pathway(4), source="extract", synthetic=True).frame.to_dicts()[0]
    assert row["n_events"] % 100 == 0
    assert abs(row["n_events"] - log.n_events) <= 50
    assert row["first_day"] == date(2020, 1, 1)
    assert (row["last_day"] + timedelta(days=1)).day == 1
    assert row["last_day"] >= log.events["start"].max().date()
    assert row["synthetic"] is True
    assert row["pathway_label_en"] == "T"


def breakdown_counts(**statuses: int) -> Released:
    pathway = definition.load("breast_cancer")
    first = next(iter(pathway.breakdowns))
    counts = pl.DataFrame(
        [{"breakdown": first, **dict.fromkeys(("kept", "broken", "excused", "undecidable"), 0), **statuses}]
    )
    return release_breakdowns(counts, pathway)


def test_breakdowns_without_patients_are_rows_of_zeros():
    table = breakdown_counts(kept=50, broken=30)
    assert table.frame.height == len(definition.load("breast_cancer").breakdowns)
    assert table.frame["n_patients"].to_list() == [80, 0, 0, 0]
    assert table.frame["label_fr"].null_count() == 0


def rates(**rows: tuple[int, int]) -> pl.DataFrame:
    """``breakdown_territory = (n_evaluable, n_broken)`` with invented ratios."""
    frame = pl.DataFrame(
        [
            {
                "breakdown": name.split("_")[0],
                "territory": name.split("_")[1],
                "n_evaluable": n,
                "n_broken": broken,
            }
            for name, (n, broken) in rows.items()
        ]
    )
    numbers = (
        "rate",
        "expected",
        "ratio",
        "ratio_low",
        "ratio_high",
        "shrunk_ratio",
        "funnel_low",
        "funnel_high",
    )
    return frame.with_columns(*(pl.lit(1.23456).alias(name) for name in numbers), hotspot=pl.lit(False))


def national(*names: str, kept: int | None = 900, broken: int | None = 500) -> Released:
    return Released("breakdowns", pl.DataFrame({"breakdown": names, "kept": kept, "broken": broken}))


def told(table: Released) -> set[str]:
    rows = table.frame.filter(~pl.col("suppressed")).select("breakdown", "territory").rows()
    return {"_".join(row) for row in rows}


def test_one_small_territory_is_hidden_with_enough_others():
    table = release_territories(
        rates(late_01=(400, 100), late_02=(300, 90), late_03=(60, 4), late_04=(90, 8), late_05=(99, 30)),
        national("late"),
    )
    assert told(table) == {"late_01", "late_02", "late_05"}
    alone = release_territories(
        rates(late_01=(400, 100), late_02=(300, 90), late_03=(60, 4)), national("late")
    )
    assert told(alone) == {"late_01"}
    assert alone.frame["rate"].to_list() == [1.235]
    assert alone.meta["suppressed"] == 2


def test_rows_do_not_tell_where_the_few_of_a_rare_breakdown_live():
    """Three rows of three patients in all would each be one patient."""
    counts = {
        "late_01": (400, 100),
        "late_02": (300, 90),
        "late_03": (1, 0),
        "rare_02": (1, 0),
        "rare_03": (2, 1),
    }
    table = release_territories(rates(**counts), national("late", "rare", kept=None))
    assert told(table) == {"late_01"} and set(table.frame["territory"]) == {"01"}
    gone = table.frame.filter(breakdown="rare").drop("breakdown", "territory", "suppressed")
    assert gone.height == 1 and gone.null_count().sum_horizontal().item() == gone.width


def test_territories_are_hidden_where_the_country_is():
    table = release_territories(rates(late_01=(400, 100), late_02=(300, 90)), national("late", broken=None))
    assert table.frame.is_empty()


def test_territories_do_not_add_up_to_a_hidden_count_of_the_country():
    numbers = rates(late_01=(400, 100), late_02=(300, 90), late_03=(60, 20), late_04=(50, 20))
    assert told(release_territories(numbers, national("late"))) == {
        "late_01",
        "late_02",
        "late_03",
        "late_04",
    }
    assert told(release_territories(numbers, national("late", kept=None))) == {"late_01", "late_02"}


def test_a_hidden_breakdown_is_not_read_off_the_row_any():
    """With one breakdown, ``any`` is that breakdown."""
    numbers = {
        "late_01": (400, 100),
        "late_02": (60, 4),
        "late_03": (90, 8),
        "any_01": (400, 100),
        "any_02": (60, 4),
    }
    table = release_territories(rates(**numbers, any_03=(90, 8)), national("late"))
    assert told(table) == {"late_01", "any_01"}
    union = {
        "late_01": (400, 100),
        "late_02": (60, 4),
        "late_03": (90, 8),
        "gap_01": (300, 60),
        "gap_02": (50, 20),
    }
    other = {"gap_03": (60, 19), "any_01": (420, 140), "any_02": (61, 24), "any_03": (91, 26)}
    table = release_territories(rates(**union, **other), national("late", "gap"))
    shown = told(table)
    assert "late_01" in shown and not shown & {"late_02", "late_03"}
    assert not shown & {"any_02", "any_03"} or not shown & {"gap_02", "gap_03"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12))
def test_hidden_territories_keep_each_other(cells):
    table = release_territories(
        rates(**{f"late_{i:02d}": (k + b, b) for i, (k, b) in enumerate(cells)}), national("late")
    )
    places = [f"late_{i:02d}" in told(table) for i in range(len(cells))]
    gone = [cell for cell, flag in zip(cells, places, strict=True) if not flag]
    shown = [cell for cell, flag in zip(cells, places, strict=True) if flag]
    assert all(min(cell) >= 11 for cell in shown)
    if shown and gone:
        assert len(gone) > 1
        assert all(sum(cell[side] for cell in gone) >= 11 for side in (0, 1))


def test_residents_of_nowhere_are_not_counted_by_subtraction():
    table = release_territories(
        rates(**{"late_01": (60, 20), "late_02": (50, 15), "late_?": (9, 4)}), national("late")
    )
    assert "?" not in table.frame["territory"].to_list()
    assert told(table) < {"late_01", "late_02"}


def test_a_breakdown_that_is_nearly_every_breakdown_of_a_territory_is_hidden():
    counts = {"late_01": (45, 20), "late_02": (300, 90), "late_03": (280, 80), "any_01": (48, 22)}
    table = release_territories(rates(**counts, any_02=(330, 120), any_03=(310, 110)), national("late")).frame
    shown = table.filter(breakdown="late").filter(~pl.col("suppressed"))
    assert "01" not in shown["territory"].to_list()


def test_few_repeats_of_a_step_hide_its_patients():
    pairs = [(f"p{i:03d}", [("a", 0), ("b", 3)] + ([("a", 5), ("b", 9)] if i < 2 else [])) for i in range(60)]
    rows = [(patient, activity, day) for patient, events in pairs for activity, day in events]
    rows += [
        (f"q{i:03d}", activity, day) for i in range(60) for activity, day in (("b", 0), ("a", 3), ("c", 5))
    ]
    frame = pl.DataFrame(rows, schema=["patient_id", "activity", "day"], orient="row")
    start = pl.datetime(2020, 1, 1) + pl.duration(days="day")
    log = EventLog.create(frame.select("patient_id", "activity", start=start))
    edges = release_map(process_maps(log, None))[1].frame
    few = (edges["n_events"] - edges["n_patients"]).drop_nulls()
    assert not few.is_between(1, 10).any()


def test_protect_flows_hides_nothing_more_where_nothing_is_hidden():
    class System:
        n_edges, down = 3, np.zeros(4)

        def push(self, hidden, direction):
            return np.zeros(4)

    nothing = np.zeros(4, dtype=bool)
    assert not protect_flows(System(), nothing, 11).any()

"""The gate of comparisons under attack: what a reader could compute of small groups from all that was released."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

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
from pathways.disclosure import Released, release_map, release_milestones
from pathways.disclosure.compare import (
    CONTRAST_COLUMNS,
    CONTRAST_EDGE_COLUMNS,
    CONTRAST_NODE_COLUMNS,
    EVERYBODY,
    RELEASED_FUNNEL_COLUMNS,
    key_of,
    release_contrast,
)
from pathways.mining.compare import Comparison, compare
from pathways.mining.groups import Groups
from pathways.mining.inference import median_ranks
from pathways.mining.kernels import END, START, variants
from pathways.mining.maps import milestone_log, process_maps

LEAST = 10
"""Least width of the interval of a hidden number."""

TOLERANCE = 1e-6

Key = tuple[str, ...]

PATHWAY = """
id = "t"
version = "1"
label = { fr = "T", en = "T" }
milestones = ["P1", "P2"]
[phases]
P0 = { fr = "0", en = "0" }
P1 = { fr = "1", en = "1" }
P2 = { fr = "2", en = "2" }
"""


def pathway() -> Pathway:
    """Activities a to f; b alone in P1, c and d in P2."""
    phases = dict(zip("abcdef", ("P0", "P1", "P2", "P2", "P0", "P0"), strict=True))
    activities = "\n".join(
        f'[activities.{name}]\nlabel = {{ fr = "{name}", en = "{name}" }}\nphase = "{phase}"\n'
        f'CCAM = ["AAAA00{i}"]\nsource = "test"'
        for i, (name, phase) in enumerate(phases.items())
    )
    return definition.parse(PATHWAY + activities, "t.toml")


def cohort(seed: int, sizes: tuple[int, ...], once: bool) -> tuple[EventLog, Groups]:
    """Pathways of a few steps, some rare; a group for each size, the last one nobody's where its name is null."""
    rng = np.random.default_rng(seed)
    chance = rng.dirichlet(np.full(6, 0.6))
    rows, named = [], []
    for group, size in enumerate(sizes):
        leaning = 0.7 * chance + 0.3 * rng.dirichlet(np.full(6, 0.6))
        for i in range(size):
            count = int(rng.integers(1, 6))
            steps = rng.choice(6, min(count, 5), replace=not once, p=leaning * 0.9 + 0.1 / 6)
            name = f"g{group}p{i:04d}"
            named.append((name, f"g{group}"))
            rows += [
                (name, "abcdef"[code], datetime(2020, 1, 1) + timedelta(days=7 * j))
                for j, code in enumerate(steps)
            ]
    log = EventLog.create(pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"))
    return log, Groups(pl.DataFrame(named, schema=["patient_id", "group"], orient="row"), "group")


def released_of(log: EventLog) -> dict[str, Released]:
    nodes, edges = release_map(process_maps(log, pathway()), pathway=pathway())
    sequences = variants(milestone_log(log, pathway()))
    n = log.events["patient_id"].n_unique()
    return {"nodes": nodes, "edges": edges, "variants": release_milestones(sequences, nodes, n)}


def published(done: dict[str, Released]) -> dict[Key, int]:
    """Every count of all patients that a comparison could split."""
    nodes = done["nodes"].frame.filter(level="activity").select("activity", "n_patients").drop_nulls()
    edges = done["edges"].frame.filter(level="activity").select("source", "target", "n_patients").drop_nulls()
    listed = done["variants"].frame.filter(pl.col("variant").list.len() > 0).select("variant", "n_patients")
    counts: dict[Key, int] = {("activity", name): n for name, n in nodes.rows()}
    counts |= {("edge", source, target): n for source, target, n in edges.rows()}
    return counts | {("variant", *words): n for words, n in listed.rows()}


Form = dict[tuple[Key, str], float]


class Attacker:
    """Knows the study's own tables, the sizes of the groups, and what the comparison shows."""

    def __init__(
        self, comparison: Comparison, done: dict[str, Released], shown: dict[tuple[Key, str], int]
    ) -> None:
        counts = comparison.counts.with_columns(pl.col("group").fill_null("?"))
        self.truth = {(key_of(row), row["group"]): row["k"] for row in counts.iter_rows(named=True)}
        self.size = {row["group"]: row["n"] for row in counts.iter_rows(named=True)}
        self.total, self.shown = published(done), shown
        self.cells = list(product(self.total, self.size))
        self.column = {cell: i for i, cell in enumerate(self.cells)}
        self.equal: list[tuple[Form, float]] = []
        self.most: list[tuple[Form, float]] = []
        self.reason(comparison)

    def reason(self, comparison: Comparison) -> None:
        self.equal += [({(key, g): 1.0 for g in self.size}, float(n)) for key, n in self.total.items()]
        self.equal += [({cell: 1.0}, float(n)) for cell, n in self.shown.items()]
        for group in self.size:
            listed = [key for key in self.total if key[0] == "variant"]
            self.most.append(({(key, group): 1.0 for key in listed}, float(self.size[group])))
            for part, whole in self.nested():
                self.most.append(({(part, group): 1.0, (whole, group): -1.0}, 0.0))
            inside = {(key, group): 1.0 for key in listed if "P1" in key[1:]}
            if ("activity", "b") in self.total:
                self.most.append((inside | {(("activity", "b"), group): -1.0}, 0.0))
            for step, side in self.once_only(comparison):
                edges = {(key, group): 1.0 for key in self.total if key[0] == "edge" and key[side] == step}
                self.most.append((edges | {(("activity", step), group): -1.0}, 0.0))

    def nested(self) -> Iterator[tuple[Key, Key]]:
        for key in self.total:
            for step in key[1:] if key[0] == "edge" else ():
                if ("activity", step) in self.total:
                    yield key, ("activity", step)

    def once_only(self, comparison: Comparison) -> Iterator[tuple[str, int]]:
        """Steps that nobody has twice: their edges part their patients."""
        for kind, step in [key for key in self.total if key[0] == "activity"]:
            for side in (1, 2):
                pairs = [n for (key, _), n in self.truth.items() if key[0] == "edge" and key[side] == step]
                if sum(pairs) == self.total[kind, step]:
                    yield step, side

    def span(self, form: Form) -> tuple[float, float]:
        ends = []
        for sign in (1.0, -1.0):
            solution = linprog(
                sign * self.row(form),
                A_ub=np.array([self.row(one) for one, _ in self.most]),
                b_ub=[limit + TOLERANCE for _, limit in self.most],
                A_eq=np.array([self.row(one) for one, _ in self.equal]),
                b_eq=[value for _, value in self.equal],
                bounds=[(0, self.size[group]) for _, group in self.cells],
            )
            assert solution.status == 0, solution.message
            ends.append(sign * solution.fun)
        return ends[0], ends[1]

    def row(self, form: Form) -> np.ndarray:
        row = np.zeros(len(self.cells))
        for cell, factor in form.items():
            row[self.column[cell]] = factor
        return row

    def small(self) -> Iterator[Form]:
        """Counts of 1 to 10 patients: with, without, in a step and not on its edge."""
        for group in self.size:
            for key in self.total:
                if 0 < self.truth[key, group] < 11:
                    yield {(key, group): 1.0}
                if 0 < self.size[group] - self.truth[key, group] < 11:
                    yield {(key, group): -1.0}
            for part, whole in self.nested():
                if 0 < self.truth[whole, group] - self.truth[part, group] < 11:
                    yield {(whole, group): 1.0, (part, group): -1.0}


def shown_counts(table: Released, sizes: dict[str, int]) -> dict[tuple[Key, str], int]:
    """What the rows of shares say; ``all others`` is known from the sum already."""
    shown: dict[tuple[Key, str], int] = {}
    for row in table.frame.filter(measure="share").iter_rows(named=True):
        shown[key_of(row), row["group"]] = row["k_a"]
        if row["other"] in sizes:
            shown[key_of(row), row["other"]] = row["k_b"]
    return shown


def attacked(log: EventLog, groups: Groups) -> int:
    """Attack what is released; return how many rows it has."""
    done = released_of(log)
    comparison = compare(log, groups, pathway(), minimum=5)
    try:
        table = release_contrast(comparison, done, pathway=pathway())[0]
    except DisclosureRefused:
        return 0
    sizes = dict(comparison.groups.rows())
    shown = shown_counts(table, sizes)
    assert all(11 <= k <= sizes[group] - 11 for (_, group), k in shown.items())
    after, before = Attacker(comparison, done, shown), Attacker(comparison, done, {})
    for form in after.small():
        low, high = after.span(form)
        if high - low < LEAST - TOLERANCE:
            least, most = before.span(form)
            assert high - low >= most - least - 1e-3, (form, low, high, least, most)
    return len(shown)


@given(
    st.integers(0, 10_000),
    st.sampled_from([(60, 200), (120, 150, 0), (90, 160, 40), (40, 45)]),
    st.booleans(),
)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_two_groups_tell_of_no_few_patients(seed, sizes, once):
    log, groups = cohort(seed, sizes, once)
    named = groups.of.filter(pl.col("group") != "g2")
    attacked(log, Groups(named, "group", n_neither=groups.of.height - named.height))


def test_much_is_shown_of_two_large_groups():
    log, groups = cohort(3, (900, 1100), once=True)
    assert attacked(log, groups) > 30


@given(
    st.integers(0, 10_000),
    st.sampled_from([(60, 200, 90), (20, 25, 30, 35, 200), (5, 40, 60, 80), (15, 15, 15)]),
)
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_many_groups_tell_of_no_few_patients(seed, sizes):
    log, groups = cohort(seed, sizes, once=False)
    attacked(log, groups)


def test_the_tables_have_their_columns_and_a_difference_map_has_only_what_is_significant():
    log, groups = cohort(3, (900, 1100), once=True)
    tables = {
        one.name: one.frame for one in release_contrast(compare(log, groups, pathway()), released_of(log))
    }
    assert tables["contrast"].columns == list(CONTRAST_COLUMNS)
    assert tables["contrast_nodes"].columns == list(CONTRAST_NODE_COLUMNS)
    assert tables["contrast_edges"].columns == list(CONTRAST_EDGE_COLUMNS)
    edges = tables["contrast_edges"]
    assert edges["delta"].null_count() == edges.height - edges["significant"].sum()
    many = cohort(4, (300, 300, 300), once=True)
    names = {
        one.name: one.frame.columns
        for one in release_contrast(compare(*many, pathway()), released_of(many[0]))
    }
    assert names == {"contrast": list(CONTRAST_COLUMNS), "funnel": list(RELEASED_FUNNEL_COLUMNS)}


def test_medians_are_whole_days_of_enough_patients_and_exit_shares_stay():
    log, groups = cohort(3, (900, 1100), once=True)
    rows = release_contrast(compare(log, groups, pathway()), released_of(log))[0].frame
    days = rows.filter(unit="days")
    assert days.height > 5 and days.select(pl.min_horizontal("n_a", "n_b")).min().item() >= 22
    values = days.select("value_a", "value_b", "difference", "low", "high", "standardised")
    assert values.select(pl.all().round() == pl.all()).to_series().all()
    assert days["p"].null_count() == days["q"].null_count() == days.height
    beyond = next(n for n in range(22, 99) if median_ranks(np.array([n]))[0][0] + 1 >= 11)
    few = days.filter(pl.min_horizontal("n_a", "n_b") < beyond)
    assert few.height > 0 and few["low"].null_count() == few["standardised"].null_count() == few.height
    assert set(rows["unit"]) == {"share", "days"}


def test_a_day_is_shown_only_where_its_share_is():
    log, groups = cohort(5, (200, 300), once=True)
    rows = release_contrast(compare(log, groups, pathway()), released_of(log))[0].frame
    shares = {key_of(row) for row in rows.filter(measure="share").iter_rows(named=True)}
    days = {key_of(row) for row in rows.filter(unit="days").iter_rows(named=True)}
    assert days - {("case",)} <= shares


def test_what_the_study_hides_of_everybody_is_not_split():
    log, groups = cohort(3, (900, 1100), once=True)
    done = released_of(log)
    kept = pl.when(pl.col("activity") != "a").then("n_patients")
    done["nodes"] = replace(done["nodes"], frame=done["nodes"].frame.with_columns(n_patients=kept))
    rows = release_contrast(compare(log, groups, pathway()), done)[0].frame
    assert rows.filter(activity="a").is_empty() and not rows.filter(activity="b").is_empty()


@pytest.mark.parametrize("sizes", [(300, 8), (300, 200, 6)], ids=["a small group", "few in none"])
def test_small_groups_are_refused(sizes):
    log, groups = cohort(6, sizes, once=True)
    named = groups.of.filter(pl.col("group") != "g2")
    comparison = compare(log, Groups(named, "group"), pathway(), minimum=5)
    with pytest.raises(DisclosureRefused, match="below the threshold of 11"):
        release_contrast(comparison, released_of(log), pathway=pathway())


def test_what_is_known_of_nearly_the_same_patients_hides_a_row_or_the_groups():
    log, groups = cohort(3, (900, 1100), once=True)
    comparison, done = compare(log, groups, pathway()), released_of(log)
    k = comparison.counts.filter(group="g0", activity="b")["k"].item()
    near = pl.DataFrame({"group": ["g0"], "key": ["activity\tb"], "k": [k - 4], "n": None, "same": False})
    assert release_contrast(comparison, done, beside=near)[0].frame.filter(activity="b").is_empty()
    far = near.with_columns(k=k - 40)
    assert not release_contrast(comparison, done, beside=far)[0].frame.filter(activity="b").is_empty()
    without = near.with_columns(k=k - 40, n=900 - 44)
    assert release_contrast(comparison, done, beside=without)[0].frame.filter(activity="b").is_empty()
    hidden = near.with_columns(k=pl.lit(None, dtype=pl.Int64))
    assert release_contrast(comparison, done, beside=hidden)[0].frame.filter(activity="b").is_empty()
    size = pl.DataFrame(
        {"group": ["g1"], "key": ["\t".join(EVERYBODY)], "k": [1095], "n": [1095], "same": False}
    )
    with pytest.raises(DisclosureRefused, match="released before"):
        release_contrast(comparison, done, beside=size)


def test_no_row_says_none_or_all():
    log, groups = cohort(3, (900, 1100), once=True)
    only = pl.col("patient_id").str.starts_with("g0") & (pl.col("activity") == "e")
    log = EventLog.create(log.events.filter(~only).drop("rank", "tied"), log.patients)
    comparison = compare(log, groups, pathway())
    assert comparison.differences.filter(activity="e", measure="share")["k_a"].item() == 0
    assert release_contrast(comparison, released_of(log))[0].frame.filter(activity="e").is_empty()


def test_starts_and_ends_are_compared_and_share_out_the_group():
    log, groups = cohort(7, (400, 500), once=True)
    counts = compare(log, groups, pathway()).counts
    for side, word in (("source", START), ("target", END)):
        ends = counts.filter(pl.col(side) == word).group_by("group").agg(pl.col("k").sum()).sort("group")
        assert ends["k"].to_list() == [400, 500]

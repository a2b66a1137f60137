"""What is released of conformance: nothing small, shown or computable, beside the map and the breakdowns."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from eventlogs.errors import DisclosureRefused
from eventlogs.log import EventLog
from pathways import releases
from pathways.definition import Pathway, ReferencePathway, parse
from pathways.disclosure import (
    CONFORMANCE_COLUMNS,
    DisclosurePolicy,
    Released,
    published_sets,
    release_conformance,
    withheld_statuses,
)
from pathways.disclosure.conformance import WITHHELD
from pathways.mining.conformance import ConformanceResult, check_conformance, rule_sets
from pathways.releases import Material, conformance
from pathways.risk.breakdown import BreakdownResults
from tests.spec.test_conformance import definition, rule_text

THRESHOLD = 11
DAY_0 = datetime(2020, 1, 1)
BREAKDOWNS = """
[breakdowns.late]
kind = "missed_step"
label = { fr = "Tardif", en = "Late" }
step = { fr = "Étape", en = "Step" }
trigger = ["surgery"]
expected = ["radiotherapy"]
within_days = 84
grace_days = 6
exits = ["palliative"]
evidence = "operational"
source = "rule of the tests"
[breakdowns.start]
kind = "late_step"
label = { fr = "Début", en = "Start" }
step = { fr = "Étape", en = "Step" }
trigger = ["biopsy"]
expected = ["surgery", "mastectomy", "radiotherapy"]
within_days = 42
grace_days = 0
exits = ["palliative"]
evidence = "operational"
source = "rule of the tests"
"""
RULES = (
    "response",
    "response_restarted",
    "precedence",
    "absence",
    "alternatives",
    "excused",
    "excused_before",
    "lacking",
)
PATHWAY = parse(definition("\n".join([*map(rule_text, RULES), BREAKDOWNS])), "rules.toml")
SHARES = {"biopsy": 0.9, "imaging": 0.5, "surgery": 0.85, "radiotherapy": 0.8, "mastectomy": 0.1,
          "chemotherapy": 0.2, "emergency": 0.05, "palliative": 0.03}  # fmt: skip


def simulated_log(seed: int, n_patients: int) -> EventLog:
    """Return a log of synthetic patients, most of whom conform."""
    rng = np.random.default_rng(seed)
    around = {"biopsy": -20, "surgery": 0, "radiotherapy": 60, "imaging": -10}
    rows = [
        (f"p{p:05}", name, DAY_0 + timedelta(days=int(around.get(name, 30) + rng.normal(0, 15) + p % 300)))
        for p, (name, share) in product(range(n_patients), SHARES.items())
        if rng.random() < share
    ]
    ids = [f"p{p:05}" for p in range(n_patients)]
    dead = [DAY_0 + timedelta(days=int(rng.integers(0, 400))) if rng.random() < 0.03 else None for _ in ids]
    patients = {"patient_id": ids, "index_date": [DAY_0 + timedelta(days=p % 300) for p in range(n_patients)]}
    return EventLog.create(
        pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"),
        pl.DataFrame({**patients, "death_date": dead}, schema_overrides={"death_date": pl.Datetime("us")}),
        pl.DataFrame({"patient_id": [None], "source": ["all"], "observed_until": [DAY_0 + timedelta(days=380)]})
        .cast({"patient_id": pl.String}),
    )  # fmt: skip


def released(log: EventLog, pathway: Pathway = PATHWAY) -> tuple[ConformanceResult, pl.DataFrame, Released]:
    broken, done = beside_tables(log, pathway)
    beside = published_sets(log, pathway, done, broken)
    result = check_conformance(log, pathway)
    told = beside.filter(~pl.col("set").str.starts_with(WITHHELD))
    return result, told, release_conformance(result, log.patients["patient_id"], beside)


def beside_tables(log: EventLog, pathway: Pathway = PATHWAY) -> tuple[BreakdownResults, dict[str, Released]]:
    """Release what is released before the rules."""
    material = Material(log, pathway)
    done = {table.name: table for table in releases.released(material, (releases.maps, releases.breakdowns))}
    assert material.broken is not None
    return material.broken, done


Sets = dict[str, frozenset[str]]
STATUSES = ("satisfied", "violated", "excused", "undecidable")
PARTS = ("applicable", *STATUSES, "late", "never", "rest")


def sets_of(result: ConformanceResult, beside: pl.DataFrame) -> Sets:
    """Return the patients of each number, those whom a rule does not concern too."""
    of_rules = rule_sets(result.frame).with_columns(set=pl.concat_str("rule", "set", separator="|"))
    rows = pl.concat([of_rules.select("set", "patient_id"), beside.select("set", "patient_id")])
    found: Sets = {name: frozenset(ids) for name, ids in rows.group_by("set").agg("patient_id").rows()}
    everybody = frozenset(result.patients["patient_id"])
    named = {f"{rule.id}|{part}": frozenset[str]() for rule, part in product(result.reference, PARTS)}
    rest = {
        f"{r.id}|rest": everybody - found.get(f"{r.id}|applicable", frozenset()) for r in result.reference
    }
    return {"all": everybody, **named, **found, **rest}


def nested(sets: Sets) -> set[tuple[str, str]]:
    return {(a, b) for a, b in product(sets, repeat=2) if a != b and sets[a] <= sets[b]}


@pytest.fixture(scope="module")
def always_nested() -> set[tuple[str, str]]:
    """Which set is part of which in many patients: what follows from the definition."""
    result, beside, _ = released(simulated_log(9, 4000))
    return nested(sets_of(result, beside))


@pytest.mark.parametrize(("seed", "n_patients"), [(0, 150), (1, 400), (2, 900), (3, 2500)])
def test_no_small_number_can_be_computed(
    seed: int, n_patients: int, always_nested: set[tuple[str, str]]
) -> None:
    result, beside, table = released(simulated_log(seed, n_patients))
    sets = sets_of(result, beside)
    attacker = Attacker(sets, always_nested & nested(sets), shown_in(table, beside))
    assert len(attacker.small) > 5, "the case is too easy"
    assert attacker.narrow() == []


def shown_in(table: Released, beside: pl.DataFrame) -> set[str]:
    cells = table.frame.unpivot([f"n_{part}" for part in PARTS[:-2]], index="rule").drop_nulls("value")
    return {"all", *beside["set"], *(f"{rule}|{name[2:]}" for rule, name, _ in cells.rows())}


class Attacker:
    """Knows all published numbers, the sums of the sets, and which set is part of which."""

    def __init__(self, sets: Sets, inside: set[tuple[str, str]], shown: set[str]) -> None:
        self.place = {name: at for at, name in enumerate(sets)}
        self.size = np.array([len(ids) for ids in sets.values()], dtype=float)
        self.bounds = [
            (n, n) if name in shown else (0, None) for name, n in zip(sets, self.size, strict=True)
        ]
        self.nested = np.array([self.form({a: 1, b: -1}) for a, b in sorted(inside)])
        sums = [self._sums(rule) for rule in RULES]
        self.equal = np.array([self.form(one) for group in sums for one in group])
        gaps = {f"{b} - {a}": {b: 1, a: -1} for a, b in inside if "|" in a + b}
        cells = {name: {name: 1} for name in sets if name.split("|")[0] in RULES}
        own = {name: form for name, form in {**cells, **gaps}.items() if any(r + "|" in name for r in RULES)}
        forms = {name: self.form(form) for name, form in own.items()}
        self.small = {name: form for name, form in forms.items() if 0 < form @ self.size < THRESHOLD}

    @staticmethod
    def _sums(rule: str) -> list[dict[str, int]]:
        return [
            {f"{rule}|applicable": 1, **{f"{rule}|{status}": -1 for status in STATUSES}},
            {f"{rule}|violated": 1, f"{rule}|late": -1, f"{rule}|never": -1},
            {"all": 1, f"{rule}|applicable": -1, f"{rule}|rest": -1},
        ]

    def form(self, coefficients: dict[str, int]) -> NDArray[np.float64]:
        form = np.zeros(len(self.place))
        for name, coefficient in coefficients.items():
            form[self.place[name]] = coefficient
        return form

    def narrow(self) -> list[str]:
        """Return the small numbers that span less than the threshold under all that is known."""
        forms = np.array(list(self.small.values()))
        low = high = forms @ self.size
        for at, form in enumerate(forms):
            if high[at] - low[at] < THRESHOLD:
                for point in (self.least(form), self.least(-form)):
                    low, high = np.minimum(low, forms @ point), np.maximum(high, forms @ point)
        return [name for name, width in zip(self.small, high - low, strict=True) if width < THRESHOLD - 1e-6]

    def least(self, form: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers that fit all that is known, with the least value of a form."""
        found = linprog(
            form,
            A_ub=self.nested,
            b_ub=np.zeros(len(self.nested)),
            A_eq=self.equal,
            b_eq=np.zeros(len(self.equal)),
            bounds=self.bounds,
            method="highs",
        )
        return np.asarray(found.x)


def test_the_attack_finds_what_is_not_protected(always_nested: set[tuple[str, str]]) -> None:
    result, beside, _ = released(simulated_log(1, 400))
    sets = sets_of(result, beside)
    everything = {name for name in sets if not name.endswith(("|rest", "|never"))}
    attacker = Attacker(sets, always_nested & nested(sets), everything)
    assert len(attacker.narrow()) > 5


def test_table_tells_rules_numbers_and_words() -> None:
    result, _, table = released(simulated_log(3, 2500))
    frame = table.frame
    assert dict(frame.schema) == {name: dtype() for name, dtype in CONFORMANCE_COLUMNS.items()}
    assert set(frame["rule"]) == set(RULES) and set(frame["n_patients"]) == {2500}
    assert frame["n_violated"].drop_nulls().is_sorted(descending=True)
    row = frame.filter(rule="lacking").row(0, named=True)
    true = result.summary().filter(rule="lacking").row(0, named=True)
    assert row["words_en"] == (
        f"Breach lacking within 30 days: {true['n_violated']} patients, of whom {true['n_late']} later "
        f"(a median of {round(true['median_days_late'])} days lost)"
    )
    assert row["share_conforming"] == round(true["share_conforming"], 3)
    assert (row["kind"], row["within_days"], row["evidence"]) == ("response", 30, "operational")


def test_words_are_built_from_released_numbers_only() -> None:
    _, _, table = released(simulated_log(1, 400))
    hidden = table.frame.filter(pl.col("n_violated").is_null())
    assert hidden.height and hidden["words_fr"].null_count() == hidden.height
    late = table.frame.filter(pl.col("n_late").is_null(), pl.col("words_en").is_not_null())
    assert late.height and not late["words_en"].str.contains("later").any()


def test_a_median_has_enough_patients_on_each_side() -> None:
    log = simulated_log(3, 2500)
    result, beside, _ = released(log)
    everybody = log.patients["patient_id"]
    for threshold in (11, 40, 90):
        frame = release_conformance(result, everybody, beside, policy=DisclosurePolicy(threshold)).frame
        told = frame.filter(pl.col("median_days_late").is_not_null())
        assert (told["n_late"] >= 2 * threshold).all()


def test_patients_without_an_event_are_left_out_as_in_the_map() -> None:
    log = simulated_log(2, 600)
    extra = pl.concat(
        [log.patients, log.patients.head(5).with_columns(patient_id="none" + pl.col("patient_id"))]
    )
    material = Material(EventLog.create(log.events, extra, log.horizons), PATHWAY)
    _, done = beside_tables(material.log)
    (table,) = conformance(material, done)
    n_patients = {log.events["patient_id"].n_unique()}
    assert set(table.frame["n_patients"]) == n_patients == {done["nodes"].meta["denominator"]}


def test_no_rule_releases_nothing_and_few_patients_are_refused() -> None:
    log = simulated_log(2, 60)
    bare = parse(definition(""), "rules.toml")
    assert conformance(Material(log, bare), {}) == [] == conformance(Material(log), {})
    result = check_conformance(log, PATHWAY)
    few = log.patients["patient_id"].head(10)
    with pytest.raises(DisclosureRefused, match="fewer than 11"):
        release_conformance(result, few, pl.DataFrame(schema={"set": pl.String, "patient_id": pl.String}))


def told(counts: dict[str, int], beside: dict[str, range]) -> dict[str, int | None]:
    """Return what is shown of one rule with these patients, all of whom it concerns; `beside` are published sets."""
    statuses = [name for name, n in counts.items() for _ in range(n)]
    ids = [f"p{at:03}" for at in range(len(statuses))]
    late = [5 + at if name == "late" else None for at, name in enumerate(statuses)]
    rule = PATHWAY.reference["response"]
    frame = pl.DataFrame({"patient_id": ids, "late": late, "told": statuses}).select(
        "patient_id",
        rule=pl.lit(rule.id),
        status=pl.col("told").replace({"late": "violated", "never": "violated", "excused": "violated"}),
        excused_by=pl.when(pl.col("told") == "excused").then(pl.lit("x")),
        days_late=pl.col("late").cast(pl.Int64),
    )
    published = [(name, f"p{at:03}") for name, places in beside.items() for at in places]
    sets = pl.DataFrame(published, schema={"set": pl.String, "patient_id": pl.String}, orient="row")
    result = ConformanceResult(frame, ReferencePathway({rule.id: rule}), pl.DataFrame({"patient_id": ids}))
    row = release_conformance(result, pl.Series(ids), sets).frame.row(0, named=True)
    return {name: row[name] for name in row if name.startswith("n_") or name == "median_days_late"}


def test_late_is_hidden_with_the_few_who_never_came_and_so_is_its_median() -> None:
    shown = told({"satisfied": 150, "late": 35, "never": 5, "excused": 30}, {})
    assert (shown["n_violated"], shown["n_late"], shown["median_days_late"]) == (40, None, None)
    wide = told({"satisfied": 150, "late": 35, "never": 15, "excused": 30}, {})
    assert (wide["n_violated"], wide["n_late"], wide["median_days_late"]) == (50, 35, 172)


def test_a_partner_that_another_table_tells_nearly_hides_nothing() -> None:
    counts = {"satisfied": 150, "never": 40, "excused": 20, "undecidable": 5}
    alone = told(counts, {})
    assert [name for name, n in alone.items() if n is None] == [
        "n_excused",
        "n_undecidable",
        "median_days_late",
    ]
    nearly = told(counts, {"part of the excused": range(190, 208)})
    assert sum(n is None for n in nearly.values()) > 3


def test_published_sets_have_the_published_numbers() -> None:
    log = simulated_log(1, 400)
    broken, done = beside_tables(log)
    sizes = dict(published_sets(log, PATHWAY, done, broken).group_by("set").len().rows())
    shown = done["nodes"].frame.filter(
        pl.col("n_patients").is_not_null(), ~pl.col("activity").str.starts_with("■")
    )
    expected = {
        f"{level}|{name}": n for level, name, n in shown.select("level", "activity", "n_patients").rows()
    }
    for row in done["breakdowns"].frame.to_dicts():
        told_of = ("n_patients", "kept", "broken", "excused", "undecidable")
        expected |= {f"breakdown|{row['breakdown']}|{name}": row[name] for name in told_of if row[name]}
    between = (
        pl.col("source").is_in(["▶", "*"]) | pl.col("target").str.starts_with("■") | (pl.col("target") == "*")
    )
    edges = done["edges"].frame.filter(~between).drop_nulls("n_patients")
    counted = edges.select("level", "source", "target", "n_patients").rows()
    expected |= {f"{level}|{source}|{target}": n for level, source, target, n in counted}
    listed = done["variants"].frame.filter(pl.col("variant").list.len() > 0, level="milestone")
    expected |= {
        f"variant|{'>'.join(words)}": n for words, n in listed.select("variant", "n_patients").rows()
    }
    told = {name: n for name, n in sizes.items() if not name.startswith(WITHHELD)}
    assert told == expected and any("broken" in name for name in told)


def test_statuses_do_not_tell_a_node_whose_number_is_hidden() -> None:
    """Of 40 patients with a step, 37 repeat it, as an edge says: who opened the expectation would tell of 3."""
    ids = [f"p{at:02}" for at in range(60)]
    frame = pl.DataFrame(
        {"patient_id": ids[:40], "status": ["kept"] * 20 + ["broken"] * 20, "breakdown": "late"}
    )
    results = BreakdownResults(frame, frame, frame, {"late": {"fr": "Tard", "en": "Late"}})
    repeats = [("activity|drug|drug", name) for name in ids[:37]]
    hidden = [(f"{WITHHELD}activity|drug", name) for name in ids[:40]]
    for known in (repeats, hidden):
        beside = pl.DataFrame(known, schema=["set", "patient_id"], orient="row")
        gone = withheld_statuses(results, pl.Series(ids), beside)["late"]
        assert "n_patients" in gone and gone & {"kept", "broken"}
    nothing = pl.DataFrame(schema=beside.schema)
    assert not withheld_statuses(results, pl.Series(ids), nothing)["late"]


def test_rules_do_not_tell_a_number_that_another_table_hides() -> None:
    counts = {"satisfied": 60, "never": 40}
    assert told(counts, {})["n_satisfied"] == 60
    assert told(counts, {f"{WITHHELD}another table's": range(60)})["n_satisfied"] is None
    assert told(counts, {f"{WITHHELD}nearly the same": range(65)})["n_satisfied"] is None

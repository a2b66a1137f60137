"""The rules of the gate, as a reader can contest them: numbers in, numbers that may leave out.

``SPECS`` is plain data: the rule in words, its source, what is counted, what is shown (None: hidden).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from pathways import definition
from pathways.disclosure import DisclosurePolicy, Released, release_breakdowns, release_map, release_variants
from pathways.disclosure.suppression import merge_bins, protect_nested, protect_parts, protect_sum
from pathways.mining.kernels import ELSEWHERE, variants
from pathways.mining.maps import ProcessMap
from tests.contract.test_maps import log_of

CASD = (
    "the secure data access centre (CASD) asks that no cell of hospital data concern fewer than 11 patients"
)
ARITHMETIC = "secondary suppression: what can be subtracted is not hidden"
CHOICE = "operational choice of care-pathways"


@dataclass(frozen=True)
class Spec:
    """One rule of the gate."""

    rule: str
    source: str
    what: str
    counted: Any
    shown: Any


SPECS = (
    Spec("Eleven patients may be shown, in both states.", CASD, "statuses", (11, 11, 0, 0), (22, 11, 11, 0, 0)),
    Spec(
        "A status of 1 to 10 patients is hidden, and another with it, as they add up to the total: not the broken.",
        ARITHMETIC, "statuses", (60, 35, 0, 5), (100, None, 35, 0, None),
    ),
    Spec(
        "The excused are hidden before the kept: they tell the reader less.",
        ARITHMETIC, "statuses", (60, 35, 30, 5), (130, 60, 35, None, None),
    ),
    Spec(
        "Two small statuses that add up to 10 or fewer would still say too much: a third is hidden.",
        ARITHMETIC, "statuses", (60, 35, 3, 5), (103, None, 35, None, None),
    ),
    Spec(
        "Two small statuses that add up to enough keep each other.",
        ARITHMETIC, "statuses", (60, 40, 6, 7), (113, 60, 40, None, None),
    ),
    Spec("A zero concerns nobody and is shown.", CHOICE, "statuses", (50, 30, 0, 0), (80, 50, 30, 0, 0)),
    Spec("With fewer than 11 patients in all, nothing is said.", CASD, "statuses", (4, 5, 0, 1), (None,) * 5),
    Spec("Nothing happened to nobody: zeros.", CHOICE, "statuses", (0, 0, 0, 0), (0, 0, 0, 0, 0)),
    Spec(
        "If 95 of 100 patients have a step, the 5 others would be counted: the 95 is hidden.",
        ARITHMETIC, "nested", {"all": 100, "step": 95}, {"all": 100, "step": None},
    ),
    Spec("If all have it, nobody is told apart.", CHOICE, "nested", {"all": 99, "step": 99}, {"all": 99, "step": 99}),
    Spec("If 88 of 99 have it, 11 have not: shown.", CASD, "nested", {"all": 99, "step": 88}, {"all": 99, "step": 88}),
    Spec(
        "A hidden count must not be held between its parts and its whole: the part of 92 that bounds it is hidden too.",
        ARITHMETIC, "nested", {"all": 100, "step": 95, "part": 92}, {"all": 100, "step": None, "part": None},
    ),
    Spec(
        "Days of delay are merged until each bin holds 11 patients; the rest joins the last bin.",
        CASD, "bins", (5, 6, 11, 20, 3, 4), (0, 0, 1, 2, 2, 2),
    ),
    Spec("With too few for one bin, there is one bin.", CASD, "bins", (1, 2, 3), (0, 0, 0)),
    Spec(
        "A variant of 10 patients is pooled; alone in the pool it would be known, so the next rarest joins it.",
        ARITHMETIC, "variants", {"a": 40, "ab": 30, "abc": 10}, {"a": 40, "": 40},
    ),
    Spec(
        "Rare variants that are enough together are pooled alone.",
        CASD, "variants", {"a": 40, "ab": 30, "ba": 8, "bab": 6}, {"a": 40, "ab": 30, "": 14},
    ),
    Spec("If every variant is frequent, none is pooled.", CHOICE, "variants", {"a": 40, "ab": 30}, {"a": 40, "ab": 30}),
)  # fmt: skip


def shown_statuses(counted: tuple[int, ...]) -> tuple[int | None, ...]:
    pathway = definition.load("breast_cancer")
    first = next(iter(pathway.breakdowns))
    row = dict(zip(("kept", "broken", "excused", "undecidable"), counted, strict=True))
    frame = release_breakdowns(pl.DataFrame([{"breakdown": first, **row}]), pathway).frame
    return frame.select("n_patients", *row).row(0)


def shown_nested(counted: dict[str, int]) -> dict[str, int | None]:
    names = list(counted)
    pairs = [(i, i - 1) for i in range(1, len(names))]
    hideable = np.array([name != "all" for name in names])
    hidden = protect_nested(np.array(list(counted.values())), np.zeros(len(names), bool), hideable, pairs, 11)
    return {name: None if gone else counted[name] for name, gone in zip(names, hidden, strict=True)}


def shown_bins(counted: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(merge_bins(counted, 11))


def shown_variants(counted: dict[str, int]) -> dict[str, int]:
    events = [
        (f"{word}{i}", letter, day)
        for word, n in counted.items()
        for i in range(n)
        for day, letter in enumerate(word)
    ]
    log = log_of(*events)
    everything = ProcessMap.from_log(log).flow().with_columns(level=pl.lit("activity"))
    nothing = Released(
        "nodes", pl.DataFrame(schema={"level": pl.String, "activity": pl.String, "n_patients": pl.Int64})
    )
    edges = Released("edges", everything.with_columns(n_patients=None, n_events=None))
    frame = release_variants({"activity": variants(log, collapse=True)}, nothing, edges).frame
    return {"".join(word): n for word, n in frame.select("variant", "n_patients").rows()}


SHOW: dict[str, Callable[[Any], Any]] = {
    "statuses": shown_statuses,
    "nested": shown_nested,
    "bins": shown_bins,
    "variants": shown_variants,
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.rule)
def test_rule(spec: Spec) -> None:
    assert SHOW[spec.what](spec.counted) == spec.shown


@pytest.mark.parametrize(("patients", "seen"), [(21, False), (22, True)])
def test_a_median_needs_eleven_patients_on_each_side(patients, seen):
    log = log_of(*((f"p{i}", name, day) for i in range(patients) for name, day in (("a", 0), ("b", i))))
    _, edges = release_map({"activity": ProcessMap.from_log(log)})
    row = edges.frame.filter(source="a", target="b")
    assert row["median_days"].is_not_null().to_list() == [seen]


@pytest.mark.parametrize(("patients", "seen"), [(109, False), (110, True)])
def test_a_90th_percentile_needs_110_patients(patients, seen):
    log = log_of(*((f"p{i:03d}", name, day) for i in range(patients) for name, day in (("a", 0), ("b", i))))
    _, edges = release_map({"activity": ProcessMap.from_log(log)})
    row = edges.frame.filter(source="a", target="b")
    assert row["p90_days"].is_not_null().to_list() == [seen]


def test_the_flow_that_is_not_shown_is_said():
    events = [(f"p{i}", name, day) for i in range(60) for day, name in enumerate("ab" if i < 30 else "ba")]
    rare = [(f"q{i}", name, day) for i in range(20) for day, name in enumerate("acb" if i < 9 else "bca")]
    log = log_of(*events, *rare)
    one = ProcessMap.from_log(log)
    _, edges = release_map({"activity": one})
    drawn = edges.frame.filter(pl.col("source") != ELSEWHERE)
    rest = edges.frame.filter(pl.col("source") == ELSEWHERE)["n_events"].item()
    assert drawn.height < one.flow().height
    assert rest is None or rest + drawn["n_events"].sum() == one.flow()["n_events"].sum()


@pytest.mark.parametrize(
    ("everybody", "shown"),
    [(100, (100, 60, 40)), (111, (100, 60, 40)), (105, (None, None, 40))],
    ids=["all have the trigger", "11 have not", "5 have not"],
)
def test_patients_without_the_trigger_are_no_remainder(everybody, shown):
    pathway = definition.load("breast_cancer")
    counts = pl.DataFrame(
        [{"breakdown": "late_start", "kept": 60, "broken": 40, "excused": 0, "undecidable": 0}]
    )
    empty = {"level": pl.String, "activity": pl.String, "n_patients": pl.Int64}
    nodes = Released("nodes", pl.DataFrame(schema=empty), {"denominator": everybody})
    frame = release_breakdowns(counts, pathway, nodes=nodes).frame.filter(breakdown="late_start")
    assert frame.select("n_patients", "kept", "broken").row(0) == shown
    biopsied = pl.DataFrame([("activity", "breast_biopsy", everybody)], schema=empty, orient="row")
    nodes = Released("nodes", biopsied, {"denominator": 1000})
    frame = release_breakdowns(counts, pathway, nodes=nodes).frame.filter(breakdown="late_start")
    assert frame.select("n_patients", "kept", "broken").row(0) == shown


def test_sums_and_parts_are_protected_by_the_smallest_first():
    counts = np.array([90, 4, 30, 0, 12])
    assert protect_sum(counts, counts == 4, 11).tolist() == [False, True, False, False, True]
    uses = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    listed = protect_parts(np.array([50, 20, 15]), uses, np.array([90, 65]), 11)
    assert listed.tolist() == [True, True, False]


def test_every_rule_has_its_words_and_source():
    assert all(spec.rule.endswith(".") and spec.source for spec in SPECS)
    assert DisclosurePolicy().threshold == 11

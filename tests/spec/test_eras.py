"""Eras, each rule as events in and eras out; and against a plain walk through the events, on generated logs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import floor
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogs.abstraction import Eras, complete_origins, eras, merged, merged_origins
from eventlogs.activities import EraRule
from eventlogs.errors import DefinitionError, LogError
from eventlogs.log import EventLog

DAY_0 = datetime(2020, 1, 1)

COURSE = EraRule("course", ("fraction",), "course", gap_days=10)
CYCLE = EraRule("cycle", ("session",), "cycle", gap_days=21)
STAY = EraRule("stay", ("stay",), "stay", gap_days=1)
SUPPLY = EraRule("supply", ("dispensing",), "supply", gap_days=90, days_per_unit=1.0)


@dataclass(frozen=True)
class Spec:
    """One rule: events in (``activity | day | last day | quantity``), eras out (``number | days | events``)."""

    id: str
    words: str
    rule: EraRule
    events: str
    outcome: str


SPECS = (
    Spec(
        "course_gap",
        "Fractions at most 10 days apart are one course; 11 days without any begin the next.",
        COURSE,
        "fraction | 0\nfraction | 1\nfraction | 11\nfraction | 22",
        "1 | 0 to 11 | 3\n2 | 22 to 22 | 1",
    ),
    Spec(
        "course_of_its_activities",
        "Events of other activities neither belong to a course nor cut it.",
        COURSE,
        "fraction | 0\nsurgery | 3\nfraction | 5",
        "1 | 0 to 5 | 2",
    ),
    Spec(
        "course_gap_of_no_day",
        "With a gap of 0 days only events of one day are merged.",
        replace(COURSE, gap_days=0),
        "fraction | 0\nfraction | 0\nfraction | 1",
        "1 | 0 to 0 | 2\n2 | 1 to 1 | 1",
    ),
    Spec(
        "cycle_from_its_first_session",
        "A cycle of 21 days holds the sessions of days 0 to 20 after its first; day 21 begins the next cycle.",
        CYCLE,
        "session | 0\nsession | 7\nsession | 20\nsession | 21\nsession | 45",
        "1 | 0 to 20 | 3\n2 | 21 to 21 | 1\n3 | 45 to 45 | 1",
    ),
    Spec(
        "cycle_late",
        "A late cycle moves those after it: they count from the session that began it, not from the plan.",
        CYCLE,
        "session | 0\nsession | 25\nsession | 44\nsession | 46",
        "1 | 0 to 0 | 1\n2 | 25 to 44 | 2\n3 | 46 to 46 | 1",
    ),
    Spec(
        "stay_transfer",
        "A stay that begins on the day on which another ends, or the day after, continues it.",
        STAY,
        "stay | 0 | 4\nstay | 4 | 6\nstay | 7 | 9\nstay | 11 | 12",
        "1 | 0 to 9 | 3\n2 | 11 to 12 | 1",
    ),
    Spec(
        "stay_inside_a_stay",
        "A short stay inside a longer one does not end it.",
        STAY,
        "stay | 0 | 20\nstay | 3 | 4\nstay | 15 | 16",
        "1 | 0 to 20 | 3",
    ),
    Spec(
        "supply_gap",
        "A refill up to 90 days after the supply's end continues the exposure, which lasts until the last supply ends.",
        SUPPLY,
        "dispensing | 0 | | 30\ndispensing | 120 | | 30\ndispensing | 241 | | 30",
        "1 | 0 to 150 | 2\n2 | 241 to 271 | 1",
    ),
    Spec(
        "supply_longest",
        "The longest supply so far counts: a stock is not carried over, and a short supply does not shorten it.",
        SUPPLY,
        "dispensing | 0 | | 90\ndispensing | 10 | | 10\ndispensing | 181 | | 30",
        "1 | 0 to 90 | 2\n2 | 181 to 211 | 1",
    ),
    Spec(
        "supply_in_units",
        "Two tablets a day: half a day a tablet, whole days only. A dispensing without quantity is one unit.",
        replace(SUPPLY, gap_days=0, days_per_unit=0.5),
        "dispensing | 0 | | 15\ndispensing | 7 | |",
        "1 | 0 to 7 | 2",
    ),
)


def day(number: int) -> datetime:
    return DAY_0 + timedelta(days=number)


def log_of(rows: list[dict[str, Any]]) -> EventLog:
    schema = {
        "patient_id": pl.String,
        "activity": pl.String,
        "start": pl.Int64,
        "end": pl.Int64,
        "quantity": pl.Int64,
    }
    days = [(pl.lit(DAY_0) + pl.duration(days=pl.col(name))).alias(name) for name in ("start", "end")]
    return EventLog.create(pl.DataFrame(rows, schema=schema).with_columns(days))


def events_of(spec: Spec) -> EventLog:
    lines = [[cell.strip() for cell in line.split("|")] + ["", ""] for line in spec.events.splitlines()]
    return log_of(
        [
            {
                "patient_id": "anna",
                "activity": activity,
                "start": int(start),
                "end": int(end) if end else None,
                "quantity": int(quantity) if quantity else None,
            }
            for activity, start, end, quantity, *_ in lines
        ]
    )


def shown(found: Eras) -> str:
    numbered = found.eras.with_columns((pl.col(name) - DAY_0).dt.total_days() for name in ("start", "end"))
    rows = numbered.select("number", "start", "end", "n_events").rows()
    return "\n".join(f"{number} | {start} to {end} | {events}" for number, start, end, events in rows)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_eras(spec: Spec) -> None:
    assert shown(eras(events_of(spec), [spec.rule])) == spec.outcome


KINDS = st.sampled_from(["course", "cycle", "stay", "supply"])
rules = st.builds(
    lambda kind, gap, units, names: EraRule("era", tuple(names), kind, max(gap, int(kind == "cycle")), units),
    KINDS,
    st.integers(0, 12),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.sets(st.sampled_from(["x", "y"]), min_size=1),
)
written = st.lists(
    st.fixed_dictionaries(
        {
            "patient_id": st.sampled_from(["anna", "berthe"]),
            "activity": st.sampled_from(["x", "y", "z"]),
            "start": st.integers(0, 60),
            "end": st.none(),
            "quantity": st.one_of(st.none(), st.integers(0, 10)),
            "days": st.one_of(st.none(), st.integers(0, 9)),
        }
    ).map(
        lambda row: (
            {name: value for name, value in row.items() if name != "days"}
            | {"end": None if row["days"] is None else row["start"] + row["days"]}
        )
    ),
    max_size=20,
)


def plain(log: EventLog, rule: EraRule) -> list[tuple[str, int, int, int]]:
    """Walk through the events of each patient: ``patient, number, rank`` of each part, and the era's last day."""
    found = []
    for patient in sorted(log.patients["patient_id"]):
        number, first, last = 0, 0, 0
        mine = log.events.filter(pl.col("patient_id") == patient, pl.col("activity").is_in(rule.activities))
        for event in mine.sort("start", "rank").iter_rows(named=True):
            start = (event["start"] - DAY_0).days
            end = (max(event["end"] or event["start"], event["start"]) - DAY_0).days
            if rule.kind == "supply":
                units = 1 if event["quantity"] is None else event["quantity"]
                end = start + floor(units * (rule.days_per_unit or 0))
            late = start >= first + rule.gap_days if rule.kind == "cycle" else start > last + rule.gap_days
            if number == 0 or late:
                number, first, last = number + 1, start, end
            last = max(last, end)
            found.append((patient, number, event["rank"], last))
    return found


@settings(max_examples=150, deadline=None)
@given(written, rules)
def test_eras_are_those_of_a_plain_walk(rows: list[dict[str, Any]], rule: EraRule) -> None:
    log = log_of(rows)
    found, expected = eras(log, [rule]), plain(log, rule)
    assert found.parts.select("patient_id", "number", "rank").sort(pl.all()).rows() == sorted(
        (patient, number, rank) for patient, number, rank, _ in expected
    )
    last = {(patient, number): day(until) for patient, number, _, until in expected}
    assert {(p, n): end for p, n, end in found.eras.select("patient_id", "number", "end").rows()} == last


@settings(max_examples=80, deadline=None)
@given(written, rules)
def test_every_event_of_a_rule_is_part_of_one_era(rows: list[dict[str, Any]], rule: EraRule) -> None:
    log = log_of(rows)
    found = eras(log, [rule])
    named = log.events.filter(pl.col("activity").is_in(rule.activities))
    assert found.parts.select("patient_id", "rank").sort(pl.all()).equals(named.select("patient_id", "rank"))
    assert found.eras["n_events"].sum() == named.height
    assert (found.eras["quantity"].sum() or 0) == (named["quantity"].sum() or 0)


@settings(max_examples=80, deadline=None)
@given(written, rules.filter(lambda rule: rule.kind != "cycle"))
def test_eras_of_one_rule_lie_apart(rows: list[dict[str, Any]], rule: EraRule) -> None:
    ordered = eras(log_of(rows), [rule]).eras
    gap = (pl.col("start") - pl.col("end").shift()).over("patient_id").dt.total_days()
    assert ordered.select((gap > rule.gap_days).fill_null(True).all()).item()


@settings(max_examples=60, deadline=None)
@given(written, rules, st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(rows: list[dict[str, Any]], rule: EraRule, random: Any) -> None:
    one, other = log_of(rows), log_of(random.sample(rows, len(rows)))
    assert eras(one, [rule]).eras.equals(eras(other, [rule]).eras)
    assert merged(one, eras(one, [rule])).events.equals(merged(other, eras(other, [rule])).events)


@settings(max_examples=80, deadline=None)
@given(written, rules)
def test_a_merge_loses_no_part(rows: list[dict[str, Any]], rule: EraRule) -> None:
    log = log_of(rows)
    found = eras(log, [rule])
    coarse, origins = merged(log, found), merged_origins(log, found)
    assert coarse.n_events == log.n_events - found.parts.height + found.eras.height
    assert origins.height == log.n_events
    assert origins.join(coarse.events, on=["patient_id", "rank"], how="anti").is_empty()
    sizes = origins.group_by("patient_id", "rank").len().join(coarse.events, on=["patient_id", "rank"])
    assert sorted(sizes.filter(pl.col("activity") == "era")["len"]) == sorted(found.eras["n_events"])
    assert sizes.filter(pl.col("activity") != "era").filter(pl.col("len") != 1).is_empty()


def test_an_era_stands_where_its_first_part_stood_and_is_known_with_its_last() -> None:
    rows = [
        {"patient_id": "anna", "activity": name, "start": start, "end": None, "quantity": 1}
        for name, start in (("biopsy", 0), ("fraction", 2), ("visit", 3), ("fraction", 4))
    ]
    log = log_of(rows)
    coarse = merged(log, eras(log, [COURSE]))
    assert coarse.events.select("activity", "start", "end", "quantity", "known_from").rows() == [
        ("biopsy", day(0), None, 1, day(0)),
        ("course", day(2), day(4), 2, day(4)),
        ("visit", day(3), None, 1, day(3)),
    ]
    assert coarse.as_of(day(3)).events["activity"].to_list() == ["biopsy", "visit"]


def test_without_a_rule_nothing_is_merged() -> None:
    log = events_of(SPECS[0])
    assert merged(log, eras(log, [])).events.equals(log.events)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (replace(COURSE, gap_days=-1), "'course' has gap_days = -1; give 0 or more"),
        (replace(CYCLE, gap_days=0), "'cycle' has gap_days = 0; give 1 or more"),
        (replace(SUPPLY, days_per_unit=None), "'supply' is a supply without days_per_unit"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_said(rule: EraRule, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        eras(events_of(SPECS[0]), [rule])


def test_origins_of_another_log_are_refused() -> None:
    log = events_of(SPECS[0])
    strange = complete_origins(log).with_columns(rank=pl.col("rank") + 7)
    with pytest.raises(LogError, match="origins are of no event of this log"):
        complete_origins(log, strange)

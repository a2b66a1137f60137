"""Ties as sets: what a patient has on one day is one step, whose activity is the set."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogs.abstraction import day_sets
from eventlogs.errors import DisclosureRefused, LogError
from eventlogs.log import EventLog
from pathways import definition, steps
from pathways.mining.kernels import directly_follows, variants
from pathways.releases import Material, released
from pathways.study import Study

DAY_0 = datetime(2021, 3, 1)


def log_of(*events: tuple[str, str, int], within_day: tuple[str, ...] = ()) -> EventLog:
    rows = [(patient, activity, DAY_0 + timedelta(days=day)) for patient, activity, day in events]
    frame = pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row")
    return EventLog.create(frame, within_day=within_day)


def sequence(log: EventLog) -> list[tuple[str, int]]:
    return [(a, (t - DAY_0).days) for a, t in log.events.select("activity", "start").rows()]


def test_a_day_is_one_step_in_the_definition_s_order_and_repeats_once():
    log = log_of(("p", "c", 0), ("p", "a", 0), ("p", "c", 0), ("p", "b", 3), within_day=("c", "a"))
    assert sequence(day_sets(log)) == [("c + a", 0), ("b", 3)]
    assert not day_sets(log).events["tied"].any()


def test_a_set_has_one_name_whatever_the_order_of_the_document():
    rows = [("p", "b", 0), ("p", "a", 0), ("q", "a", 0), ("q", "b", 0)]
    frame = log_of(*rows).events.select("patient_id", "activity", "start")
    told = EventLog.create(frame[[1, 0, 2, 3]], keep_order=True)
    assert day_sets(told).activities == ["a + b"]


def test_only_what_shares_a_timestamp_is_put_together():
    frame = pl.DataFrame(
        {"patient_id": "p", "activity": ["a", "b"], "start": [DAY_0, DAY_0 + timedelta(minutes=1)]}
    )
    assert day_sets(EventLog.create(frame)).activities == ["a", "b"]


def test_a_death_stays_a_step_of_its_own():
    log = log_of(("p", "a", 0), ("p", "b", 0), ("p", "death", 0))
    assert sequence(day_sets(log)) == [("a + b", 0), ("death", 0)]


def test_a_set_keeps_what_its_parts_agree_on_and_is_known_once_all_are():
    known = [DAY_0 + timedelta(days=30), DAY_0 + timedelta(days=60)]
    frame = pl.DataFrame(
        {
            "patient_id": "p",
            "activity": ["a", "b"],
            "start": DAY_0,
            "source": "PMSI",
            "facility": ["north", "south"],
            "quantity": 2,
            "known_from": known,
        }
    )
    row = day_sets(EventLog.create(frame)).events.row(0, named=True)
    kept = {name: row[name] for name in ("activity", "source", "facility", "quantity", "known_from")}
    assert kept == {
        "activity": "a + b", "source": "PMSI", "facility": None, "quantity": None, "known_from": known[1],
    }  # fmt: skip


def test_an_activity_that_reads_as_a_set_is_refused():
    with pytest.raises(LogError, match=r"'a \+ b' reads as a set of activities; rename it"):
        day_sets(log_of(("p", "a + b", 0)))


def test_an_empty_log_stays_empty():
    schema = {"patient_id": pl.String, "activity": pl.String, "start": pl.Datetime}
    assert day_sets(EventLog.create(pl.DataFrame(schema=schema))).n_events == 0


def test_a_set_has_the_labels_of_its_parts_and_the_earliest_of_their_phases():
    pathway = definition.load("breast_cancer")
    named = definition.with_day_sets(pathway, ["mastectomy + mammography", "unheard + of", "mastectomy"])
    both = "mastectomy + mammography"
    assert named.phase_of()[both] == "imaging"
    assert named.name(both, "fr") == f"{pathway.name('mastectomy')} + {pathway.name('mammography')}"
    assert "unheard + of" not in named.activities


people = st.lists(
    st.tuples(st.sampled_from("pq"), st.sampled_from(["a", "b", "c", "death"]), st.integers(0, 3)),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(people, st.permutations(["a", "b", "c", "death"]))
def test_sets_equal_a_naive_reference_and_do_not_depend_on_the_order_inside_a_day(events, order):
    log = day_sets(log_of(*events, within_day=("c", "a")))
    place = {"c": 0, "a": 1, "b": 2}
    expected: dict[str, list[str]] = {}
    for patient in sorted({patient for patient, _, _ in events}):
        for day in sorted({day for who, _, day in events if who == patient}):
            held = {a for who, a, on in events if (who, on) == (patient, day)}
            parts = sorted(held - {"death"}, key=place.__getitem__)
            expected.setdefault(patient, []).extend(
                [*([" + ".join(parts)] if parts else []), *(held & {"death"})]
            )
    found = log.events.group_by("patient_id", maintain_order=True).agg("activity")
    assert dict(found.rows()) == expected
    as_sets = {frozenset(name.split(" + ")) for name in log.activities}
    other = day_sets(log_of(*events, within_day=tuple(order)))
    assert {frozenset(name.split(" + ")) for name in other.activities} == as_sets


def crowd(n: int = 40) -> EventLog:
    events = [(f"p{i:02}", a, day) for i in range(n) for a, day in (("a", 0), ("b", 0), ("c", 4 + i % 3))]
    return log_of(*events)


def test_what_is_released_of_sets_says_so_and_says_nothing_of_single_activities():
    tables = {table.name: table for table in released(Material(crowd()).with_ties("sets"))}
    assert set(tables) == {"nodes", "edges", "layout", "replay", "edge_delays", "variants", "summary"}
    assert {table.meta["ties"] for table in tables.values()} == {"sets"}
    assert tables["nodes"].frame["activity"].to_list() == ["a + b", "c"]
    assert tables["edges"].frame.row(0, named=True)["tied_share"] == 0
    assert {table.meta["ties"] for table in released(Material(crowd()))} == {"order"}


def test_a_study_is_released_with_one_reading_of_its_ties(tmp_path):
    source = tmp_path / "events.csv"
    crowd().events.select("patient_id", "activity", "start").write_csv(source)
    study = steps.build(source, tmp_path / "study", door="table").path
    steps.mine(study, ties="sets")
    assert Study.open(study).released("edges").meta["ties"] == "sets"
    with pytest.raises(DisclosureRefused, match="was released with ties as sets"):
        steps.mine(study)
    steps.mine(study, ties="sets")


def test_every_step_of_a_map_of_sets_is_from_one_day_to_a_later_one():
    edges = directly_follows(day_sets(crowd()))
    assert edges.select("source", "target", "tied_share").rows() == [("a + b", "c", 0.0)]
    assert (edges["min_days"] > 0).all()
    assert variants(day_sets(crowd()))["variant"].to_list() == [["a + b", "c"]]

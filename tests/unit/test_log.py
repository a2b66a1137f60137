"""The event log: its contract, its order, and what was known when."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlogs.errors import LogError
from eventlogs.log import EVENT_COLUMNS, EventLog, conform

DAY = datetime(2021, 1, 1)


def events(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"patient_id": p, "activity": a, "start": datetime(2021, 1, day)} for p, a, day in rows],
        schema={"patient_id": pl.String, "activity": pl.String, "start": pl.Datetime("us")},
    )


def test_ties_follow_the_definition_and_are_flagged() -> None:
    log = EventLog.create(events(("a", "x", 1), ("a", "y", 1), ("a", "x", 2)), within_day=["y", "x"])
    assert log.events.select("activity", "rank", "tied").rows() == [
        ("y", 0, True),
        ("x", 1, True),
        ("x", 2, False),
    ]


def test_equal_activities_on_one_day_are_no_tie() -> None:
    assert EventLog.create(events(("a", "x", 1), ("a", "x", 1))).events["tied"].to_list() == [False, False]


def test_a_document_keeps_its_order() -> None:
    log = EventLog.create(events(("b", "z", 1), ("a", "z", 2), ("a", "a", 2)), keep_order=True)
    assert log.events.select("patient_id", "activity").rows() == [("a", "z"), ("a", "a"), ("b", "z")]


@given(st.permutations(range(8)))
def test_any_shuffle_gives_the_same_log(order: list[int]) -> None:
    rows = events(*[("ab"[n % 2], "xyz"[n % 3], 1 + n // 4) for n in range(8)])
    assert EventLog.create(rows[order]).events.equals(EventLog.create(rows).events)


def test_as_of_shows_what_was_known() -> None:
    known = events(("a", "x", 1), ("a", "y", 2)).with_columns(
        known_from=pl.Series([DAY, datetime(2021, 3, 1)])
    )
    gone = conform(
        events(("a", "w", 1)).with_columns(known_from=pl.lit(DAY), known_until=pl.lit(datetime(2021, 2, 1))),
        EVENT_COLUMNS,
        "events",
    )
    log = EventLog.create(known, withdrawn=gone.with_columns(date_precision=pl.lit("day")))
    assert log.as_of(datetime(2021, 1, 15)).events["activity"].to_list() == ["w", "x"]
    assert log.as_of(datetime(2021, 2, 15)).events["activity"].to_list() == ["x"]
    assert log.as_of(datetime(2021, 3, 1)).events["activity"].to_list() == ["x", "y"]
    assert log.as_of(datetime(2021, 2, 15)).observed_until == datetime(2021, 1, 2)


def test_a_death_not_yet_known_is_not_seen() -> None:
    patients = pl.DataFrame(
        {
            "patient_id": ["a"],
            "death_date": [datetime(2021, 1, 9)],
            "death_known_from": [datetime(2021, 6, 1)],
        }
    )
    log = EventLog.create(events(("a", "x", 1)), patients)
    assert log.as_of(datetime(2021, 5, 1)).patients["death_date"].to_list() == [None]
    assert log.as_of(datetime(2021, 6, 1)).patients["death_date"].to_list() == [datetime(2021, 1, 9)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activity": pl.lit(None, dtype=pl.String)}, "have no 'activity'"),
        ({"date_precision": pl.lit("decade")}, "date precision 'decade'"),
        ({"activty": pl.lit("x")}, "did you mean 'activity'"),
    ],
)
def test_a_broken_contract_is_a_sentence(change: dict[str, pl.Expr], words: str) -> None:
    with pytest.raises(LogError, match=words):
        EventLog.create(events(("a", "x", 1)).with_columns(**change))


@pytest.mark.parametrize("name", ["▶", "■", "■death", "*"])
def test_names_that_maps_keep_for_themselves_are_refused(name: str) -> None:
    events = pl.DataFrame({"patient_id": ["a"], "activity": [name], "start": [datetime(2020, 1, 1)]})
    with pytest.raises(LogError, match=f"an activity '[{name}]"):
        EventLog.create(events)


def test_unsorted_frames_are_refused() -> None:
    log = EventLog.create(events(("a", "x", 1), ("a", "y", 2)))
    with pytest.raises(LogError, match="not sorted"):
        EventLog(log.events.reverse(), log.patients, log.horizons, log.withdrawn)


def test_patients_of_the_events_must_be_known() -> None:
    with pytest.raises(LogError, match="not in the patients table"):
        EventLog.create(events(("a", "x", 1)), pl.DataFrame({"patient_id": ["b"]}))


def test_repr_names_no_patient() -> None:
    log = EventLog.create(events(("secret", "x", 1)))
    assert "secret" not in repr(log) + log._repr_html_()


def test_an_empty_log_is_a_log() -> None:
    assert EventLog.create(events()).n_events == 0

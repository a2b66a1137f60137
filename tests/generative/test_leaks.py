"""Nothing from after the landmark enters a feature, nobody is on both sides, noise teaches nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from eventlogs.feeds import FEEDS
from eventlogs.log import EventLog
from pathways.risk.features import feature_names, features, landmark_dates, landmark_table, rows_at
from pathways.risk.model import BreakdownRiskModel, labelled_rows, split
from tests.unit.simulated import cohort, pathway

DAY_0 = datetime(2020, 1, 1)
LANDMARK = DAY_0 + timedelta(days=200)
ACTIVITIES = [
    "consultation",
    "emergency_visit",
    "biopsy",
    "surgery",
    "mammography",
    "dispensing",
    "palliative",
]

event = st.fixed_dictionaries(
    {
        "patient_id": st.sampled_from(["anna", "berthe", "carole"]),
        "activity": st.sampled_from(ACTIVITIES),
        "start": st.integers(0, 400).map(lambda number: DAY_0 + timedelta(days=number)),
        "lag": st.integers(0, 90),
        "facility": st.sampled_from(["H1", "H2", None]),
    }
)


def log_of(events: list[dict[str, object]]) -> EventLog:
    schema = {"patient_id": pl.String, "activity": pl.String, "start": pl.Datetime("us"), "lag": pl.Int64,
              "facility": pl.String}  # fmt: skip
    frame = pl.DataFrame(events, schema=schema).with_columns(
        known_from=pl.col("start") + pl.duration(days=pl.col("lag")), quantity=pl.lit(30)
    )
    people = pl.DataFrame({"patient_id": ["anna", "berthe", "carole"], "birth_year": [1950, 1960, 1970]})
    return EventLog.create(frame.drop("lag"), people, within_day=pathway().within_day)


def at_landmark(log: EventLog) -> pl.DataFrame:
    known = log.as_of(LANDMARK)
    rows = rows_at(known, pathway(), LANDMARK)
    return rows.hstack(features(known, rows, pathway()))


def unknown_then(one: dict[str, object]) -> bool:
    start, lag = one["start"], one["lag"]
    assert isinstance(start, datetime) and isinstance(lag, int)
    return start + timedelta(days=lag) > LANDMARK


@settings(max_examples=60, deadline=None)
@given(st.lists(event, max_size=25), st.lists(event, max_size=10))
def test_events_that_come_or_are_known_later_change_no_bit(
    events: list[dict[str, object]], more: list[dict[str, object]]
) -> None:
    known = [one for one in events if not unknown_then(one)]
    later = [one for one in more if unknown_then(one)]
    assert at_landmark(log_of(known + later)).equals(at_landmark(log_of(known)))


@settings(max_examples=30, deadline=None)
@given(st.lists(event, max_size=20), st.integers(1, 200))
def test_a_booked_event_known_before_it_happens_changes_no_bit(
    events: list[dict[str, object]], ahead: int
) -> None:
    base = log_of(events)
    booked = pl.DataFrame(
        {
            "patient_id": ["anna"],
            "activity": ["surgery"],
            "start": [LANDMARK + timedelta(days=ahead)],
            "known_from": [DAY_0],
        }
    )
    columns = base.events.select("patient_id", "activity", "start", "known_from", "facility", "quantity")
    both = EventLog.create(
        pl.concat([columns, booked], how="diagonal_relaxed"),
        base.patients,
        base.horizons,
        within_day=base.within_day,
    )
    assert at_landmark(both).equals(at_landmark(base))


def test_the_rows_of_training_hold_only_what_had_arrived() -> None:
    log, at = cohort(200, seed=8), datetime(2020, 6, 1)
    feed = FEEDS["snds_annual"]
    arrived = log.events.filter(pl.col("known_from") <= at)
    late = log.events.filter((pl.col("known_from") > at) & (pl.col("start") <= at))
    cut = EventLog.create(arrived, log.patients, log.horizons, within_day=log.within_day)
    assert late.height > 50
    assert landmark_table(log, pathway(), [at], feed).equals(landmark_table(cut, pathway(), [at], feed))


def test_a_death_after_the_landmark_changes_no_bit() -> None:
    log = cohort(200, seed=5)
    at = datetime(2020, 6, 1)
    later = pl.col("death_date") > at
    alive = log.patients.with_columns(
        pl.when(~later.fill_null(True)).then(name).alias(name) for name in ("death_date", "death_known_from")
    )
    assert log.patients.select((later).sum()).item() > 0
    spared = EventLog(log.events, alive, log.horizons, log.withdrawn, log.within_day)
    one, other = (
        features(known, rows_at(known, pathway(), at), pathway())
        for known in (log.as_of(at), spared.as_of(at))
    )
    assert one.equals(other)


def test_a_line_withdrawn_later_was_known_then() -> None:
    """At the landmark the cancelled line counted; the features see what was believed, not what turned out."""
    base = log_of(
        [{"patient_id": "anna", "activity": "biopsy", "start": LANDMARK - timedelta(days=9), "lag": 0}]
    )
    line = base.events.with_columns(
        activity=pl.lit("surgery"), known_until=pl.lit(LANDMARK + timedelta(days=30)).cast(pl.Datetime("us"))
    )
    cancelled = EventLog(base.events, base.patients, base.horizons, line, base.within_day)
    assert at_landmark(base)["breakdown"].to_list() == ["late"]
    assert at_landmark(cancelled).is_empty()


def test_nobody_trains_and_tests() -> None:
    log = cohort(300, seed=6)
    parts = split(log, pathway())
    assert parts["patient_id"].n_unique() == parts.height
    dates = parts.join(log.patients.select("patient_id", "index_date"), on="patient_id")
    last_train = dates.filter(pl.col("part") == "train")["index_date"].max()
    first_test = dates.filter(pl.col("part") == "test")["index_date"].min()
    assert isinstance(last_train, datetime) and isinstance(first_test, datetime)
    assert first_test - last_train > timedelta(days=45)
    assert 0.65 < parts.filter(pl.col("part") == "train").height / log.n_patients < 0.75


def test_permuted_outcomes_teach_nothing() -> None:
    log = cohort(600, seed=7)
    rows = labelled_rows(log, pathway(), landmark_dates(log, pathway()), FEEDS["hospital_live"])
    parts = rows.join(split(log, pathway()), on="patient_id", maintain_order="left")
    train, test = (parts.filter(pl.col("part") == part) for part in ("train", "test"))
    rng = np.random.default_rng(0)
    names = feature_names(pathway())
    areas = [
        roc_auc_score(
            rng.permutation(test["broken"].to_numpy()),
            BreakdownRiskModel(random_state=seed)
            .fit(train.select(names), rng.permutation(train["broken"].to_numpy()))
            .predict_proba(test.select(names))[:, 1],
        )
        for seed in range(3)
    ]
    assert abs(np.mean(areas) - 0.5) < 0.04

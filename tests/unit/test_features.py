"""Feeds, landmark rows, features and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventlogs.errors import InputError
from eventlogs.feeds import FEEDS, feed, feed_of, under_feed
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.risk.breakdown import evaluate, pending
from pathways.risk.features import (
    KEYS,
    ROW_COLUMNS,
    describe,
    feature_names,
    features,
    labels,
    landmark_dates,
    landmark_rows,
    landmark_table,
    rows_at,
)

from .simulated import cohort, pathway

DAY_0 = datetime(2020, 1, 1)
LANDMARK = 100


def day(number: int) -> datetime:
    return DAY_0 + timedelta(days=number)


def tiny(extra: list[tuple[object, ...]] | None = None, **person: object) -> EventLog:
    """Return the log of one person, biopsied on day 60, with a past."""
    rows = [
        ("consultation", 0, "H1", "29"),
        ("emergency_visit", 10, "H2", "35"),
        ("emergency_visit", 40, "H2", "35"),
        ("biopsy", 60, "H1", "29"),
        ("consultation", 60, None, None),
        ("consultation", 95, "H1", "29"),
        *(extra or []),
    ]
    events = pl.DataFrame(
        rows, schema=["activity", "day", "facility", "territory_of_care"], orient="row"
    ).select(
        patient_id=pl.lit("anna"),
        start=pl.lit(DAY_0) + pl.duration(days=pl.col("day")),
        activity="activity",
        facility="facility",
        territory_of_care="territory_of_care",
    )
    who = {"patient_id": "anna", "territory": "29", "birth_year": 1960, "sex": "F", "index_date": day(60)}
    horizon = pl.DataFrame({"patient_id": [None], "source": ["all"], "observed_until": [day(1000)]})
    return EventLog.create(
        events, pl.DataFrame([{**who, **person}]), horizon, within_day=pathway().within_day
    )


def one_row(log: EventLog, definition: Pathway | None = None) -> dict[str, object]:
    chosen = definition or pathway()
    known = log.as_of(day(LANDMARK))
    rows = rows_at(known, chosen, day(LANDMARK))
    assert rows.height == 1
    return features(known, rows, chosen).row(0, named=True)


def test_a_person_by_hand() -> None:
    found = one_row(tiny())
    assert {name: found[name] for name in BY_HAND} == BY_HAND


BY_HAND = {
    "days_since_opened": 40.0,
    "days_until_due": 50.0,
    "days_until_deadline": 50.0,
    "share_of_window_used": 40 / 90,
    "n_past_steps": 0.0,
    "days_since_step": None,
    "n_events_30d": 1.0,
    "n_events_90d": 5.0,
    "n_events_365d": 6.0,
    "days_since_event": 5.0,
    "gap_mean_days": (10 + 30 + 20 + 35) / 4,
    "gap_max_days": 35.0,
    "gap_last_days": 35.0,
    "n_activities": 3.0,
    "n_emergency_180d": 2.0,
    "n_facilities_365d": 2.0,
    "n_handovers": 2.0,
    "share_care_elsewhere": 2 / 5,
    "days_since_index": 40.0,
    "age_years": 60.0,
    "is_female": 1.0,
    "n_365d_care": 6.0,
    "days_since_surgery": None,
    "n_activity_consultation": 3.0,
    "breakdown_late": 1.0,
    "breakdown_gap": 0.0,
    "territory": "29",
}


def test_what_is_not_known_is_null() -> None:
    found = one_row(tiny(sex=None, birth_year=None, territory=None, index_date=None))
    unknown = ("is_female", "age_years", "territory", "days_since_index", "share_care_elsewhere")
    assert [found[name] for name in unknown] == [None] * 5


def test_deprivation_changes_no_feature() -> None:
    assert one_row(tiny(deprivation=1)) == one_row(tiny(deprivation=5))
    assert not [item.id for item in describe(pathway()) if "depriv" in item.id]


def test_an_index_date_to_come_is_not_known() -> None:
    assert one_row(tiny(index_date=day(500)))["days_since_index"] is None


def test_a_definition_without_phases_counts_the_activities_of_its_breakdowns() -> None:
    bare = replace(pathway(), activities={}, phases={})
    found = one_row(tiny(), bare)
    assert found["n_365d_biopsy"] == 1 and found["days_since_biopsy"] == 40


def test_every_feature_has_words_and_one_name() -> None:
    described = describe(pathway())
    assert len({item.id for item in described}) == len(described)
    assert all(item.label["fr"] and item.label["en"] for item in described)


def test_rows_of_several_landmarks_are_refused() -> None:
    log = tiny()
    rows = landmark_rows(log, pathway(), [day(90), day(100)], FEEDS["snds_annual"])
    with pytest.raises(InputError, match="several landmarks"):
        features(log, rows, pathway())


def test_no_row_gives_an_empty_table_with_its_columns() -> None:
    table = landmark_table(tiny(), pathway(), [day(5)], FEEDS["snds_annual"])
    assert table.is_empty() and table.columns == [*ROW_COLUMNS, *feature_names(pathway())]


def naive(log: EventLog, rows: pl.DataFrame) -> Iterator[dict[str, float | None]]:
    """Count the plain way, a patient at a time."""
    events = {key[0]: part for key, part in log.events.group_by("patient_id")}
    for row in rows.iter_rows(named=True):
        past = events[row["patient_id"]].sort("rank")
        ages = [(row["landmark"] - start).days for start in past["start"]]
        days = sorted(set(ages), reverse=True)
        gaps = [before - after for before, after in pairwise(days)]
        places = [place for place in past["facility"] if place is not None]
        visits = [age for age, what in zip(ages, past["activity"], strict=True) if what == "emergency_visit"]
        yield {
            "n_events_90d": sum(age <= 90 for age in ages),
            "days_since_event": min(ages),
            "gap_mean_days": sum(gaps) / len(gaps) if gaps else None,
            "gap_max_days": max(gaps, default=None),
            "gap_last_days": gaps[-1] if gaps else None,
            "n_activities": len(set(past["activity"])),
            "n_emergency_180d": sum(age <= 180 for age in visits),
            "n_handovers": sum(one != other for one, other in pairwise(places)),
        }


def test_kernels_equal_the_naive_count() -> None:
    log, at = cohort(150, seed=3), datetime(2020, 6, 1)
    known = log.as_of(at)
    rows = rows_at(known, pathway(), at)
    expected = pl.DataFrame(list(naive(known, rows)))
    found = features(known, rows, pathway()).select(expected.columns)
    assert rows.height > 50
    assert_frame_equal(found, expected.cast(pl.Float64), check_exact=False)


def test_a_row_can_break_within_the_horizon() -> None:
    log, at = cohort(200, seed=4), datetime(2020, 6, 1)
    ahead = (pl.col("deadline") - pl.col("landmark")).dt.total_days()
    days = rows_at(log.as_of(at), pathway(), at).select(ahead).to_series()
    assert days.min() > 0 and days.max() <= pathway().risk.horizon_days  # type: ignore[operator]
    assert pending(log.as_of(at), pathway(), at).height > days.len()


def test_landmarks_end_one_horizon_before_the_data() -> None:
    dates = landmark_dates(tiny(), pathway())
    assert dates[-1] == day(1000 - 120)
    assert {(later - sooner).days for sooner, later in pairwise(dates)} == {60}
    assert day(0) <= dates[0] < day(60)


def test_labels_by_hand() -> None:
    """A break inside the window is 1, on the landmark or after the window 0, an unseen window null."""
    log = tiny()
    results = evaluate(log, pathway())
    deadline = 60 + 90
    rows = pl.concat(rows_at(log.as_of(day(at)), pathway(), day(at)) for at in (100,))
    shifted = [
        rows.with_columns(landmark=pl.lit(day(at)))
        for at in (deadline, deadline - 1, deadline - 120, deadline - 121, 950)
    ]
    found = labels(results, pl.concat(shifted), 120)
    assert found.to_list() == [0, 1, 1, 0, None]


def test_the_dead_are_labelled_and_those_who_left_are_not() -> None:
    died = evaluate(tiny(death_date=day(110), death_known_from=day(110)), pathway())
    log = tiny()
    left = pl.DataFrame({"patient_id": ["anna"], "source": ["all"], "observed_until": [day(160)]})
    gone = EventLog.create(
        log.events, log.patients, pl.concat([log.horizons, left]), within_day=log.within_day
    )
    rows = rows_at(log.as_of(day(100)), pathway(), day(100))
    assert labels(died, rows, 120).to_list() == [0]
    assert labels(evaluate(gone, pathway()), rows, 120).to_list() == [None]


def test_a_feed_hides_what_has_not_arrived() -> None:
    log = cohort(50)
    live = under_feed(log, FEEDS["hospital_live"])
    lag = (live.events["known_from"] - live.events["start"]).dt.total_days()
    city = live.events["source"].str.starts_with("ER_")
    assert set(lag.filter(city)) == {30} and set(lag.filter(~city)) == {2}
    assert live.events.drop("known_from").equals(log.events.drop("known_from"))


def test_a_stay_is_known_after_its_end_and_monthly_after_its_month() -> None:
    stay = pl.DataFrame({"patient_id": ["anna"], "activity": ["surgery"], "start": [datetime(2020, 1, 30)],
                         "end": [datetime(2020, 2, 3)], "source": ["T_MCOaaB"]})  # fmt: skip
    log = EventLog.create(stay)
    assert under_feed(log, FEEDS["hospital_live"]).events["known_from"][0] == datetime(2020, 2, 5)
    assert under_feed(log, FEEDS["pmsi_monthly"]).events["known_from"][0] == datetime(2020, 4, 14)


def test_the_monthly_pmsi_carries_no_city_care_and_no_register() -> None:
    carried = under_feed(cohort(50), FEEDS["pmsi_monthly"])
    assert set(carried.events["source"]) == {"T_MCOaaB"}
    assert carried.patients["death_known_from"].null_count() == carried.n_patients


def test_the_annual_feed_and_a_local_source_keep_their_own_dates() -> None:
    log, local = cohort(20), cohort(20, snds=False)
    assert under_feed(log, FEEDS["snds_annual"]) is log
    assert under_feed(local, FEEDS["hospital_live"]).events.equals(local.events)
    assert feed_of(log).id == "snds_annual" and feed_of(local).id == "hospital_live"


def test_an_unknown_feed_is_said() -> None:
    with pytest.raises(InputError, match="did you mean 'hospital_live'"):
        feed("hospital_life")


def test_a_later_feed_gives_fewer_rows_or_the_same() -> None:
    log, dates = cohort(100), [date(2020, 6, 1)]
    live = landmark_rows(log, pathway(), dates, FEEDS["hospital_live"])
    monthly = landmark_rows(log, pathway(), dates, FEEDS["pmsi_monthly"])
    assert live.select(KEYS).n_unique() == live.height
    assert set(monthly["breakdown"]) <= {"late", "lapse"} and "gap" in set(live["breakdown"])

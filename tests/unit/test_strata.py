"""Strata that studies of French claims need."""

from __future__ import annotations

from datetime import date

import polars as pl

from eventlogs.log import PATIENT_COLUMNS, EventLog, conform
from eventlogs.observation import PERIOD_COLUMNS, observation_periods
from eventlogs.strata import DEPRIVATION_STRATA, calendar, deprivation_stratum, in_covid_months


def test_overseas_is_a_stratum_and_not_a_missing_value() -> None:
    patients = pl.DataFrame(
        {"deprivation": [1, 5, None, None, 3, None], "territory": ["75", "2A", "974", "44", None, None]},
        schema_overrides={"deprivation": pl.Int8},
    )
    found = patients.select(deprivation_stratum()).to_series().to_list()
    assert found == ["1", "5", "overseas", "unknown", "3", "unknown"]
    assert set(found) <= set(DEPRIVATION_STRATA)


def test_march_to_may_2020() -> None:
    days = [date(2020, 2, 29), date(2020, 3, 1), date(2020, 5, 31), date(2020, 6, 1), date(2021, 4, 1), None]
    marked = pl.DataFrame({"start": days}).select(covid=in_covid_months())["covid"].to_list()
    assert marked == [False, True, True, False, False, False]


def test_calendar_marks_whole_months() -> None:
    months = calendar(date(2020, 2, 15), date(2020, 6, 3))
    assert months["month"].to_list() == [date(2020, m, 1) for m in range(2, 7)]
    assert months["covid"].to_list() == [False, True, True, True, False]


def test_periods_end_with_what_comes_first() -> None:
    day = {n: pl.datetime(2021, n, 1) for n in range(1, 13)}
    events = pl.DataFrame({"patient_id": list("abcd"), "activity": "x", "start": date(2021, 2, 1)})
    patients = conform(
        events.select(
            "patient_id",
            observed_from=day[2],
            exit_date=pl.when(pl.col("patient_id") == "b").then(day[5]),
            exit_reason=pl.when(pl.col("patient_id") == "b").then(pl.lit("death")),
        ),
        PATIENT_COLUMNS,
        "patients",
    )
    rows = [(None, "dcir", date(2021, 9, 1)), (None, "mco", date(2021, 4, 1)), ("c", "all", date(2021, 1, 1))]
    horizons = pl.DataFrame(rows, schema=["patient_id", "source", "observed_until"], orient="row")
    log = EventLog.create(events.with_columns(pl.col("start").cast(pl.Datetime("us"))), patients, horizons)
    periods = observation_periods(log)
    assert dict(periods.schema) == {
        name: pl.Datetime("us") if name.startswith("obs") else pl.String() for name in PERIOD_COLUMNS
    }
    assert periods.select(
        "patient_id", "source", pl.col("observed_until").dt.month(), "end_reason"
    ).rows() == [
        ("a", "dcir", 9, "horizon"),
        ("a", "mco", 4, "horizon"),
        ("b", "dcir", 5, "death"),
        ("b", "mco", 4, "horizon"),
        ("c", "dcir", 2, "left"),
        ("c", "mco", 2, "left"),
        ("d", "dcir", 9, "horizon"),
        ("d", "mco", 4, "horizon"),
    ]

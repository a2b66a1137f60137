"""Until when a patient's silence can be read: what breakdowns and conformance share."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from eventlogs.log import TIME, EventLog, number


def until(log: EventLog, at: date | datetime) -> EventLog:
    """Return the log without the events and deaths dated after `at` (planned ones that are already known)."""
    events, patients = log.events, log.patients
    if events.select((pl.col("start") > at).any()).item():
        events = number(events.filter(pl.col("start") <= at))
    if patients.select((pl.col("death_date") > at).any()).item():
        alive = pl.col("death_date") > at
        patients = patients.with_columns(pl.when(~alive).then("death_date").alias("death_date"))
    return EventLog(events, patients, log.horizons, log.withdrawn, log.within_day)


def horizons(log: EventLog) -> pl.DataFrame:
    """Return until when silence can be read: ``patient_id``, ``observed_until`` (null where nothing is stated).

    It is the earliest of the horizons of all sources and of the patient's own ones (leaving the scheme, for example):
    an exit may come from any source.
    """
    own = log.horizons.drop_nulls("patient_id").group_by("patient_id").agg(own=pl.col("observed_until").min())
    return (
        log.patients.select("patient_id")
        .join(own, on="patient_id", how="left", maintain_order="left")
        .select(
            "patient_id", observed_until=pl.min_horizontal("own", pl.lit(general_horizon(log)).cast(TIME))
        )
    )


def general_horizon(log: EventLog) -> datetime | None:
    """Return the earliest horizon among those of care that hold for every patient; None where there is none."""
    return log.observed_until


def followed(log: EventLog) -> pl.DataFrame:
    """Return ``patient_id``, ``followed_until``: until when each is followed; for the dead, that of the sources."""
    general = pl.lit(general_horizon(log)).cast(TIME)
    dead = pl.col("death_date").is_not_null()
    return log.patients.join(horizons(log), on="patient_id", how="left", maintain_order="left").select(
        "patient_id", followed_until=pl.when(dead).then(general).otherwise("observed_until")
    )

"""Since when and until when each source saw each patient."""

from __future__ import annotations

from typing import Any

import polars as pl

from eventlogs.log import TIME, EventLog

PERIOD_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "source": pl.String,
    "observed_from": TIME,
    "observed_until": TIME,
    "end_reason": pl.String,
}
"""Columns of the observation periods."""


def observation_periods(log: EventLog) -> pl.DataFrame:
    """Return the time during which each source saw each patient.

    It begins with the patient's first care of any kind, and ends at the source's horizon (``end_reason`` *horizon*), at
    the patient's exit (its reason: *death*, *palliative_care*, *scheme_exit*, *abroad*), or at a horizon that a ready
    log states for the patient alone (*left*), whichever comes first; never before it begins.

    Parameters
    ----------
    log : EventLog
        Any log.

    Returns
    -------
    polars.DataFrame
        `PERIOD_COLUMNS`, one row a patient and source (of those whose horizon is stated for every patient), sorted.
        ``observed_from`` is null where nothing says it.
    """
    everyone = log.horizons.filter(pl.col("patient_id").is_null()).select("source", horizon="observed_until")
    own = log.horizons.drop_nulls("patient_id").group_by("patient_id").agg(own=pl.col("observed_until").min())
    seen = (
        log.patients.select("patient_id", "observed_from", "exit_date", "exit_reason")
        .join(own, on="patient_id", how="left")
        .join(everyone, how="cross")
    )
    end = pl.min_horizontal("horizon", "exit_date", "own")
    reason = (
        pl.when(end == pl.col("exit_date"))
        .then("exit_reason")
        .when(end == pl.col("own"))
        .then(pl.lit("left"))
        .when(end.is_not_null())
        .then(pl.lit("horizon"))
    )
    periods = seen.with_columns(observed_until=pl.max_horizontal(end, "observed_from"), end_reason=reason)
    return periods.select(pl.col(name).cast(dtype) for name, dtype in PERIOD_COLUMNS.items()).sort(
        "patient_id", "source"
    )

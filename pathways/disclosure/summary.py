"""What a study holds, in one row."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    check_enough,
    conform,
    released_table,
)
from pathways.disclosure.suppression import nearest

SUMMARY_COLUMNS: dict[str, Any] = {
    "n_patients": pl.Int64,
    "n_events": pl.Int64,
    "n_activities": pl.Int64,
    "first_day": pl.Date,
    "last_day": pl.Date,
    "source": pl.String,
    "synthetic": pl.Boolean,
    "cutoff": pl.Date,
    "pathway_id": pl.String,
    "pathway_version": pl.String,
    "pathway_label_fr": pl.String,
    "pathway_label_en": pl.String,
}


def release_summary(
    log: EventLog,
    pathway: Pathway | None,
    *,
    source: str,
    synthetic: bool,
    cutoff: date | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release what a study holds, in one row.

    Parameters
    ----------
    log : EventLog
        The study's log.
    pathway : Pathway or None
        Its definition; without one the columns of the pathway are null.
    source, synthetic, cutoff
        Where the data come from, in words; whether they are synthetic; the day until which they are complete.

    Returns
    -------
    Released
        `SUMMARY_COLUMNS`. Patients are those with at least one event. The total of events is rounded, as an exact one
        would help to compute hidden flows; the period is widened to whole months, as a first day is one patient's.

    Raises
    ------
    DisclosureRefused
        Fewer patients than the threshold.
    """
    n_patients = log.events["patient_id"].n_unique()
    check_enough(n_patients, policy)
    counts = {
        "n_patients": n_patients,
        "n_events": nearest(log.n_events, policy.event_rounding),
        "n_activities": len(log.activities),
    }
    said = {"source": source, "synthetic": synthetic, "cutoff": cutoff}
    frame = pl.concat([pl.DataFrame([counts | said | _identity(pathway)]), _months(log)], how="horizontal")
    return released_table(
        "summary",
        conform(frame, SUMMARY_COLUMNS),
        policy,
        origin,
        numerator="patients with at least one event, and their events",
        denominator=n_patients,
        suppressed=0,
        rounded=f"events to a multiple of {policy.event_rounding}, the period to whole months",
    )


def _months(log: EventLog) -> pl.DataFrame:
    """Return the period of the events, widened to whole months."""
    return log.events.select(
        first_day=pl.col("start").min().dt.month_start().cast(pl.Date),
        last_day=pl.col("start").max().dt.month_end().cast(pl.Date),
    )


def _identity(pathway: Pathway | None) -> dict[str, str | None]:
    names = ("pathway_id", "pathway_version", "pathway_label_fr", "pathway_label_en")
    if pathway is None:
        return dict.fromkeys(names)
    values = (pathway.id, pathway.version, pathway.label["fr"], pathway.label["en"])
    return dict(zip(names, values, strict=True))

"""Completeness: what is missing, of patients, of events, and of months near the right edge."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eventlogs.checks.evidence import NOTHING, Evidence, Findings, Rule, one, share_of
from eventlogs.feeds import family_of
from eventlogs.strata import is_overseas

EDGE_MONTHS = 3
"""The last months before a horizon are held against those before."""

LEAST = 20
"""A month that usually has fewer patients, or events, is too small to judge."""

LOW = 0.5
"""Share of the usual volume under which a month is short."""


def patient_without_event(e: Evidence) -> Findings:
    return one(e.patients.join(e.events, on="patient_id", how="anti").height, e.patients.height)


def missing(column: str) -> Callable[[Evidence], Findings]:
    """Return the check that a column of the patients is filled."""

    def find(e: Evidence) -> Findings:
        return share_of(e.patients, pl.col(column).is_null())

    return find


def deprivation_missing(e: Evidence) -> Findings:
    return share_of(e.patients, pl.col("deprivation").is_null(), ~is_overseas())


def deprivation_overseas(e: Evidence) -> Findings:
    return share_of(e.patients, is_overseas() & pl.col("deprivation").is_null())


def network_missing(e: Evidence) -> Findings:
    return missing("network")(e) if e.patients["network"].count() else NOTHING


def vital_status_unknown(e: Evidence) -> Findings:
    return share_of(e.patients, ~pl.col("vital_status_known"), pl.col("vital_status_known").is_not_null())


def death_without_day_known(e: Evidence) -> Findings:
    return share_of(e.patients, pl.col("death_known_from").is_null(), pl.col("death_date").is_not_null())


def facility_missing(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("facility").is_null(), family_of() == "hospital")


def coarse_date(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("date_precision").is_in(["week", "month"]))


def right_edge(e: Evidence) -> Findings:
    until = e.log.observed_until
    return NOTHING if until is None else share_of(e.events, pl.col("start") > until)


def feed_lag(e: Evidence) -> Findings:
    """Look, by source, for months just before the horizon with less than half of the expected volume.

    A cohort that takes in nobody any more has fewer events by itself. So the expected volume of a month is that of
    patients as long after their index in earlier months (or the longest before, where nobody was so far).
    """
    recent = pl.col("month") > pl.col("month").max().over("stratum").dt.offset_by(f"-{EDGE_MONTHS}mo")
    cells = e.follow_up.with_columns(recent=recent).sort("months_since_index")
    rates = (
        cells.filter(~pl.col("recent"), ~pl.col("covid"))
        .group_by("stratum", "months_since_index")
        .agg(rate=pl.col("n").sum() / pl.col("patients").sum())
        .sort("months_since_index")
    )
    expected = (
        cells.filter("recent")
        .join_asof(rates, on="months_since_index", by="stratum", check_sortedness=False)
        .group_by("stratum", "month")
        .agg(pl.col("n").sum(), usual=(pl.col("rate") * pl.col("patients")).sum())
    )
    return by_stratum(expected.filter(pl.col("usual") >= LEAST), pl.col("n") < LOW * pl.col("usual"))


def month_empty(e: Evidence) -> Findings:
    """Look from the month of the first index on: before it, only what precedes an index is kept."""
    first = e.log.patients["index_date"].dt.month_start().min()
    within = pl.lit(True) if first is None else pl.col("month") >= pl.lit(first)
    usual = e.months.group_by("stratum").agg(usual=pl.col("n").median())
    judged = e.months.join(usual.filter(pl.col("usual") >= LEAST), on="stratum")
    return by_stratum(judged.filter(within), pl.col("n") == 0)


def by_stratum(frame: pl.DataFrame, wrong: pl.Expr) -> Findings:
    """Return how many rows are wrong, by ``stratum``."""
    found = frame.group_by("stratum").agg(found=wrong.sum(), out_of=pl.len()).sort("stratum")
    return {row["stratum"]: (row["found"], row["out_of"]) for row in found.to_dicts()} or NOTHING


def source_silent(e: Evidence) -> Findings:
    seen = e.events.select(stratum=pl.coalesce(family_of(), "source")).unique()
    told = e.edges.filter(pl.col("stratum").is_in(["city", "hospital"]))
    return one(told.join(seen, on="stratum", how="anti").height, told.height)


RULES = (
    Rule("patient_without_event", "completeness", "completeness", "warning", "patients", 0.0,
         "patients without any event", patient_without_event),
    Rule("sex_missing", "completeness", "completeness", "information", "patients", 0.05,
         "patients without sex", missing("sex")),
    Rule("birth_year_missing", "completeness", "completeness", "information", "patients", 0.05,
         "patients without birth_year", missing("birth_year")),
    Rule("territory_missing", "completeness", "completeness", "information", "patients", 0.05,
         "patients without territory", missing("territory")),
    Rule("deprivation_missing", "completeness", "completeness", "information", "patients", 0.05,
         "patients of metropolitan France, or of an unknown place, without deprivation", deprivation_missing),
    Rule("deprivation_overseas", "completeness", "completeness", "information", "patients", None,
         "patients overseas, where FDep has no value: a stratum of their own", deprivation_overseas),
    Rule("network_missing", "completeness", "completeness", "information", "patients", 0.05,
         "patients without network, where others have one", network_missing),
    Rule("index_missing", "completeness", "completeness", "warning", "patients", 0.0,
         "patients without index_date", missing("index_date")),
    Rule("observation_missing", "completeness", "completeness", "information", "patients", 0.0,
         "patients without observed_from", missing("observed_from")),
    Rule("vital_status_unknown", "completeness", "completeness", "information", "patients", 0.1,
         "patients of a scheme that reports few deaths", vital_status_unknown),
    Rule("death_without_day_known", "completeness", "completeness", "warning", "patients", 0.0,
         "deaths of which it is not said since when they are known", death_without_day_known),
    Rule("facility_missing", "completeness", "completeness", "information", "events", 0.05,
         "hospital events without facility", facility_missing),
    Rule("coarse_date", "completeness", "completeness", "information", "events", 0.05,
         "events dated to a week or a month", coarse_date),
    Rule("right_edge", "completeness", "completeness", "warning", "events", 0.05,
         "events later than the earliest horizon of the sources", right_edge),
    Rule("feed_lag", "completeness", "completeness", "warning", "months", 0.0,
         "of the last three months before the horizon, those with less than half of the volume expected so long after "
         "the index", feed_lag),
    Rule("month_empty", "completeness", "completeness", "warning", "months", 0.0,
         "months without any event of a source that usually tells of 20 patients or more", month_empty),
    Rule("source_silent", "completeness", "completeness", "warning", "sources", 0.0,
         "claims or stays that have a horizon and no event", source_silent),
)  # fmt: skip

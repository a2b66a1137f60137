"""Plausibility: nothing twice, nothing impossible, everything in its time."""

from __future__ import annotations

import polars as pl

from eventlogs.checks.completeness import LEAST, by_stratum
from eventlogs.checks.evidence import NOTHING, Evidence, Findings, Rule, one, share_of
from eventlogs.feeds import family_of

CROWDED_DAY = 20
OLDEST = 110
ADULT = 18
LONG_DAYS = 365

LATEST_FLUX_DAYS = 27 * 31
"""Claims arrive within 27 months of flux at most (SNDS documentation)."""

NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
"""Months beside a month that say what is usual for it."""

LOW, HIGH = 0.5, 2.0
"""Share of the usual volume outside of which a month breaks."""

OF_MEN = {"CCAM": ("JG",), "CIM10": ("C61", "D075", "D40"), "DP": ("C61", "D075", "D40")}
"""Prefixes of codes of the prostate (CCAM chapter JG; CIM-10 prostate cancer and its neighbours)."""


def duplicate(e: Evidence) -> Findings:
    distinct = e.events.select("patient_id", "activity", "start").n_unique()
    return one(e.log.n_events - distinct, e.log.n_events)


def tied(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("tied"))


def crowded_day(e: Evidence) -> Findings:
    days = e.events.group_by("patient_id", pl.col("start").dt.date()).len()
    return share_of(days, pl.col("len") > CROWDED_DAY)


def _age(e: Evidence) -> pl.DataFrame:
    first = e.events.group_by("patient_id").agg(first=pl.col("start").min())
    people = e.patients.join(first, on="patient_id", how="left")
    age = pl.coalesce("index_date", "first").dt.year() - pl.col("birth_year")
    return people.select(age=age).drop_nulls()


def age_range(e: Evidence) -> Findings:
    return share_of(_age(e), ~pl.col("age").is_between(0, OLDEST))


def minor(e: Evidence) -> Findings:
    return share_of(_age(e), pl.col("age") < ADULT)


def sex_activity(e: Evidence) -> Findings:
    of_men = pl.col("activity").str.contains("prostat")
    for system, prefixes in OF_MEN.items():
        starts = pl.any_horizontal(pl.col("code").str.starts_with(prefix) for prefix in prefixes)
        of_men = of_men | ((pl.col("code_system") == system) & starts).fill_null(False)
    return share_of(e.dated, pl.col("sex") == "F", of_men)


def quantity_positive(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("quantity") <= 0, pl.col("quantity").is_not_null())


def long_event(e: Evidence) -> Findings:
    length = (pl.col("end") - pl.col("start")).dt.total_days()
    return share_of(e.events, length > LONG_DAYS, pl.col("end").is_not_null())


def before_birth(e: Evidence) -> Findings:
    return share_of(e.dated, pl.col("start").dt.year() < pl.col("birth_year"))


def after_death(e: Evidence) -> Findings:
    return share_of(e.dated, pl.col("start").dt.date() > pl.col("death_date").dt.date())


def after_exit(e: Evidence) -> Findings:
    left = pl.col("exit_reason").is_in(["scheme_exit", "abroad"])
    return share_of(e.dated, left & (pl.col("start").dt.date() > pl.col("exit_date").dt.date()))


def before_observation(e: Evidence) -> Findings:
    early = pl.col("start").dt.date() < pl.col("observed_from").dt.date()
    return share_of(e.dated, early, pl.col("observed_from").is_not_null())


def end_before_start(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("end") < pl.col("start"))


def future_date(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("start").dt.date() > e.today)


def index_in_period(e: Evidence) -> Findings:
    """Look for index dates before the first day of observation, after the last horizon, or after death."""
    day, last = pl.col("index_date").dt.date(), e.edges["until"].max()
    early = (day < pl.col("observed_from").dt.date()).fill_null(False)
    late = (day > pl.lit(last, pl.Datetime("us")).dt.date()).fill_null(False)
    dead = (day > pl.col("death_date").dt.date()).fill_null(False)
    return share_of(e.patients, early | late | dead, pl.col("index_date").is_not_null())


def death_order(e: Evidence) -> Findings:
    unborn = (pl.col("death_date").dt.year() < pl.col("birth_year")).fill_null(False)
    foreseen = (pl.col("death_known_from") < pl.col("death_date")).fill_null(False)
    return share_of(e.patients, unborn | foreseen, pl.col("death_date").is_not_null())


def known_before_care(e: Evidence) -> Findings:
    early = pl.col("known_from").dt.month_start() < pl.col("start").dt.month_start()
    return share_of(e.events, early, family_of().is_not_null())


def late_knowledge(e: Evidence) -> Findings:
    wait = (pl.col("known_from") - pl.col("start")).dt.total_days()
    return share_of(e.events, wait > LATEST_FLUX_DAYS, family_of() == "city")


def _against_neighbours(months: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Keep the months that can be judged, with the median ``usual`` of their neighbours other than COVID months."""
    seen, place, reach = (
        pl.when(~pl.col("covid")).then("n"),
        pl.int_range(pl.len()).over(key),
        max(NEIGHBOURS),
    )
    beside = pl.concat_list(seen.shift(step).over(key) for step in NEIGHBOURS).list.drop_nulls()
    inside = place.is_between(reach, pl.len().over(key).cast(pl.Int64) - reach - 1)
    judged = months.with_columns(usual=beside.list.median(), beside=beside.list.len(), inside=inside)
    return judged.filter("inside", pl.col("beside") >= reach, pl.col("usual") >= LEAST)


BREAKS = ~(pl.col("n") / pl.col("usual")).is_between(LOW, HIGH)


def facility_break(e: Evidence) -> Findings:
    judged = _against_neighbours(e.facility_months, ["stratum", "facility"]).filter(~pl.col("covid"))
    return by_stratum(judged, BREAKS)


def volume_break(e: Evidence) -> Findings:
    return by_stratum(_against_neighbours(e.months, ["stratum"]).filter(~pl.col("covid")), BREAKS)


def covid_break(e: Evidence) -> Findings:
    judged = _against_neighbours(e.facility_months, ["stratum", "facility"]).filter("covid")
    return by_stratum(judged, BREAKS) if judged.height else NOTHING


RULES = (
    Rule("duplicate", "plausibility", "uniqueness", "information", "events", 0.01,
         "events that repeat patient, activity and time", duplicate),
    Rule("tied", "plausibility", "uniqueness", "information", "events", 0.25,
         "events that share their time with a neighbour of another activity", tied),
    Rule("crowded_day", "plausibility", "uniqueness", "information", "days of patients", 0.001,
         "days on which a patient has more than 20 events", crowded_day),
    Rule("age_range", "plausibility", "atemporal", "warning", "patients", 0.001,
         "patients younger than 0 or older than 110 at index", age_range),
    Rule("minor", "plausibility", "atemporal", "information", "patients", 0.01,
         "patients under 18 at index", minor),
    Rule("sex_activity", "plausibility", "atemporal", "warning", "events", 0.001,
         "events of the prostate, of women", sex_activity),
    Rule("quantity_positive", "plausibility", "atemporal", "warning", "events", 0.0,
         "events with a quantity of 0 or less", quantity_positive),
    Rule("long_event", "plausibility", "atemporal", "information", "events", 0.001,
         "events that last more than 365 days", long_event),
    Rule("before_birth", "plausibility", "temporal", "fatal", "events", 0.001,
         "events before the year of birth", before_birth),
    Rule("after_death", "plausibility", "temporal", "warning", "events", 0.001,
         "events after the day of death", after_death),
    Rule("after_exit", "plausibility", "temporal", "information", "events", 0.01,
         "events after the patient left the scheme or the country", after_exit),
    Rule("before_observation", "plausibility", "temporal", "warning", "events", 0.001,
         "events before the patient was observed", before_observation),
    Rule("end_before_start", "plausibility", "temporal", "warning", "events", 0.0,
         "events that end before they start", end_before_start),
    Rule("future_date", "plausibility", "temporal", "warning", "events", 0.0,
         "events later than the day of the check", future_date),
    Rule("index_in_period", "plausibility", "temporal", "warning", "patients", 0.001,
         "index dates before observation, after the last horizon, or after death", index_in_period),
    Rule("death_order", "plausibility", "temporal", "warning", "patients", 0.001,
         "deaths before birth, or known before they happened", death_order),
    Rule("known_before_care", "plausibility", "temporal", "warning", "events", 0.001,
         "events of SNDS tables known in a month before they happened", known_before_care),
    Rule("late_knowledge", "plausibility", "temporal", "information", "events", 0.01,
         "claims known more than 27 months after the care", late_knowledge,
         "late fluxes come within 27 months at most (SNDS documentation)"),
    Rule("facility_break", "plausibility", "temporal", "warning", "months of facilities", 0.05,
         "months in which a facility saw under half or over twice the patients of the months beside it (median)",
         facility_break),
    Rule("volume_break", "plausibility", "temporal", "warning", "months", 0.05,
         "months in which a source told of under half or over twice the patients of the months beside it (median)",
         volume_break),
    Rule("covid_break", "plausibility", "temporal", "information", "months of facilities", None,
         "such months of March to May 2020: marked apart, since care did fall", covid_break,
         "Vincelet 2021 (PMC8429352); DREES"),
)  # fmt: skip

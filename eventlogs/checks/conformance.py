"""Conformance: values have their form, tables fit together, the build's own counts are in bounds."""

from __future__ import annotations

import polars as pl

from eventlogs.activities import CODE_SHAPES
from eventlogs.checks.evidence import NOTHING, WHOLE, Evidence, Findings, Rule, one, share_of
from eventlogs.feeds import family_of

DEPARTEMENTS = frozenset(
    [f"{number:02}" for number in range(1, 96) if number != 20]
    + ["2A", "2B", "971", "972", "973", "974", "976"]
)
"""The 101 French départements (INSEE codes)."""

FINESS = r"^[0-9][0-9A-B][0-9]{6}[0-9]?$"
"""A FINESS number: nine digits or the first eight, with 2A and 2B for Corsica."""


def no_event(e: Evidence) -> Findings:
    return one(int(e.log.n_events == 0), 1)


def activity_unknown(e: Evidence) -> Findings:
    if e.activities is None:
        return NOTHING
    return share_of(e.events, ~pl.col("activity").is_in(list(e.activities)))


def code_shape(e: Evidence) -> Findings:
    coded = e.events.drop_nulls(["code", "code_system"])
    wrong = pl.lit(False)
    for system, shape in CODE_SHAPES.items():
        wrong = wrong | ((pl.col("code_system") == system) & ~pl.col("code").str.contains(f"^(?:{shape})$"))
    return share_of(coded, wrong, pl.col("code_system").is_in(list(CODE_SHAPES)))


def code_without_system(e: Evidence) -> Findings:
    return share_of(e.events, pl.col("code_system").is_null(), pl.col("code").is_not_null())


def territory_valid(e: Evidence) -> Findings:
    return _no_departement(e.patients, "territory")


def place_of_care_valid(e: Evidence) -> Findings:
    return _no_departement(e.events, "territory_of_care")


def _no_departement(frame: pl.DataFrame, column: str) -> Findings:
    return share_of(frame, ~pl.col(column).is_in(list(DEPARTEMENTS)), pl.col(column).is_not_null())


def sex_value(e: Evidence) -> Findings:
    return share_of(e.patients, ~pl.col("sex").is_in(["F", "M"]), pl.col("sex").is_not_null())


def deprivation_value(e: Evidence) -> Findings:
    return share_of(e.patients, ~pl.col("deprivation").is_between(1, 5), pl.col("deprivation").is_not_null())


def facility_form(e: Evidence) -> Findings:
    return share_of(_snds_facilities(e), ~pl.col("facility").str.contains(FINESS))


def facility_two_forms(e: Evidence) -> Findings:
    forms = (
        _snds_facilities(e).group_by(pl.col("facility").str.head(8)).agg(forms=pl.col("facility").n_unique())
    )
    return share_of(forms, pl.col("forms") > 1)


def _snds_facilities(e: Evidence) -> pl.DataFrame:
    return e.events.filter(family_of().is_not_null()).drop_nulls("facility")


def unknown_person(e: Evidence) -> Findings:
    return one(e.counts.get("lines_unknown_person", 0), e.counts.get("lines_read", 0))


def origin_missing(e: Evidence) -> Findings:
    if e.origins is None:
        return NOTHING
    return one(e.events.join(e.origins, on=["patient_id", "rank"], how="anti").height, e.log.n_events)


def origin_stray(e: Evidence) -> Findings:
    if e.origins is None:
        return NOTHING
    return one(e.origins.join(e.events, on=["patient_id", "rank"], how="anti").height, e.origins.height)


def horizon_missing(e: Evidence) -> Findings:
    sources = e.events.select(stratum=pl.coalesce(family_of(), "source")).drop_nulls().unique()
    if WHOLE in e.edges["stratum"]:
        return one(0, sources.height)
    claims = sources.filter(~pl.col("stratum").is_in(["register", "causes"]))
    return one(claims.join(e.edges, on="stratum", how="anti").height, claims.height)


def horizon_order(e: Evidence) -> Findings:
    """Look for horizons before the first event of their source, and for those of a patient after the general one."""
    horizons, last = e.log.horizons.drop_nulls("observed_until"), e.edges["until"].max()
    first = e.events.group_by(stratum=pl.coalesce(family_of(), "source")).agg(first=pl.col("start").min())
    early = e.edges.join(first, on="stratum").filter(pl.col("until") < pl.col("first")).height
    own = horizons.drop_nulls("patient_id")
    late = 0 if last is None else own.filter(pl.col("observed_until") > last).height
    return one(early + late, e.edges.height + own.height)


def withdrawn_order(e: Evidence) -> Findings:
    never = pl.col("known_until").is_null() | (pl.col("known_until") <= pl.col("known_from"))
    return share_of(e.log.withdrawn, never)


def chaining_error(e: Evidence) -> Findings:
    """Return the stays with a chaining error by year of the tables."""
    read = {key.partition(".")[2]: number for key, number in e.counts.items() if key.startswith("chained.")}
    return {year: (e.counts.get(f"chaining_error.{year}", 0), read[year]) for year in sorted(read)} or NOTHING


def grouping_error(e: Evidence) -> Findings:
    return one(e.counts.get("trap.grouping_error", 0), e.total("chained"))


def row_without_date(e: Evidence) -> Findings:
    return one(e.counts.get("rows_without_date", 0), e.counts.get("rows_attached", 0))


def source_absent(e: Evidence) -> Findings:
    if e.absent is None:
        return NOTHING
    return one(len(e.absent), len(e.absent) + e.events["source"].n_unique())


RULES = (
    Rule("no_event", "conformance", "relational", "fatal", "logs", 0.0, "the log has no event", no_event),
    Rule("activity_unknown", "conformance", "value", "warning", "events", 0.0,
         "events whose activity the definition does not name", activity_unknown),
    Rule("code_shape", "conformance", "value", "warning", "events", 0.001,
         "events whose code has not the shape of its system, so no catalogue knows it", code_shape),
    Rule("code_without_system", "conformance", "relational", "information", "events", 0.0,
         "events with a code and no code system", code_without_system),
    Rule("territory_valid", "conformance", "value", "warning", "patients", 0.02,
         "patients whose territory is none of the 101 départements", territory_valid,
         "about 1.6 % of residences were no INSEE code in 2019 (SNDS documentation)"),
    Rule("place_of_care_valid", "conformance", "value", "information", "events", 0.02,
         "events whose territory of care is none of the 101 départements", place_of_care_valid),
    Rule("sex_value", "conformance", "value", "warning", "patients", 0.0,
         "patients whose sex is neither F nor M", sex_value),
    Rule("deprivation_value", "conformance", "value", "warning", "patients", 0.0,
         "patients whose deprivation is no quintile", deprivation_value),
    Rule("facility_form", "conformance", "value", "information", "events", 0.01,
         "events of SNDS tables whose facility is no FINESS number", facility_form),
    Rule("facility_two_forms", "conformance", "relational", "warning", "facilities", 0.0,
         "facilities written with eight and with nine digits, so counted twice", facility_two_forms),
    Rule("unknown_person", "conformance", "relational", "warning", "lines", 0.01,
         "claim lines whose pseudonym is not in IR_BEN_R", unknown_person),
    Rule("origin_missing", "conformance", "relational", "warning", "events", 0.0,
         "events that no source row stands for", origin_missing),
    Rule("origin_stray", "conformance", "relational", "fatal", "origins", 0.0,
         "source rows that stand for no event of the log: origins and log are of two builds", origin_stray),
    Rule("horizon_missing", "conformance", "relational", "warning", "sources", 0.0,
         "sources of events without a horizon: their silence can't be read", horizon_missing),
    Rule("horizon_order", "conformance", "relational", "warning", "horizons", 0.0,
         "horizons before the first event of their source, or of a patient after the general one", horizon_order),
    Rule("withdrawn_order", "conformance", "relational", "warning", "events", 0.0,
         "withdrawn events that were never visible", withdrawn_order),
    Rule("chaining_error", "conformance", "computational", "warning", "stays", 0.05,
         "stays with a chaining error (return code, number that stands for nobody)", chaining_error,
         "MCO: 8.05 % in 2006, 1.40 % in 2017 (SNDS documentation)"),
    Rule("grouping_error", "conformance", "computational", "warning", "stays", 0.02,
         "stays, and weeks of rehabilitation, grouped in error (GHM 90)", grouping_error),
    Rule("row_without_date", "conformance", "computational", "warning", "rows", 0.01,
         "attached rows without any date, which can be no event", row_without_date),
    Rule("source_absent", "conformance", "computational", "information", "tables and columns", None,
         "tables and columns that the build looked for in vain", source_absent),
)  # fmt: skip

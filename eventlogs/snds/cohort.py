"""K2: who enters the cohort, from which day, and where the others were left."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from eventlogs.activities import CohortRules, IndexStrategy

ALD_SOURCE = "IR_IMB_R"
"""Table of the long-term illnesses: a diagnosis from anywhere else was told by a stay."""

ALD_WEEK_DAYS = 7
"""The ALD begins more than a week from the diagnosis for 54 to 73 % of patients (Kudjawu, BEH 2016;26-27)."""

CARE = ("line", "act", "session", "stay", "bare_stay", "visit")
"""Kinds of rows that are care which the definition names."""

STEPS: Mapping[str, str] = {
    "referential": "persons of the beneficiary referential",
    "identity": "with an identity that can be followed",
    "diagnosed": "with a diagnosis of the cohort; where the definition asks for none, with care",
    "index": "with an index event",
    "incident": "neither diagnosed nor treated before the washout",
    "sex": "of the sex of the cohort",
    "age": "of the age of the cohort at index",
    "period": "with an index in the period of the cohort",
}
"""Steps of the attrition in their order: what those who pass have."""

ATTRITION = {"step": pl.String, "persons": pl.Int64, "excluded": pl.Int64, "words": pl.String}
"""Columns of the attrition table: persons left after the step, and persons that it took away."""


def of_cohort(rules: CohortRules) -> pl.Expr:
    """Return whether a row is a diagnosis that counts: of a stay, or of an ALD, as the definition says."""
    is_ald = pl.col("source") == ALD_SOURCE
    stay, ald = (place in rules.diagnosis_in for place in ("stay", "ald"))
    return (pl.col("kind") == "diagnosis") & ((is_ald & ald) | (~is_ald & stay))


def screened(
    people: pl.DataFrame, rows: pl.DataFrame, events: pl.DataFrame, rules: CohortRules
) -> pl.DataFrame:
    """Return every person with ``index_date``, ``first_ald`` and ``left_at``: the step that they fail, null if none.

    Parameters
    ----------
    people : polars.DataFrame
        Every person, with rows or without; ``excluded`` says why an identity can't be followed.
    rows : polars.DataFrame
        Dated rows.
    events : polars.DataFrame
        One a person, activity and day.
    rules : CohortRules
        Of the definition.
    """
    diagnoses = rows.filter(pl.col("kind") == "diagnosis").select("person", "start", "source", "kind")
    asked = diagnoses.filter(of_cohort(rules)) if rules.diagnosis else rows.filter(pl.col("kind").is_in(CARE))
    described = (
        people.join(index_dates(events, diagnoses, rules), on="person", how="left")
        .join(_first(diagnoses, "first_diagnosis"), on="person", how="left")
        .join(_first(_alds(diagnoses), "first_ald"), on="person", how="left")
        .join(_first(_among(events, rules.treatments), "first_treatment"), on="person", how="left")
        .join(asked.select("person", diagnosed=pl.lit(True)).unique(), on="person", how="left")
    )
    fails = _failures(rules)
    left_at = pl.coalesce(
        pl.when(failed.fill_null(False)).then(pl.lit(step)) for step, failed in fails.items()
    )
    return described.with_columns(left_at=left_at).sort("person")


def _failures(rules: CohortRules) -> dict[str, pl.Expr]:
    """Return, by step, who fails it; a null is no failure."""
    age = pl.col("index_date").dt.year() - pl.col("birth_year")
    index, never = pl.col("index_date"), pl.lit(False)
    washed = index - pl.duration(days=rules.washout_days or 0)
    earlier = (pl.col("first_diagnosis") < washed) | (pl.col("first_treatment") < washed)
    return {
        "identity": pl.col("excluded").is_not_null(),
        "diagnosed": pl.col("diagnosed").is_null(),
        "index": index.is_null(),
        "incident": never if rules.washout_days is None else earlier,
        "sex": never if rules.sex is None else pl.col("sex").ne_missing(rules.sex),
        "age": (age < (rules.min_age or 0)) | (never if rules.max_age is None else age > rules.max_age),
        "period": (never if rules.index_from is None else index < rules.index_from)
        | (never if rules.index_until is None else index > rules.index_until),
    }


def index_dates(events: pl.DataFrame, diagnoses: pl.DataFrame, rules: CohortRules) -> pl.DataFrame:
    """Return ``person``, ``index_date``: the earliest day that any of the strategies gives, near the diagnosis."""
    found = [_INDEX[name](events, diagnoses, rules).select("person", "start") for name in rules.index]
    return _first(_near(pl.concat(found), diagnoses, rules.near_diagnosis_days), "index_date")


def _near(found: pl.DataFrame, diagnoses: pl.DataFrame, days: int | None) -> pl.DataFrame:
    """Keep days not more than `days` before the first diagnosis, whichever told it; all, for a person without a day."""
    if days is None:
        return found
    told = found.join(_first(diagnoses, "first_diagnosis"), on="person", how="left")
    long_before = pl.col("start") < pl.col("first_diagnosis") - pl.duration(days=days)
    return told.filter(~long_before.fill_null(False))


_INDEX: Mapping[IndexStrategy, Callable[[pl.DataFrame, pl.DataFrame, CohortRules], pl.DataFrame]] = {
    "index_activities": lambda events, _, rules: (
        _among(events, rules.index_activities) if rules.index_activities else events
    ),
    "first_treatment": lambda events, _, rules: _among(events, rules.treatments),
    "biopsy_or_endoscopy": lambda events, _, rules: _among(events, rules.diagnostics),
    "ald": lambda _, diagnoses, rules: _alds(diagnoses),
    "first_stay": lambda _, diagnoses, rules: diagnoses.filter(pl.col("source") != ALD_SOURCE),
}


def _among(events: pl.DataFrame, activities: tuple[str, ...]) -> pl.DataFrame:
    return events.filter(pl.col("activity").is_in(list(activities)))


def _alds(diagnoses: pl.DataFrame) -> pl.DataFrame:
    return diagnoses.filter(pl.col("source") == ALD_SOURCE)


def _first(dated: pl.DataFrame, name: str) -> pl.DataFrame:
    return (
        dated.filter(pl.col("start").is_not_null()).group_by("person").agg(pl.col("start").min().alias(name))
    )


def losses(screened: pl.DataFrame) -> dict[str, int]:
    """Return the persons that each step took away: numbers that add over buckets."""
    counts = dict(screened.drop_nulls("left_at")["left_at"].value_counts().iter_rows())
    return {step: counts.get(step, 0) for step in STEPS if step != "referential"}


def attrition(persons: int, losses: Mapping[str, int]) -> pl.DataFrame:
    """Return the attrition table.

    Parameters
    ----------
    persons : int
        In the referential.
    losses : mapping of str to int
        Persons that each step took away, over all buckets.

    Returns
    -------
    polars.DataFrame
        `ATTRITION`, one row a step of `STEPS`, in order; the last row's ``persons`` entered.
    """
    taken = [losses.get(step, 0) for step in STEPS]
    table = pl.DataFrame({"step": list(STEPS), "excluded": taken, "words": list(STEPS.values())})
    return table.with_columns(persons=persons - pl.col("excluded").cum_sum()).select(
        pl.col(name).cast(dtype) for name, dtype in ATTRITION.items()
    )


def touched(members: pl.DataFrame) -> dict[str, int]:
    """Count members whose ALD begins more than a week from their index, and those without any."""
    apart = (pl.col("first_ald") - pl.col("index_date")).dt.total_days().abs()
    return {
        "trap.ald_is_no_diagnosis": members.filter(apart > ALD_WEEK_DAYS).height,
        "trap.without_ald": members["first_ald"].null_count(),
    }

"""What a correct reader must find in the extract, and the mechanism that broke each pathway."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from .claims import Claims, flux_day
from .course import Course, Step, Supply
from .people import Ints
from .scene import Cancer
from .tables import as_date

RISK_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient_id": pl.String, "breakdown": pl.String, "mu": pl.Float64, "sigma": pl.Float64, "p_never": pl.Float64,
    "monthly_hazard": pl.Float64, "monthly_hazard_later": pl.Float64, "supply_days": pl.Int64, "within_days": pl.Int64,
    "at_risk_from": pl.Date,
}  # fmt: skip


def observed_events(
    events: pl.DataFrame, claims: Claims, people: pl.DataFrame, calendar: p.Calendar
) -> pl.DataFrame:
    """One row for each (person, activity, day), with `observable` and `why` not.

    A line makes its event observable when the quantities that reached the extract sum to more than zero; a stay does
    when it is chained to one person and ends before the last year does.
    """
    lined = _lined_events(claims.lines, calendar)
    stays = attributable(claims, people, calendar)
    judged = (
        events.filter(pl.col("activity").is_not_null())
        .join(stays, on="stay", how="left", maintain_order="left")
        .join(lined, on="event", how="left", maintain_order="left")
        .with_columns(
            in_lines=pl.col("boxes").is_not_null(),
            in_stay=pl.col("problem").is_null() & pl.col("stay").is_not_null(),
            boxes=pl.when(pl.col("quantity").is_not_null()).then("boxes"),
        )
    )
    why = pl.coalesce("lost", "problem", pl.lit("flux_after_extract"))
    return (
        judged.with_columns(observable=pl.col("in_lines") | pl.col("in_stay"), why=why)
        .group_by("person", "activity", "day", maintain_order=True)
        .agg(pl.col("observable").any(), pl.col("why").first(), quantity=pl.col("boxes").sum())
        .with_columns(why=pl.when(~pl.col("observable")).then("why"))
    )


def _lined_events(lines: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """Events with a positive net quantity in the lines that reached the extract, and their net number of boxes."""
    billed = lines.filter(pl.col("event").is_not_null())
    flux = pl.Series(flux_day(billed["day"].to_numpy(), billed["lag"].to_numpy()))
    net = (
        billed.filter(flux <= calendar.last_flux)
        .group_by("event")
        .agg(net=pl.col("quantity").sum(), boxes=(pl.col("boxes") * pl.col("quantity")).sum())
    )
    return net.filter(pl.col("net") > 0).select("event", "boxes")


def attributable(claims: Claims, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """`stay` and the `problem` that hides it (null: a reader can attribute it)."""
    shared = people["shared_psa"][claims.stays["person"]]
    return claims.stays.select(
        "stay",
        problem=pl.when(pl.col("exit") > calendar.end)
        .then(pl.lit("discharge_after_extract"))
        .when(shared)
        .then(pl.lit("twin_pseudonym"))
        .when(pl.col("bad_pseudonym") | pl.col("return_code").is_not_null())
        .then(pl.lit("chaining_error")),
    )


def deaths(claims: Claims, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """Deaths before the end, in the columns of `observed_events`."""
    seen = claims.stays.join(
        attributable(claims, people, calendar).filter(pl.col("problem").is_null()), on="stay", how="semi"
    ).filter("died")["person"]
    dead = people.filter((pl.col("kind") == "patient") & (pl.col("death_day") <= calendar.end))
    return dead.select(
        "person",
        activity=pl.lit("death"),
        day="death_day",
        observable=pl.col("recorded_death").is_not_null() | pl.col("person").is_in(seen.unique().implode()),
        why=pl.lit("unrecorded_death"),
        quantity=pl.lit(0, dtype=pl.Int64),
    ).with_columns(why=pl.when(~pl.col("observable")).then("why"))


def cohort(
    events: pl.DataFrame, claims: Claims, people: pl.DataFrame, calendar: p.Calendar, cancer: Cancer[Any]
) -> pl.DataFrame:
    """`person` and `index_day` of those a reader would include: site in a stay or an ALD, and a biopsy or treatment."""
    readable = attributable(claims, people, calendar).filter(pl.col("problem").is_null())
    coded = claims.stays.join(readable, on="stay", how="semi").filter(
        pl.any_horizontal(pl.col("dp", "dr", "das").str.slice(0, 3).is_in(cancer.diagnosis).fill_null(False))
    )["person"]
    diagnosed = (pl.col("kind") == "patient") & (
        pl.col("ald") | pl.col("person").is_in(coded.unique().implode())
    )
    anchors = events.filter(pl.col("observable") & pl.col("activity").is_in(cancer.anchors))
    first = anchors.group_by("person", maintain_order=True).agg(index_day=pl.col("day").min())
    return (
        people.filter(diagnosed)
        .select("person", "patient_id")
        .join(first, on="person", how="inner", maintain_order="left")
    )


def truth_events(events: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Events of the cohort in their published columns."""
    return (
        events.join(members, on="person", how="inner", maintain_order="left")
        .filter(pl.col("day") >= pl.col("index_day") - p.READ_LOOKBACK_DAYS)
        .sort("person", "day", "activity")
        .select(
            "patient_id",
            "activity",
            start=as_date("day"),
            observable="observable",
            why="why",
            quantity="quantity",
        )
    )


def truth_patients(
    course: Course, people: pl.DataFrame, members: pl.DataFrame, end: int, subtypes: tuple[str, ...]
) -> pl.DataFrame:
    """One row for each patient of the cohort."""
    profile = course.profile
    drawn = people.head(profile.stage.size).with_columns(
        subtype=pl.Series(subtypes)[profile.subtype],
        stage=pl.Series(profile.stage + 1, dtype=pl.Int8),
        sector=pl.Series(np.where(profile.public, "public", "private")),
        screened=pl.Series(profile.screened),
        changes_facility=pl.Series(profile.changes_facility),
    )
    joined = drawn.drop("index_day").join(
        members.select("person", "index_day"), on="person", how="inner", maintain_order="left"
    )
    return joined.select(
        "patient_id", "territory", "age", "sex", "birth_year", "hotspot", "subtype", "stage", "sector", "screened",
        "changes_facility", "frail", "gp_poor", "far", "ald", deprivation="quintile", index_date=as_date("index_day"),
        death_date=pl.when(pl.col("death_day") <= end).then(as_date("death_day")),
    )  # fmt: skip


# --- mechanisms -------------------------------------------------------------------------------------------


def risk_rows(course: Course, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    """One row for each patient and breakdown she came to be at risk of; delays run from `at_risk_from`."""
    steps = [_delay_rows(step, patient_id, limit) for step in course.steps]
    supplies = [_hazard_rows(supply, patient_id, limit) for supply in course.supplies]
    frame = pl.concat([*steps, *supplies], how="diagonal")
    return frame.with_columns(at_risk_from=as_date("at_risk_from")).select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in RISK_SCHEMA.items()
    )


def _delay_rows(step: Step, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    rows = np.flatnonzero(step.start <= limit)
    return pl.DataFrame(
        {
            "patient_id": patient_id[rows], "at_risk_from": step.start[rows], "mu": step.mu[rows],
            "sigma": step.sigma[rows], "p_never": step.p_never[rows],
        }
    ).with_columns(breakdown=pl.lit(step.breakdown), within_days=pl.lit(step.within_days, dtype=pl.Int64))  # fmt: skip


def _hazard_rows(supply: Supply, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    kept = np.flatnonzero(supply.start <= limit[supply.rows])
    hazard = supply.monthly_hazard[kept]
    return pl.DataFrame(
        {
            "patient_id": patient_id[supply.rows[kept]], "at_risk_from": supply.start[kept],
            "monthly_hazard": hazard, "monthly_hazard_later": hazard * p.LATER_HAZARD_RATIO,
            "supply_days": 30 * supply.months[kept],
        }
    ).with_columns(
        breakdown=pl.lit(supply.breakdown), within_days=pl.lit(p.INTERRUPTION_DAYS, dtype=pl.Int64)
    )  # fmt: skip


def breakdown_rows(course: Course, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    """Whether each mechanism fired before `limit` (end, death or palliative care), and the day it did.

    `planted` is true when the step had not come `within_days` after the patient was at risk, false when it had, and
    null when the limit came first. For an interruption it is true when 90 days without supply were complete before
    the limit.
    """
    steps = [_step_rows(step, patient_id, limit) for step in course.steps]
    supplies = [_supply_rows(supply, patient_id, limit) for supply in course.supplies]
    return pl.concat([*steps, *supplies], how="diagonal").select(
        "patient_id", "breakdown", "planted", date=pl.when("planted").then(as_date("day"))
    )


def _step_rows(step: Step, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    due = step.start + step.within_days
    decided = np.minimum(step.due_step, due) <= limit
    frame = pl.DataFrame(
        {"patient_id": patient_id, "day": due, "planted": step.due_step > due, "decided": decided}
    )
    return frame.filter(pl.Series(step.start <= limit)).select(
        "patient_id", "day", planted=pl.when("decided").then("planted"), breakdown=pl.lit(step.breakdown)
    )


def _supply_rows(supply: Supply, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    interrupted = supply.refills.interrupted
    frame = pl.DataFrame(
        {
            "patient_id": patient_id[supply.rows],
            "planted": interrupted <= limit[supply.rows],
            "day": interrupted,
        }
    )
    started = pl.Series(supply.start <= limit[supply.rows])
    return frame.with_columns(breakdown=pl.lit(supply.breakdown)).filter(started)

"""What a correct reader must find in the extract, and the mechanism that broke each pathway."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from .claims import Claims, flux_day, is_private
from .course import Course, Step, Supply
from .people import Ints
from .scene import Cancer
from .tables import as_date, table_years

WASHOUT_DAYS = 730
"""Who was diagnosed or treated longer before the index is no new patient to a reader."""

RISK_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient_id": pl.String, "breakdown": pl.String, "mu": pl.Float64, "sigma": pl.Float64, "p_never": pl.Float64,
    "monthly_hazard": pl.Float64, "monthly_hazard_later": pl.Float64, "supply_days": pl.Int64, "within_days": pl.Int64,
    "at_risk_from": pl.Date,
}  # fmt: skip


def observed_events(
    events: pl.DataFrame, claims: Claims, people: pl.DataFrame, calendar: p.Calendar
) -> pl.DataFrame:
    """One row for each (person, activity, day), with `observable` and `why` not.

    A line makes its event observable when the quantities that reached the extract sum to more than zero; a stay, a
    drug in it, or external care do when they are chained to one person and their year has its table. A drug of a
    private stay is left to its claim. A stay known by its month dates its events on the first of it.
    """
    lined = _lined_events(claims.lines, calendar)
    stays = attributable(claims, people, calendar)
    visited = _visited_events(claims.visits, people, calendar)
    drugs = claims.drugs.filter((pl.col("given") > 0) & pl.col("event").is_not_null()).select(
        "event", drugged=True
    )
    judged = (
        events.filter(pl.col("activity").is_not_null())
        .join(stays, on="stay", how="left", maintain_order="left")
        .join(lined, on="event", how="left", maintain_order="left")
        .join(visited, on="event", how="left", maintain_order="left")
        .join(drugs.unique(), on="event", how="left", maintain_order="left")
        .with_columns(
            in_lines=pl.col("boxes").is_not_null(),
            in_stay=_told_by_stay(),
            in_visit=pl.col("visited").fill_null(False),
            boxes=pl.when(pl.col("quantity").is_not_null()).then("boxes"),
            why=pl.coalesce("lost", "problem", "visit_problem", pl.lit("flux_after_extract")),
        )
    )
    return (
        _as_told(judged)
        .group_by("person", "activity", "day", maintain_order=True)
        .agg(pl.col("observable").any(), pl.col("why").first(), quantity=pl.col("boxes").sum())
        .with_columns(why=pl.when(~pl.col("observable")).then("why"))
    )


def _as_told(judged: pl.DataFrame) -> pl.DataFrame:
    """Events on the day that is told: a claim keeps the day of care where the stay has a month or a week only."""
    claimed = pl.col("in_lines") | pl.col("in_visit")
    moved = pl.col("told_day").is_not_null()
    kept = judged.filter(~moved | claimed).with_columns(observable=claimed | (pl.col("in_stay") & ~moved))
    return pl.concat(
        [kept, judged.filter(moved).with_columns(day=pl.col("told_day"), observable=pl.col("in_stay"))]
    )


def _told_by_stay() -> pl.Expr:
    """Whether a stay that a reader can attribute tells the event; a drug must have been given, in a public centre."""
    drug = pl.col("code_system").fill_null("") == "UCD"
    told = pl.when(drug).then(pl.col("drugged").fill_null(False) & ~is_private()).otherwise(True)
    return pl.col("problem").is_null() & pl.col("stay").is_not_null() & told


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


def _visited_events(visits: pl.DataFrame, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """`event`, whether a reader can attribute its external care (`visited`), and the `visit_problem` if not.

    Drugs handed out are left to their claim.
    """
    shared = people["shared_psa"][visits["person"]]
    chained = visits.with_columns(
        visit_problem=pl.when(pl.col("day") > calendar.end)
        .then(pl.lit("discharge_after_extract"))
        .when(shared)
        .then(pl.lit("twin_pseudonym"))
        .when(pl.col("bad_pseudonym") | pl.col("return_code").is_not_null())
        .then(pl.lit("chaining_error"))
    )
    own = chained.filter(pl.col("event").is_not_null() & (pl.col("code_system") != "UCD"))
    return own.select("event", "visit_problem", visited=pl.col("visit_problem").is_null())


def attributable(claims: Claims, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """`stay`, the `problem` that hides it (null: a reader can attribute it), `told_day` where it has no day.

    A stay before 2009 has a month, rehabilitation has weeks that begin on Monday.
    """
    shared = people["shared_psa"][claims.stays["person"]]
    first_year = table_years(calendar).start
    return claims.stays.select(
        "stay",
        problem=pl.when(pl.col("exit") > calendar.end)
        .then(pl.lit("discharge_after_extract"))
        .when(as_date("exit").dt.year() < first_year)
        .then(pl.lit("discharge_before_extract"))
        .when(shared)
        .then(pl.lit("twin_pseudonym"))
        .when(pl.col("bad_pseudonym") | pl.col("return_code").is_not_null())
        .then(pl.lit("chaining_error")),
        told_day=pl.when("month_only")
        .then(as_date("exit").dt.month_start().to_physical().cast(pl.Int64))
        .when(pl.col("field") == "ssr")
        .then(pl.col("entry") - (pl.col("entry") + 3) % 7),
    )


def deaths(claims: Claims, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """Deaths before the end, in the columns of `observed_events`: of the certificate, else IR_BEN_R, else a stay."""
    seen = claims.stays.join(
        attributable(claims, people, calendar).filter(pl.col("problem").is_null()), on="stay", how="semi"
    ).filter("died")["person"]
    in_stay = pl.when(pl.col("person").is_in(seen.unique().implode())).then("death_day")
    dead = people.filter((pl.col("kind") == "patient") & (pl.col("death_day") <= calendar.end)).with_columns(
        told_day=pl.coalesce("certified_death", "recorded_death", in_stay)
    )
    return dead.select(
        "person",
        activity=pl.lit("death"),
        day=pl.coalesce("told_day", "death_day"),
        observable=pl.col("told_day").is_not_null(),
        why=pl.lit("unrecorded_death"),
        quantity=pl.lit(0, dtype=pl.Int64),
    ).with_columns(why=pl.when(~pl.col("observable")).then("why"))


def cohort(
    events: pl.DataFrame, claims: Claims, people: pl.DataFrame, calendar: p.Calendar, cancer: Cancer[Any]
) -> pl.DataFrame:
    """`person` and `index_day` of those a reader would include: site in a stay or an ALD, and a biopsy or treatment.

    The first of `anchors` is the diagnostic act, the others are treatments.
    """
    diagnosed = first_diagnoses(claims, people, calendar, cancer)
    patients = people.filter(pl.col("kind") == "patient").select("person", "patient_id")
    anchors = events.filter(pl.col("observable") & pl.col("activity").is_in(cancer.anchors))
    near = anchors.join(diagnosed, on="person", how="inner", maintain_order="left")
    if cancer.near_diagnosis_days is not None:
        near = near.filter(pl.col("day") >= pl.col("diagnosis_day") - cancer.near_diagnosis_days)
    first = near.group_by("person", maintain_order=True).agg(
        index_day=pl.col("day").min(), diagnosis_day=pl.col("diagnosis_day").first()
    )
    treated = anchors.filter(pl.col("activity") != cancer.anchors[0]).group_by("person")
    known = first.join(
        treated.agg(treatment_day=pl.col("day").min()), on="person", how="left", maintain_order="left"
    )
    incident = pl.min_horizontal("diagnosis_day", "treatment_day") >= pl.col("index_day") - WASHOUT_DAYS
    members = known.filter(incident).select("person", "index_day")
    return patients.join(members, on="person", how="inner", maintain_order="left")


def first_diagnoses(
    claims: Claims, people: pl.DataFrame, calendar: p.Calendar, cancer: Cancer[Any]
) -> pl.DataFrame:
    """`person` and `diagnosis_day`: the first day on which a stay or an ALD says the disease."""
    readable = attributable(claims, people, calendar).filter(pl.col("problem").is_null())
    says = pl.any_horizontal(
        pl.col("dp", "dr", "das").str.slice(0, 3).is_in(cancer.diagnosis).fill_null(False)
    )
    coded = claims.stays.join(readable, on="stay", how="inner").filter(says)
    told = [
        coded.select("person", diagnosis_day=pl.coalesce("told_day", "entry")),
        people.filter(pl.col("ald_day").is_not_null()).select("person", diagnosis_day="ald_day"),
    ]
    return pl.concat(told).group_by("person").agg(pl.col("diagnosis_day").min())


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

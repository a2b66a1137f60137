"""What a correct reader must find in the extract, and the mechanism that broke each pathway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from . import parameters as p
from .claims import Claims, flux_day, is_private
from .course import Mechanisms, Milestones, Profile, radiotherapy_mu
from .endocrine import Refills
from .people import Floats, Ints
from .tables import as_date, table_years

TREATMENTS = (
    "breast_conserving_surgery", "mastectomy", "chemotherapy_session", "radiotherapy_session",
    "endocrine_therapy_dispensing", "targeted_therapy",
)  # fmt: skip
LOOKBACK_DAYS = 180
"""What readers keep before the index."""


@dataclass(frozen=True)
class CohortRule:
    """Who a reader includes: CIM-10 prefixes of the diagnosis, and the activities that index a patient."""

    diagnosis: tuple[str, ...]
    index_activities: tuple[str, ...]


COHORTS = {"breast": CohortRule(("C50",), ("breast_biopsy", *TREATMENTS))}
"""By cancer."""

RISK_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient_id": pl.String, "breakdown": pl.String, "mu": pl.Float64, "sigma": pl.Float64, "p_never": pl.Float64,
    "monthly_hazard": pl.Float64, "monthly_hazard_later": pl.Float64, "supply_days": pl.Int64, "within_days": pl.Int64,
    "at_risk_from": pl.Date,
}  # fmt: skip


@dataclass(frozen=True)
class Course:
    """Everything drawn for the patients of a chunk."""

    profile: Profile
    mechanisms: Mechanisms
    dates: Milestones
    refills: Refills
    refill_rows: Ints
    refill_boxes: Ints


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
            day=pl.coalesce("told_day", "day"),
        )
    )
    why = pl.coalesce("lost", "problem", "visit_problem", pl.lit("flux_after_extract"))
    return (
        judged.with_columns(observable=pl.col("in_lines") | pl.col("in_stay") | pl.col("in_visit"), why=why)
        .group_by("person", "activity", "day", maintain_order=True)
        .agg(pl.col("observable").any(), pl.col("why").first(), quantity=pl.col("boxes").sum())
        .with_columns(why=pl.when(~pl.col("observable")).then("why"))
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
    """`stay`, the `problem` that hides it (null: a reader can attribute it), `told_day` where it has a month only."""
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
        told_day=pl.when("month_only").then(as_date("exit").dt.month_start().to_physical().cast(pl.Int64)),
    )


def deaths(claims: Claims, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """Deaths before the end, in the columns of `observed_events`: of the certificate, else IR_BEN_R, else a stay."""
    seen = claims.stays.join(
        attributable(claims, people, calendar).filter(pl.col("problem").is_null()), on="stay", how="semi"
    ).filter("died")["person"]
    in_stay = pl.when(pl.col("person").is_in(seen.unique().implode())).then("death_day")
    dead = people.filter(pl.col("death_day") <= calendar.end).with_columns(
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
    cancer: str, events: pl.DataFrame, claims: Claims, people: pl.DataFrame, calendar: p.Calendar
) -> pl.DataFrame:
    """`person` and `index_day` of those a reader would include: the disease in a stay or an ALD, and an index event."""
    rule = COHORTS[cancer]
    readable = attributable(claims, people, calendar).filter(pl.col("problem").is_null())
    says = pl.any_horizontal(
        pl.col(name).str.starts_with(prefix).fill_null(False)
        for name in ("dp", "dr", "das")
        for prefix in rule.diagnosis
    )
    coded = claims.stays.join(readable, on="stay", how="semi").filter(says)["person"]
    diagnosed = (pl.col("kind") == cancer) & (
        pl.col("ald") | pl.col("person").is_in(coded.unique().implode())
    )
    anchors = events.filter(pl.col("observable") & pl.col("activity").is_in(rule.index_activities))
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
        .filter(pl.col("day") >= pl.col("index_day") - LOOKBACK_DAYS)
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


def truth_patients(course: Course, people: pl.DataFrame, members: pl.DataFrame, end: int) -> pl.DataFrame:
    """One row for each patient of the cohort."""
    profile = course.profile
    drawn = people.head(profile.stage.size).with_columns(
        subtype=pl.Series(p.SUBTYPES)[profile.subtype],
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
    dates, mechanisms = course.dates, course.mechanisms
    size = dates.biopsy.size
    never = np.zeros(size)
    triggered = dates.conserving & (dates.radiotherapy_anchor < p.NEVER)
    rt_mu = radiotherapy_mu(mechanisms, dates.radiotherapy_anchor, dates.chemo_last)
    rows = [
        _delay_rows(
            "late_start", patient_id, dates.biopsy, mu=mechanisms.start_mu, sigma=mechanisms.start_sigma, p_never=never
        ),
        _delay_rows(
            "radiotherapy_missed", patient_id, np.where(triggered, dates.radiotherapy_anchor, p.NEVER), mu=rt_mu,
            sigma=p.RT_SIGMA, p_never=mechanisms.radiotherapy_never,
        ),
        _delay_rows(
            "surveillance_lapse", patient_id, dates.surgery, mu=np.full(size, p.SURVEILLANCE[0]),
            sigma=p.SURVEILLANCE[1], p_never=mechanisms.lapse,
        ),
        _hazard_rows(course, patient_id),
    ]  # fmt: skip
    limits = np.concatenate([limit, limit, limit, limit[course.refill_rows]])
    frame = pl.concat(rows, how="diagonal").filter(pl.col("at_risk_from") <= pl.Series(limits))
    return frame.with_columns(
        within_days=pl.col("breakdown").replace_strict(p.WITHIN_DAYS, return_dtype=pl.Int64),
        at_risk_from=as_date("at_risk_from"),
    ).select(pl.col(name).cast(dtype) for name, dtype in RISK_SCHEMA.items())


def _delay_rows(
    breakdown: str, patient_id: pl.Series, start: Ints, *, mu: Floats, sigma: float, p_never: Floats
) -> pl.DataFrame:
    return pl.DataFrame({"patient_id": patient_id, "at_risk_from": start, "mu": mu, "p_never": p_never}).with_columns(
        breakdown=pl.lit(breakdown), sigma=pl.lit(sigma, dtype=pl.Float64), supply_days=pl.lit(None, dtype=pl.Int64),
        monthly_hazard=pl.lit(None, dtype=pl.Float64), monthly_hazard_later=pl.lit(None, dtype=pl.Float64),
    )  # fmt: skip


def _hazard_rows(course: Course, patient_id: pl.Series) -> pl.DataFrame:
    rows = course.refill_rows
    hazard = course.mechanisms.monthly_hazard[rows]
    return pl.DataFrame(
        {
            "patient_id": patient_id[rows], "at_risk_from": course.dates.endocrine_start[rows],
            "monthly_hazard": hazard, "monthly_hazard_later": hazard * p.LATER_HAZARD_RATIO,
            "supply_days": 30 * course.refill_boxes,
        }
    ).with_columns(breakdown=pl.lit("endocrine_interruption"))  # fmt: skip


def breakdown_rows(course: Course, patient_id: pl.Series, limit: Ints) -> pl.DataFrame:
    """Whether each mechanism fired before `limit` (end, death or palliative care), and the day it did.

    `planted` is true when the step had not come `within_days` after the patient was at risk, false when it had, and
    null when the limit came first. For an interruption it is true when 90 days without supply were complete before
    the limit.
    """
    dates = course.dates
    anchor = np.where(dates.conserving, dates.radiotherapy_anchor, p.NEVER)
    rows = course.refill_rows
    interrupted = course.refills.interrupted <= limit[rows]
    parts = [
        _step_rows("late_start", patient_id, dates.biopsy, dates.first_treatment, limit),
        _step_rows("radiotherapy_missed", patient_id, anchor, dates.planning, limit),
        _step_rows("surveillance_lapse", patient_id, dates.surgery, dates.surveillance, limit),
        pl.DataFrame(
            {"patient_id": patient_id[rows], "planted": interrupted, "day": course.refills.interrupted}
        )
        .with_columns(breakdown=pl.lit("endocrine_interruption"))
        .filter(pl.Series(dates.endocrine_start[rows] <= limit[rows])),
    ]
    return pl.concat(parts, how="diagonal").select(
        "patient_id", "breakdown", "planted", date=pl.when("planted").then(as_date("day"))
    )


def _step_rows(breakdown: str, patient_id: pl.Series, start: Ints, step: Ints, limit: Ints) -> pl.DataFrame:
    due = start + p.WITHIN_DAYS[breakdown]
    decided = np.minimum(step, due) <= limit
    frame = pl.DataFrame(
        {"patient_id": patient_id, "day": due, "planted": step > due, "decided": decided, "start": start}
    )
    return frame.filter(pl.col("start") <= pl.Series(limit)).select(
        "patient_id", "day", planted=pl.when("decided").then("planted"), breakdown=pl.lit(breakdown)
    )

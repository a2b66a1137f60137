"""One chunk of the synthetic extract, from draws to tables and truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from . import parameters as p
from . import truth
from .bystanders import KIND_SHARES, KINDS, bystander_events
from .claims import Claims, claims_of
from .course import draw_mechanisms, draw_milestones, draw_profile
from .endocrine import draw_refills
from .events import Scene, true_events
from .illness import long_term_illness
from .people import Ints, Land, draw_people
from .quirks import CLAIM_QUIRKS, PEOPLE_QUIRKS, unrecorded_death
from .tables import snds_tables

STREAMS = ("people", "course", "events", "bystanders", "claims", "quirks", "illness")


@dataclass(frozen=True)
class Chunk:
    """Which patients to make: `start` is the number of the first in the whole extract."""

    number: int
    start: int
    patients: int
    seed: int
    quirks: bool

    def stream(self, name: str) -> np.random.Generator:
        """The random generator of one step of this chunk."""
        return np.random.default_rng(
            np.random.SeedSequence(self.seed, spawn_key=(self.number, STREAMS.index(name)))
        )


@dataclass(frozen=True)
class Drawn:
    """Patients with their course and true events."""

    people: pl.DataFrame
    course: truth.Course
    events: pl.DataFrame


def land_stream(seed: int) -> np.random.Generator:
    """The random generator of territories and hotspots."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2**31,)))


def draw_patients(chunk: Chunk, land: Land, calendar: p.Calendar) -> Drawn:
    """Draw the patients of a chunk, their course and what happens to them."""
    people = draw_people(
        chunk.stream("people"), land, calendar, chunk.patients, first_number=2 * chunk.start, seed=chunk.seed,
        kind="breast",
    )  # fmt: skip
    course = _draw_course(chunk.stream("course"), people, land, calendar)
    scene = Scene(
        chunk.stream("events"), people, course.profile, course.dates, course.refills, course.refill_rows,
        course.refill_boxes,
    )  # fmt: skip
    return Drawn(_with_last_days(people, course.dates.death, calendar), course, true_events(scene))


def _draw_course(
    rng: np.random.Generator, people: pl.DataFrame, land: Land, calendar: p.Calendar
) -> truth.Course:
    profile = draw_profile(rng, people, land.territories["share"].to_numpy(), land.hotspot_share)
    mechanisms = draw_mechanisms(profile)
    dates = draw_milestones(rng, people, profile, mechanisms, calendar)
    rows = np.flatnonzero(dates.endocrine_start < p.NEVER)
    boxes = np.where(rng.random(rows.size) < p.QUARTERLY_SUPPLY_SHARE, 3, 1)
    refills = draw_refills(rng, dates.endocrine_start[rows], mechanisms.monthly_hazard[rows], boxes)
    return truth.Course(profile, mechanisms, dates, refills, rows, boxes)


def _with_last_days(people: pl.DataFrame, death: Ints, calendar: p.Calendar) -> pl.DataFrame:
    """Add death as it is and as it is recorded, and the identity columns that quirks may change."""
    return people.with_columns(
        death_day=pl.Series(death),
        last_day=pl.Series(death),
        recorded_death=pl.Series(death).set(pl.Series(death > calendar.end), None),
        old_psa=pl.lit(None, dtype=pl.String),
        change_day=pl.lit(None, dtype=pl.Int64),
        old_archived=pl.lit(False),
        shared_psa=pl.lit(False),
    )


def _draw_bystanders(chunk: Chunk, land: Land, calendar: p.Calendar) -> pl.DataFrame:
    rng = chunk.stream("bystanders")
    size = round(chunk.patients * p.BYSTANDER_SHARE) if chunk.quirks else 0
    drawn = draw_people(
        rng,
        land,
        calendar,
        size,
        first_number=2 * chunk.start + chunk.patients,
        seed=chunk.seed,
        kind="benign",
    )
    kinds = pl.Series(KINDS)[rng.choice(len(KINDS), size, p=KIND_SHARES)]
    return _with_last_days(drawn.with_columns(kind=kinds), np.full(size, p.NEVER), calendar)


def build_chunk(
    chunk: Chunk, land: Land, calendar: p.Calendar
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """SNDS tables and truth tables of a chunk, by name."""
    drawn, bystanders = draw_patients(chunk, land, calendar), _draw_bystanders(chunk, land, calendar)
    people = pl.concat([drawn.people, bystanders])
    quirk_stream = chunk.stream("quirks")
    for people_quirk in PEOPLE_QUIRKS if chunk.quirks else ():
        people = people_quirk(people, quirk_stream, chunk.seed)
    people = people.with_row_index("person").with_columns(pl.col("person").cast(pl.Int64))
    others = bystander_events(chunk.stream("bystanders"), bystanders, chunk.patients, calendar.end)
    events = (
        pl.concat([drawn.events, others], how="diagonal")
        .with_row_index("event")
        .with_columns(pl.col("event").cast(pl.Int64))
    )
    lags = np.array(p.FLUX_LAG_SHARES if chunk.quirks else p.CLEAN_LAG_SHARES)
    claims = claims_of(events, people, chunk.stream("claims"), calendar, lags / lags.sum())
    for claim_quirk in CLAIM_QUIRKS if chunk.quirks else ():
        claims = claim_quirk(claims, quirk_stream)
    if chunk.quirks:
        people = unrecorded_death(people, claims, quirk_stream)
    tables = snds_tables(claims, people, land.territories, calendar, chunk.number)
    tables["IR_IMB_R"] = long_term_illness(chunk.stream("illness"), people, untidy=chunk.quirks)
    return tables, _truth(drawn.course, events, claims, people, calendar)


def _truth(
    course: truth.Course, events: pl.DataFrame, claims: Claims, people: pl.DataFrame, calendar: p.Calendar
) -> dict[str, pl.DataFrame]:
    seen = pl.concat(
        [truth.observed_events(events, claims, people, calendar), truth.deaths(claims, people, calendar)],
        how="diagonal",
    )
    members = truth.cohort(seen, claims, people, calendar)
    return {"events": truth.truth_events(seen, members), **course_truth(course, people, members, calendar)}


def course_truth(
    course: truth.Course, people: pl.DataFrame, members: pl.DataFrame, calendar: p.Calendar
) -> dict[str, pl.DataFrame]:
    """Truth tables that don't depend on what the claims say, for the members of the cohort."""
    limit = np.minimum(course.dates.leaves, calendar.end)
    patient_id = people["patient_id"].head(limit.size)
    kept = pl.col("patient_id").is_in(members["patient_id"].implode())
    return {
        "patients": truth.truth_patients(course, people, members, calendar.end),
        "risk": truth.risk_rows(course, patient_id, limit).filter(kept),
        "breakdowns": truth.breakdown_rows(course, patient_id, limit).filter(kept),
    }

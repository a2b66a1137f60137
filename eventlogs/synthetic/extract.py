"""One chunk of the synthetic extract, from draws to tables and truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from . import truth
from .bystanders import KIND_SHARES, KINDS, bystander_events
from .claims import Claims, claims_of
from .course import Course
from .events import true_events
from .illness import long_term_illness
from .people import Ints, Land, draw_people
from .quirks import CLAIM_QUIRKS, PEOPLE_QUIRKS, unrecorded_death
from .scene import Cancer, Scene
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
    course: Course
    events: pl.DataFrame


def land_stream(seed: int) -> np.random.Generator:
    """The random generator of territories and hotspots."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2**31,)))


def draw_patients(chunk: Chunk, land: Land, calendar: p.Calendar, cancer: Cancer[Any]) -> Drawn:
    """Draw the patients of a chunk, their course and what happens to them."""
    people = draw_people(
        chunk.stream("people"), land, calendar, chunk.patients, population=cancer.population,
        first_number=2 * chunk.start, seed=chunk.seed, kind="patient",
    )  # fmt: skip
    course = cancer.draw(chunk.stream("course"), people, land, calendar)
    scene = Scene(chunk.stream("events"), people, cancer, course)
    known = people.with_columns(site=course.site)
    return Drawn(_with_last_days(known, course.dates.death, calendar), course, true_events(scene))


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


def _draw_bystanders(chunk: Chunk, land: Land, calendar: p.Calendar, cancer: Cancer[Any]) -> pl.DataFrame:
    rng = chunk.stream("bystanders")
    size = round(chunk.patients * p.BYSTANDER_SHARE) if chunk.quirks else 0
    drawn = draw_people(
        rng,
        land,
        calendar,
        size,
        population=cancer.population,
        first_number=2 * chunk.start + chunk.patients,
        seed=chunk.seed,
        kind="benign",
    )
    kinds = pl.Series(KINDS)[rng.choice(len(KINDS), size, p=KIND_SHARES)]
    return _with_last_days(
        drawn.with_columns(kind=kinds, site=pl.lit(cancer.lookalike.other_cancer)),
        np.full(size, p.NEVER),
        calendar,
    )


def build_chunk(
    chunk: Chunk, land: Land, calendar: p.Calendar, cancer: Cancer[Any]
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """SNDS tables and truth tables of a chunk, by name."""
    drawn = draw_patients(chunk, land, calendar, cancer)
    bystanders = _draw_bystanders(chunk, land, calendar, cancer)
    people = pl.concat([drawn.people, bystanders])
    quirk_stream = chunk.stream("quirks")
    for people_quirk in PEOPLE_QUIRKS if chunk.quirks else ():
        people = people_quirk(people, quirk_stream, chunk.seed)
    people = people.with_row_index("person").with_columns(pl.col("person").cast(pl.Int64))
    others = bystander_events(chunk.stream("bystanders"), bystanders, chunk.patients, calendar.end, cancer)
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
    return tables, _truth(replace(drawn, people=people), events, claims, calendar, cancer)


def _truth(
    drawn: Drawn, events: pl.DataFrame, claims: Claims, calendar: p.Calendar, cancer: Cancer[Any]
) -> dict[str, pl.DataFrame]:
    """Truth tables; `drawn.people` are all beneficiaries, as the quirks left them."""
    course, people = drawn.course, drawn.people
    seen = pl.concat(
        [truth.observed_events(events, claims, people, calendar), truth.deaths(claims, people, calendar)],
        how="diagonal",
    )
    members = truth.cohort(seen, claims, people, calendar, cancer)
    return {
        "events": truth.truth_events(seen, members),
        **course_truth(course, people, members, calendar, cancer),
    }


def course_truth(
    course: Course, people: pl.DataFrame, members: pl.DataFrame, calendar: p.Calendar, cancer: Cancer[Any]
) -> dict[str, pl.DataFrame]:
    """Truth tables that don't depend on what the claims say, for the members of the cohort."""
    limit = np.minimum(course.dates.leaves, calendar.end)
    patient_id = people["patient_id"].head(limit.size)
    kept = pl.col("patient_id").is_in(members["patient_id"].implode())
    return {
        "patients": truth.truth_patients(course, people, members, calendar.end, cancer.subtypes),
        "risk": truth.risk_rows(course, patient_id, limit).filter(kept),
        "breakdowns": truth.breakdown_rows(course, patient_id, limit).filter(kept),
    }

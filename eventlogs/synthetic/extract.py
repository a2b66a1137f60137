"""One chunk of the synthetic extract, from draws to tables and truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from . import quirks, truth
from .bystanders import KIND_SHARES, KINDS, bystander_events
from .claims import Claims, claims_of
from .course import Course
from .events import true_events
from .illness import ald_days, long_term_illness
from .people import Ints, Land, draw_people
from .quirks.people import EARLY_DAYS, death_sources, early_index, fictitious_people
from .scene import Cancer, Scene
from .tables import snds_tables
from .tally import planted_traps

STREAMS = ("people", "course", "events", "bystanders", "claims", "quirks", "illness")
TRAP_STREAMS_FROM = 100
CERTIFICATES_LATE_DAYS = 730
"""Causes of death arrive about two years later (SNDS documentation)."""
FICTITIOUS_STAYS_FROM = 2**54


@dataclass(frozen=True)
class Chunk:
    """Which patients to make: `start` is the number of the first in the whole extract."""

    number: int
    start: int
    patients: int
    seed: int
    quirks: frozenset[str]

    def stream(self, name: str) -> np.random.Generator:
        """The random generator of one step of this chunk."""
        return np.random.default_rng(
            np.random.SeedSequence(self.seed, spawn_key=(self.number, STREAMS.index(name)))
        )

    def trap_stream(self, trap: str) -> np.random.Generator:
        """The random generator of a trap in this chunk."""
        key = (self.number, TRAP_STREAMS_FROM + quirks.TRAPS.index(trap))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


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
    if "double_facility" in chunk.quirks:
        people = early_index(people, chunk.trap_stream("double_facility"))
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
        certified_death=pl.Series(death).set(pl.Series(death > calendar.end - CERTIFICATES_LATE_DAYS), None),
        number_kind=pl.lit("00"),
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


def observed_calendar(planted: frozenset[str]) -> p.Calendar:
    """The calendar of the tables, which begins earlier where some patients fell ill earlier."""
    calendar = p.Calendar()
    early = EARLY_DAYS if "double_facility" in planted else 0
    return replace(calendar, first_index=calendar.first_index - early)


def build_chunk(
    chunk: Chunk, land: Land, calendar: p.Calendar, cancer: Cancer[Any]
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """SNDS tables and truth tables of a chunk, by name."""
    drawn = draw_patients(chunk, land, calendar, cancer)
    bystanders = _draw_bystanders(chunk, land, calendar, cancer)
    others = bystander_events(chunk.stream("bystanders"), bystanders, chunk.patients, calendar.end, cancer)
    invented, copied = _fictitious(chunk, drawn, bystanders.height)
    people = pl.concat([drawn.people, bystanders, invented])
    people = quirks.in_people(people, chunk.quirks, chunk.trap_stream, chunk.seed)
    people = people.with_row_index("person").with_columns(pl.col("person").cast(pl.Int64))
    happened = pl.concat([drawn.events, others, copied], how="diagonal")
    events = _numbered(quirks.in_care(happened, chunk.quirks, chunk.trap_stream))
    claims = _claims(chunk, events, people, calendar)
    if "death_sources" in chunk.quirks:
        people = death_sources(people, claims, chunk.trap_stream("death_sources"))
    illness = chunk.stream("illness")
    people = people.with_columns(ald_day=ald_days(illness, people, chunk.quirks))
    seen = observed_calendar(chunk.quirks)
    plain = snds_tables(claims, people, land.territories, seen, chunk.number)
    plain["IR_IMB_R"] = long_term_illness(illness, people, chunk.quirks)
    tables = quirks.in_tables(plain, chunk.quirks, chunk.trap_stream)
    planted = {"traps": planted_traps(tables, people)}
    return tables, planted | _truth(replace(drawn, people=people), events, claims, seen, cancer)


def _numbered(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_row_index("event").with_columns(pl.col("event").cast(pl.Int64))


def _fictitious(chunk: Chunk, drawn: Drawn, bystanders: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Persons under fictitious numbers, and their events: those of the patients whom they copy."""
    if "fictitious_number" not in chunk.quirks:
        return drawn.people.clear(), drawn.events.clear()
    people, source = fictitious_people(drawn.people, chunk.trap_stream("fictitious_number"), chunk.seed)
    first = drawn.people.height + bystanders
    persons = source.with_columns(as_person=first + pl.int_range(source.height, dtype=pl.Int64))
    events = drawn.events.join(
        persons, left_on="person", right_on="source", how="inner", maintain_order="left"
    )
    return people, events.with_columns(person="as_person", stay=pl.col("stay") + FICTITIOUS_STAYS_FROM).drop(
        "as_person"
    )


def _claims(chunk: Chunk, events: pl.DataFrame, people: pl.DataFrame, calendar: p.Calendar) -> Claims:
    lags = np.array(p.FLUX_LAG_SHARES if "flux_month" in chunk.quirks else p.CLEAN_LAG_SHARES)
    claims = claims_of(events, people, chunk.stream("claims"), calendar, lags / lags.sum())
    return quirks.in_claims(claims, chunk.quirks, chunk.trap_stream)


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

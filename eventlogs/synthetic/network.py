"""An oncology network's own log: the same clinical course, seen live by four centres."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from . import parameters as p
from . import truth
from .cancers.breast import BREAST
from .extract import Chunk, Drawn, course_truth, draw_patients, land_stream
from .people import Land, draw_land
from .tables import as_date

TERRITORIES = ("44", "49", "85")  # ours: three neighbours
FACILITIES = ("440010231", "490010348", "440090465", "850090582")  # invented; one for each slot
SEXES = {1: "M", 2: "F"}
YEARS_OF_INDEX = 3
HOSPITAL_LAG_DAYS = (1, 3)  # the network's own systems
TOWN_LAG_DAYS = (21, 40)  # what comes from outside, about a month later


@dataclass(frozen=True)
class NetworkLog:
    """Events and patients in the columns that a network exports, and the truth tables."""

    events: pl.DataFrame
    patients: pl.DataFrame
    truth: dict[str, pl.DataFrame]


def network_log(patients: int, seed: int, as_of: date) -> NetworkLog:
    """Draw a network's log as it was known on `as_of`."""
    end = p.day_number(as_of)
    calendar = p.Calendar(end - round(YEARS_OF_INDEX * 365.25), end - 1, end, end)
    land = draw_land(land_stream(seed), 1, TERRITORIES)
    chunk = Chunk(0, 0, patients, seed, quirks=frozenset())
    drawn = _locally_named(draw_patients(chunk, land, calendar, BREAST))
    happened = _with_knowledge(chunk.stream("claims"), _events(drawn, end))
    known = happened.filter(pl.col("known_day") <= end)
    members = _members(drawn.people, known)
    return NetworkLog(
        _exported(known.join(members, on="person", how="semi", maintain_order="left")),
        _patients(drawn.people, members),
        _truth(drawn, happened, members, land, calendar),
    )


def _locally_named(drawn: Drawn) -> Drawn:
    """Patient numbers of the hospital in the place of national pseudonyms."""
    number = (pl.col("person") + 1).cast(pl.String).str.zfill(6)
    people = drawn.people.with_row_index("person").with_columns(
        pl.col("person").cast(pl.Int64), patient_id=pl.lit("N") + number
    )
    return Drawn(people, drawn.course, drawn.events)


def _events(drawn: Drawn, end: int) -> pl.DataFrame:
    """Listed events and deaths, one for each patient, activity and day."""
    dead = drawn.people.filter(pl.col("death_day") <= end).select(
        "person", day="death_day", activity=pl.lit("death"), facility=pl.lit(0, dtype=pl.Int64)
    )
    listed = drawn.events.filter(pl.col("activity").is_not_null())
    unique = pl.concat([listed, dead], how="diagonal").unique(
        ["person", "activity", "day"], keep="first", maintain_order=True
    )
    full_stay = ~pl.col("ghm").str.starts_with("28") & pl.col("exit").is_not_null()
    return unique.with_columns(leave=pl.when(full_stay).then("exit")).join(
        drawn.people.select("person", "patient_id"), on="person", how="left", maintain_order="left"
    )


def _with_knowledge(rng: np.random.Generator, events: pl.DataFrame) -> pl.DataFrame:
    """Add the day on which the network knew of each event."""
    inside = rng.integers(HOSPITAL_LAG_DAYS[0], HOSPITAL_LAG_DAYS[1] + 1, events.height)
    outside = rng.integers(TOWN_LAG_DAYS[0], TOWN_LAG_DAYS[1] + 1, events.height)
    lag = pl.when(pl.col("facility").is_null()).then(pl.Series(outside)).otherwise(pl.Series(inside))
    return events.with_columns(known_day=pl.max_horizontal("day", "leave") + lag)


def _members(people: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Patients with a biopsy or a treatment that the network knows of."""
    anchors = known.filter(pl.col("activity").is_in(BREAST.anchors))
    first = anchors.group_by("person", maintain_order=True).agg(index_day=pl.col("day").min())
    return people.select("person", "patient_id").join(first, on="person", how="inner", maintain_order="left")


def _exported(known: pl.DataFrame) -> pl.DataFrame:
    names = pl.Series(FACILITIES)[(known["facility"].fill_null(0) % p.FACILITY_SLOTS)]
    return known.with_columns(site=pl.when(pl.col("facility").is_not_null()).then(names)).sort(
        "person", "day", "activity"
    ).select(
        "patient_id", "activity", start=as_date("day"), end=as_date("leave"), facility="site", code="code",
        code_system="code_system", quantity="quantity", known_from=as_date("known_day"),
    )  # fmt: skip


def _patients(people: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    return people.join(members.select("person"), on="person", how="semi", maintain_order="left").select(
        "patient_id",
        sex=pl.col("sex").replace_strict(SEXES, return_dtype=pl.String),
        birth_year="birth_year",
        territory="territory",
        deprivation="quintile",
    )


def _truth(
    drawn: Drawn, happened: pl.DataFrame, members: pl.DataFrame, land: Land, calendar: p.Calendar
) -> dict[str, pl.DataFrame]:
    seen = happened.select(
        "person",
        "activity",
        "day",
        "quantity",
        observable=pl.col("known_day") <= calendar.end,
        why=pl.when(pl.col("known_day") > calendar.end).then(pl.lit("not_known_yet")),
    )
    return {
        "events": truth.truth_events(seen, members),
        **course_truth(drawn.course, drawn.people, members, calendar, BREAST),
        "hotspots": land.territories.select("territory", "hotspot"),
    }

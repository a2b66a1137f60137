"""True events -> rows of SNDS tables that still carry what truth needs: `event`, `stay`, `person`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from . import parameters as p
from .events import spread
from .people import Floats, Ints

LINE_SCHEMA: dict[str, type[pl.DataType]] = {
    "event": pl.Int64,
    "person": pl.Int64,
    "day": pl.Int64,
    "nature": pl.Int64,
    "specialty": pl.Int64,
    "ccam": pl.String,
    "supplement": pl.String,
    "cip": pl.Int64,
    "ucd": pl.String,
    "nabm": pl.String,
    "lpp": pl.String,
    "quantity": pl.Int64,
    "boxes": pl.Int64,
    "facility": pl.Int64,
    "lag": pl.Int64,
    "taa": pl.Int64,
    "qualifier": pl.Int64,
    "provider_qualifier": pl.Int64,
    "majoration": pl.Int64,
    "affiliation": pl.Int64,
    "base_nature": pl.Int64,
    "blank": pl.Int64,
    "short_code": pl.Boolean,
    "full_number": pl.Boolean,
}
"""One row of ER_PRS_F with the content of its affinée rows.

`event` is the event that the line bills (null for lines that must not count); `lag` is in months from care to flux;
`blank` is 1 for a null care date, 2 for 1600-01-01; `short_code` writes a medicine on seven digits, `full_number` a
facility on nine.
"""

STAY_SCHEMA: dict[str, type[pl.DataType]] = {
    "stay": pl.Int64,
    "person": pl.Int64,
    "entry": pl.Int64,
    "exit": pl.Int64,
    "facility": pl.Int64,
    "ghm": pl.String,
    "dp": pl.String,
    "dr": pl.String,
    "das": pl.String,
    "sessions": pl.Int64,
    "died": pl.Boolean,
    "sej_typ": pl.String,
    "return_code": pl.String,
    "bad_pseudonym": pl.Boolean,
    "das_in_unit": pl.Boolean,
    "field": pl.String,
    "mode": pl.String,
    "month_only": pl.Boolean,
    "automatic": pl.Int64,
    "double": pl.String,
}
"""One stay of any PMSI.

`return_code` names the chaining variable in error (null: none). `field` is mco, had, ssr or rip, `mode` the main mode
of care at home. `month_only` stays have no day; `automatic` is 1 for TYP_GEN_RSA, 2 for GHS 9999; `double` is the
geographic FINESS under which a second copy was reported.
"""

DRUG_SCHEMA: dict[str, type[pl.DataType]] = {
    "stay": pl.Int64,
    "event": pl.Int64,
    "ucd": pl.String,
    "delay": pl.Int64,
    "given": pl.Int64,
    "shared": pl.Int64,
}
"""A drug beside the GHS: `delay` in days from entry, `given` units, `shared` by so many stays (NBR_SEJ)."""

VISIT_SCHEMA: dict[str, type[pl.DataType]] = {
    "event": pl.Int64,
    "person": pl.Int64,
    "day": pl.Int64,
    "facility": pl.Int64,
    "code": pl.String,
    "code_system": pl.String,
    "specialty": pl.Int64,
    "delay": pl.Int64,
    "return_code": pl.String,
    "bad_pseudonym": pl.Boolean,
}
"""One act of external care; `delay` in days from the opening of the sequence to the act on `day`."""


@dataclass(frozen=True)
class Claims:
    """What the claims of a chunk hold before they take the shape of SNDS tables.

    Attributes
    ----------
    lines : polars.DataFrame
        `LINE_SCHEMA`.
    stays : polars.DataFrame
        `STAY_SCHEMA`.
    acts : polars.DataFrame
        `stay`, `code` (CCAM), `delay` (days from entry), `activity_code`.
    drugs : polars.DataFrame
        `DRUG_SCHEMA`.
    visits : polars.DataFrame
        `VISIT_SCHEMA`.
    """

    lines: pl.DataFrame
    stays: pl.DataFrame
    acts: pl.DataFrame
    drugs: pl.DataFrame
    visits: pl.DataFrame


def is_private(facility: str = "facility") -> pl.Expr:
    """Whether a centre is private: the last two of the four of a département."""
    return pl.col(facility) % p.FACILITY_SLOTS >= p.FACILITY_SLOTS // 2


def claims_of(
    events: pl.DataFrame, people: pl.DataFrame, rng: np.random.Generator, calendar: p.Calendar, lags: Floats
) -> Claims:
    """Bill every event, add care that is not on the list, and report stays."""
    stays = _stays(events, people)
    parts = [_billed(events), _private_stay_lines(stays), _noise(rng, people, calendar)]
    lines = pl.concat([pl.DataFrame(schema=LINE_SCHEMA), *parts], how="diagonal").with_columns(
        pl.col("quantity").fill_null(1), pl.col("boxes").fill_null(1), pl.col("blank").fill_null(0)
    )
    lag = rng.choice(np.arange(1, lags.size + 1), lines.height, p=lags)
    return Claims(
        lines.with_columns(lag=pl.Series(lag, dtype=pl.Int64)), stays, _acts(events), _drugs(events), _visits(events)
    )  # fmt: skip


def _billed(events: pl.DataFrame) -> pl.DataFrame:
    system = pl.col("code_system")
    return events.filter(pl.col("nature").is_not_null()).select(
        "event", "person", "day", "nature", "specialty", "supplement", "facility",
        ccam=pl.when(system == "CCAM").then(pl.col("code")),
        cip=pl.when(system == "CIP13").then(pl.col("code")).cast(pl.Int64),
        ucd=pl.when(system == "UCD").then(pl.col("code")),
        nabm=pl.when(system == "NABM").then(pl.col("code")),
        lpp=pl.when(system == "LPP").then(pl.col("code")),
        boxes=pl.col("quantity").fill_null(1),
    )  # fmt: skip


def _private_stay_lines(stays: pl.DataFrame) -> pl.DataFrame:
    """The hospital bill (GHS) of private stays: no event."""
    return stays.filter(is_private() & (pl.col("field") == "mco")).select(
        "person", "facility", day=pl.col("entry"), nature=pl.lit(p.GHS, dtype=pl.Int64)
    )


def _noise(rng: np.random.Generator, people: pl.DataFrame, calendar: p.Calendar) -> pl.DataFrame:
    """Pharmacy, biology, nursing, dental care, other specialists: from 18 months before to the end."""
    start = people["index_day"].to_numpy() - 540
    duration = np.minimum(people["last_day"].to_numpy(), calendar.end) - start
    person, _ = spread(rng.poisson(p.NOISE_LINES_PER_YEAR * duration / 365.25))
    nature = rng.choice(p.NOISE_NATURES, person.size, p=p.NOISE_NATURE_SHARES)
    specialty = rng.choice(p.NOISE_SPECIALTIES, person.size)
    cip = rng.choice(np.array(p.UNRELATED_CIP13, dtype=np.int64), person.size)
    frame = pl.DataFrame(
        {"person": person, "day": start[person] + (rng.random(person.size) * (duration[person] + 1)).astype(np.int64),
         "nature": nature, "specialty": specialty, "cip": cip}
    )  # fmt: skip
    return frame.with_columns(
        specialty=pl.when(pl.col("nature") == 1112).then(pl.col("specialty")),
        cip=pl.when(pl.col("nature") == p.PHARMACY).then(pl.col("cip")),
    )


def _stays(events: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """One row for each stay: séances that share a key make one stay with as many sessions."""
    first = [pl.col(name).first() for name in ("person", "facility", "ghm", "dp", "dr", "das")]
    stays = (
        events.filter(pl.col("stay").is_not_null())
        .group_by("stay", maintain_order=True)
        .agg(
            *first,
            field=pl.col("field").first().fill_null("mco"),
            mode=pl.col("code").filter(pl.col("code_system") == "PEC").first(),
            entry=pl.col("entry").min(),
            exit=pl.col("exit").max(),
            sessions=pl.col("day").n_unique(),
        )
    )
    seance = pl.col("ghm").str.starts_with("28")
    death = people["death_day"][stays["person"]]
    return stays.with_columns(
        sessions=pl.when(seance).then(pl.col("sessions").cast(pl.Int64)).otherwise(0),
        died=~seance & (pl.col("exit") == death),
        sej_typ=pl.lit(None, dtype=pl.String),
        return_code=pl.lit(None, dtype=pl.String),
        bad_pseudonym=pl.lit(False),
        das_in_unit=pl.lit(False),
        month_only=pl.lit(False),
        automatic=pl.lit(0),
        double=pl.lit(None, dtype=pl.String),
    ).select(pl.col(name).cast(dtype) for name, dtype in STAY_SCHEMA.items())


def _acts(events: pl.DataFrame) -> pl.DataFrame:
    """Acts of stays; the anaesthetist's row (activity 4) repeats the surgeon's code."""
    acts = events.filter(pl.col("hospital_act") & pl.col("stay").is_not_null()).select(
        "stay", "code", delay=pl.col("day") - pl.col("entry"), activity_code=pl.lit("1")
    )
    surgery = pl.col("code").str.slice(2, 2) == "FA"
    return pl.concat([acts, acts.filter(surgery).with_columns(activity_code=pl.lit("4"))])


def _drugs(events: pl.DataFrame) -> pl.DataFrame:
    """Drugs beside the GHS of their stay."""
    given = events.filter((pl.col("code_system") == "UCD") & pl.col("stay").is_not_null())
    return given.select(
        "stay", "event", ucd="code", delay=pl.col("day") - pl.col("entry"), given=pl.col("quantity").fill_null(1),
        shared=pl.lit(1, dtype=pl.Int64),
    )  # fmt: skip


def _visits(events: pl.DataFrame) -> pl.DataFrame:
    """External care of public hospitals; one act in twenty belongs to a sequence opened the day before."""
    seen = events.filter(pl.col("external").fill_null(False) & pl.col("stay").is_null())
    return seen.select(
        "event", "person", "day", "facility", "code", "code_system", "specialty",
        delay=(pl.col("event") % 20 == 0).cast(pl.Int64),
        return_code=pl.lit(None, dtype=pl.String),
        bad_pseudonym=pl.lit(False),
    )  # fmt: skip


def flux_day(day: Ints, lag_months: Ints) -> Ints:
    """First day of the flux month `lag_months` after the month of care."""
    month = day.astype("datetime64[D]").astype("datetime64[M]") + lag_months
    return month.astype("datetime64[D]").astype(np.int64)
